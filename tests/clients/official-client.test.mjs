// What socket.io-client's own tests check, with the released client: contract `socket-client`. Groups and order are theirs.
import assert from 'node:assert/strict';
import net from 'node:net';
import { describe, it } from 'node:test';
import { io, Manager } from 'socket.io-client-4.8';
import { count, heard, until } from './official.mjs';
import { describeServers } from './server.mjs';
import { pause } from './wire.mjs';

/** A socket, gone when the test ends. */
function open(t, url, options = {}) {
  return kept(t, io(url, { forceNew: true, reconnectionDelay: 10, ...options }));
}

/** A manager, gone when the test ends. */
function manage(t, url, options = {}) {
  const manager = new Manager(url, { reconnectionDelay: 10, ...options });
  t.after(() => {
    manager.reconnection(false);
    manager._close();
  });
  return manager;
}

function kept(t, socket) {
  t.after(() => {
    socket.io.reconnection(false);
    socket.disconnect();
    socket.io.engine?.close();
  });
  return socket;
}

async function opened(t, url, options) {
  const socket = open(t, url, options);
  await heard(socket, 'connect');
  return socket;
}

const acked = (socket, event, ...args) => new Promise((resolve) => socket.emit(event, ...args, (...answer) => resolve(answer)));
const isError = (value) => assert.ok(value instanceof Error, String(value));
/** What must not come has had the time to. */
const LULL_MS = 100;
/** A port where nobody listens. */
const NOBODY = 'http://127.0.0.1:9';

/** The URL of somebody who takes connections and never says a word. */
async function silence(t) {
  const sockets = new Set();
  const silent = net.createServer((socket) => sockets.add(socket.on('error', () => {})));
  await new Promise((resolve) => silent.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
  return `http://127.0.0.1:${silent.address().port}`;
}

describeServers('what socket.io-client tests', { contract: 'socket-client', concurrency: 1 }, (server) => {
  const at = (path) => server.url + path;

  describe('connection', () => {
    it('connects, emits and hears', async (t) => {
      const socket = open(t, server.url);
      socket.emit('hi');
      await heard(socket, 'hi');
    });

    it('does not connect by itself when it is told not to', (t) => {
      assert.equal(open(t, server.url, { autoConnect: false }).io.engine, undefined);
    });

    for (const [what, first, second, options] of [
      ['the same namespace twice', '/', '/', [{}, {}]],
      ['other queries', '/?woot', '/', [{}, {}]],
      ['other paths', '/', '/', [{ path: '/foo' }, { path: '/bar' }]],
    ]) {
      it(`${what}: two connections`, (t) => {
        const one = kept(t, io(at(first), { ...options[0] }));
        const other = kept(t, io(at(second), { ...options[1] }));
        assert.notEqual(one.io, other.io);
      });
    }

    it('other namespaces: one connection', async (t) => {
      const one = kept(t, io(at('/foo'), {}));
      const other = kept(t, io(at('/asd'), {}));
      assert.equal(one.io, other.io);
      await Promise.all([heard(one, 'connect'), heard(other, 'connect')]);
    });

    it('answers an ack with several arguments', async (t) => {
      const socket = open(t, server.url);
      socket.on('ack', (answer) => answer(5, { test: true }));
      socket.emit('ack');
      await heard(socket, 'got it');
    });

    it('gets a date as an ack', async (t) => {
      const [date] = await acked(open(t, server.url), 'getAckDate', { test: true });
      assert.equal(new Date(date).toISOString(), date);
    });

    it('gets false', async (t) => {
      const socket = open(t, server.url);
      socket.emit('false');
      assert.equal((await heard(socket, 'false'))[0], false);
    });

    it('gets UTF-8 of several bytes a character', async (t) => {
      const socket = open(t, server.url);
      const texts = count(socket, 'takeUtf8');
      socket.emit('getUtf8');
      await until(() => texts.length === 5, 'five texts');
      const expected = ['てすと', 'Я Б Г Д Ж Й', 'Ä ä Ü ü ß', 'utf8 — string', 'utf8 — string'];
      assert.deepEqual(texts.map(([text]) => text), expected);
    });

    it('joins a namespace once it is connected', async (t) => {
      const manager = manage(t, server.url);
      const main = manager.socket('/');
      await heard(main, 'connect');
      await heard(manager.socket('/foo'), 'connect');
      assert.ok(main.connected);
    });

    it('joins a namespace after it was closed', async (t) => {
      const manager = manage(t, server.url);
      const main = manager.socket('/');
      await heard(main, 'connect');
      const gone = heard(main, 'disconnect');
      main.disconnect();
      await gone;
      await heard(manager.socket('/foo'), 'connect');
    });

    it('reconnects by itself', async (t) => {
      const socket = await opened(t, server.url);
      const again = heard(socket.io, 'reconnect');
      socket.io.engine.close();
      await again;
    });

    it('reconnects when it is told to, and by itself after that', async (t) => {
      const socket = await opened(t, server.url);
      const gone = heard(socket, 'disconnect');
      socket.disconnect();
      await gone;
      const back = heard(socket, 'connect');
      socket.connect();
      await back;
      const again = heard(socket.io, 'reconnect');
      socket.io.engine.close();
      await again;
      await until(() => socket.connected, 'the socket');
    });

    it('reconnects when it is told to', async (t) => {
      const socket = await opened(t, server.url);
      socket.disconnect();
      const back = heard(socket, 'connect');
      socket.connect();
      await back;
    });

    const IMPATIENT = { timeout: 0, reconnectionAttempts: 2 };

    it('tries again after it had given up', async (t) => {
      const manager = manage(t, await silence(t), IMPATIENT);
      const socket = manager.socket('/timeout');
      await heard(manager, 'reconnect_failed');
      const attempts = count(manager, 'reconnect_attempt');
      const failed = heard(manager, 'reconnect_failed');
      socket.connect();
      await failed;
      assert.equal(attempts.length, 2);
    });

    it('waits longer from attempt to attempt', async (t) => {
      const manager = manage(t, await silence(t), {
        timeout: 0,
        reconnectionAttempts: 3,
        reconnectionDelay: 100,
        randomizationFactor: 0.2,
      });
      manager.socket('/timeout');
      const delays = [];
      let start;
      manager.on('error', () => (start = performance.now()));
      manager.on('reconnect_attempt', () => delays.push(performance.now() - start));
      await heard(manager, 'reconnect_failed');
      assert.equal(delays.length, 3);
      assert.ok(delays[0] < delays[1] && delays[1] < delays[2], String(delays));
    });

    it('does not reconnect when it was closed after an error', async (t) => {
      const socket = open(t, `${await silence(t)}/invalid`, { timeout: 0 });
      await heard(socket.io, 'error');
      const attempts = count(socket.io, 'reconnect_attempt');
      socket.disconnect();
      await pause(LULL_MS);
      assert.equal(attempts.length, 0);
    });

    it('stops reconnecting when it is closed', async (t) => {
      const socket = open(t, `${await silence(t)}/invalid`, { timeout: 0 });
      await heard(socket.io, 'reconnect_attempt');
      const attempts = count(socket.io, 'reconnect_attempt');
      socket.disconnect();
      await pause(LULL_MS);
      assert.equal(attempts.length, 0);
    });

    it('reconnects after it had stopped to', async (t) => {
      const socket = open(t, `${await silence(t)}/invalid`, { timeout: 0 });
      await heard(socket.io, 'reconnect_attempt');
      const attempt = heard(socket.io, 'reconnect_attempt');
      socket.disconnect();
      socket.connect();
      await attempt;
    });

    it('reconnects one socket and leaves out another that was closed', async (t) => {
      const manager = manage(t, server.url);
      const [closed, open] = [manager.socket('/'), manager.socket('/asd')];
      await Promise.all([heard(closed, 'connect'), heard(open, 'connect')]);
      const connects = count(closed, 'connect');
      manager.once('reconnect_attempt', () => closed.disconnect());
      const back = heard(open, 'connect');
      manager.engine.close();
      await back;
      await pause(LULL_MS / 2);
      assert.equal(connects.length, 0);
    });

    it('gives up after as many attempts as it may make', async (t) => {
      const manager = manage(t, await silence(t), IMPATIENT);
      const attempts = count(manager, 'reconnect_attempt');
      manager.socket('/timeout');
      await heard(manager, 'reconnect_failed');
      assert.equal(attempts.length, 2);
    });

    it('counts its attempts', async (t) => {
      const manager = manage(t, await silence(t), IMPATIENT);
      const attempts = count(manager, 'reconnect_attempt');
      manager.socket('/timeout_socket');
      await heard(manager, 'reconnect_failed');
      assert.deepEqual(attempts, [[1], [2]]);
    });

    it('makes no attempts once it is connected in time', async (t) => {
      const manager = manage(t, server.url);
      const attempts = count(manager, 'reconnect_attempt');
      await heard(manager.socket('/valid'), 'connect');
      await pause(LULL_MS);
      assert.equal(attempts.length, 0);
    });

    it('connects one socket while another disconnects', async (t) => {
      const manager = manage(t, server.url);
      const one = manager.socket('/foo');
      await heard(one, 'connect');
      const other = manager.socket('/asd');
      const connected = heard(other, 'connect');
      one.disconnect();
      await connected;
    });

    it('takes a CONNECT without an id for that of a server of 2.x', async (t) => {
      const socket = open(t, server.url, { autoConnect: false });
      const refused = heard(socket, 'connect_error');
      socket.onpacket({ nsp: '/', type: 0 });
      isError((await refused)[0]);
    });

    it('closes its connection with its last socket only', async (t) => {
      const manager = manage(t, server.url, { autoConnect: false });
      const [one, other] = [manager.socket('/foo'), manager.socket('/asd')];
      one.connect();
      await heard(one, 'connect');
      other.connect();
      await heard(other, 'connect');
      const gone = count(other, 'disconnect');
      one.disconnect();
      await pause(2 * LULL_MS);
      assert.equal(gone.length, 0);
      const closed = heard(manager, 'close');
      other.disconnect();
      await closed;
    });

    it('gives up where nobody listens', async (t) => {
      const manager = manage(t, NOBODY, { reconnectionAttempts: 2 });
      const attempts = count(manager, 'reconnect_attempt');
      manager.socket('/asd');
      await heard(manager, 'reconnect_failed');
      assert.equal(attempts.length, 2);
    });

    it('makes no attempt where nobody listens if it is not to', async (t) => {
      const manager = manage(t, NOBODY, { reconnection: false });
      const attempts = count(manager, 'reconnect_attempt');
      manager.socket('/invalid');
      await heard(manager, 'error');
      await pause(LULL_MS);
      assert.equal(attempts.length, 0);
    });

    it('makes no more attempts for a socket that is opened meanwhile', async (t) => {
      const manager = manage(t, NOBODY, { reconnectionAttempts: 2 });
      const attempts = count(manager, 'reconnect_attempt');
      manager.socket('/room1');
      manager.once('reconnect_attempt', () => manager.socket('/room2'));
      await heard(manager, 'reconnect_failed');
      assert.equal(attempts.length, 2);
    });

    for (const [useNativeTimers, what] of [
      [false, 'by the timers of the page'],
      [true, 'by native timers'],
    ]) {
      it(`waits ${what}`, async (t) => {
        const manager = manage(t, server.url, { useNativeTimers, reconnectionDelay: 43, randomizationFactor: 0 });
        await heard(manager.socket('/foo'), 'connect');
        const native = globalThis.setTimeout;
        const delays = [];
        // Timers are looked up when a manager is made.
        t.after(() => (globalThis.setTimeout = native));
        globalThis.setTimeout = (task, ms, ...args) => (delays.push(ms), native(task, ms, ...args));
        const second = manage(t, server.url, { useNativeTimers, reconnectionDelay: 43, randomizationFactor: 0 });
        await heard(second.socket('/foo'), 'connect');
        const again = heard(second, 'reconnect');
        second.engine.close();
        await again;
        assert.equal(delays.includes(43), !useNativeTimers, String(delays));
      });
    }

    it('gets a date as text', async (t) => {
      const socket = open(t, server.url);
      socket.emit('getDate');
      const [date] = await heard(socket, 'takeDate');
      assert.equal(new Date(date).toISOString(), date);
    });

    it('gets a date in an object as text', async (t) => {
      const socket = open(t, server.url);
      socket.emit('getDateObj');
      const [{ date }] = await heard(socket, 'takeDateObj');
      assert.equal(new Date(date).toISOString(), date);
    });

    it('gets bytes, as an ArrayBuffer if it likes', async (t) => {
      const socket = open(t, server.url);
      socket.io.engine.binaryType = 'arraybuffer';
      socket.emit('doge');
      const [bytes] = await heard(socket, 'doge');
      assert.ok(bytes instanceof ArrayBuffer);
      assert.equal(Buffer.from(bytes).toString(), 'asdfasdf');
    });

    it('gets bytes as its platform has them', async (t) => {
      const socket = open(t, server.url);
      socket.emit('getbin');
      const [bytes] = await heard(socket, 'takebin');
      assert.equal(Buffer.from(bytes).toString(), 'asdfasdf');
    });

    const BYTES = new Uint8Array([0x6a, 0xc7, 0xda]).buffer;

    for (const [kind, event, answer] of [
      ['alone', 'buffa', 'buffack'],
      ['alone, as a blob of browsers', 'blob', 'back'],
    ]) {
      it(`sends bytes ${kind}`, async (t) => {
        const socket = open(t, server.url);
        socket.emit(event, BYTES);
        await heard(socket, answer);
      });
    }

    for (const event of ['jsonbuff', 'jsonblob']) {
      it(`sends bytes among JSON: ${event}`, async (t) => {
        const socket = open(t, server.url);
        socket.emit(event, { hello: 'lol', message: BYTES, goodbye: 'gotcha' });
        await heard(socket, `${event}-ack`);
      });
    }

    it('sends bytes and text in order', async (t) => {
      const socket = open(t, server.url);
      socket.emit('abuff1', BYTES);
      socket.emit('abuff2', 'please arrive second');
      await heard(socket, 'abuff2-ack');
    });

    it('sends bytes, text and bytes in order', async (t) => {
      const socket = open(t, server.url);
      socket.emit('blob1', BYTES);
      socket.emit('blob2', 'second');
      socket.emit('blob3', BYTES);
      await heard(socket, 'blob3-ack');
    });

    it('opens a socket again that its manager knows', async (t) => {
      const manager = manage(t, server.url);
      const socket = manager.socket('/');
      await heard(socket, 'connect');
      const gone = heard(socket, 'disconnect');
      socket.disconnect();
      await gone;
      const again = manager.socket('/');
      assert.equal(again, socket);
      assert.ok(again.active);
      await heard(again, 'connect');
    });

    for (const [what, paths, expected] of [
      ['the same socket once', ['/', '/'], ['0', '1']],
      ['each socket once', ['/', '/foo'], ['0', '0/foo,', '1', '1/foo,']],
    ]) {
      it(`asks for ${what}`, async (t) => {
        const manager = manage(t, server.url);
        const sent = [];
        manager.engine.on('packetCreate', ({ data }) => sent.push(data));
        await heard(manager, 'open');
        const sockets = new Set(paths.map((path) => manager.socket(path)));
        await Promise.all([...sockets].map((socket) => heard(socket, 'connect')));
        for (const socket of sockets) socket.disconnect();
        assert.deepEqual(sent.filter((data) => data !== undefined), expected);
      });
    }

    it('closes its engine when it cannot read a packet', async (t) => {
      const manager = manage(t, server.url);
      const { engine } = manager;
      const again = heard(manager, 'reconnect');
      await heard(manager, 'open');
      setImmediate(() => manager.engine.emit('data', 'bad'));
      await again;
      assert.notEqual(manager.engine, engine);
      assert.equal(engine.readyState, 'closed');
    });
  });

  describe('socket', () => {
    for (const path of ['/', '/foo']) {
      it(`knows its id on the server, which is not its engine's: ${path}`, async (t) => {
        const socket = open(t, at(path));
        const [id] = await acked(socket, 'getId');
        assert.ok(socket.id);
        assert.equal(socket.id, id);
        assert.notEqual(socket.id, socket.io.engine.id);
      });
    }

    it('has no id when it has left', async (t) => {
      const socket = await opened(t, server.url);
      socket.disconnect();
      assert.equal(socket.id, undefined);
    });

    it('reports no error when it is closed while it opens', async (t) => {
      const socket = open(t, server.url, { timeout: LULL_MS });
      const errors = count(socket.io, 'error');
      socket.disconnect();
      await pause(3 * LULL_MS);
      assert.equal(errors.length, 0);
    });

    it('reports that nobody listens', async (t) => {
      isError((await heard(open(t, NOBODY, { timeout: LULL_MS }), 'connect_error'))[0]);
    });

    for (const transport of ['polling', 'websocket']) {
      it(`reports that it took too long: ${transport}`, async (t) => {
        const [error] = await heard(open(t, await silence(t), { transports: [transport], timeout: 0 }), 'connect_error');
        assert.equal(error.message, 'timeout');
      });
    }

    it('reports no error of connecting once it is connected', async (t) => {
      const socket = await opened(t, server.url);
      const errors = count(socket, 'connect_error');
      socket.io.engine.close();
      await pause(3 * LULL_MS);
      assert.equal(errors.length, 0);
    });

    it('has another id when it reconnects, and none meanwhile', async (t) => {
      const socket = await opened(t, server.url);
      const { id } = socket;
      const meanwhile = [];
      socket.io.on('reconnect_attempt', () => meanwhile.push(socket.id));
      const connected = heard(socket, 'connect');
      socket.io.engine.close();
      await connected;
      assert.ok(socket.id && socket.id !== id);
      assert.deepEqual([...new Set(meanwhile)], [undefined]);
    });

    for (const compress of [true, false]) {
      it(`marks packets: compress ${compress}`, async (t) => {
        const socket = await opened(t, server.url);
        const created = heard(socket.io.engine, 'packetCreate');
        (compress ? socket : socket.compress(false)).emit('hi');
        assert.equal((await created)[0].options.compress, compress);
        await heard(socket, 'hi');
      });
    }

    describe('query', () => {
      for (const [what, path, options, query] of [
        ['an object', '/', { query: { e: 'f' } }, { e: 'f' }],
        ['text', '/?c=d', {}, { c: 'd' }],
      ]) {
        it(`is ${what}`, async (t) => {
          const [handshake] = await acked(open(t, at(path), options), 'getHandshake');
          for (const [name, value] of Object.entries(query)) assert.equal(handshake.query[name], value);
        });
      }

      for (const [what, path, options, query] of [
        ['an object', '/abc', { query: { a: 'b' } }, { a: 'b' }],
        ['text', '/abc?b=c&d=e', {}, { b: 'c', d: 'e' }],
        ['encoded', '/abc', { query: { '&a': '&=?a' } }, { '&a': '&=?a' }],
      ]) {
        it(`is ${what} in a namespace`, async (t) => {
          const [handshake] = await heard(open(t, at(path), options), 'handshake');
          for (const [name, value] of Object.entries(query)) assert.equal(handshake.query[name], value);
        });
      }
    });

    describe('auth', () => {
      for (const [what, auth, sent] of [
        ['an object', { a: 'b', c: 'd' }, { a: 'b', c: 'd' }],
        ['a function', (tell) => tell({ e: 'f' }), { e: 'f' }],
      ]) {
        it(`is ${what}`, async (t) => {
          const [handshake] = await heard(open(t, at('/abc'), { auth }), 'handshake');
          assert.deepEqual(handshake.auth, sent);
          for (const name of Object.keys(sent)) assert.equal(handshake.query[name], undefined);
        });
      }
    });

    it('is shown the whole handshake', async (t) => {
      const [handshake] = await heard(open(t, at('/abc'), { extraHeaders: { 'X-One': '1' } }), 'handshake');
      const { headers, time, address, xdomain, secure, issued, url, query, auth } = handshake;
      assert.equal(headers['x-one'], '1');
      assert.match(address, /^(::ffff:)?127\.0\.0\.1$/);
      assert.deepEqual([xdomain, secure, query.EIO, auth], [false, false, '4', {}]);
      assert.ok(Math.abs(issued - Date.now()) < 60_000 && Math.abs(Date.parse(time) - issued) < 1_000, time);
      assert.ok(url.startsWith('/socket.io/?') && url.includes('EIO=4'), url);
    });

    for (const [path, message] of [
      ['/no', 'Auth failed (custom namespace)'],
      ['/?fail=true', 'Auth failed (main namespace)'],
    ]) {
      it(`is told why middleware refuses it: ${path}`, async (t) => {
        const [error] = await heard(open(t, at(path)), 'connect_error');
        isError(error);
        assert.equal(error.message, message);
      });
    }

    it('is refused once and does not try again by itself', async (t) => {
      const socket = open(t, at('/no'));
      const errors = count(socket, 'connect_error');
      await heard(socket, 'connect_error');
      socket.io.engine.close();
      await pause(LULL_MS);
      assert.equal(errors.length, 1);
    });

    it('disconnects and connects at once', async (t) => {
      const socket = await opened(t, server.url, { transports: ['websocket'] });
      const gone = count(socket, 'disconnect');
      const back = heard(socket, 'connect');
      socket.disconnect().connect();
      await back;
      assert.equal(gone.length, 1);
    });

    it('emits no reserved event', (t) => {
      const socket = open(t, at('/no'));
      assert.throws(() => socket.emit('disconnecting', 'goodbye'), /"disconnecting" is a reserved event name/);
    });

    it('emits in order what it emitted before it connected', async (t) => {
      const socket = open(t, server.url, { autoConnect: false });
      const answers = [];
      socket.emit('echo', 'first', (text) => answers.push(text));
      socket.on('connect', () => socket.emit('echo', 'second', (text) => answers.push(text)));
      socket.connect();
      await until(() => answers.length === 2, 'two answers');
      assert.deepEqual(answers, ['first', 'second']);
    });

    it('awaits an ack', async (t) => {
      assert.equal(await open(t, server.url).emitWithAck('echo', 123), 123);
    });

    describe('volatile', () => {
      it('is lost before the socket is connected', async (t) => {
        const socket = open(t, server.url, { autoConnect: false });
        let answers = 0;
        socket.volatile.emit('getId', () => answers++);
        const answered = acked(socket, 'getId');
        socket.connect();
        await answered;
        assert.equal(answers, 0);
      });

      it('is lost while the pipe is busy', async (t) => {
        const socket = await opened(t, server.url);
        let answers = 0;
        const answered = acked(socket, 'getId');
        socket.volatile.emit('getId', () => answers++);
        await answered;
        await acked(socket, 'getId');
        assert.equal(answers, 0);
      });

      it('is sent while the pipe is free', async (t) => {
        const socket = open(t, server.url);
        let answers = 0;
        const timer = setInterval(() => socket.volatile.emit('getId', () => answers++), LULL_MS);
        t.after(() => clearInterval(timer));
        await until(() => answers > 0, 'an answer');
      });
    });

    describe('any', () => {
      it('hears every event', async (t) => {
        const socket = open(t, at('/abc'));
        const [event, handshake] = await new Promise((resolve) => socket.onAny((...args) => resolve(args)));
        assert.equal(event, 'handshake');
        assert.equal(typeof handshake, 'object');
      });

      it('is asked before others, if it likes', async (t) => {
        const socket = open(t, at('/abc'));
        const order = [];
        socket.onAny(() => order.push('last'));
        socket.prependAny(() => order.push('second'));
        socket.prependAny(() => order.push('first'));
        await until(() => order.length === 3, 'all of them');
        assert.deepEqual(order, ['first', 'second', 'last']);
      });

      it('is not asked any more when it is removed', async (t) => {
        const socket = open(t, at('/abc'));
        const removed = () => assert.fail('it was removed');
        socket.onAny(removed);
        socket.offAny(removed);
        assert.equal(socket.listenersAny().length, 0);
        await new Promise((resolve) => socket.onAny(resolve));
      });
    });

    describe('any outgoing', () => {
      for (const [what, value] of [
        ['text', '123'],
        ['bytes', Uint8Array.of(1, 2, 3)],
      ]) {
        it(`sees ${what}`, async (t) => {
          const socket = await opened(t, at('/abc'));
          const seen = [];
          socket.onAnyOutgoing((...args) => seen.push(args));
          socket.emit('my-event', value);
          assert.deepEqual(seen, [['my-event', value]]);
        });
      }

      it('is asked before others, if it likes', async (t) => {
        const socket = await opened(t, at('/abc'));
        const order = [];
        socket.onAnyOutgoing(() => order.push('last'));
        socket.prependAnyOutgoing(() => order.push('second'));
        socket.prependAnyOutgoing(() => order.push('first'));
        socket.emit('my-event', '123');
        assert.deepEqual(order, ['first', 'second', 'last']);
      });

      it('is not asked any more when it is removed', async (t) => {
        const socket = await opened(t, at('/abc'));
        const seen = [];
        const removed = () => assert.fail('it was removed');
        socket.onAnyOutgoing(removed);
        socket.offAnyOutgoing(removed);
        assert.equal(socket.listenersAnyOutgoing().length, 0);
        socket.onAnyOutgoing((event) => seen.push(event));
        socket.emit('my-event', '123');
        assert.deepEqual(seen, ['my-event']);
      });
    });

    describe('timeout', () => {
      const LATE = 50;
      const IN_TIME = 5_000;
      const asked = (socket, ms, ...args) => new Promise((resolve) => socket.timeout(ms).emit(...args, (...got) => resolve(got)));

      it('ends the wait of a socket that is not connected', async (t) => {
        const socket = open(t, server.url, { autoConnect: false });
        isError((await asked(socket, LATE, 'event'))[0]);
        assert.deepEqual(socket.sendBuffer, []);
      });

      it('ends the wait for an event that nobody answers', async (t) => {
        isError((await asked(open(t, server.url), LATE, 'unknown'))[0]);
      });

      it('ends the wait once, whatever comes later', async (t) => {
        const socket = open(t, server.url);
        const errors = [];
        socket.timeout(0).emit('echo', 42, (error) => errors.push(error));
        await until(() => errors.length > 0, 'an error');
        await acked(socket, 'echo', 43);
        assert.equal(errors.length, 1);
        isError(errors[0]);
      });

      it('does not end the wait for what comes in time', async (t) => {
        assert.deepEqual(await asked(open(t, server.url), IN_TIME, 'echo', 42), [null, 42]);
      });

      it('rejects the promise of an event that nobody answers', async (t) => {
        await assert.rejects(open(t, server.url).timeout(LATE).emitWithAck('unknown'));
      });

      it('resolves the promise of what comes in time', async (t) => {
        assert.equal(await open(t, server.url).timeout(IN_TIME).emitWithAck('echo', 42), 42);
      });

      it('has a default', async (t) => {
        const [error] = await acked(open(t, server.url, { ackTimeout: LATE }), 'unknown');
        isError(error);
      });

      describe('when the socket leaves', () => {
        it('an ack without one is forgotten', async (t) => {
          const socket = await opened(t, server.url);
          let answers = 0;
          socket.emit('echo', 'a', () => answers++);
          socket.disconnect();
          assert.deepEqual(Object.keys(socket.acks), []);
          await pause(LULL_MS);
          assert.equal(answers, 0);
        });

        it('an ack with one is an error', async (t) => {
          const socket = await opened(t, server.url);
          const answered = asked(socket, IN_TIME, 'echo', 'a');
          socket.disconnect();
          isError((await answered)[0]);
          assert.deepEqual(Object.keys(socket.acks), []);
        });

        it('an ack with the default one is an error', async (t) => {
          const socket = await opened(t, server.url, { ackTimeout: IN_TIME });
          const answered = acked(socket, 'echo', 'a');
          socket.disconnect();
          isError((await answered)[0]);
        });

        it('a promise is rejected', async (t) => {
          const socket = await opened(t, server.url);
          const answered = socket.emitWithAck('echo', 'a');
          socket.disconnect();
          await assert.rejects(answered);
        });

        it('a promise with one is rejected', async (t) => {
          const socket = await opened(t, server.url);
          const answered = socket.timeout(IN_TIME).emitWithAck('echo', 'a');
          socket.disconnect();
          await assert.rejects(answered);
        });

        it('an ack of what is not sent yet is kept', async (t) => {
          const socket = await opened(t, server.url);
          socket.disconnect();
          const answered = acked(socket, 'echo', 'a');
          socket.connect();
          assert.deepEqual(await answered, ['a']);
        });
      });
    });
  });

  describe('retries', () => {
    /** What the engine sends. */
    function sent(socket) {
      const packets = [];
      socket.io.engine.on('packetCreate', ({ data }) => data !== undefined && packets.push(data));
      return packets;
    }

    it('keep packets in order, one at a time', async (t) => {
      const socket = open(t, server.url, { retries: 1, ackTimeout: 5_000, transports: ['websocket'] });
      const packets = sent(socket);
      const queued = [];
      const answers = [1, 2, 3].map((number) => {
        const answered = acked(socket, 'echo', number).then((answer) => {
          queued.push(socket._queue.length);
          return answer;
        });
        queued.push(socket._queue.length);
        return answered;
      });
      assert.deepEqual(queued.splice(0), [1, 2, 3]);
      assert.deepEqual(await Promise.all(answers), [[null, 1], [null, 2], [null, 3]]);
      assert.deepEqual(queued, [2, 1, 0]);
      assert.deepEqual(packets, ['0', '20["echo",1]', '21["echo",2]', '22["echo",3]']);
    });

    it('end when nobody answers', async (t) => {
      const socket = open(t, server.url, { retries: 3, ackTimeout: 100, transports: ['websocket'] });
      const packets = sent(socket);
      const heardBack = count(socket, 'ack');
      const [error] = await acked(socket, 'ack');
      isError(error);
      assert.deepEqual(packets, ['0', '20["ack"]', '21["ack"]', '22["ack"]', '23["ack"]']);
      await until(() => heardBack.length === 4, 'what the server made of each');
    });

    it('wait while the socket is not connected', async (t) => {
      const socket = open(t, server.url, { autoConnect: false, retries: 3, ackTimeout: 1_000 });
      const answered = acked(socket, 'echo', 1);
      await pause(LULL_MS);
      socket.connect();
      assert.deepEqual(await answered, [null, 1]);
    });
  });

  describe('connection state recovery', () => {
    it('makes it who it was', async (t) => {
      const socket = open(t, server.url);
      assert.equal(socket.recovered, false);
      socket.emit('hi');
      await heard(socket, 'hi');
      const { id } = socket;
      const connected = heard(socket, 'connect');
      socket.io.engine.close();
      await connected;
      assert.equal(socket.id, id);
      assert.equal(socket.recovered, true);
    });
  });
});
