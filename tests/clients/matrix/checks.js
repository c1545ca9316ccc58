// What every client must be able to do, each check written once. Runs in Node and in pages, against contract `app`.
import { begin, pause, until, within } from './peers.js';

/** The heartbeat that the server is run with. */
export const PING_INTERVAL_MS = 2_000;
export const PING_TIMEOUT_MS = 6_000;
const BIG = 900 * 1024;
const BIG_PATIENCE_MS = 30_000;
const SILENCE_MS = 2 * PING_INTERVAL_MS + PING_TIMEOUT_MS + 5_000;

const hasBinary = (cell) => cell.protocol > 1;
const hasManager = (cell) => cell.protocol > 1;
const isFirst = (cell) => cell.protocol === 1;

const SHAPES = [
  [],
  [null],
  [true, false],
  [0, -1.5, 9007199254740991],
  ['', 'text'],
  [[], {}, [[]], [{}]],
  [{ nested: { list: [1, 'two', null, { three: 3 }] } }],
  [1, '2', { 3: [4] }, null, [5]],
  [{ _placeholder: false, num: 0 }],
  ['2["echo"]', '42', '451-["x",{"_placeholder":true,"num":0}]', '5:1+::{"name":"echo"}', '7:::1+0'],
];

const TEXTS = [
  'NUL \0 inside',
  'separators \u2028 and \u2029',
  'astral 😀𝄞',
  'replacement \ufffd, as a length \ufffd4\ufffd, and mark \ufeff',
  '</script><!--',
  'CR LF \r\n tab \t backslash \\ quote " record \x1e unit \x1f',
  'a\\nb \\u2028 %41 + &d=1',
  'ünïcödé かな кириллица עברית',
];

/** Binary as users of the runtime have it. */
const binary = (values) => (globalThis.Buffer ? Buffer.from(values) : new Uint8Array(values).buffer);
const bytes = (...values) => binary(values);

const BINARIES = [
  [bytes(1, 2, 3)],
  [binary(Array.from({ length: 256 }, (_, i) => i))],
  [{ deep: [{ deeper: bytes(0, 255) }, 'text'], other: bytes(30) }],
  ['mixed ü😀', bytes(4), 5, [bytes(6), [bytes(7)]]],
];

export const CHECKS = {
  'is welcomed once, with its id': async ({ open }) => {
    const peer = await open();
    await peer.welcome;
    await peer.call('echo-ack');
    same(peer.welcomes, [['/', peer.id]]);
  },

  'gets every shape of arguments back, as event and as ack': async ({ open }) => {
    const peer = await open();
    for (const args of SHAPES) await echoed(peer, args);
  },

  'gets numbers of more than 64 bits back': async ({ open }) => echoed(await open(), [1e21, -1e300]),

  'gets every kind of text back, as event and as ack': async ({ open }) => {
    const peer = await open();
    for (const text of TEXTS) await echoed(peer, [text, { [text]: text }]);
  },

  'gets a lone surrogate back, kept or replaced': async ({ open }) => {
    const peer = await open();
    const echo = peer.heard('echo');
    peer.emit('echo', 'x\ud83dy');
    for (const [text] of [await echo, await peer.call('echo-ack', 'x\ud83dy')]) {
      ok(['x\ud83dy', 'x\ufffdy'].includes(text), JSON.stringify(text));
    }
  },

  'gets binary at any depth back, as event and as ack': {
    when: hasBinary,
    run: async ({ open }) => {
      const peer = await open();
      for (const args of BINARIES) await echoed(peer, args);
    },
  },

  'gets empty binary back': {
    when: hasBinary,
    run: async ({ open }) => echoed(await open(), [bytes(), 'and', bytes(), bytes(1)]),
  },

  'gets 900 KB of ASCII back': ({ open }) => bigEchoed(open, 'x'.repeat(BIG)),
  'gets 900 KB of non-ASCII back': ({ open }) => bigEchoed(open, 'é€😀'.repeat(BIG / 9)),
  'gets 60 KB of non-ASCII back': ({ open }) => bigEchoed(open, 'é€😀'.repeat((60 * 1024) / 9)),
  'gets 60 KB of binary back': {
    when: hasBinary,
    run: ({ open }) => bigEchoed(open, binary(filled(60 * 1024))),
  },
  'gets 900 KB of binary back': {
    when: hasBinary,
    run: ({ open }) => bigEchoed(open, binary(filled(BIG))),
  },

  'gets text sent by `send` back': async ({ open }) => {
    const peer = await open();
    for (const text of ['text', 'ü😀\ufffd', 'with:colons:1+', '</script>', '']) await sentBack(peer, text);
  },

  'gets lines sent by `send` back': async ({ open }) => {
    const peer = await open();
    for (const text of ['two\nlines', 'two\r\nlines', 'two\u2028lines\u2029']) await sentBack(peer, text);
  },

  'gets JSON and binary sent by `send` back': {
    when: hasManager,
    run: async ({ open }) => {
      const peer = await open();
      for (const data of [{ json: [1] }, bytes(1, 2)]) await sentBack(peer, data);
    },
  },

  'gets JSON sent by `json.send` back as JSON': {
    when: isFirst,
    run: async ({ open }) => {
      const peer = await open();
      for (const data of [{ json: [1, 'ü\u2028'] }, [], 'text', null, 0]) {
        const message = peer.heard('message');
        peer.sendJson(data);
        same(await message, [data]);
      }
    },
  },

  'is told that its messages have come, when it asks': {
    when: isFirst,
    run: async ({ open }) => {
      const peer = await open();
      const acks = [];
      peer.send('text', (...args) => acks.push(args));
      peer.sendJson({ json: 1 }, (...args) => acks.push(args));
      await until(() => acks.length === 2, 'both acks');
      same(acks, [[], []]);
    },
  },

  'answers the questions of the server': async ({ open, cell }) => {
    const peer = await open();
    const extra = hasBinary(cell) ? [bytes(1)] : ['no binary'];
    peer.on('question', (...args) => args.pop()(...args, 'answer', ...extra));
    for (const args of [[], ['why \u2028', { n: 1 }], extra]) {
      const received = peer.heard('answer-received');
      peer.emit('ask-me', ...args);
      same(await received, [...args, 'answer', ...extra]);
    }
  },

  'answers with nothing': async ({ open }) => {
    const peer = await open();
    peer.on('question', (ack) => ack());
    const received = peer.heard('answer-received');
    peer.emit('ask-me');
    same(await received, []);
  },

  'answers many questions in any order': async ({ open }) => {
    const peer = await open();
    const answers = [];
    peer.on('question', (n, ack) => answers.push(() => ack(n)));
    const received = peer.count('answer-received');
    for (let n = 0; n < 50; n++) peer.emit('ask-me', n);
    await until(() => answers.length === 50, 'fifty questions');
    for (const answer of answers.reverse()) answer();
    await until(() => received.length === 50, 'fifty answers');
    same(received, Array.from({ length: 50 }, (_, n) => [49 - n]));
  },

  'hears its room from outside and inside, exactly once, until it leaves': async ({ open, cell }) => {
    const [alice, bob, carol] = await Promise.all([open(), open(), open()]);
    const heardBy = [alice, bob, carol].map((peer) => peer.count('news'));
    const room = unique('room');
    const payload = hasBinary(cell) ? [bytes(1, 2)] : ['text'];
    same(await alice.call('join', room), [room]);
    same(await bob.call('join', room), [room]);
    same(await bob.call('join', room), [room], 'joining twice');
    same(await alice.call('to-room', room, 'news', { from: 'alice' }), [true]);
    same(await carol.call('to-room', room, 'news', payload), [true]);
    same(await bob.call('leave', room), [room]);
    same(await carol.call('to-room', room, 'news', 'last'), [true]);
    for (const peer of [alice, bob, carol]) await peer.call('echo-ack'); // all that was sent before is here
    same(heardBy, [[[payload], ['last']], [[{ from: 'alice' }], [payload]], []]);
  },

  'hears broadcasts of its namespace only, and not its own': async ({ open }) => {
    const event = unique('event'); // everyone hears a broadcast
    const [alice, bob, chatter] = await Promise.all([open(), open(), open({ namespace: '/chat' })]);
    const heardBy = [alice, bob, chatter].map((peer) => peer.count(event));
    same(await alice.call('broadcast-others', event, 'hello'), [true]);
    same(await bob.call('broadcast-others', event, { to: 'you' }), [true]);
    for (const peer of [alice, bob, chatter]) await peer.call('echo-ack');
    same(heardBy, [[[{ to: 'you' }]], [['hello']], []]);
  },

  'uses several namespaces over one connection, rooms apart': async ({ open, join }) => {
    const main = await open();
    const chat = await join(main, '/chat');
    const [[path, id], [me]] = [await chat.welcome, await chat.call('whoami')];
    same([path, me.id, me.nsp], ['/chat', id, '/chat']);
    const room = unique('room');
    await main.call('join', room);
    await chat.call('join', room);
    const [byMain, byChat] = [main.count('news'), chat.count('news')];
    const other = await open({ namespace: '/chat' });
    await other.call('to-room', room, 'news', 1);
    await main.call('echo-ack');
    await chat.call('echo-ack');
    same([byMain, byChat], [[], [[1]]]);
    await echoed(chat, ['on /chat', 1]);
    chat.disconnect();
    same(await main.call('echo-ack', 'still here'), ['still here']);
  },

  'is refused by /admin without the token, its other namespaces unharmed': async ({ open, cell }) => {
    const main = await open();
    const answer = await main.of('/admin').refused();
    if (cell.protocol === 4) same([answer.message, answer.data], ['unauthorized', { code: 'E_AUTH' }]);
    else if (hasManager(cell)) same(answer, { code: 'E_AUTH' });
    else same(answer, 'unauthorized');
    same(await main.call('echo-ack', 'still here'), ['still here']);
  },

  'enters /admin with the token in the query of the connection': async ({ open }) => {
    const admin = await open({ namespace: '/admin', query: { token: 'letmein' } });
    same((await admin.welcome)[0], '/admin');
    await echoed(admin, ['inside']);
  },

  'enters /admin with the token in what it connects to the namespace with': {
    when: hasManager,
    run: async ({ open, join, cell }) => {
      const options = cell.protocol === 4 ? { auth: { token: 'letmein' } } : { query: 'token=letmein' };
      await echoed(await join(await open(), '/admin', options), ['inside']);
    },
  },

  'is refused an unknown namespace, its other namespaces unharmed': async ({ open, cell }) => {
    const main = await open();
    const lost = main.of('/nowhere');
    if (isFirst(cell)) {
      let answered = false;
      lost.connected.then(() => (answered = true), () => (answered = true));
      for (let i = 0; i < 3; i++) await main.call('echo-ack');
      ok(!answered, 'there was an answer');
    } else {
      const answer = await lost.refused();
      same(answer.message ?? answer, 'Invalid namespace');
    }
    same(await main.call('echo-ack', 'still here'), ['still here']);
  },

  'is told who it is': async ({ open, cell }) => {
    const query = { color: 'blue', empty: '' };
    const auth = cell.protocol === 4 ? { user: 'ann', roles: [1, 2] } : undefined;
    const peer = await open({ query, auth, upgraded: true });
    const [me] = await peer.call('whoami');
    const transport = { jsonp: 'polling', upgrade: 'websocket' }[cell.way] ?? cell.way;
    same([me.id, me.nsp, me.transport, me.protocol], [peer.id, '/', transport, cell.protocol]);
    same([me.query.color, me.query.empty], [query.color, query.empty]);
    if (auth) same(me.auth, auth);
    else same(Object.keys(me.auth ?? {}), []);
    if (cell.protocol > 1) same(me.query.EIO, String(cell.protocol));
  },

  'has a query in any script': async ({ open }) => {
    const query = { city: 'Zürich, Αθήνα', sign: '😀' };
    const [me] = await (await open({ query })).call('whoami');
    same([me.query.city, me.query.sign], [query.city, query.sign]);
  },

  'sends and gets 1,000 events each way, in order and exactly once': async ({ open, cell }) => {
    const peer = await open();
    await thousandEachWay(peer); // begun at once, so that an upgrade happens meanwhile
    if (cell.way !== 'upgrade') return;
    await until(() => peer.transport === 'websocket', 'the upgrade');
    await thousandEachWay(peer);
  },

  'is told that it was kicked, and stays away': async ({ open, cell }) => {
    const peer = await open({ reconnect: true, upgraded: true });
    await peer.welcome;
    const disconnected = peer.heard('disconnect');
    peer.emit('kick-me');
    same((await disconnected)[0], isFirst(cell) ? 'booted' : 'io server disconnect');
    await pause(300);
    ok(peer.welcomes.length === 1, 'it came back');
  },

  'is kicked from one namespace only': async ({ open, join }) => {
    const main = await open();
    await kicked(await join(main, '/chat'));
    same(await main.call('echo-ack', 'still here'), ['still here']);
  },

  'may come back to the namespace that kicked it': {
    when: hasManager,
    run: async ({ open, join }) => {
      const main = await open(); // keeps the connection
      const chat = await join(main, '/chat');
      await kicked(chat);
      const welcome = chat.heard('welcome');
      chat.connectAgain();
      same((await welcome)[0], '/chat');
      same(await chat.call('echo-ack', 'back'), ['back']);
    },
  },

  'outlives a handler that fails': async ({ open, cell }) => {
    const peer = await open();
    peer.emit('throw');
    peer.emit('throw', 'with arguments', hasBinary(cell) ? bytes(1) : 1);
    same(await peer.call('echo-ack', 'still here'), ['still here']);
  },

  'is told once of each member that left its room, however it left': async ({ open }) => {
    const observer = await open();
    const room = unique('room');
    await observer.call('join', room);
    const left = observer.count('left');
    const gone = [];
    for (const leave of [(peer) => peer.disconnect(), (peer) => peer.emit('kick-me'), (peer) => peer.emitCloseMe()]) {
      const member = await open();
      await member.call('join', room);
      gone.push([member.id]);
      leave(member);
      // A polling 0.x client that is sending at that moment leaves without a word.
      await until(() => left.length >= gone.length, `${gone.length} members gone`, SILENCE_MS);
    }
    await observer.call('echo-ack');
    same(left, gone);
  },

  'comes back by itself when the connection is closed': {
    overTime: true,
    run: async ({ open }) => {
      const peer = await open({ reconnect: true });
      const [, id] = await peer.welcome;
      const disconnected = peer.heard('disconnect', 15_000);
      const welcome = peer.heard('welcome', 30_000);
      peer.emitCloseMe();
      await disconnected;
      const [, again] = await welcome;
      ok(again !== id, 'the id is the same as before');
      same(await peer.call('echo-ack', 'back'), ['back']);
    },
  },

  'is served while a slow burst goes on': {
    overTime: true,
    run: async ({ open }) => {
      const peer = await open();
      const ticks = peer.count('tick');
      const burst = peer.call('burst', 100, 1_000);
      const before = new Promise((resolve) => {
        peer.emit('echo-ack', 'meanwhile', (answer) => resolve([answer, ticks.length]));
      });
      const [answer, ticksBefore] = await within(before, 'the answer to what came behind the burst');
      same(answer, 'meanwhile');
      ok(ticksBefore < 100, 'the burst was over before anything else was answered');
      same(await burst, [100]);
      same(ticks, Array.from({ length: 100 }, (_, i) => [i]));
    },
  },

  'stays connected when idle beyond two heartbeats': {
    overTime: true,
    run: async ({ open }) => {
      const peer = await open();
      const [lost, { id }] = [peer.count('disconnect'), peer];
      await pause(2 * PING_INTERVAL_MS + PING_TIMEOUT_MS + 500);
      same([lost, peer.id], [[], id]);
      same(await peer.call('echo-ack', 'awake'), ['awake']);
    },
  },

  'is dropped when it falls silent, and its room is told': {
    overTime: true,
    run: async ({ open }) => {
      const observer = await open();
      const silent = await open({ upgraded: true });
      const room = unique('room');
      await observer.call('join', room);
      await silent.call('join', room);
      const left = observer.count('left');
      const [start, { id }] = [Date.now(), silent];
      silent.silence();
      await until(() => left.length > 0, 'the silent member to be dropped', SILENCE_MS);
      ok(Date.now() - start > PING_TIMEOUT_MS - 500, 'dropped before the timeout');
      await observer.call('echo-ack');
      same(left, [[id]]);
    },
  },
};

/** The titles of the checks that the client of `cell` must pass; those that wait for time to pass are apart. */
export function titles(cell, { overTime = false } = {}) {
  return Object.entries(CHECKS)
    .filter(([, check]) => Boolean(check.overTime) === overTime && (check.when?.(cell) ?? true))
    .map(([title]) => title);
}

/** Runs one check with peers of the client `io`; whatever comes of it, they are disconnected then, if they can be. */
export async function run(title, io, cell, url) {
  const peers = [];
  const open = async ({ upgraded = false, ...options } = {}) => {
    const peer = begin(io, cell, url, options);
    peers.push(peer);
    await peer.connected;
    if (upgraded && cell.way === 'upgrade') await until(() => peer.transport === 'websocket', 'the upgrade');
    return peer;
  };
  const join = async (peer, namespace, options) => {
    const joined = peer.of(namespace, options);
    await joined.connected;
    return joined;
  };
  const check = CHECKS[title];
  try {
    await (check.run ?? check)({ open, join, cell });
  } finally {
    for (const peer of peers) {
      try {
        peer.end();
      } catch (error) {
        console.warn(`${cell.client} cannot disconnect: ${error.message}`); // a check that is about it fails itself
      }
    }
  }
}

async function echoed(peer, args) {
  const echo = peer.heard('echo');
  peer.emit('echo', ...args);
  same(await echo, args, 'the event');
  same(await peer.call('echo-ack', ...args), args, 'the ack');
}

async function sentBack(peer, data) {
  const message = peer.heard('message');
  peer.send(data);
  same(await message, [data]);
}

async function kicked(peer) {
  await peer.welcome;
  const disconnected = peer.heard('disconnect');
  peer.emit('kick-me');
  await disconnected;
}

async function bigEchoed(open, big) {
  const peer = await open();
  const echo = peer.heard('echo', BIG_PATIENCE_MS);
  peer.emit('echo', big);
  same(await echo, [big], 'the event');
  const answer = new Promise((resolve) => peer.emit('echo-ack', big, (...args) => resolve(args)));
  same(await answer, [big], 'the ack');
}

async function thousandEachWay(peer) {
  const numbers = Array.from({ length: 1000 }, (_, i) => i);
  const ticks = [];
  const onTick = (i) => ticks.push(i);
  peer.on('tick', onTick);
  const burst = peer.call('burst', 1000, 5);
  for (const i of numbers) {
    peer.emit('collect', i);
    if (i % 50 === 49) await pause(0);
  }
  same(await peer.call('collected'), [numbers]);
  same(await burst, [1000]);
  peer.off('tick', onTick);
  same(ticks, numbers);
}

let last = 0;
/** A name that no other peer uses, of whatever cell. */
const unique = (what) => `${what}-${Math.random().toString(36).slice(2)}-${(last += 1)}`;

function ok(condition, what) {
  if (!condition) throw new Error(what);
}

function same(actual, expected, what = 'it') {
  const [got, wanted] = [JSON.stringify(plain(actual)), JSON.stringify(plain(expected))];
  if (got !== wanted) throw new Error(`${what} is ${shorten(got)}, not ${shorten(wanted)}`);
}

/** Binary of any class as its bytes, keys in order. */
function plain(value) {
  if (value instanceof ArrayBuffer) return { bytes: new Uint8Array(value).join() };
  if (ArrayBuffer.isView(value)) return plain(Uint8Array.from(value).buffer); // Buffer, in Node
  if (Array.isArray(value)) return value.map(plain);
  if (value === undefined) return { undefined: true };
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, plain(value[key])]));
}

const filled = (length) => Array.from({ length }, (_, i) => (i * 31 + (i >> 8)) % 256);

const shorten = (text) => (text.length > 300 ? `${text.slice(0, 300)}… (${text.length} characters)` : text);
