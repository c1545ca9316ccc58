// What a server may do around requests, as clients see it: cookies, headers, refusals, ids of its own, compression;
// and where it is mounted. Against contract `http`.
import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import io09 from 'socket.io-client-0.9';
import io25 from 'socket.io-client-2.5';
import { CLIENT_BUNDLE, launchBrowser, openPage, serveFiles } from './page.mjs';
import { WAYS, call, connect, heard } from './official.mjs';
import { describeServers } from './server.mjs';
import { request, upgradeRequest, within } from './wire.mjs';

const PAGE = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script src="/client.js"></script>';
const POLLING = '/socket.io/?EIO=4&transport=polling';
const WEBSOCKET = '/socket.io/?EIO=4&transport=websocket';
const COOKIES = ['first=1; Path=/', 'second=2; Path=/'];

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

/** The sid in the open packet. */
const sidOf = (open) => JSON.parse(open.slice(1)).sid;

/** A client 2.5, connected. */
async function connect25(t, server, transports, options = {}) {
  const socket = io25(server.url, { transports, forceNew: true, reconnection: false, ...options });
  t.after(() => socket.close());
  await within(new Promise((done, fail) => socket.once('connect', done).once('connect_error', fail)), 'client 2.5');
  return socket;
}

const WAYS_09 = ['xhr-polling', 'websocket'];

/** A client 0.9, which has begun. Its folder is its path without the slash in front. */
function begin09(t, server, way, { resource = 'socket.io', query = '' } = {}) {
  const socket = io09.connect(`${server.url}${query && `?${query}`}`, {
    resource,
    transports: [way],
    'force new connection': true,
    reconnect: false,
  });
  t.after(() => socket.socket.connected && socket.disconnect());
  return socket;
}

async function connect09(t, server, way, options) {
  const socket = begin09(t, server, way, options);
  await within(new Promise((done, fail) => socket.once('connect', done).once('error', fail)), 'client 0.9');
  return socket;
}

const acked = (socket, event, ...args) =>
  within(new Promise((resolve) => socket.emit(event, ...args, resolve)), `the ack of ${event}`);

describeServers('requests', { contract: 'http', concurrency: 4 }, (server) => {
  test('a handshake is answered with the cookie of the session and with headers of the application', async () => {
    const { status, headers, text } = await request(server, POLLING);
    assert.equal(status, 200);
    const sticky = `sticky=${sidOf(text)}; Max-Age=60; Path=/; HttpOnly; SameSite=Lax`;
    assert.deepEqual(headers['set-cookie'], [sticky, ...COOKIES]);
    assert.equal(headers['x-answer-to'], 'GET');

    const session = `${POLLING}&sid=${sidOf(text)}`;
    const posted = await request(server, session, { method: 'POST', body: '40' });
    assert.deepEqual([posted.text, posted.headers['x-answer-to'], posted.headers['set-cookie']], ['ok', 'POST', undefined]);
    const polled = await request(server, session);
    assert.deepEqual([polled.headers['x-answer-to'], polled.headers['set-cookie']], ['GET', undefined]);
    const upgrade = await upgradeRequest(server, `${WEBSOCKET}&sid=${sidOf(text)}`);
    assert.deepEqual([upgrade.status, upgrade.headers['x-answer-to'], upgrade.headers['set-cookie']], [101, 'GET', undefined]);
  });

  test('the answer that opens a WebSocket has headers of the application', async () => {
    const { status, headers } = await upgradeRequest(server, WEBSOCKET);
    assert.deepEqual([status, headers['set-cookie'], headers['x-answer-to']], [101, COOKIES, 'GET']);
  });

  test('a handshake of clients before 1.0 is answered with both', async () => {
    const { headers, text } = await request(server, '/socket.io/1/?t=1');
    const [sid] = text.split(':');
    assert.deepEqual(headers['set-cookie'], [`sticky=${sid}; Max-Age=60; Path=/; HttpOnly; SameSite=Lax`, ...COOKIES]);
    const opened = await upgradeRequest(server, `/socket.io/1/websocket/${sid}`);
    assert.deepEqual([opened.status, opened.headers['x-answer-to']], [101, 'GET']);
  });

  for (const way of Object.keys(WAYS)) {
    test(`a browser keeps the cookies, and sends them with its next connection, by ${way}`, async (t) => {
      const page = await openPage(t, browser, site.url);
      const [id, cookies] = await page.evaluate(cookiesOf, { url: server.url, transports: WAYS[way] });
      const expected = way === 'websocket' ? 'first=1; second=2' : `sticky=${id}; first=1; second=2`;
      assert.deepEqual(cookies.split('; ').sort(), expected.split('; ').sort());
    });
  }

  test('a browser reads long answers of polls that were compressed, and short ones that were not', async (t) => {
    const page = await openPage(t, browser, site.url);
    const answers = [];
    page.on('response', async (answer) => {
      if (answer.request().method() !== 'GET' || !answer.url().includes('sid=')) return;
      answers.push(answer.headers()['content-encoding'] ?? 'none');
    });
    for (const length of [10, 100_000]) {
      const got = await page.evaluate(lengthOf, { url: server.url, length });
      assert.equal(got, length);
    }
    assert.ok(answers.includes('gzip') && answers.includes('none'), String(answers));
  });

  test('Node’s client, which accepts no compression, reads the same', async (t) => {
    const socket = await connect(t, server, '4.8.4', 'polling');
    const text = heard(socket, 'text');
    socket.emit('text', 100_000);
    assert.equal((await text)[0].length, 100_000);
  });

  test('clients that the application refuses are told why, as far as they can read it', async (t) => {
    const query = { token: 'wrong' };
    const polling = await connect(t, server, '4.8.4', 'polling', { query }).catch((error) => error);
    assert.equal(polling.description, 403);
    const websocket = await connect(t, server, '4.8.4', 'websocket', { query }).catch((error) => error);
    assert.equal(websocket.message, 'websocket error');
    const upgrade = await upgradeRequest(server, `${WEBSOCKET}&token=wrong`);
    assert.deepEqual([upgrade.status, upgrade.text], [400, 'ask for a "token" first']);

    const error = await connect25(t, server, ['polling'], { query }).catch((error) => error);
    assert.equal(error.description, 403);
    const told = new Promise((resolve) => begin09(t, server, 'xhr-polling', { query: 'token=wrong' }).once('error', resolve));
    assert.equal(await within(told, 'the error of client 0.9'), 'ask for a "token" first');
  });

  test('a browser can read why', async (t) => {
    const page = await openPage(t, browser, site.url);
    const told = await page.evaluate(refusalOf, { url: server.url });
    assert.deepEqual(told, [403, '{"code":4,"message":"ask for a \\"token\\" first"}']);
  });

  test('sessions have the ids that the application makes, by every client and way', async (t) => {
    for (const way of Object.keys(WAYS)) {
      const socket = await connect(t, server, '4.8.4', way, { upgraded: true });
      assert.match(socket.io.engine.id, /^node7\.[\w-]{20}$/);
      assert.match(socket.id, /^[\w-]{20}$/);
      assert.deepEqual(await call(socket, 'refused', 'nobody'), [[]]);

      const older = await connect25(t, server, WAYS[way]);
      assert.match(older.id, /^node7\.[\w-]{20}$/);
      assert.deepEqual(await acked(older, 'refused', 'nobody'), []);
    }
    for (const way of WAYS_09) {
      const oldest = await connect09(t, server, way);
      assert.match(oldest.socket.sessionid, /^node7\.[\w-]{20}$/);
      assert.deepEqual(await acked(oldest, 'refused', 'nobody'), []);
    }
  });

  test('the application is told of every refusal, with its code and what was wrong', async (t) => {
    const socket = await connect(t, server, '4.8.4', 'websocket');
    const polled = sidOf((await request(server, POLLING)).text);
    const refused = async (target, wanted, options) => {
      const ask = options === upgradeRequest ? upgradeRequest : request;
      await ask(server, `${target}&note=${t.name.length}`, ask === request ? options : undefined);
      const [told] = await call(socket, 'refused', String(t.name.length));
      assert.deepEqual(told, [wanted]);
    };
    const unknown = { code: 1, message: 'Session ID unknown', context: { sid: 'gone' } };
    await refused(`${POLLING}&sid=gone`, unknown);
    await refused(`${WEBSOCKET}&sid=gone`, unknown, upgradeRequest);
    await refused('/socket.io/?EIO=4&transport=carrier', {
      code: 0, message: 'Transport unknown', context: { transport: 'carrier' },
    });
    await refused(POLLING, { code: 2, message: 'Bad handshake method', context: { method: 'POST' } }, { method: 'POST' });
    await refused(`/socket.io/?EIO=3&transport=polling&sid=${polled}`, {
      code: 3,
      message: 'Bad request',
      context: { name: 'PROTOCOL_MISMATCH', protocol: 3, previousProtocol: 4 },
    });
    const why = 'ask for a "token" first';
    await refused(`${POLLING}&token=wrong`, { code: 4, message: why, context: { message: why } });
  });
});

/** Runs in the page: the id of a first session, and the cookies that a second one began with. */
async function cookiesOf({ url, transports }) {
  const connected = (socket) => new Promise((resolve) => socket.on('connect', resolve));
  const options = { transports, withCredentials: true, forceNew: true };
  const first = io(url, options);
  await connected(first);
  const { id } = first.io.engine;
  first.close();
  const second = io(url, options);
  await connected(second);
  const cookies = await second.timeout(5000).emitWithAck('cookies');
  second.close();
  return [id, cookies];
}

/** Runs in the page: the length of a text that the server was asked for. */
async function lengthOf({ url, length }) {
  const socket = io(url, { transports: ['polling'], forceNew: true });
  const text = new Promise((resolve) => socket.on('text', resolve));
  socket.emit('text', length);
  const got = await text;
  socket.close();
  return got.length;
}

/** Runs in the page: what a client that is refused knows of it. */
function refusalOf({ url }) {
  const socket = io(url, { transports: ['polling'], query: { token: 'wrong' }, reconnection: false });
  return new Promise((resolve) => {
    socket.on('connect_error', (error) => resolve([error.description, error.context.responseText]));
  });
}

/** Every generation of clients, by every way, at that path; those of 4.x with and without a slash at its end. */
function reaches(server, path) {
  for (const way of Object.keys(WAYS)) {
    for (const addTrailingSlash of [true, false]) {
      test(`is reached at ${path}${addTrailingSlash ? '/' : ''} by ${way}`, async (t) => {
        const socket = await connect(t, server, '4.8.4', way, { path, addTrailingSlash, upgraded: true });
        assert.equal(socket.io.engine.opts.path, addTrailingSlash ? `${path}/` : path);
        assert.deepEqual(await call(socket, 'refused', 'nobody'), [[]]);
      });
    }
    test(`is reached at ${path} by ${way} of client 2.5`, async (t) => {
      const socket = await connect25(t, server, WAYS[way], { path });
      assert.deepEqual(await acked(socket, 'refused', 'nobody'), []);
    });
  }
  for (const way of WAYS_09) {
    test(`is reached at ${path} by ${way} of client 0.9`, async (t) => {
      const socket = await connect09(t, server, way, { resource: path.slice(1) });
      assert.deepEqual(await acked(socket, 'refused', 'nobody'), []);
    });
  }
}

describeServers('a server at its path', { contract: 'http', concurrency: 4 }, (server) => {
  reaches(server, '/socket.io');
});

describeServers('a server behind a prefix', { contract: 'http', env: { PREFIX: '/api/v1' }, concurrency: 4 }, (server) => {
  reaches(server, '/api/v1/socket.io');

  test('is not at its path alone', async () => {
    assert.equal((await request(server, POLLING)).status, 404);
  });
});

describeServers('a server behind a proxy that takes a prefix off', { contract: 'http', concurrency: 4 }, (server) => {
  const proxy = {};
  let running;

  before(async () => {
    running = await strip('/app', server);
    Object.assign(proxy, running.address);
  });
  after(() => running?.close());

  reaches(proxy, '/app/socket.io');
});

/** A proxy that takes a prefix off the path of requests to that server. */
async function strip(prefix, server) {
  const sockets = new Set();
  const options = ({ method, url, headers }) => {
    assert.ok(url.startsWith(prefix), url);
    return { host: server.host, port: server.port, method, path: url.slice(prefix.length), headers, agent: false };
  };
  const proxy = http.createServer((incoming, outgoing) => {
    const forwarded = http.request(options(incoming), (answer) => {
      outgoing.writeHead(answer.statusCode, answer.rawHeaders);
      answer.pipe(outgoing);
    });
    forwarded.on('error', () => outgoing.destroy());
    outgoing.on('close', () => forwarded.destroy());
    incoming.pipe(forwarded);
  });
  proxy.on('connection', (socket) => sockets.add(socket));
  proxy.on('upgrade', (incoming, socket) => {
    const { path, headers } = options(incoming);
    const upstream = net.connect(server.port, server.host, () => {
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
      upstream.write(`GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`);
      upstream.pipe(socket).pipe(upstream);
    });
    for (const [one, other] of [[upstream, socket], [socket, upstream]]) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  const { port } = proxy.address();
  const close = async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => proxy.close(resolve));
  };
  return { address: { host: '127.0.0.1', port, url: `http://127.0.0.1:${port}` }, close };
}
