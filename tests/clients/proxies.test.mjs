// Behind real nginx and HAProxy, with the configurations that the guide shows, two processes of the contract `app`.
// Needs both programs (Debian: nginx-light, haproxy) and the loopback addresses of Linux.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { after, before, describe, it } from 'node:test';
import { load } from './matrix/cells.mjs';
import { begin } from './matrix/peers.js';
import { CLIENTS, call, connect, count, heard, until } from './official.mjs';
import { NAMES, configuration, startProxy } from './proxies/start.mjs';
import { startServer } from './server.mjs';
import { Polling, armed, request, within, withResolvers } from './wire.mjs';

const GUIDE = readFileSync(new URL('../../core/docs/guide/behind-a-proxy.md', import.meta.url), 'utf8');
const PING_INTERVAL_MS = 400;
const PING_TIMEOUT_MS = 6_000;
const VERSION = '4.8.4';
const CLIENTS_AT_ONCE = 20;
const skip = process.platform === 'linux' ? false : 'it needs the loopback addresses of Linux';

const CELLS = [
  ...['polling', 'websocket', 'upgrade'].map((way) => ({ client: '4.8.4', protocol: 4, way })),
  ...['polling', 'websocket', 'upgrade'].map((way) => ({ client: '2.5.0', protocol: 3, way })),
  ...['xhr-polling', 'websocket'].map((way) => ({ client: '0.9.17', protocol: 1, way })),
];

/** What is changed in the files: pairs of what is there and what takes its place. */
const CHANGES = {
  nginx: {
    free: [['""      $remote_addr;', '""      $request_id;']],
    unsticky: [['hash $node consistent;', '']],
    prefix: [
      ['location /socket.io/', 'location /app/socket.io/'],
      ['proxy_pass http://socketio;', 'proxy_pass http://socketio/socket.io/;'],
    ],
    timeout: (time) => [['proxy_read_timeout 60s;', `proxy_read_timeout ${time};`]],
  },
  haproxy: {
    free: [['balance source', 'balance leastconn']],
    unsticky: [
      ['balance source', 'balance roundrobin'],
      ['cookie node insert', '# cookie node insert'],
    ],
    prefix: [['use_backend', 'http-request replace-path ^/app(/.*) \\1\n    use_backend']],
    timeout: (time) => [
      ['timeout server 60s', `timeout server ${time}`],
      ['timeout tunnel 60s', `timeout tunnel ${time}`],
    ],
  },
};

let servers = [];

const env = { PING_INTERVAL_MS: String(PING_INTERVAL_MS), PING_TIMEOUT_MS: String(PING_TIMEOUT_MS) };
/** One framework for all: what is tested is the proxies. */
const start = () => startServer('axum', { contract: 'app', env });

before(async () => (servers = await Promise.all([start(), start()])));

after(() => Promise.all(servers.map((server) => server.stop())));

for (const name of NAMES) {
  describe(`behind ${name}`, { skip, timeout: 30_000 }, () => {
    const { free, unsticky, prefix, timeout } = CHANGES[name];
    let proxy;
    before(async () => (proxy = await startProxy(name, servers)));
    after(() => proxy?.stop());

    const changed = async (t, changes, behind = servers) => {
      const proxy = await startProxy(name, behind, changes);
      t.after(() => proxy.stop());
      return proxy;
    };

    it('the guide shows the file that is tested, and what is changed in it below', () => {
      assert.equal(new RegExp(`^\`\`\`${name}\n(.*?)^\`\`\``, 'ms').exec(GUIDE)?.[1], configuration(name));
      const lines = [...free, ...prefix].flatMap(([, to]) => to.split('\n'));
      for (const line of lines) assert.ok(GUIDE.includes(line.trim()), `the guide has no ${line}`);
    });

    for (const cell of CELLS) {
      it(`socket.io-client ${cell.client}, ${cell.way}: gets an event and 100 KB back`, async (t) => {
        const peer = begin(load(cell.client), cell, proxy.url);
        t.after(() => peer.end());
        await peer.connected;
        if (cell.way === 'upgrade') await until(() => peer.transport === 'websocket', 'the upgrade');
        else assert.equal(peer.transport, cell.way);
        for (const text of ['hello', 'ü'.repeat(50_000)]) {
          const echo = peer.heard('echo');
          peer.emit('echo', text);
          assert.deepEqual(await echo, [text]);
        }
      });
    }

    it('passes an endless page on as it grows', async (t) => {
      const { response } = await openPage(t, proxy);
      response.setEncoding('utf8');
      await within(contains(response, '2::'), 'a heartbeat');
      assert.ok(!response.complete);
    });

    it('lets the server know that a client does not read', async (t) => {
      const observer = await open(t, proxy, 'websocket'); // of the same address, so of the same process
      await call(observer, 'join', 'readers');
      const { path } = await openPage(t, proxy);
      const join = { name: 'join', args: ['readers'] };
      await request(proxy, path, { method: 'POST', body: `5:::${JSON.stringify(join)}` });
      const left = count(observer, 'left');
      const text = 'x'.repeat(100_000);
      for (let sent = 0; left.length === 0; sent += text.length) {
        assert.ok(sent < 40_000_000, '40 MB were taken for a client that does not read');
        await call(observer, 'to-room', 'readers', 'news', text);
      }
    });

    it('passes on the host, the path as it is, and the address that it knows itself', async (t) => {
      const mirror = http.createServer(({ url, headers }, response) => response.end(JSON.stringify({ url, headers })));
      t.after(() => mirror.close());
      await once(mirror.listen(0, '127.0.0.1'), 'listening');
      const proxy = await changed(t, [], [mirror.address(), mirror.address()]);
      const path = '/socket.io/1//abc/?disconnect=1';
      const headers = { 'X-Forwarded-For': '203.0.113.1', 'X-Forwarded-Proto': 'https' };
      const seen = JSON.parse((await request(proxy, path, { headers })).text);
      assert.equal(seen.url, path);
      assert.equal(seen.headers.host, `${proxy.host}:${proxy.port}`);
      assert.equal(seen.headers['x-forwarded-for'], '127.0.0.1');
      assert.equal(seen.headers['x-forwarded-proto'], 'http');
    });

    it('lets the server know at once that a client has left while it polled', async (t) => {
      const observer = await open(t, proxy, 'websocket'); // of the same address, so of the same process
      await call(observer, 'join', 'leavers');
      const leaver = await Polling.open(proxy, { path: '/socket.io/' });
      await leaver.send('40', '420["join","leavers"]');
      while (!(await leaver.next('the ack of join')).startsWith('430'));
      const left = heard(observer, 'left', PING_TIMEOUT_MS / 2);
      (await armed(leaver)).outgoing.destroy();
      await left;
    });

    it('leaves idle clients alone while heartbeats come more often than its timeout', async (t) => {
      const proxy = await changed(t, timeout('1s'));
      const sockets = await Promise.all(['polling', 'websocket'].map((way) => open(t, proxy, way)));
      const pings = sockets.map((socket) => count(socket.io, 'ping'));
      const lost = sockets.map((socket) => count(socket, 'disconnect'));
      await until(() => pings.every((list) => list.length * PING_INTERVAL_MS > 1_500), 'heartbeats');
      assert.deepEqual(lost, [[], []]);
    });

    it('disconnects idle clients when its timeout is less than a heartbeat', async (t) => {
      const proxy = await changed(t, timeout('300ms'));
      const sockets = await Promise.all(['polling', 'websocket'].map((way) => open(t, proxy, way)));
      await Promise.all(sockets.map((socket) => heard(socket, 'disconnect')));
    });

    it('polling clients without cookies stay where their address put them', async (t) => {
      await areSpread(t, await many((i) => open(t, proxy, 'polling', { agent: agentAt(i) })));
    });

    it('polling clients with a cookie stay there wherever they ask from', async (t) => {
      const moving = (i) => open(t, proxy, 'polling', { agent: new MovingAgent(i), withCredentials: true });
      await areSpread(t, await many(moving));
    });

    it('clients that are placed freely are spread though they have one address', async (t) => {
      const proxy = await changed(t, free);
      await areSpread(t, await many(() => open(t, proxy, 'polling', { withCredentials: true })));
    });

    it('without stickiness polling clients fail, and those with WebSocket only do not', async (t) => {
      const proxy = await changed(t, unsticky);
      const io = new CLIENTS[VERSION](proxy.url, { transports: ['polling'], reconnection: false });
      t.after(() => io.engine.close());
      const { promise, resolve } = withResolvers();
      io.once('close', (_reason, { context }) => resolve(context.responseText));
      io.socket('/');
      assert.match(await within(promise, 'the client to fail'), /Session ID unknown/);
      await areSpread(t, await many(() => open(t, proxy, 'websocket')));
    });

    it('clients of a process that ends go on at the other', async (t) => {
      const ending = await start();
      t.after(() => ending.stop());
      const proxy = await changed(t, [], [servers[0], ending]);
      const patience = { reconnection: true, reconnectionDelayMax: 500 };
      const options = (i) => ({ agent: agentAt(i), withCredentials: i % 2 === 0, ...patience });
      const sockets = await many((i) => open(t, proxy, 'polling', options(i)));
      const processes = await served(t, sockets, [servers[0], ending]);
      const back = sockets.filter((_, i) => processes[i] === 1).map((socket) => heard(socket, 'connect'));
      await ending.stop();
      await Promise.all(back);
      assert.ok(back.length > 0, 'nobody was on the process that ended');
      await served(t, sockets, [servers[0]]);
    });

    it('may serve under a prefix of the path', async (t) => {
      const proxy = await changed(t, prefix);
      for (const way of ['polling', 'upgrade']) {
        const socket = await open(t, proxy, way, { path: '/app/socket.io/', upgraded: true });
        assert.deepEqual(await call(socket, 'echo-ack', way), [way]);
      }
    });
  });
}

/** A client of the newest release. */
const open = (t, proxy, way, options) => connect(t, proxy, VERSION, way, options);

const many = (open) => Promise.all(Array.from({ length: CLIENTS_AT_ONCE }, (_, i) => open(i)));

const address = (i) => `127.0.0.${(i % 200) + 2}`;

/** Every request comes from the same address. */
const agentAt = (i) => new http.Agent({ localAddress: address(i) });

/** Every request comes from another address. */
class MovingAgent extends http.Agent {
  constructor(i) {
    super();
    this.i = i;
  }

  createConnection(options, callback) {
    return super.createConnection({ ...options, localAddress: address(this.i++) }, callback);
  }
}

/** A client 0.9 on an endless page, none of it read yet. */
async function openPage(t, proxy) {
  const { text } = await request(proxy, '/socket.io/1/');
  const path = `/socket.io/1/htmlfile/${text.split(':')[0]}`;
  const page = http.get({ host: proxy.host, port: proxy.port, path, agent: false });
  t.after(() => page.destroy());
  const [response] = await within(once(page, 'response'), 'the head of the page');
  return { path, response };
}

async function areSpread(t, sockets) {
  const processes = await served(t, sockets, servers);
  const counts = servers.map((_, i) => processes.filter((process) => process === i).length);
  t.diagnostic(`clients of each process: ${counts}`);
  assert.ok(Math.min(...counts) > 0, `clients of each process: ${counts}`);
}

let rooms = 0;

/** Which of the servers, which are all that there are, serves each socket: a room is one process's own. */
async function served(t, sockets, servers) {
  const room = `proxies-${(rooms += 1)}`;
  await Promise.all(sockets.map((socket) => call(socket, 'join', room)));
  const by = sockets.map((socket) => heard(socket, 'served by'));
  for (const [i, server] of servers.entries()) {
    const direct = await open(t, server, 'websocket');
    await call(direct, 'to-room', room, 'served by', i);
  }
  return (await Promise.all(by)).flat();
}

/** Resolves when what was read of the stream contains the text. */
async function contains(stream, text) {
  let read = '';
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    read += chunk;
    if (read.includes(text)) return;
  }
  throw new Error(`it ended: ${read}`);
}
