// What engine.io-client's own tests expect of a server, each behaviour written once. Runs in Node and in pages, against
// contract `engine-client`. A check is given { eio, url, polling, cleanUp }: the client's module, the server, what
// stands for polling among the transports, and a list of functions to call at the end.
import { until, within } from '../matrix/peers.js';

const BYTES = [0, 1, 2, 3, 4];
const MULTIBYTE = 'cash money €€€';
const ASTRAL = '\u{10000}-\u{dbfff}-\u{100000}-\u{10ffff}-\ue000-\uf8ff';

export const CHECKS = {
  'is greeted by the server': async (run) => {
    same(await heard(open(run), 'message'), ['hi']);
  },

  'gets text of several bytes a character back': async (run) => {
    const socket = await opened(run);
    for (const text of [MULTIBYTE, ASTRAL]) {
      socket.send(text);
      same(await echoed(socket), text);
    }
  },

  'gets what it asks for: bytes and text': async (run) => {
    const socket = await opened(run, { transports: [run.polling] });
    socket.binaryType = 'arraybuffer';
    socket.send('give binary');
    same(bytesOf(await echoed(socket)), BYTES);
    socket.send('give utf8');
    same(await echoed(socket), 'пойду спать всем спокойной ночи');
  },

  'sends nothing after it was closed': async (run) => {
    const socket = await opened(run);
    const created = count(socket, 'packetCreate');
    const closed = heard(socket, 'close');
    socket.close();
    socket.send('hi');
    await closed;
    same(created.map(([packet]) => packet.type), []);
  },

  'posts together what the server takes at once, and gets it back in order': async (run) => {
    const socket = await opened(run, { transports: [run.polling] });
    const sent = ['a'.repeat(99), 'b'.repeat(30), 'c'.repeat(30), 'd'.repeat(35), '€'.repeat(33), 'f'.repeat(99)];
    for (const text of sent) socket.send(text);
    same(await echoesOf(socket, sent.length), sent);
  },

  'is closed for a message that is longer than the server takes': async (run) => {
    const socket = await opened(run, { transports: [run.polling] });
    const closed = heard(socket, 'close');
    socket.send('a'.repeat(101));
    socket.send('b');
    same((await closed)[0], 'transport error');
  },

  'upgrades before it closes, when it is closed meanwhile': async (run) => {
    const socket = await opened(run);
    const upgraded = count(socket, 'upgrade');
    await heard(socket, 'upgrading');
    const closed = heard(socket, 'close');
    socket.close();
    await closed;
    same(upgraded.length, 1);
  },

  'closes when an upgrade fails for which closing waited': async (run) => {
    const socket = await opened(run);
    const failed = count(socket, 'upgradeError');
    await heard(socket, 'upgrading');
    const closed = heard(socket, 'close');
    socket.close();
    socket.transport.onError('upgrade error');
    await closed;
    same(failed.length, 1);
  },

  'sends nothing more while closing waits for the upgrade': async (run) => {
    const socket = await opened(run);
    await heard(socket, 'upgrading');
    const created = count(socket, 'packetCreate');
    const closed = heard(socket, 'close');
    socket.close();
    socket.send('hi');
    await closed;
    same(created.filter(([packet]) => packet.type === 'message'), []);
  },

  'sends what waits before a close that waits for the upgrade': async (run) => {
    const socket = await opened(run);
    await heard(socket, 'upgrading');
    const closed = heard(socket, 'close');
    socket.send('hi');
    socket.close();
    await closed;
    same(socket.writeBuffer.length, 0);
  },

  'goes on by polling when its WebSocket is denied': async (run) => {
    const socket = await opened(run, {
      transports: ['websocket', run.polling],
      transportOptions: { websocket: { query: { deny: 1 } } },
      tryAllTransports: true,
    });
    same(socket.transport.name, 'polling');
  },

  'goes on by WebSocket when its polling is denied': async (run) => {
    const socket = await opened(run, {
      transports: [run.polling, 'websocket'],
      transportOptions: { polling: { query: { deny: 1 } } },
      tryAllTransports: true,
    });
    same(socket.transport.name, 'websocket');
  },

  'gives up when its polling is denied, unless it may try others': async (run) => {
    const options = { transports: [run.polling, 'websocket'], transportOptions: { polling: { query: { deny: 1 } } } };
    const [error] = await heard(open(run, options), 'error');
    same(error.message, usesXhr(run) ? 'xhr poll error' : 'fetch read error');
  },

  'is told by the application that it is not wanted': async (run) => {
    const denied = open(run, { transports: [run.polling], query: { deny: 1 } });
    const told = heard(denied, 'error', (error) => [error.message, error.description, error.context?.responseText]);
    const wanted = ['xhr poll error', 403, '{"code":4,"message":"Forbidden"}'];
    same(await told, usesXhr(run) ? wanted : ['fetch read error', 403, undefined]);
    const [error] = await heard(open(run, { transports: ['websocket'], query: { deny: 1 } }), 'error');
    same([error.type, error.message], ['TransportError', 'websocket error']);
  },

  'connects by implementations of transports that it is given': async (run) => {
    for (const [implementation, name] of [[run.eio.NodeXHR, 'polling'], [run.eio.NodeWebSocket, 'websocket']]) {
      const socket = await opened(run, { transports: [implementation] });
      same(socket.transport.name, name);
      socket.close();
    }
  },

  'is told why a POST was too large': async (run) => {
    const socket = await opened(run, { transports: [run.polling] });
    const failed = heard(socket, 'error', (error) => [error.type, error.description, error.message, ...answerIn(run, error)]);
    const closed = heard(socket, 'close');
    socket.send('a'.repeat(101));
    const wanted = usesXhr(run) ? ['xhr post error', 4, ''] : ['fetch write error'];
    same(await failed, ['TransportError', 413, ...wanted]);
    const [reason, details] = await closed;
    same([reason, details instanceof Error], ['transport error', true]);
  },

  'is told why a WebSocket message was too large': async (run) => {
    const socket = await opened(run, { transports: ['websocket'] });
    const closed = heard(socket, 'close');
    socket.send('a'.repeat(101));
    const [reason, details] = await closed;
    same([reason, details.description], ['transport close', 'websocket connection closed']);
    same([details.context.code, details.context.reason], [1009, '']);
  },

  'is told that its session is unknown, polling': async (run) => {
    const socket = open(run, { transports: [run.polling], query: { sid: 'abc' } });
    const closed = heard(socket, 'close');
    const failed = heard(socket, 'error', (error) => [error.type, error.description, ...answerIn(run, error)]);
    const unknown = '{"code":1,"message":"Session ID unknown"}';
    same(await failed, ['TransportError', 400, ...(usesXhr(run) ? [4, unknown] : [])]);
    same((await closed)[0], 'transport error');
  },

  'is told that its session is unknown, by WebSocket': async (run) => {
    const socket = open(run, { transports: ['websocket'], query: { sid: 'abc' } });
    const closed = heard(socket, 'close');
    const [error] = await heard(socket, 'error');
    same([error.type, error.message, error.description.type], ['TransportError', 'websocket error', 'error']);
    const [reason, details] = await closed;
    same([reason, details instanceof Error], ['transport error', true]);
  },

  'hears pings, and goes on': async (run) => {
    const socket = await opened(run);
    for (let pings = 0; pings < 2; pings += 1) await heard(socket, 'ping');
    socket.send('still here');
    same(await echoed(socket), 'still here');
  },

  'remembers an upgrade, and begins with a WebSocket where it may': async (run) => {
    const socket = open(run);
    const [next, other] = await heard(socket, 'upgrade', () => [
      open(run, { rememberUpgrade: true }),
      open(run, { rememberUpgrade: false }),
    ]);
    same([socket, next, other].map(({ transport }) => transport.name), ['websocket', 'websocket', 'polling']);
    await heard(next, 'message');
  },

  'gets bytes back': async (run) => {
    for (const [way, options] of ways(run)) {
      const socket = await begun(run, options);
      socket.binaryType = 'arraybuffer';
      socket.send(new Int8Array(BYTES));
      const back = await echoed(socket);
      same([way, back instanceof ArrayBuffer, bytesOf(back)], [way, true, BYTES]);
      socket.close();
    }
  },

  'gets bytes and text back, in order': async (run) => {
    for (const [, options] of ways(run)) {
      const socket = await begun(run, options);
      socket.binaryType = 'arraybuffer';
      socket.send(new Int8Array(BYTES));
      socket.send(MULTIBYTE);
      const [bytes, text] = await echoesOf(socket, 2);
      same([bytesOf(bytes), text], [BYTES, MULTIBYTE]);
      socket.close();
    }
  },

  'gets bytes back where only text can be carried': async (run) => {
    for (const [, options] of ways(run)) {
      const socket = await begun(run, { ...options, forceBase64: true });
      socket.binaryType = 'arraybuffer';
      socket.send(new Int8Array(BYTES));
      same(bytesOf(await echoed(socket)), BYTES);
      socket.close();
    }
  },
};

/** What only Node's client does, or what its build for browsers has no names for. */
export const IN_NODE = {
  'closes when a throttled timer has missed a ping': async (run) => {
    const socket = open(run);
    same(socket._hasPingExpired(), false);
    await heard(socket, 'open');
    same(socket._hasPingExpired(), false);
    const closed = count(socket, 'close');
    socket._pingTimeoutTime = Date.now() - 1;
    same([socket._hasPingExpired(), socket._hasPingExpired()], [true, true]);
    await until(() => closed.length > 0, 'the close');
    same(closed.map(([reason]) => reason), ['ping timeout']);
  },

  'posts together the bytes that the server takes at once': async (run) => {
    const socket = await opened(run, { transports: [run.polling] });
    const sent = [Buffer.alloc(72, 1), Buffer.alloc(20, 2), 'a'.repeat(20), Buffer.alloc(20, 3), Buffer.alloc(72, 4)];
    for (const message of sent) socket.send(message);
    const echoes = await echoesOf(socket, sent.length);
    same(echoes.map(String), sent.map(String));
  },

  'sends the cookies that the server has set, with credentials': async (run) => {
    const socket = await opened(run, { transports: [run.polling], withCredentials: true });
    const opening = Date.now();
    await until(() => Date.now() > opening, 'the cookie that expired as it was set');
    socket.send('sendHeaders');
    same(JSON.parse(await echoed(socket)).cookie, '1=1; 2=2');
  },

  'sends no cookies without credentials': async (run) => {
    const socket = await opened(run, { transports: [run.polling], withCredentials: false });
    socket.send('sendHeaders');
    const headers = JSON.parse(await echoed(socket));
    same([headers.cookie, typeof headers['content-length']], [undefined, 'string']);
  },

  'marks messages for compression from its threshold on': async (run) => {
    for (const [options, compress] of [[{ perMessageDeflate: { threshold: 0 } }, true], [{}, false]]) {
      const socket = await opened(run, { transports: ['websocket'], ...options });
      const { ws } = socket.transport;
      const asked = [];
      const { send } = ws;
      ws.send = (data, options, done) => asked.push(options.compress) && send.call(ws, data, options, done);
      socket.send('text', { compress: true });
      same(await echoed(socket), 'text');
      same(asked[0], compress);
      socket.close();
    }
  },
};

/** What only browsers do. */
export const IN_PAGES = {
  'works in a worker': async (run) => {
    const worker = new Worker('/worker.js', { type: 'module' });
    run.cleanUp.push(() => worker.terminate());
    const said = [];
    const told = new Promise((resolve) => {
      worker.onmessage = ({ data }) => said.push(data) === 4 && resolve();
    });
    worker.postMessage(run.url);
    await within(told, 'what the worker has to say');
    same(said, ['hi', 'пойду спать всем спокойной ночи', BYTES, 'closed: forced close']);
  },

  'closes when its page is left': async (run) => {
    const socket = await opened(run, { closeOnBeforeunload: true });
    dispatchEvent(new Event('beforeunload'));
    same(socket.transport.readyState, 'closed');
    socket.write('ignored');
  },

  'gets bytes as a blob': async (run) => {
    for (const [, options] of ways(run)) {
      const socket = await begun(run, options);
      socket.binaryType = 'blob';
      socket.send(new Int8Array(BYTES));
      const back = await echoed(socket);
      same([back instanceof Blob, bytesOf(await back.arrayBuffer())], [true, BYTES]);
      socket.close();
    }
  },

  'sends blobs, as bytes and as base64': async (run) => {
    for (const [, options] of ways(run)) {
      for (const forceBase64 of [false, true]) {
        const socket = await begun(run, { ...options, forceBase64 });
        socket.binaryType = 'arraybuffer';
        socket.send(new Blob([new Int8Array(BYTES)]));
        same(bytesOf(await echoed(socket)), BYTES);
        socket.close();
      }
    }
  },
};

function open({ eio, url, polling, cleanUp }, { transports = [polling, 'websocket'], ...options } = {}) {
  // They are all names, or all classes.
  const byClass = transports.some((transport) => typeof transport !== 'string');
  const implementation = (transport) => (transport === 'websocket' ? eio.NodeWebSocket : transport);
  const socket = new eio.Socket(url, { transports: byClass ? transports.map(implementation) : transports, ...options });
  socket.messages = count(socket, 'message');
  cleanUp.push(() => socket.close());
  return socket;
}

async function opened(run, options) {
  const socket = open(run, options);
  await Promise.race([heard(socket, 'open'), failure(socket)]);
  return socket;
}

async function upgraded(run, options) {
  const socket = open(run, options);
  await Promise.race([heard(socket, 'upgrade'), failure(socket)]);
  return socket;
}

const failure = (socket) =>
  new Promise((_, reject) => {
    socket.on('close', (reason) => reject(new Error(`closed before it was open: ${reason}`)));
  });

/** Polling, and polling that has become a WebSocket. */
const ways = (run) => [
  ['polling', { transports: [run.polling] }],
  ['upgrade', {}],
];

const begun = (run, options) => (options.transports ? opened(run, options) : upgraded(run, options));

/** What came but the greeting, so many messages; takes them. */
async function echoesOf(socket, number) {
  const echoes = () => socket.messages.filter(([message]) => message !== 'hi');
  await until(() => echoes().length >= number, `${number} echoes`);
  return echoes().splice(0, number).map((args) => {
    socket.messages.splice(socket.messages.indexOf(args), 1);
    return args[0];
  });
}

const echoed = async (socket) => (await echoesOf(socket, 1))[0];

/** The arguments of the next event of that name, or what `read` makes of them at that moment. */
const heard = (socket, event, read = (...args) => args) =>
  within(new Promise((resolve) => socket.once(event, (...args) => resolve(read(...args)))), `the event ${event}`);

/** A list that grows by the arguments of each such event from now on. */
function count(socket, event) {
  const list = [];
  socket.on(event, (...args) => list.push(args));
  return list;
}

function same(got, wanted) {
  if (JSON.stringify(got) !== JSON.stringify(wanted)) {
    throw new Error(`${JSON.stringify(got)} instead of ${JSON.stringify(wanted)}`);
  }
}

const bytesOf = (buffer) => [...new Uint8Array(buffer)];

const usesXhr = (run) => run.polling === 'polling';

/** What the server answered, where the error shows its XMLHttpRequest. */
const answerIn = (run, { context }) => (usesXhr(run) ? [context.readyState, context.responseText] : []);
