// permessage-deflate (RFC 7692) against contract `app`: `ws`, whose compression is the reference server's, the official client
// in Node and in Chromium, and frames written by hand.
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import WebSocket from 'ws';
import { io as connect } from 'socket.io-client-4.8';
import { io as connect3 } from 'socket.io-client-3.1';
import { BINARY, CONTINUATION, PING, RawWebSocket, TEXT, frame } from './frames.mjs';
import { CLIENT_BUNDLE, launchBrowser, openPage, serveFiles } from './page.mjs';
import { describeServers } from './server.mjs';
import { Inbox, request, within } from './wire.mjs';

const AGREED = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover';
const TARGET = '/socket.io/?EIO=4&transport=websocket';
const PAGE = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script src="/client.js"></script>';

const COMPRESSED = 4; // rsv1
const LONG = 'hello '.repeat(20_000);

/** Bytes that no compression makes fewer. */
function noise(length) {
  let state = 1n;
  return Buffer.from(
    Array.from({ length }, () => Number((state = BigInt.asUintN(64, state * 6364136223846793005n + 1n)) >> 56n)),
  );
}

/** A client of `ws` that has joined `/` -> { ws, next, echo, read }. */
async function join(t, server, options) {
  const ws = new WebSocket(`ws://${server.host}:${server.port}${TARGET}`, options);
  t.after(() => ws.terminate());
  const inbox = new Inbox();
  ws.on('message', (data, isBinary) => {
    if (!isBinary && String(data) === '2') return ws.send('3');
    inbox.push(isBinary ? data : String(data));
  });
  ws.on('error', () => {}); // what the test then misses says so
  ws.on('close', (code) => inbox.end(new Error(`closed with ${code}`)));
  const next = (what) => inbox.next(what);
  await next('the open packet');
  ws.send('40');
  await next('the connect packet');
  await next('the welcome');
  const echo = async (...frames) => {
    frames.forEach((data) => ws.send(data));
    const got = [];
    while (got.length < frames.length) got.push(await next('the echo'));
    assert.deepEqual(got.slice(1), frames.slice(1));
    assert.equal(got[0], frames[0]);
  };
  /** Bytes that came over the network while `action` ran. */
  const read = async (action) => {
    const start = ws._socket.bytesRead;
    await action();
    return ws._socket.bytesRead - start;
  };
  return { ws, next, echo, read };
}

const text = (length) => `42["echo","${'héllo '.repeat(length).slice(0, length)}"]`;
const head = (bytes) => ['451-["echo",{"_placeholder":true,"num":0}]', bytes];

describeServers('compression that is off', { contract: 'app' }, (server) => {
  it('is not agreed upon', async (t) => {
    const { ws, echo } = await join(t, server, { perMessageDeflate: true });
    assert.equal(ws.extensions, '');
    await echo(text(5000));
  });
});

let browser;
let site;

before(async () => {
  site = await serveFiles({ '/': ['text/html', PAGE], '/client.js': ['text/javascript', CLIENT_BUNDLE] });
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  await site?.close();
});

describeServers('compression', { contract: 'app', env: { DEFLATE_THRESHOLD: '1024' } }, (server) => {
  it('is agreed with ws, both ways', async (t) => {
    const { ws, echo, read } = await join(t, server, { perMessageDeflate: { threshold: 0 } });
    assert.equal(ws.extensions, 'permessage-deflate');
    for (const length of [0, 1, 100, 1000, 1024, 5000, 70_000, 900_000]) await echo(text(length));
    for (const bytes of [Buffer.alloc(0), Buffer.from([1]), Buffer.alloc(300_000, 7), noise(50_000)]) await echo(...head(bytes));
    const long = await read(() => echo(text(100_000)));
    assert.ok(long < 5_000, `${long} bytes came`);
    const random = await read(() => echo(...head(noise(50_000))));
    assert.ok(random < 50_100, `${random} bytes came`);
  });

  it('is not used for those who do not offer it', async (t) => {
    const { ws, echo, read } = await join(t, server, { perMessageDeflate: false });
    assert.equal(ws.extensions, '');
    const bytes = await read(() => echo(text(10_000)));
    assert.ok(bytes > 10_000, `${bytes} bytes came`);
  });

  it('keeps to the window that ws asks for', async (t) => {
    // What is near is alike, and so is what is 16,000 bytes away.
    const bytes = Buffer.concat(Array(4).fill(Buffer.from([...noise(2000)].flatMap((byte) => Array(8).fill(byte)))));
    const lengths = {};
    for (const serverMaxWindowBits of [9, 10, 12, 15]) {
      const { ws, echo, read } = await join(t, server, { perMessageDeflate: { serverMaxWindowBits } });
      assert.equal(ws.extensions, 'permessage-deflate');
      lengths[serverMaxWindowBits] = await read(() => echo(...head(bytes)));
    }
    assert.ok(lengths[9] > 2 * lengths[15], JSON.stringify(lengths));
  });

  it('takes messages in compressed fragments', async (t) => {
    const { ws, next } = await join(t, server, { perMessageDeflate: { threshold: 0 } });
    const packet = text(50_000);
    for (let at = 0; at < packet.length; at += 20_000) {
      ws.send(packet.slice(at, at + 20_000), { fin: at + 20_000 >= packet.length, compress: true });
      ws.ping();
    }
    assert.equal(await next('the echo'), packet);
  });

  it('ends with 1009 at a bomb', async (t) => {
    const raw = await RawWebSocket.open(server, TARGET, ['Sec-WebSocket-Extensions: permessage-deflate']);
    t.after(() => raw.tcp.destroy());
    await raw.nextText('the open packet');
    const bomb = deflateRawSync(Buffer.alloc(500_000_000, 'a'));
    assert.ok(bomb.length < 1_000_000);
    raw.send(frame(TEXT, Buffer.concat([bomb, Buffer.from([0])]), { rsv: COMPRESSED }));
    assert.equal(await raw.closeCode(), 1009);
  });

  for (const [what, code, ...frames] of [
    ['a compressed ping', 1002, frame(PING, '', { rsv: COMPRESSED })],
    ['a continuation that says to be compressed', 1002, frame(TEXT, 'a', { rsv: COMPRESSED, fin: false }), frame(CONTINUATION, 'b', { rsv: COMPRESSED })],
    ['rsv2', 1002, frame(TEXT, 'a', { rsv: 2 })],
    ['rsv3 beside rsv1', 1002, frame(TEXT, 'a', { rsv: COMPRESSED | 1 })],
    ['what cannot be inflated', 1007, frame(BINARY, '\xff\xff\xff', { rsv: COMPRESSED })],
    ['a compressed message that is cut off', 1007, frame(BINARY, deflateRawSync('4hello hello hello').subarray(0, 5), { rsv: COMPRESSED })],
  ]) {
    it(`ends with ${code} at ${what}`, async (t) => {
      const raw = await RawWebSocket.open(server, TARGET, ['Sec-WebSocket-Extensions: permessage-deflate']);
      t.after(() => raw.tcp.destroy());
      await raw.nextText('the open packet');
      raw.send(...frames);
      assert.equal(await raw.closeCode(), code);
    });
  }

  it('tells what it agreed, and nothing it did not', async () => {
    const headers = {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    };
    for (const [offer, agreed] of [
      ['permessage-deflate; client_max_window_bits', AGREED],
      ['permessage-deflate; server_max_window_bits=10', `${AGREED}; server_max_window_bits=10`],
      ['permessage-deflate; unknown, permessage-deflate', AGREED],
      ['permessage-deflate; unknown', undefined],
      ['x-webkit-deflate-frame', undefined],
    ]) {
      const answer = await request(server, TARGET, { headers: { ...headers, 'Sec-WebSocket-Extensions': offer } });
      assert.equal(answer.status, 101);
      assert.equal(answer.headers['sec-websocket-extensions'], agreed, offer);
    }
    const malformed = { ...headers, 'Sec-WebSocket-Extensions': 'permessage-deflate; a=' };
    assert.equal((await request(server, TARGET, { headers: malformed })).status, 400);
  });

  for (const [name, client] of [['4.8', connect], ['3.1', connect3]]) {
    for (const transports of [['websocket'], ['polling', 'websocket']]) {
      it(`is used by socket.io-client ${name} over ${transports.join(', then ')}`, async (t) => {
        const socket = client(server.url, { transports, forceNew: true, reconnection: false });
        t.after(() => socket.disconnect());
        const upgraded = new Promise((resolve) => {
          socket.io.on('open', () => {
            if (transports.length === 1) resolve();
            else socket.io.engine.once('upgrade', resolve);
          });
        });
        await within(upgraded, 'the WebSocket');
        const { ws } = socket.io.engine.transport;
        assert.match(ws.extensions, /permessage-deflate/);
        const start = ws._socket.bytesRead;
        const [echoed] = await within(new Promise((resolve) => socket.emit('echo-ack', LONG, (...args) => resolve(args))), 'the ack');
        assert.ok(echoed === LONG);
        assert.ok(ws._socket.bytesRead - start < 5_000, 'what came was compressed');
      });
    }
  }

  it('reaches many with one broadcast', async (t) => {
    const clients = await Promise.all(Array.from({ length: 20 }, (_, i) => join(t, server, { perMessageDeflate: i % 4 !== 0 })));
    clients[0].ws.send(`42["broadcast-others","news","${LONG}"]`);
    const news = `42["news","${LONG}"]`;
    for (const { next } of clients.slice(1)) assert.ok((await next('the news')) === news);
  });

  it('is used by Chromium', async (t) => {
    const page = await openPage(t, browser, site.url);
    const seen = await page.evaluate(
      async ({ url, long }) => {
        const socket = io(url, { transports: ['websocket'], reconnection: false });
        await new Promise((resolve) => socket.on('connect', resolve));
        const echoed = await socket.timeout(5000).emitWithAck('echo-ack', long, new Uint8Array(5000).fill(7));
        return {
          extensions: socket.io.engine.transport.ws.extensions,
          text: echoed === long || echoed[0] === long,
        };
      },
      { url: server.url, long: LONG },
    );
    assert.deepEqual(page.problems, []);
    assert.match(seen.extensions, /^permessage-deflate/);
    assert.equal(seen.text, true);
  });

  it('is used by Chromium with protocol 0.9', async (t) => {
    const page = await openPage(t, browser, site.url);
    const seen = await page.evaluate(
      async ({ url, long }) => {
        const [sid] = (await (await fetch(`${url}/socket.io/1/`, { credentials: 'include' })).text()).split(':');
        const ws = new WebSocket(`${url.replace('http', 'ws')}/socket.io/1/websocket/${sid}`);
        const packet = `5:::${JSON.stringify({ name: 'echo', args: [long] })}`;
        const echoed = new Promise((resolve) => {
          ws.onmessage = ({ data }) => {
            if (data === '1::') ws.send(packet);
            if (data.startsWith('5:::{"name":"echo"')) resolve(data);
          };
          setTimeout(() => resolve('nothing came'), 5000);
        });
        return { same: (await echoed) === packet, extensions: ws.extensions };
      },
      { url: server.url, long: LONG },
    );
    assert.deepEqual(page.problems, []);
    assert.match(seen.extensions, /^permessage-deflate/);
    assert.equal(seen.same, true);
  });
});
