// Engine.IO 4 and Socket.IO 5 spoken by hand: what a test needs to send exactly the bytes it wants.
//
// Polling and EngineSocket answer heartbeats unless told not to, and every wait has a deadline that names what was
// awaited. Raw TCP and hand-made WebSocket frames are in frames.mjs.
import http from 'node:http';
import WebSocket from 'ws';

export const PATIENCE_MS = 5_000;
const SEPARATOR = '\x1e';

/** Rejects loudly if `promise` is still pending after `ms`. */
export function within(promise, what, ms = PATIENCE_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    const error = new Error(`waited ${ms} ms in vain for ${what}`);
    timer = setTimeout(() => reject(error), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** For tests whose subject is time itself; never used to wait for something to have happened. */
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A queue that is awaited: `push` on one side, `next` on the other. */
export class Inbox {
  #items = [];
  #waiting = [];
  #ended;

  push(item) {
    const waiter = this.#waiting.shift();
    if (waiter) waiter.resolve(item);
    else this.#items.push(item);
  }

  end(error) {
    this.#ended ??= error;
    for (const waiter of this.#waiting.splice(0)) waiter.reject(this.#ended);
  }

  next(what, ms) {
    if (this.#items.length > 0) return Promise.resolve(this.#items.shift());
    if (this.#ended) return Promise.reject(this.#ended);
    const waiter = withResolvers();
    this.#waiting.push(waiter);
    return within(waiter.promise, what, ms).catch((error) => {
      this.#waiting = this.#waiting.filter((other) => other !== waiter);
      throw error;
    });
  }
}

export function withResolvers() {
  const deferred = {};
  deferred.promise = new Promise((resolve, reject) => Object.assign(deferred, { resolve, reject }));
  return deferred;
}

/** One HTTP request on a connection of its own -> { status, headers, text, body }. Rejects if no response comes. */
export function request(server, target, { method = 'GET', headers = {}, body, ms } = {}) {
  const { outgoing, reply } = startRequest(server, target, { method, headers });
  outgoing.end(body);
  return within(reply, `the response to ${method} ${target}`, ms);
}

/** Like `request`, but leaves the request's body to the caller -> { outgoing, reply }. */
export function startRequest(server, target, { method = 'GET', headers = {} } = {}) {
  let outgoing;
  const reply = new Promise((resolve, reject) => {
    outgoing = http.request({ host: server.host, port: server.port, path: target, method, headers, agent: false });
    outgoing.on('error', reject); // after a response has come this is a no-op: a refused body may end in a reset
    outgoing.on('response', (response) => readReply(response, resolve, reject));
    outgoing.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve({ status: response.statusCode, headers: response.headers, text: '', body: Buffer.alloc(0) });
    });
  });
  return { outgoing, reply };
}

function readReply(response, resolve, reject) {
  const chunks = [];
  response.on('data', (chunk) => chunks.push(chunk));
  response.on('error', reject);
  response.on('end', () => {
    const body = Buffer.concat(chunks);
    resolve({ status: response.statusCode, headers: response.headers, body, text: body.toString() });
  });
}

/** A WebSocket opening request, its answer read as plain HTTP: 101 if it was accepted (the socket is then dropped). */
export function upgradeRequest(server, target, headers = {}, options = {}) {
  return request(server, target, {
    ...options,
    headers: {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
      ...headers,
    },
  });
}

/** A GET of a polling session that the server holds, as nothing is there to answer it. */
export async function armed(session) {
  const pending = startRequest(session.server, session.target, { headers: session.headers });
  pending.outgoing.end();
  pending.reply = within(pending.reply, 'the answer of the waiting GET');
  pending.reply.catch(() => {});
  await flushed(pending.outgoing);
  await serverHasRead(session.server);
  return pending;
}

/** A POST of a polling session whose body has begun and does not end. */
export async function pendingPost(session) {
  const headers = { 'Content-Type': 'text/plain', 'Content-Length': '10' };
  const pending = startRequest(session.server, session.target, { method: 'POST', headers });
  pending.reply.catch(() => {}); // may be cut off
  pending.outgoing.write('4');
  await flushed(pending.outgoing);
  await serverHasRead(session.server);
  return pending;
}

const flushed = (outgoing) =>
  within(
    new Promise((resolve) => {
      const onConnect = (socket) => (socket.connecting ? socket.once('connect', onReady) : onReady());
      const onReady = () => setImmediate(resolve);
      if (outgoing.socket) onConnect(outgoing.socket);
      else outgoing.once('socket', onConnect);
    }),
    'the request to leave',
  );

/** A whole exchange after something was written, and a little more, as other threads may read other connections. */
async function serverHasRead(server) {
  await request(server, '/engine.io/?EIO=4&transport=none');
  await pause(20);
}

/** An Engine.IO session over long polling. */
export class Polling {
  #packets = [];
  #posts = Promise.resolve();

  static async open(server, { path = '/engine.io/', query = '', headers = {} } = {}) {
    const session = new Polling();
    session.server = server;
    session.headers = headers;
    session.base = `${path}?EIO=4&transport=polling${query}`;
    const reply = await request(server, session.base, { headers });
    if (reply.status !== 200) throw new Error(`handshake refused: ${reply.status} ${reply.text}`);
    const [first, ...rest] = reply.text.split(SEPARATOR);
    if (first[0] !== '0') throw new Error(`expected an open packet, got ${first.slice(0, 100)}`);
    session.#packets.push(...rest);
    session.handshake = JSON.parse(first.slice(1));
    session.sid = session.handshake.sid;
    session.target = `${path}?EIO=4&transport=polling&sid=${session.sid}`;
    return session;
  }

  /** One GET, whatever comes of it. */
  get(options) {
    return request(this.server, this.target, { headers: this.headers, ...options });
  }

  /** One POST, whatever comes of it. */
  post(body, options = {}) {
    const headers = { 'Content-Type': 'text/plain;charset=UTF-8', ...this.headers, ...options.headers };
    return request(this.server, this.target, { ...options, method: 'POST', body, headers });
  }

  /** Posts packets, one POST at a time; anything but 200 `ok` is an error. */
  send(...packets) {
    const sent = this.#posts.then(async () => {
      const reply = await this.post(packets.join(SEPARATOR));
      if (reply.status !== 200 || reply.text !== 'ok') throw new Error(`POST refused: ${reply.status} ${reply.text}`);
    });
    this.#posts = sent.catch(() => {});
    return sent;
  }

  /** All posts that `send` began have been answered. */
  idle() {
    return this.#posts;
  }

  /** One GET's packets, pings answered; heartbeats and noops are left out. */
  async poll() {
    const reply = await this.get();
    if (reply.status !== 200) throw new Error(`poll refused: ${reply.status} ${reply.text}`);
    const packets = reply.text.split(SEPARATOR);
    if (packets.includes('2')) await this.send('3');
    return packets.filter((packet) => packet !== '2' && packet !== '6');
  }

  /** The next packet that is neither a ping (answered) nor a noop. */
  async next(what = 'a packet', ms = PATIENCE_MS) {
    const deadline = performance.now() + ms;
    while (this.#packets.length === 0) {
      if (performance.now() > deadline) throw new Error(`polled ${ms} ms in vain for ${what}`);
      this.#packets.push(...(await this.poll()));
    }
    return this.#packets.shift();
  }
}

/** Engine.IO 3 payloads as text: a string is a packet, a Buffer a binary message. */
export const text3 = {
  contentType: 'text/plain;charset=UTF-8',
  query: '&b64=1',
  write: (packets) =>
    packets
      .map((packet) => (typeof packet === 'string' ? packet : `b4${packet.toString('base64')}`))
      .map((packet) => `${packet.length}:${packet}`)
      .join(''),
  read(body) {
    const packets = [];
    for (let rest = body.toString(); rest !== ''; ) {
      const [length] = /^[0-9]+(?=:)/.exec(rest) ?? [];
      const packet = rest.slice(length.length + 1).slice(0, Number(length));
      packets.push(packet.startsWith('b4') ? Buffer.from(packet.slice(2), 'base64') : packet);
      rest = rest.slice(length.length + 1 + packet.length);
    }
    return packets;
  },
};

/** The same as bytes. */
export const bytes3 = {
  contentType: 'application/octet-stream',
  query: '',
  write: (packets) =>
    Buffer.concat(
      packets.flatMap((packet) => {
        const isText = typeof packet === 'string';
        const body = isText ? Buffer.from(packet) : Buffer.concat([Buffer.from([4]), packet]);
        return [Buffer.from([isText ? 0 : 1, ...String(body.length).split('').map(Number), 0xff]), body];
      }),
    ),
  read(body) {
    const packets = [];
    for (let rest = body; rest.length > 0; ) {
      const end = rest.indexOf(0xff);
      const length = Number(rest.subarray(1, end).join(''));
      const packet = rest.subarray(end + 1, end + 1 + length);
      packets.push(rest[0] === 0 ? packet.toString() : Buffer.from(packet.subarray(1)));
      rest = rest.subarray(end + 1 + length);
    }
    return packets;
  },
};

/** An Engine.IO 3 session over long polling, in payloads of text or of bytes. */
export class Polling3 {
  #packets = [];

  static async open(server, { path = '/engine.io/', query = '', headers = {}, form = bytes3 } = {}) {
    const session = new Polling3();
    Object.assign(session, { server, headers, form });
    const base = `${path}?EIO=3&transport=polling${form.query}${query}`;
    const reply = await request(server, base, { headers });
    if (reply.status !== 200) throw new Error(`handshake refused: ${reply.status} ${reply.text}`);
    const [first, ...rest] = form.read(reply.body);
    if (first[0] !== '0') throw new Error(`expected an open packet, got ${first.slice(0, 100)}`);
    session.#packets.push(...rest);
    session.handshake = JSON.parse(first.slice(1));
    session.sid = session.handshake.sid;
    session.target = `${base}&sid=${session.sid}`;
    return session;
  }

  /** One GET, whatever comes of it. */
  get(options) {
    return request(this.server, this.target, { headers: this.headers, ...options });
  }

  /** One POST, whatever comes of it. */
  post(body, options = {}) {
    const headers = { 'Content-Type': this.form.contentType, ...this.headers, ...options.headers };
    return request(this.server, this.target, { ...options, method: 'POST', body, headers });
  }

  /** Posts packets; anything but 200 `ok` is an error. */
  async send(...packets) {
    const reply = await this.post(this.form.write(packets));
    if (reply.status !== 200 || reply.text !== 'ok') throw new Error(`POST refused: ${reply.status} ${reply.text}`);
  }

  /** The packets of one GET, heartbeats too. */
  async poll() {
    const reply = await this.get();
    if (reply.status !== 200) throw new Error(`poll refused: ${reply.status} ${reply.text}`);
    return this.form.read(reply.body);
  }

  /** The next packet that is no noop. */
  async next(what = 'a packet', ms = PATIENCE_MS) {
    const deadline = performance.now() + ms;
    while (this.#packets.length === 0) {
      if (performance.now() > deadline) throw new Error(`polled ${ms} ms in vain for ${what}`);
      this.#packets.push(...(await this.poll()).filter((packet) => packet !== '6'));
    }
    return this.#packets.shift();
  }
}

/** A WebSocket that speaks Engine.IO; `open` also reads the handshake unless the session (`sid`) exists already. */
export class EngineSocket {
  #inbox = new Inbox();

  static async open(server, { path = '/engine.io/', version = 4, query = '', sid, headers, pong = true } = {}) {
    const session = new EngineSocket();
    const target = `${path}?EIO=${version}&transport=websocket${query}${sid ? `&sid=${sid}` : ''}`;
    session.#start(`ws://${server.host}:${server.port}${target}`, headers, pong);
    await within(session.opened, `the WebSocket of ${target}`);
    if (!sid) {
      const first = await session.next('the open packet');
      if (first[0] !== '0') throw new Error(`expected an open packet, got ${first}`);
      session.handshake = JSON.parse(first.slice(1));
      session.sid = session.handshake.sid;
    }
    return session;
  }

  #start(url, headers, pong) {
    const ws = new WebSocket(url, { headers, perMessageDeflate: false, maxPayload: 64 << 20 });
    this.ws = ws;
    this.opened = new Promise((resolve, reject) => {
      ws.once('open', resolve);
      ws.on('error', reject);
    });
    ws.on('message', (data, isBinary) => {
      if (!isBinary && pong && data.length === 1 && data[0] === 0x32) ws.send('3');
      else this.#inbox.push(isBinary ? data : data.toString());
    });
    this.closing = new Promise((resolve) => {
      ws.once('close', (code, reason) => {
        resolve({ code, reason: reason.toString() });
        this.#inbox.end(new Error(`the WebSocket is closed (${code})`));
      });
    });
  }

  send(...messages) {
    for (const message of messages) this.ws.send(message);
  }

  /** The next message: a string, or a Buffer if it was binary. */
  next(what = 'a WebSocket message', ms) {
    return this.#inbox.next(what, ms);
  }

  /** Resolves with { code, reason } when the connection has ended. */
  closed(what = 'the server to close the WebSocket', ms) {
    return within(this.closing, what, ms);
  }

  close() {
    this.ws.close();
    return this.closed('the closing handshake');
  }
}

/** Socket.IO 5 over an EngineSocket. */
export class SocketIo {
  static async open(server, options = {}) {
    const socket = new SocketIo();
    socket.engine = await EngineSocket.open(server, { path: '/socket.io/', ...options });
    return socket;
  }

  /** Opens and connects to one namespace, reading the CONNECT answer into `id`. */
  static async connect(server, { namespace = '/', auth, ...options } = {}) {
    const socket = await SocketIo.open(server, options);
    await socket.join(namespace, auth);
    return socket;
  }

  async join(namespace = '/', auth) {
    const head = `0${namespace === '/' ? '' : `${namespace},`}`;
    this.send(head + (auth === undefined ? '' : JSON.stringify(auth)));
    const answer = await this.next(`the CONNECT answer of ${namespace}`);
    if (!answer.startsWith(head)) throw new Error(`expected ${head}{…}, got ${answer}`);
    this.id = JSON.parse(answer.slice(head.length)).sid;
    return this.id;
  }

  /** Sends Socket.IO packets: a string becomes a message packet, a Buffer an attachment. */
  send(...packets) {
    for (const packet of packets) this.engine.send(typeof packet === 'string' ? `4${packet}` : packet);
  }

  emit(...args) {
    this.send(`2${JSON.stringify(args)}`);
  }

  /** The next Socket.IO packet: the text after the Engine.IO type, or an attachment. */
  async next(what = 'a Socket.IO packet', ms) {
    const message = await this.engine.next(what, ms);
    if (typeof message !== 'string') return message;
    if (message[0] !== '4') throw new Error(`expected a message packet, got ${message.slice(0, 100)}`);
    return message.slice(1);
  }

  /** The next event on `/` as [name, …args]. */
  async event(what = 'an event', ms) {
    const packet = await this.next(what, ms);
    if (typeof packet !== 'string' || packet[0] !== '2') throw new Error(`expected an event, got ${packet}`);
    return JSON.parse(packet.slice(packet.indexOf('[')));
  }

  /** Emits with an ack and returns its arguments; events that come before it are kept in `missed`. */
  async call(...args) {
    const id = (this.lastAck = (this.lastAck ?? 0) + 1);
    this.send(`2${id}${JSON.stringify(args)}`);
    for (;;) {
      const packet = await this.next(`the ack of ${args[0]}`);
      if (packet.startsWith?.(`3${id}[`)) return JSON.parse(packet.slice(1 + String(id).length));
      (this.missed ??= []).push(packet);
    }
  }

  closed(what, ms) {
    return this.engine.closed(what, ms);
  }

  close() {
    return this.engine.close();
  }
}
