// The official JavaScript clients, several versions side by side, and what tests wait for on them.
import { within, withResolvers } from './wire.mjs';
import client31 from 'socket.io-client-3.1';
import client40 from 'socket.io-client-4.0';
import { Manager as Manager48 } from 'socket.io-client-4.8';

export const CLIENTS = { '3.1.3': client31.Manager, '4.0.2': client40.Manager, '4.8.4': Manager48 };

export const WAYS = {
  polling: ['polling'],
  websocket: ['websocket'],
  upgrade: ['polling', 'websocket'],
};

const PATIENCE_MS = 10_000;

/**
 * A connected socket, closed when the test `t` ends. Its `welcome` is a promise of the server's first event.
 * `upgraded` waits until the connection has its final transport.
 */
export async function connect(t, server, version, way, options = {}) {
  const { namespace = '/', auth, manager, upgraded = false, ...rest } = options;
  const io = manager ?? new CLIENTS[version](server.url, {
    path: '/socket.io/',
    transports: WAYS[way],
    reconnection: false,
    reconnectionDelay: 50,
    autoConnect: false,
    ...rest,
  });
  const socket = io.socket(namespace, { auth });
  if (auth) socket.auth = auth;
  t.after(() => {
    io.reconnection(false);
    socket.disconnect();
    if (!manager) io.engine?.close();
  });
  socket.welcome = heard(socket, 'welcome');
  socket.welcome.catch(() => {}); // looked at by some tests only
  const connected = heard(socket, 'connect');
  const refused = new Promise((_, reject) => socket.once('connect_error', reject));
  socket.connect();
  await Promise.race([connected, refused]);
  if (upgraded && way === 'upgrade') await until(() => io.engine.transport.name === 'websocket', 'the upgrade');
  return socket;
}

/** The arguments of the next `event`. */
export function heard(socket, event, ms = PATIENCE_MS) {
  const { promise, resolve } = withResolvers();
  socket.once(event, (...args) => resolve(args));
  return within(promise, `the event ${event}`, ms);
}

/** A list that grows by the arguments of each `event` from now on. */
export function count(socket, event) {
  const list = [];
  socket.on(event, (...args) => list.push(args));
  return list;
}

/** Emits with an ack; resolves with its arguments. */
export function call(socket, event, ...args) {
  const { promise, resolve } = withResolvers();
  socket.emit(event, ...args, (...answer) => resolve(answer));
  return within(promise, `the ack of ${event}`, PATIENCE_MS);
}

/** Waits for a condition on this side of the wire to become true. */
export async function until(condition, what, ms = PATIENCE_MS) {
  const deadline = performance.now() + ms;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited ${ms} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
