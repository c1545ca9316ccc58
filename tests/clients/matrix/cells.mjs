// Which released clients there are, where each runs, how it goes, and what it cannot do.
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { unpacked } from './unpacked.mjs';

const ENGINE = ['polling', 'websocket', 'upgrade'];
const ENGINE_IN_PAGES = [...ENGINE, 'jsonp'];
const FIRST_IN_NODE = ['xhr-polling', 'websocket'];
const FIRST_IN_PAGES = [...FIRST_IN_NODE, 'jsonp-polling', 'htmlfile'];

const CLIENTS = [
  { client: '0.7.11', protocol: 1, name: 'socket.io-client-0.7', Chromium: FIRST_IN_PAGES },
  { client: '0.8.7', protocol: 1, name: 'socket.io-client-0.8', Node: ['xhr-polling'], Chromium: FIRST_IN_PAGES },
  { client: '0.9.17', protocol: 1, name: 'socket.io-client-0.9', Node: FIRST_IN_NODE, Chromium: FIRST_IN_PAGES },
  { client: '1.0.6', protocol: 2, Chromium: ENGINE_IN_PAGES },
  { client: '1.7.4', protocol: 3, name: 'socket.io-client-1.7', Node: ENGINE, Chromium: ENGINE_IN_PAGES },
  { client: '2.5.0', protocol: 3, name: 'socket.io-client-2.5', Node: ENGINE, Chromium: ENGINE_IN_PAGES },
  { client: '3.1.3', protocol: 4, name: 'socket.io-client-3.1', Node: ENGINE, Chromium: ENGINE },
  { client: '4.0.2', protocol: 4, name: 'socket.io-client-4.0', Node: ENGINE, Chromium: ENGINE },
  { client: '4.8.4', protocol: 4, name: 'socket.io-client-4.8', Node: ENGINE, Chromium: ENGINE },
];

/** One client at one place going one way; `MATRIX=text` picks those whose titles contain the text. */
export const CELLS = CLIENTS.flatMap(({ client, protocol, ...rest }) =>
  ['Node', 'Chromium'].flatMap((where) => (rest[where] ?? []).map((way) => ({ client, protocol, where, way }))),
).filter((cell) => cellTitle(cell).includes(process.env.MATRIX ?? ''));
if (CELLS.length === 0) {
  throw new Error(`no title contains MATRIX="${process.env.MATRIX}": try "4.8.4 in Node" or "websocket"`);
}

export function cellTitle({ client, where, way }) {
  return `socket.io-client ${client} in ${where}, ${way}`;
}

/** Disconnecting, such a client calls itself for ever: its connections end with its page only. */
export function leavesNeverByJsonp({ client, way }) {
  return client === '1.0.6' && way === 'jsonp';
}

/**
 * What a client itself cannot do, whatever the server: `check` in the cells that `of` picks. The test is that it still
 * cannot, so that no entry outlives its reason, unless it is `untried`.
 */
export const CANNOT = [
  {
    check: 'gets numbers of more than 64 bits back',
    of: ({ msgpack }) => msgpack,
    reason: 'the msgpack parser sends the lower 64 bits',
  },
  {
    check: 'gets a lone surrogate back, kept or replaced',
    of: ({ msgpack }) => msgpack,
    reason: 'the msgpack parser makes one character of it and the next',
  },
  {
    check: 'is refused by /admin without the token, its other namespaces unharmed',
    of: ({ msgpack, protocol }) => msgpack && protocol === 3,
    reason: 'version 2 of the msgpack parser reads refusals of text only',
    untried: true, // it throws where nobody catches
  },
  {
    check: 'is refused an unknown namespace, its other namespaces unharmed',
    of: ({ msgpack, protocol }) => msgpack && protocol === 3,
    reason: 'version 2 of the msgpack parser reads refusals of text only',
    untried: true, // it throws where nobody catches
  },
  {
    check: 'gets lines sent by `send` back',
    of: ({ client }) => client === '0.7.11',
    reason: '0.7 reads a text message up to its first line break only',
  },
  {
    check: 'has a query in any script',
    of: ({ client, where }) => client === '0.8.7' && where === 'Node',
    reason: '0.8 undoes the percent-encoding of its query, and Node refuses such a URL',
  },
  {
    check: 'gets 900 KB of binary back',
    of: ({ way }) => way === 'jsonp',
    reason: 'it makes base64 of all bytes in one call, and 900 KB overflow its stack',
  },
  {
    check: 'gets 900 KB of non-ASCII back',
    of: ({ client, way }) => way === 'jsonp' && client.startsWith('1.'),
    reason: '900 KB of non-ASCII keep it busy for longer than the heartbeat of these tests allows',
    untried: true, // a faster machine may be fast enough
  },
  {
    check: 'enters /admin with the token in what it connects to the namespace with',
    of: ({ client }) => client === '1.0.6',
    reason: '1.0 sends no query with the name of a namespace',
  },
  {
    check: 'may come back to the namespace that kicked it',
    of: ({ client }) => client === '1.0.6',
    reason: '1.0 cannot come back to a namespace that kicked it: it no longer listens',
  },
  {
    check: 'is told once of each member that left its room, however it left',
    of: leavesNeverByJsonp,
    reason: '1.0 overflows its stack when it closes a JSONP connection',
  },
  {
    check: 'is told that it was kicked, and stays away',
    of: leavesNeverByJsonp,
    reason: '1.0 overflows its stack when it closes a JSONP connection',
  },
];

/** Why the client of `cell` cannot pass the check, if so: an entry of CANNOT. */
export function cannot(cell, title) {
  return CANNOT.find(({ check, of }) => check === title && of(cell));
}

/** Where a client, or one of its ways, cannot run at all, so that there is no cell; for the table. */
export const ABSENT = [
  { client: '0.7.11', where: 'Node', reason: '0.7 needs `process.EventEmitter`, which Node lost' },
  { client: '0.8.7', where: 'Node', way: 'websocket', reason: '0.8 needs `http.createClient`, which Node lost' },
  { client: '1.0.6', where: 'Node', reason: '1.0 depends on packages that are on no registry' },
];

const require = createRequire(import.meta.url);
const modules = new URL('../node_modules/', import.meta.url);

/** What the client exports, in Node. */
export const load = (client) => require(CLIENTS.find((entry) => entry.client === client).name);

/** The files of the browser's bundle of each client. */
export function bundles() {
  const files = CLIENTS.filter(({ name }) => name).map(({ client, name }) => [
    client,
    fileURLToPath(new URL(`${name}/dist/socket.io.js`, modules)),
  ]);
  const msgpack = fileURLToPath(new URL('socket.io-client-4.8/dist/socket.io.msgpack.min.js', modules));
  return Object.fromEntries([
    ...files,
    ['1.0.6', `${unpacked('1.0.6')}/socket.io.js`],
    ['4.8.4-msgpack', msgpack],
  ]);
}
