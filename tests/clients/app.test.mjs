// The official clients, oldest and newest of each line, over each way of connecting, against contract `app`.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { describeServers } from './server.mjs';
import { CLIENTS, WAYS, call, connect, count, heard, until } from './official.mjs';
import { pause } from './wire.mjs';

const PING_INTERVAL_MS = 2_000;
const PING_TIMEOUT_MS = 6_000;
const BIG = 900 * 1024;
const env = { PING_INTERVAL_MS: String(PING_INTERVAL_MS), PING_TIMEOUT_MS: String(PING_TIMEOUT_MS) };

const SHAPES = [
  [],
  [null],
  [true, false],
  [0, -1.5, 1e21, 9007199254740991],
  ['', 'text'],
  [[], {}, [[]], [{}]],
  [{ nested: { list: [1, 'two', null, { three: 3 }] } }],
  [1, '2', { 3: [4] }, null, [5]],
  [{ _placeholder: false, num: 0 }],
  ['2["echo"]', '42', '451-["x",{"_placeholder":true,"num":0}]'],
];

const TEXTS = [
  'NUL \0 inside',
  'separators \u2028 and \u2029',
  'astral 😀𝄞',
  'replacement \ufffd and mark \ufeff',
  '</script><!--',
  'CR LF \r\n tab \t backslash \\ quote " record \x1e unit \x1f',
  'ünïcödé かな кириллица עברית',
];

const bytes = (...values) => Buffer.from(values);
const BINARIES = [
  [bytes(1, 2, 3)],
  [Buffer.alloc(0)],
  [Buffer.from(Array.from({ length: 256 }, (_, i) => i))],
  [{ deep: [{ deeper: bytes(0, 255) }, 'text'], other: bytes(30) }],
  ['mixed', bytes(4), 5, [bytes(6), [bytes(7)]]],
];

let rooms = 0;
const newRoom = () => `room-${(rooms += 1)}`;

describeServers('application', { contract: 'app', env, mayPanic: true, concurrency: true }, (server) => {
  for (const version of Object.keys(CLIENTS)) {
    for (const way of Object.keys(WAYS)) {
      const open = (t, options) => connect(t, server, version, way, options);
      describe(`client ${version}, ${way}`, { concurrency: 1 }, () => matrix(way, open));
      describe(`client ${version}, ${way}, over time`, { concurrency: true }, () => overTime(way, open));
    }
  }
});

function matrix(way, open) {
  it('is welcomed once, with its id', async (t) => {
    const socket = await open(t);
    const welcomes = count(socket, 'welcome');
    assert.deepEqual(await socket.welcome, ['/', socket.id]);
    await call(socket, 'echo-ack');
    assert.equal(welcomes.length, 0, 'a second welcome came');
  });

  it('gets every shape of arguments back, as event and as ack', async (t) => {
    const socket = await open(t);
    for (const args of SHAPES) await assertEchoed(socket, args);
  });

  it('gets every kind of text back, as event and as ack', async (t) => {
    const socket = await open(t);
    for (const text of TEXTS) await assertEchoed(socket, [text, { [text]: text }]);
  });

  it('gets binary at any depth back, as event and as ack', async (t) => {
    const socket = await open(t);
    for (const args of BINARIES) await assertEchoed(socket, args);
    const echoed = heard(socket, 'echo');
    socket.emit('echo', new Uint8Array([8, 9]), new Uint8Array([10]).buffer);
    assert.deepEqual(await echoed, [bytes(8, 9), bytes(10)]);
  });

  it('gets a lone surrogate back, kept or replaced', async (t) => {
    const socket = await open(t);
    const echoed = heard(socket, 'echo');
    socket.emit('echo', 'x\ud83dy');
    for (const [text] of [await echoed, await call(socket, 'echo-ack', 'x\ud83dy')]) {
      assert.ok(['x\ud83dy', 'x\ufffdy'].includes(text), JSON.stringify(text));
    }
  });

  it('gets 900 KB of text, non-ASCII text and binary back', async (t) => {
    const socket = await open(t);
    for (const big of ['x'.repeat(BIG), 'é€😀'.repeat(BIG / 9), Buffer.alloc(BIG, 'bytes')]) {
      const echoed = heard(socket, 'echo', 15_000);
      socket.emit('echo', big);
      assert.ok(same(big, (await echoed)[0]), 'the event came back changed');
      assert.ok(same(big, (await call(socket, 'echo-ack', big))[0]), 'the ack came back changed');
    }
  });

  it('gets `message` back by send', async (t) => {
    const socket = await open(t);
    for (const data of ['text', { json: [1] }, bytes(1, 2)]) {
      const echoed = heard(socket, 'message');
      socket.send(data);
      assert.deepEqual(await echoed, [data]);
    }
  });

  it('answers the questions of the server', async (t) => {
    const socket = await open(t);
    socket.on('question', (...args) => args.pop()(...args, 'answer', bytes(1)));
    for (const args of [[], ['why', { n: 1 }], [bytes(2, 3)]]) {
      const received = heard(socket, 'answer-received');
      socket.emit('ask-me', ...args);
      assert.deepEqual(await received, [...args, 'answer', bytes(1)]);
    }
  });

  it('answers many questions in any order', async (t) => {
    const socket = await open(t);
    const answers = [];
    socket.on('question', (n, ack) => answers.push(() => ack(n)));
    const received = count(socket, 'answer-received');
    for (let n = 0; n < 50; n++) socket.emit('ask-me', n);
    await until(() => answers.length === 50, 'fifty questions');
    for (const answer of answers.reverse()) answer();
    await until(() => received.length === 50, 'fifty answers');
    assert.deepEqual(received.map(([n]) => n), Array.from({ length: 50 }, (_, n) => 49 - n));
  });

  it('hears its room from outside and inside, exactly once, until it leaves', async (t) => {
    const [alice, bob, carol] = await Promise.all([open(t), open(t), open(t)]);
    const room = newRoom();
    const heardBy = [alice, bob, carol].map((socket) => count(socket, 'news'));
    assert.deepEqual(await call(alice, 'join', room), [room]);
    assert.deepEqual(await call(bob, 'join', room), [room]);
    assert.deepEqual(await call(bob, 'join', room), [room]); // twice is once

    assert.deepEqual(await call(alice, 'to-room', room, 'news', { from: 'alice' }), [true]);
    assert.deepEqual(await call(carol, 'to-room', room, 'news', [bytes(1, 2)]), [true]);
    assert.deepEqual(await call(bob, 'leave', room), [room]);
    assert.deepEqual(await call(carol, 'to-room', room, 'news', 'last'), [true]);

    await Promise.all([alice, bob, carol].map((socket) => call(socket, 'echo-ack'))); // all that was sent before is here
    assert.deepEqual(heardBy[0], [[[bytes(1, 2)]], ['last']]);
    assert.deepEqual(heardBy[1], [[{ from: 'alice' }], [[bytes(1, 2)]]]);
    assert.deepEqual(heardBy[2], []);
  });

  it('hears broadcasts of its namespace only, and not its own', async (t) => {
    const event = newRoom(); // a name that no other test uses: everyone hears a broadcast
    const [alice, bob, chatter] = await Promise.all([open(t), open(t), open(t, { namespace: '/chat' })]);
    const heardBy = [alice, bob, chatter].map((socket) => count(socket, event));
    assert.deepEqual(await call(alice, 'broadcast-others', event, 'hello'), [true]);
    assert.deepEqual(await call(bob, 'broadcast-others', event, bytes(1)), [true]);
    await Promise.all([alice, bob, chatter].map((socket) => call(socket, 'echo-ack')));
    assert.deepEqual(heardBy, [[[bytes(1)]], [['hello']], []]);
  });

  it('uses several namespaces over one connection, rooms apart', async (t) => {
    const main = await open(t);
    const chat = await open(t, { namespace: '/chat', manager: main.io });
    assert.deepEqual(await chat.welcome, ['/chat', chat.id]);
    assert.notEqual(chat.id, main.id);
    const room = newRoom();
    await call(main, 'join', room);
    await call(chat, 'join', room);
    const [byMain, byChat] = [count(main, 'news'), count(chat, 'news')];
    const other = await open(t, { namespace: '/chat' });
    await call(other, 'to-room', room, 'news', 1);
    await Promise.all([call(main, 'echo-ack'), call(chat, 'echo-ack')]);
    assert.deepEqual([byMain, byChat], [[], [[1]]]);
    chat.disconnect();
    assert.deepEqual(await call(main, 'echo-ack', 'still here'), ['still here']);
  });

  it('is refused by /admin without the token, with data, its other namespaces unharmed', async (t) => {
    const main = await open(t);
    for (const auth of [undefined, { token: 'wrong' }]) {
      const [error] = await refusal(main, '/admin', auth);
      assert.equal(error.message, 'unauthorized');
      assert.deepEqual(error.data, { code: 'E_AUTH' });
    }
    assert.deepEqual(await call(main, 'echo-ack', 'still here'), ['still here']);
  });

  it('enters /admin with the token in auth or in the query', async (t) => {
    for (const options of [{ auth: { token: 'letmein' } }, { query: { token: 'letmein' } }]) {
      const admin = await open(t, { namespace: '/admin', ...options });
      assert.deepEqual(await admin.welcome, ['/admin', admin.id]);
      await assertEchoed(admin, ['inside']);
    }
  });

  it('is refused an unknown namespace, its other namespaces unharmed', async (t) => {
    const main = await open(t);
    const [error] = await refusal(main, '/nowhere');
    assert.equal(error.message, 'Invalid namespace');
    assert.deepEqual(await call(main, 'echo-ack', 'still here'), ['still here']);
  });

  it('is told who it is', async (t) => {
    const query = { color: 'blue & green', empty: '' };
    const auth = { user: 'ann', roles: [1, 2] };
    const socket = await open(t, { query, auth, upgraded: true });
    const [me] = await call(socket, 'whoami');
    assert.equal(me.id, socket.id);
    assert.equal(me.nsp, '/');
    assert.equal(me.transport, way === 'polling' ? 'polling' : 'websocket');
    assert.equal(me.protocol, 4);
    assert.deepEqual(me.auth, auth);
    for (const [key, value] of Object.entries({ ...query, EIO: '4' })) assert.equal(me.query[key], value);
    assert.equal(me.query.transport, way === 'websocket' ? 'websocket' : 'polling');
    assert.ok(Object.values(me.query).every((value) => typeof value === 'string'));

    const [other] = await call(await open(t), 'whoami');
    assert.ok(other.auth === null || Object.keys(other.auth).length === 0, JSON.stringify(other.auth));
  });

  it('sends and gets 1,000 events each way, in order and exactly once', async (t) => {
    const socket = await open(t);
    await thousandEachWay(socket);
    if (way !== 'upgrade') return;
    await until(() => socket.io.engine.transport.name === 'websocket', 'the upgrade');
    await thousandEachWay(socket);
  });

  it('has its events collected in order', async (t) => {
    const socket = await open(t);
    for (let i = 0; i < 100; i++) socket.emit('collect', i);
    assert.deepEqual(await call(socket, 'collected'), [Array.from({ length: 100 }, (_, i) => i)]);
    assert.deepEqual(await call(socket, 'collected'), [[]]);
  });

  it('is served while a slow burst goes on', async (t) => {
    const socket = await open(t);
    const ticks = count(socket, 'tick');
    const burst = call(socket, 'burst', 60, 200);
    await until(() => ticks.length >= 20, 'the first twenty ticks');
    assert.deepEqual(await call(socket, 'echo-ack', 'meanwhile'), ['meanwhile']);
    assert.ok(ticks.length < 60, 'the burst was over before anything else was answered');
    assert.deepEqual(await burst, [60]);
    assert.deepEqual(ticks, Array.from({ length: 60 }, (_, i) => [i]));
  });

  it('is kicked with a DISCONNECT packet and may come back over the same connection', async (t) => {
    const socket = await open(t, { upgraded: true });
    const chat = await open(t, { namespace: '/chat', manager: socket.io }); // keeps the connection open
    const { id } = socket;
    const engine = socket.io.engine.id;
    const disconnected = heard(socket, 'disconnect');
    socket.emit('kick-me');
    assert.equal((await disconnected)[0], 'io server disconnect');
    assert.deepEqual(await call(chat, 'echo-ack', 'not me'), ['not me']);
    const welcome = heard(socket, 'welcome');
    socket.connect();
    const [, again] = await welcome;
    assert.equal(again, socket.id);
    assert.notEqual(again, id);
    assert.equal(socket.io.engine.id, engine);
    assert.deepEqual(await call(socket, 'echo-ack', 'back'), ['back']);
  });

  it('reconnects by itself when the connection is closed', async (t) => {
    const socket = await open(t, { reconnection: true });
    const { id } = socket;
    const disconnected = heard(socket, 'disconnect');
    const welcome = heard(socket, 'welcome', 10_000);
    socket.emit('close-me');
    assert.equal((await disconnected)[0], 'transport close');
    const [, again] = await welcome;
    assert.notEqual(again, id);
    assert.deepEqual(await call(socket, 'echo-ack', 'back'), ['back']);
  });

  it('outlives a handler that fails, and `error` as an event', async (t) => {
    const socket = await open(t);
    socket.emit('throw');
    socket.emit('throw', 'with arguments', bytes(1));
    socket.emit('error', 'an ordinary name');
    assert.deepEqual(await call(socket, 'echo-ack', 'still here'), ['still here']);
  });

  it('is told once of each member that left its room, however it left', async (t) => {
    const observer = await open(t);
    const room = newRoom();
    await call(observer, 'join', room);
    const left = count(observer, 'left');
    const exits = {
      disconnect: (socket) => socket.disconnect(),
      engine: (socket) => socket.io.engine.close(),
      kick: (socket) => socket.emit('kick-me'),
      close: (socket) => socket.emit('close-me'),
    };
    const gone = [];
    for (const leave of Object.values(exits)) {
      const member = await open(t);
      await call(member, 'join', room);
      gone.push([member.id]);
      leave(member);
      await until(() => left.length >= gone.length, `${gone.length} members gone`);
    }
    await call(observer, 'echo-ack');
    assert.deepEqual(left, gone);
  });
}

function overTime(way, open) {
  it('stays connected when idle beyond two heartbeats', async (t) => {
    const socket = await open(t);
    const { id } = socket;
    const lost = count(socket, 'disconnect');
    await pause(2 * PING_INTERVAL_MS + PING_TIMEOUT_MS + 500);
    assert.deepEqual(lost, []);
    assert.equal(socket.id, id);
    assert.deepEqual(await call(socket, 'echo-ack', 'awake'), ['awake']);
  });

  it('is dropped when it falls silent, and its room is told', async (t) => {
    const [observer, silent] = await Promise.all([open(t), open(t, { upgraded: true })]);
    const room = newRoom();
    await call(observer, 'join', room);
    await call(silent, 'join', room);
    const left = count(observer, 'left');
    const { id } = silent;
    const start = performance.now();
    silence(silent.io.engine);
    await until(() => left.length > 0, 'the silent member to be dropped', PING_INTERVAL_MS + PING_TIMEOUT_MS + 3_000);
    assert.ok(performance.now() - start > PING_TIMEOUT_MS - 200, 'dropped before the timeout');
    await call(observer, 'echo-ack');
    assert.deepEqual(left, [[id]]);
  });
}

/** From now on the client sends nothing, so that pings stay unanswered; it goes on receiving. */
function silence(engine) {
  engine.transport.write = () => {};
  engine.transport.send = () => {};
}

async function assertEchoed(socket, args) {
  const echoed = heard(socket, 'echo');
  socket.emit('echo', ...args);
  assert.deepEqual(await echoed, args);
  assert.deepEqual(await call(socket, 'echo-ack', ...args), args);
}

async function refusal(main, namespace, auth) {
  const socket = main.io.socket(namespace, { auth });
  socket.auth = auth;
  const refused = heard(socket, 'connect_error');
  socket.connect();
  const error = await refused;
  assert.equal(socket.connected, false);
  socket.disconnect();
  return error;
}

async function thousandEachWay(socket) {
  const numbers = Array.from({ length: 1000 }, (_, i) => i);
  const ticks = [];
  const onTick = (i) => ticks.push(i);
  socket.on('tick', onTick);
  const burst = call(socket, 'burst', 1000, 5);
  for (const i of numbers) {
    socket.emit('collect', i);
    if (i % 50 === 49) await new Promise(setImmediate);
  }
  assert.deepEqual(await call(socket, 'collected'), [numbers]);
  assert.deepEqual(await burst, [1000]);
  socket.off('tick', onTick);
  assert.deepEqual(ticks, numbers);
}

const same = (a, b) => (typeof a === 'string' ? a === b : Buffer.isBuffer(b) && a.equals(b));
