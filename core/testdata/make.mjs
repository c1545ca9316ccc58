// Writes vectors with the packages that clients use: `npm ci` in tests/clients, then `node make.mjs` here.
//
// In `msgpack`, a line is a packet as socket.io-msgpack-parser has it (`hex`), and the same packet as the default parser
// has it, once the former has read it (`text`, `attachments` in hex). Of `written.jsonl` both directions must agree with
// it. In `sio5/values.jsonl`, it is a packet of the default parser; where Rust writes a number otherwise, it is marked.
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const clients = createRequire(new URL('../../tests/clients/package.json', import.meta.url));
const newest = createRequire(clients.resolve('socket.io-client-4.8'));
const msgpack = clients('socket.io-msgpack-parser');
const { Encoder } = newest('socket.io-parser');

const [CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR] = [0, 1, 2, 3, 4];
const event = (...args) => ({ type: EVENT, data: ['e', ...args], nsp: '/' });
const bytes = (length) => Buffer.from(Array.from({ length }, (_, i) => i % 251));
const nested = (depth) => (depth === 0 ? 1 : [nested(depth - 1)]);

const numbers = [
  0, 1, 127, 128, 255, 256, 65_535, 65_536, 4_294_967_295, 4_294_967_296, Number.MAX_SAFE_INTEGER, 2 ** 53, -1, -32, -33,
  -128, -129, -32_768, -32_769, -2_147_483_648, -2_147_483_649, -Number.MAX_SAFE_INTEGER, 0.1, -0.5, 1.5, 1e-7, Math.PI,
];
const strings = ['', 'a', 'é€😀', '\0\b\t\n\f\r"\\/\u007f', '\u2028\u2029\ufeff\ufffd', '</script>', '__proto__'];

const written = [
  { type: CONNECT, data: { sid: 'abc' }, nsp: '/' },
  { type: CONNECT, nsp: '/chat' },
  { type: CONNECT, data: { token: 'x', deep: { list: [1, null, 'é'] } }, nsp: '/admin' },
  { type: DISCONNECT, nsp: '/' },
  { type: DISCONNECT, nsp: '/chat' },
  event(),
  { type: EVENT, data: ['name', 1, '2', { 3: [true] }], id: 0, nsp: '/' },
  { type: EVENT, data: ['name'], id: 70_000, nsp: '/chat' },
  { type: ACK, data: [], id: 1, nsp: '/' },
  { type: ACK, data: ['a', { b: null }], id: 4_294_967_296, nsp: '/chat' },
  { type: CONNECT_ERROR, data: { message: 'no' }, nsp: '/' },
  { type: CONNECT_ERROR, data: { message: 'no', data: { code: 1 } }, nsp: '/chat' },
  { type: CONNECT_ERROR, data: 'no', nsp: '/chat' },
  ...numbers.map((number) => event(number)),
  ...strings.map((string) => event(string)),
  ...[31, 32, 255, 256].map((length) => event('x'.repeat(length))),
  event('é'.repeat(40)),
  event(null, true, false, [], {}, [[]], [{}], { a: {} }),
  ...[14, 15, 16, 17].map((length) => event(...Array(length).fill(0))),
  ...[15, 16].map((length) => event(Object.fromEntries(Array.from({ length }, (_, i) => [`k${i}`, i])))),
  event({ z: 1, a: [1, 2], 'a b': '', é: 1, '"': '\\' }),
  event(nested(127)),
  ...[0, 1, 255, 256].map((length) => event(bytes(length))),
  event(bytes(3), { a: [bytes(2), 1, { b: bytes(0) }] }, 'x'),
  { type: ACK, data: [bytes(1)], id: 3, nsp: '/chat' },
  event('\u{1f600}'.repeat(20)),
];

const read = [
  { type: EVENT, data: ['e'], options: { compress: true, more: [{ x: [1] }] }, id: 7, nsp: '/' },
  { nsp: '/', id: undefined, data: undefined, type: DISCONNECT },
  { type: EVENT, nsp: '/', data: ['e', undefined, [undefined, 1]] },
  event({ a: undefined, b: 1, c: undefined }, { only: undefined }),
  event(-0, NaN, Infinity, -Infinity),
  event(new Uint8Array([1, 2, 3]), new Uint8Array([]).buffer, new Uint8Array([9]).buffer),
  event(new Uint8Array(8).buffer, new Float32Array([1]), new Uint8Array(300).buffer),
  ...[0, 1, -1, 951_782_399_999, 951_868_800_000, 1_709_164_800_123, 4_107_542_400_000, -2_203_891_200_000].map((time) =>
    event(new Date(time)),
  ),
  ...['-000001-01-01', '0000-02-29', '0000-03-01', '9999-12-31T23:59:59.999Z', '+010000-01-01', '1900-03-01'].map((day) =>
    event({ at: new Date(day) }),
  ),
  event(new Date(8.64e15), new Date(-8.64e15)),
  event({ toJSON: () => ({ made: 'by toJSON' }) }),
];

/** What notepack.io does not write but reads, by hand: the map's other fields, then `data`. */
const head = '84a474797065' + '02' + 'a36e7370' + 'a12f' + 'a26964' + '05' + 'a464617461';
const byHand = [
  '92a165' + 'ca3dcccccd', // a float of 32 bits
  '92a165' + 'd200000001', // an integer longer than it need be
  '92a165' + 'd30000000000000001',
  '92a165' + 'd9026162', // a string as well
  '92a165' + 'da00026162',
  '92a165' + 'db000000026162',
  '92a165' + 'dc000101',
  '92a165' + 'dd0000000101',
  '92a165' + 'de0001a16101',
  '92a165' + 'df00000001a16101',
  '92a165' + 'a2c328', // not UTF-8
  '92a165' + '8301a16102a162ffa163', // integers as keys
  '92a165' + '82c0a16ec3a174', // nil and a boolean as keys
  '92a165' + 'd50011aa', // extension types
  '92a165' + 'd605aabbccdd',
  '92a165' + 'd6ff00000001',
  '92a165' + 'd80100112233445566778899aabbccddeeff',
  '92a165' + 'c70205aabb',
  '92a165' + 'c8000205aabb',
  '92a165' + 'd7008000000000000000', // no date
  '92a165' + 'c403616263',
  '92a165' + 'c60000000161',
].map((data) => Buffer.from(head + data, 'hex'));

function inMsgPack(hex) {
  let packet;
  const decoder = new msgpack.Decoder();
  decoder.on('decoded', (decoded) => (packet = decoded));
  decoder.add(hex);
  delete packet.options;
  return { hex: asHex(hex), ...inText(packet) };
}

function inText(packet) {
  const [text, ...attachments] = new Encoder().encode(packet);
  return { text, attachments: attachments.map(asHex) };
}

const asHex = (bytes) => Buffer.from(bytes).toString('hex');
const encode = (packet) => new msgpack.Encoder().encode(packet)[0];
const save = (name, lines) =>
  writeFileSync(new URL(name, import.meta.url), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));

save('msgpack/written.jsonl', written.map(encode).map(inMsgPack));
save('msgpack/read.jsonl', [...read.map(encode), ...byHand].map(inMsgPack));

// Rust has integers of 64 bits, and writes a float with a point or an exponent.
const otherNumbers = [1e16, 123_456_789.0 * 2 ** 40, 1e20, 2 ** 64, -(2 ** 70), 1e21, 5e-324, 1.7976931348623157e308, 1e-6];
const noText = (length) => Buffer.alloc(length, 255); // Rust would read others as a string
const values = [
  ...numbers.slice(0, -1),
  ...strings,
  'lone \ud83d, pair \ud83d\ude00',
  new Date(0),
  [undefined, NaN, Infinity, -0],
  { a: undefined, b: [null, { c: true }] },
  { 10: 'b', 9: 'a', z: 1, y: { x: [] } },
  noText(3),
  { file: noText(2), list: [noText(1), { more: new Uint8Array([255]).buffer }], name: 'x' },
  [noText(1), [noText(1)]],
];
save('sio5/values.jsonl', [
  ...values.map((value) => inText(event(value))),
  ...otherNumbers.map((number) => ({ ...inText(event(number)), number: true })),
]);
