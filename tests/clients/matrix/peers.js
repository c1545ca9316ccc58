// A peer: one client of any release, behind the same few words. Runs in Node and in pages, so it imports nothing.

const PATIENCE_MS = 10_000;

/** Rejects loudly if `promise` is still pending after `ms`. */
export function within(promise, what, ms = PATIENCE_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${ms} ms in vain for ${what}`)), ms);
  });
  const outcome = Promise.race([promise, late]).finally(() => clearTimeout(timer));
  outcome.catch(() => {}); // a check that failed already may leave it unawaited
  return outcome;
}

/** For checks whose subject is time itself, and to let the page or process breathe. */
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits for a condition on this side of the wire to become true. */
export async function until(condition, what, ms = PATIENCE_MS) {
  const deadline = Date.now() + ms;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited ${ms} ms in vain for ${what}`);
    await pause(5);
  }
}

/**
 * A client that begins to connect: `io` is what the client exports, `cell` says which client it is and how it goes, and
 * what parser it is given, if any.
 */
export function begin(io, cell, url, options = {}) {
  return cell.protocol === 1 ? SocketPeer.begin(io, cell, url, options) : ManagerPeer.begin(io, cell, url, options);
}

class Refused extends Error {
  constructor(event, answer) {
    super(`refused by ${event}: ${answer?.message ?? JSON.stringify(answer)}`);
    this.answer = answer;
  }
}

/** What both APIs have in common. `connected` settles when the namespace let the peer in or refused it. */
class Peer {
  constructor(socket, refusals) {
    this.socket = socket;
    this.welcomes = this.count('welcome');
    this.welcome = this.heard('welcome');
    const refused = new Promise((_, reject) => {
      for (const event of refusals) socket.once(event, (answer) => reject(new Refused(event, answer)));
    });
    this.connected = Promise.race([this.heard('connect'), refused]);
    this.connected.catch(() => {}); // an unknown namespace stays unanswered in 0.x
  }

  on(event, listener) {
    this.socket.on(event, listener);
  }

  off(event, listener) {
    this.socket.removeListener(event, listener);
  }

  emit(...args) {
    this.socket.emit(...args);
  }

  send(...args) {
    this.socket.send(...args);
  }

  disconnect() {
    this.socket.disconnect();
  }

  /** The arguments of the next `event`. */
  heard(event, ms) {
    const args = new Promise((resolve) => this.socket.once(event, (...args) => resolve(args)));
    return within(args, `the event ${event}`, ms);
  }

  /** A list that grows by the arguments of each `event` from now on. */
  count(event) {
    const list = [];
    this.on(event, (...args) => list.push(args));
    return list;
  }

  /** Asks the server to close the connection, without a word. */
  emitCloseMe() {
    this.emit('close-me');
  }

  /** Emits with an ack; resolves with its arguments. */
  call(event, ...args) {
    const answer = new Promise((resolve) => this.emit(event, ...args, (...answer) => resolve(answer)));
    return within(answer, `the ack of ${event}`);
  }

  /** Resolves with what the namespace refused the peer with. */
  async refused() {
    try {
      await this.connected;
    } catch (error) {
      if (error instanceof Refused) return error.answer;
      throw error;
    }
    throw new Error('it was let in');
  }
}

const ENGINE_WAYS = {
  polling: { transports: ['polling'] },
  jsonp: { transports: ['polling'], forceJSONP: true },
  websocket: { transports: ['websocket'] },
  upgrade: { transports: ['polling', 'websocket'] },
};

/** 1.0 and later: sockets of a manager. */
class ManagerPeer extends Peer {
  static begin(io, cell, url, { namespace = '/', query, auth, reconnect = false }) {
    const options = { ...ENGINE_WAYS[cell.way], reconnection: reconnect, reconnectionDelay: 50 };
    if (cell.parser) options.parser = cell.parser;
    if (query) options.query = query; // 1.x cannot do with an undefined one
    return ManagerPeer.of(new io.Manager(url, options), namespace, { auth });
  }

  static of(manager, namespace, options = {}) {
    const peer = new ManagerPeer(manager.socket(namespace, options), ['connect_error', 'error']);
    peer.manager = manager;
    return peer;
  }

  of(namespace, options) {
    return ManagerPeer.of(this.manager, namespace, options);
  }

  get id() {
    return this.socket.id ?? this.manager.engine.id; // 1.0 keeps the engine's only
  }

  get transport() {
    return this.manager.engine.transport.name;
  }

  connectAgain() {
    this.socket.connect();
  }

  /** From now on nothing is sent, heartbeats included; what comes is still received. */
  silence() {
    const { engine } = this.manager;
    engine.transport.write = () => {};
    engine.transport.send = () => {};
    const close = engine.onClose; // 1.x and 2.x give up at the very moment at which the server does
    if (close) engine.onClose = (reason, ...rest) => reason !== 'ping timeout' && close.call(engine, reason, ...rest);
  }

  end() {
    this.manager.reconnection(false);
    this.socket.disconnect();
    this.manager.engine.close();
  }
}

/** 0.x: namespaces of a socket. */
class SocketPeer extends Peer {
  static begin(io, cell, url, { namespace = '/', query, reconnect = false }) {
    io.transports = [cell.way]; // the option is merged into this list, entry by entry
    const search = query ? `?${new URLSearchParams(query).toString().replaceAll('+', '%20')}` : '';
    const socket = io.connect(`${url}${namespace}${search}`, {
      'force new connection': true,
      reconnect,
    });
    return new SocketPeer(socket, ['connect_failed', 'error']);
  }

  of(namespace) {
    return new SocketPeer(this.socket.of(namespace), ['connect_failed', 'error']);
  }

  /**
   * Without the client's farewell: where a POST is under way, as is the one that asks for the end, it waits for that to
   * be answered and so may be said in the next session, which it ends.
   */
  emitCloseMe() {
    super.emitCloseMe();
    this.socket.socket.open = false;
  }

  sendJson(...args) {
    this.socket.json.send(...args);
  }

  get id() {
    return this.socket.socket.sessionid;
  }

  get transport() {
    return this.socket.socket.transport.name;
  }

  silence() {
    const connection = this.socket.socket;
    const { transport } = connection;
    transport.packet = () => {};
    transport.get = () => {};
    // The client's own patience ends when the server's does.
    transport.setCloseTimeout = () => {};
    connection.setHeartbeatTimeout = () => {};
    transport.clearTimeouts();
    clearTimeout(connection.heartbeatTimeoutTimer);
  }

  end() {
    const connection = this.socket.socket;
    connection.options.reconnect = false;
    connection.disconnect();
  }
}
