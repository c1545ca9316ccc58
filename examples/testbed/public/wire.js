/* Connections, and what the features wait for on them. Every wait has an end and says what it was for. */
'use strict';

const PATIENCE = 3000; // ms
const REACH = 2000; // ms for a connection
const TRANSPORTS = { both: ['polling', 'websocket'], polling: ['polling'], websocket: ['websocket'] };

/**
 * A connection of its own. It enters /log first, so that the server can tell of its other calls, and /testbed.
 * `on` may have: log(line), changed() when it connects, is lost or changes its transport.
 */
class Connection {
  constructor(name, choice, on = {}) {
    this.name = name;
    this.choice = choice;
    this.journey = [];
    this.log = io('/log', {
      forceNew: true,
      autoConnect: false,
      transports: TRANSPORTS[choice],
      reconnectionDelay: 200,
      reconnectionDelayMax: 2000,
    });
    this.manager = this.log.io;
    this.testbed = this.manager.socket('/testbed');
    this.log.on('call', (line) => on.log?.({ name, ...line }));
    const changed = () => on.changed?.();
    const travelled = () => {
      this.journey.push(this.transport);
      changed();
    };
    this.manager.on('open', () => {
      this.journey = [];
      travelled();
      this.manager.engine.on('upgrade', travelled);
    });
    for (const event of ['connect', 'disconnect', 'connect_error']) this.testbed.on(event, changed);
    this.log.connect();
    this.testbed.connect();
  }

  get transport() {
    return this.manager.engine.transport.name;
  }

  /** Connected, with its final transport. */
  async ready() {
    if (!this.testbed.connected) {
      if (!this.testbed.active) this.testbed.connect();
      const connected = new Promise((resolve) => this.testbed.once('connect', resolve));
      await within(connected, 'the server could not be reached', REACH);
    }
    if (this.choice === 'both' && this.transport !== 'websocket') {
      await within(new Promise((done) => this.manager.engine.once('upgrade', done)), 'the upgrade to WebSocket did not come');
    }
    return this.testbed;
  }

  /** The socket of another namespace, connected; rejects with the server's refusal. */
  async enter(namespace, auth = {}) {
    const socket = this.manager.socket(namespace);
    if (socket.connected) return socket;
    socket.disconnect();
    socket.auth = auth;
    const refused = new Promise((_, reject) => socket.once('connect_error', reject));
    refused.catch(() => {});
    const connected = heard(socket, 'connect');
    connected.catch(() => {});
    socket.connect();
    await Promise.race([connected, refused]);
    return socket;
  }

  /** Leaves a namespace. */
  leave(namespace) {
    this.manager.socket(namespace).disconnect();
  }

  close() {
    this.manager.reconnection(false);
    for (const socket of Object.values(this.manager.nsps)) socket.disconnect();
  }
}

/** `promise`, or an error that says what did not happen. */
function within(promise, what, ms = PATIENCE) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} within ${ms / 1000} s`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** The arguments of the next event. */
function heard(socket, event) {
  return within(new Promise((resolve) => socket.once(event, (...args) => resolve(args))), `no “${event}” came`);
}

/** The answer to an event. */
function ask(socket, event, ...args) {
  return within(new Promise((resolve) => socket.emit(event, ...args, resolve)), `no answer to “${event}” came`);
}

/**
 * What a socket is told by others and begins with `mark`, until `over` comes. What other visitors say is left out.
 */
function heardUntilOver(socket, mark) {
  const texts = [];
  const over = new Promise((resolve) => {
    const listener = (text) => {
      if (text === `${mark}over`) {
        socket.off('told', listener).off('shouted', listener);
        resolve(texts);
      } else if (text.startsWith(mark)) {
        texts.push(text.slice(mark.length));
      }
    };
    socket.on('told', listener).on('shouted', listener);
  });
  return within(over, 'no “over” came');
}

/** Waits until what `read` gives is `wanted`. */
async function until(read, wanted, what) {
  const end = performance.now() + PATIENCE;
  while ((await read()) !== wanted) {
    if (performance.now() > end) throw new Error(`${what} did not happen within ${PATIENCE / 1000} s`);
  }
}

/** Throws unless two values are the same as JSON. */
function expect(got, wanted, what) {
  const [a, b] = [got, wanted].map((value) => JSON.stringify(value));
  if (a !== b) throw new Error(`${what}: expected ${b}, got ${a}`);
}
