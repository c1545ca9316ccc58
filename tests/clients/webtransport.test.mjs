// The official client over WebTransport in a real browser, on a page of another origin than the server's; and sessions
// spoken by hand.
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { describeServers } from './server.mjs';
import { CLIENT_BUNDLE, eventually, launchBrowser, openPage, serveFiles } from './page.mjs';
import { count, connect, call, heard } from './official.mjs';

const PAGE = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script src="/client.js"></script>
<script src="/page.js"></script>`;

const env = { WEBTRANSPORT: '1' };
const DIRECT = ['webtransport'];
const UPGRADE = ['polling', 'webtransport'];
const ALL = ['polling', 'websocket', 'webtransport'];

let browser;
let site;

before(async () => {
  site = await serveFiles({
    '/': ['text/html', PAGE],
    '/client.js': ['text/javascript', CLIENT_BUNDLE],
    '/page.js': ['text/javascript', `(${inPage})()`],
  });
  browser = await launchBrowser({ quic: true });
});

after(async () => {
  await browser?.close();
  await site?.close();
});

const visit = async (t, server) => {
  const page = await openPage(t, browser, site.url);
  await page.evaluate(([url, certificate]) => Object.assign(window, { url, certificate }), [server.url, server.certificate]);
  return page;
};

describeServers('a page over WebTransport', { contract: 'app', env }, (server) => {
  for (const transports of [DIRECT, UPGRADE]) {
    it(`exchanges text and bytes of all lengths, by ${transports}`, async (t) => {
      const page = await visit(t, server);
      const seen = await page.evaluate(async (transports) => {
        const socket = open(transports);
        await upgraded(socket);
        const lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 900_000];
        const texts = [];
        const bytes = [];
        for (const length of lengths) {
          texts.push((await call(socket, 'echo-ack', 'é'.repeat(length / 2)))[0].length * 2);
          const sent = new Uint8Array(length).map((_, i) => i * 7);
          const [got] = await call(socket, 'echo-ack', sent);
          bytes.push(got.byteLength === length && new Uint8Array(got).every((byte, i) => byte === sent[i]) ? length : -1);
        }
        const [mixed] = await call(socket, 'echo-ack', { list: [1, null, '\0\u2028😀', new Uint8Array([0, 255]).buffer] });
        const [who] = await call(socket, 'whoami');
        return { lengths, texts, bytes, mixed: [...mixed.list.slice(0, 3), ...new Uint8Array(mixed.list[3])], who, id: socket.id };
      }, transports);
      assert.deepEqual(page.problems, []);
      assert.deepEqual(seen.texts, seen.lengths.map((length) => length - (length % 2)));
      assert.deepEqual(seen.bytes, seen.lengths);
      assert.deepEqual(seen.mixed, [1, null, '\0\u2028😀', 0, 255]);
      assert.equal(seen.who.transport, 'webtransport');
      assert.equal(seen.who.id, seen.id);
      // The official client sends its query only where it polls first.
      assert.equal(seen.who.query.EIO, transports === DIRECT ? undefined : '4');
    });
  }

  it('is carried by whichever of WebTransport and WebSocket is there first, where it may have both', async (t) => {
    const page = await visit(t, server);
    const seen = await page.evaluate(async (transports) => {
      const socket = open(transports);
      await heard(socket, 'connect');
      if (socket.io.engine.transport.name === 'polling') await heard(socket.io.engine, 'upgrade');
      const [who] = await call(socket, 'whoami');
      return { transport: socket.io.engine.transport.name, who };
    }, ALL);
    // The client gives WebTransport 200 ms.
    assert.ok(['webtransport', 'websocket'].includes(seen.transport), seen.transport);
    assert.equal(seen.who.transport, seen.transport);
  });

  it('loses, repeats and reorders nothing of 1,000 events each way while it upgrades', async (t) => {
    const page = await visit(t, server);
    const seen = await page.evaluate(async (transports) => {
      const socket = open(transports);
      const ticks = [];
      const changes = [];
      socket.on('tick', (n) => ticks.push(n));
      socket.io.on('open', () => socket.io.engine.on('upgrade', () => changes.push(ticks.length)));
      await heard(socket, 'connect');
      const burst = call(socket, 'burst', 1000, 2);
      for (let n = 0; n < 1000; n++) {
        socket.emit('collect', n);
        if (n % 20 === 0) await new Promise((done) => setTimeout(done, 2));
      }
      await burst;
      await upgraded(socket);
      const [collected] = await call(socket, 'collected');
      return { ticks, collected, changes, transport: socket.io.engine.transport.name };
    }, UPGRADE);
    const all = Array.from({ length: 1000 }, (_, n) => n);
    assert.deepEqual(seen.ticks, all);
    assert.deepEqual(seen.collected, all);
    assert.equal(seen.transport, 'webtransport');
    assert.equal(seen.changes.length, 1);
    assert.deepEqual(page.problems, []);
  });

  it('is told by the server that the connection has ended, and comes back', async (t) => {
    const page = await visit(t, server);
    const seen = await page.evaluate(async (transports) => {
      const socket = open(transports, { reconnection: true, reconnectionDelay: 10 });
      await heard(socket, 'welcome');
      const gone = heard(socket, 'disconnect');
      const first = socket.id;
      socket.emit('close-me');
      const [reason] = await gone;
      await heard(socket, 'welcome');
      return { reason, isAnother: socket.id !== first, transport: socket.io.engine.transport.name };
    }, DIRECT);
    assert.deepEqual(seen, { reason: 'transport close', isAnother: true, transport: 'webtransport' });
  });

  it('gets what was emitted right before the server disconnects it', async (t) => {
    const page = await visit(t, server);
    const seen = await page.evaluate(async (transports) => {
      const socket = open(transports);
      await heard(socket, 'welcome');
      const ticks = [];
      socket.on('tick', (n) => ticks.push(n));
      socket.emit('burst', 500, 0);
      socket.emit('close-me');
      const [reason] = await heard(socket, 'disconnect');
      return { ticks: ticks.length, reason };
    }, DIRECT);
    assert.deepEqual(seen, { ticks: 500, reason: 'transport close' });
  });

  for (const [how, leave] of Object.entries({
    'that disconnects': (page) => page.evaluate(() => socket.disconnect()),
    'that closes its connection': (page) => page.evaluate(() => socket.io.engine.transport.close()),
    'whose page is closed': (page) => page.close(),
  })) {
    it(`is seen off at once by others, as one ${how}`, async (t) => {
      const other = await connect(t, server, '4.8.4', 'websocket');
      const room = `room of one ${how}`;
      await call(other, 'join', room);
      const page = await visit(t, server);
      const id = await page.evaluate(
        async ([transports, room]) => {
          window.socket = open(transports);
          await heard(socket, 'welcome');
          await call(socket, 'join', room);
          return socket.id;
        },
        [DIRECT, room],
      );
      const left = heard(other, 'left', 3_000);
      await leave(page);
      assert.deepEqual(await left, [id]);
    });
  }

  it('talks in a room with clients over other transports', async (t) => {
    const other = await connect(t, server, '4.8.4', 'polling');
    await call(other, 'join', 'mixed');
    const page = await visit(t, server);
    const heardThere = page.evaluate(async (transports) => {
      window.socket = open(transports);
      await heard(socket, 'welcome');
      await call(socket, 'join', 'mixed');
      const said = heard(socket, 'said');
      await call(socket, 'to-room', 'mixed', 'said', new Uint8Array([1, 2, 3]));
      return [...new Uint8Array((await said)[0])];
    }, DIRECT);
    const [bytes] = await heard(other, 'said');
    assert.deepEqual([...bytes], [1, 2, 3]);
    await call(other, 'to-room', 'mixed', 'said', Buffer.from([4, 5]));
    assert.deepEqual(await heardThere, [4, 5]);
  });

  it('is refused at another path', async (t) => {
    const page = await visit(t, server);
    for (const path of ['/', '/socket.iox/', '/socket.io/x']) {
      assert.equal(await page.evaluate((path) => outcome(session(path)), path), 'Opening handshake failed.', path);
    }
  });

  for (const [what, bytes] of Object.entries({
    'is no open packet': [2, 0x34, 0x30],
    'is of bytes': [0x81, 0x30],
    'is empty': [0],
    'is longer than the server takes': [127, 0, 0, 0, 0, 0xff, 0, 0, 0],
    'names no session': [...[12], ...Buffer.from('0{"sid":"a"}')],
    'names __proto__': [...[20], ...Buffer.from('0{"sid":"__proto__"}')],
  })) {
    it(`has its session closed without a word when the first packet ${what}`, async (t) => {
      const page = await visit(t, server);
      assert.deepEqual(await page.evaluate((bytes) => converse([bytes]), bytes), { got: '', end: 'closed' });
    });
  }

  for (const [what, bytes] of Object.entries({
    empty: [0],
    'longer than the server takes': [127, 0, 0, 0, 0, 0xff, 0, 0, 0],
    'longer than JavaScript can count': [127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    'of a length of 64 bits with the mark of bytes': [255, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  })) {
    it(`is disconnected when it sends a message that is ${what}`, async (t) => {
      const other = await connect(t, server, '4.8.4', 'websocket');
      await call(other, 'join', what);
      const left = count(other, 'left');
      const page = await visit(t, server);
      const join = `420["join",${JSON.stringify(what)}]`;
      const hello = [1, 0x30, 2, 0x34, 0x30, Buffer.byteLength(join), ...Buffer.from(join)];
      const seen = await page.evaluate(([hello, bytes]) => converse([hello, bytes], '430['), [hello, bytes]);
      assert.match(seen.got, /"upgrades":\[\]/);
      assert.equal(seen.end, 'closed');
      await eventually(() => left.length, 1);
    });
  }
});

describeServers('a page over WebTransport, with a heartbeat', {
  contract: 'app',
  env: { ...env, PING_INTERVAL_MS: '150', PING_TIMEOUT_MS: '600' },
}, (server) => {
  for (const transports of [DIRECT, UPGRADE]) {
    it(`stays for many of them, by ${transports}`, async (t) => {
      const page = await visit(t, server);
      const seen = await page.evaluate(async (transports) => {
        const socket = open(transports);
        await upgraded(socket);
        const gone = [];
        socket.on('disconnect', (reason) => gone.push(reason));
        for (let pings = 0; pings < 10; pings++) await heard(socket.io, 'ping');
        return { gone, transport: socket.io.engine.transport.name };
      }, transports);
      assert.deepEqual(seen, { gone: [], transport: 'webtransport' });
    });
  }

  it('is gone when it does not answer', async (t) => {
    const page = await visit(t, server);
    const seen = await page.evaluate(() => converse([[1, 0x30, 2, 0x34, 0x30]]));
    assert.equal(seen.end, 'closed');
    assert.match(seen.got, /2$/);
  });
});

describeServers('a page over WebTransport, when CORS is off', { contract: 'socket', env }, (server) => {
  it('is refused', async (t) => {
    const page = await visit(t, server);
    assert.equal(await page.evaluate(() => outcome(session('/socket.io/'))), 'Opening handshake failed.');
    const error = await page.evaluate(async (transports) => (await heard(open(transports), 'connect_error'))[0].message, DIRECT);
    assert.equal(error, 'webtransport error');
  });
});

/** Runs in the page: what the tests call there. */
function inPage() {
  const hashes = () => [{ algorithm: 'sha-256', value: new Uint8Array(certificate) }];
  const within = (promise, what) =>
    Promise.race([
      promise,
      new Promise((_, reject) => setTimeout(() => reject(new Error(`waited in vain for ${what}`)), 8_000)),
    ]);
  const heard = (emitter, event) => within(new Promise((resolve) => emitter.once(event, (...args) => resolve(args))), event);
  const call = (socket, ...args) =>
    within(new Promise((resolve) => socket.emit(...args, (...answer) => resolve(answer))), args[0]);
  const open = (transports, options) =>
    io(url, {
      transports,
      reconnection: false,
      forceNew: true,
      transportOptions: { webtransport: { serverCertificateHashes: hashes() } },
      ...options,
    });

  /** Waits until the socket is connected over WebTransport. */
  const upgraded = async (socket) => {
    if (!socket.connected) await heard(socket, 'connect');
    if (socket.io.engine.transport.name !== 'webtransport') await heard(socket.io.engine, 'upgrade');
  };

  const session = (path) => new WebTransport(`${url.replace('http:', 'https:')}${path}`, { serverCertificateHashes: hashes() });
  const outcome = (session) => session.ready.then(() => 'ready', (error) => error.message).finally(() => session.closed.catch(() => {}));

  /** Writes messages on the first stream of a new session, the second once `marker` came; reads to its end. */
  const converse = async ([first, second], marker) => {
    const wt = session('/socket.io/');
    const end = wt.closed.then(() => 'closed', (error) => `lost: ${error.message}`);
    await within(wt.ready, 'a session');
    const { readable, writable } = await wt.createBidirectionalStream();
    const writer = writable.getWriter();
    writer.closed.catch(() => {});
    const write = (bytes) => writer.write(new Uint8Array(bytes)).catch(() => {});
    await write(first);
    let got = '';
    const read = async () => {
      const reader = readable.getReader();
      const decoder = new TextDecoder();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        got += decoder.decode(value, { stream: true });
        if (second && got.includes(marker)) {
          write(second);
          second = undefined;
        }
      }
    };
    await within(read().catch(() => {}), 'the end of the stream');
    return { got, end: await within(end, 'the end of the session') };
  };
  Object.assign(window, { heard, call, open, upgraded, session, outcome, converse });
}
