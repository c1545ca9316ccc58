// Clients with the npm package socket.io-msgpack-parser, against the second port of contract `app`: they pass the checks
// of the matrix; and the protocol of the packets, against contract `socket`.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, describe, it } from 'node:test';
import { load } from './matrix/cells.mjs';
import { PING_INTERVAL_MS, PING_TIMEOUT_MS, run, titles } from './matrix/checks.js';
import { eachCheck } from './matrix/each.mjs';
import { openClient, openSite } from './matrix/pages.mjs';
import { begin, until } from './matrix/peers.js';
import { launchBrowser } from './page.mjs';
import { describeServers } from './server.mjs';
import { EngineSocket, Polling } from './wire.mjs';

const require = createRequire(import.meta.url);
const newest = require('socket.io-msgpack-parser');
const first = require('socket.io-msgpack-parser-2');

const env = {
  PING_INTERVAL_MS: String(PING_INTERVAL_MS),
  PING_TIMEOUT_MS: String(PING_TIMEOUT_MS),
  MSGPACK_PORT: '0',
};

const WAYS = ['polling', 'websocket', 'upgrade'];
const NODE_CELLS = [
  { client: '2.5.0', protocol: 3, parser: first },
  { client: '3.1.3', protocol: 4, parser: newest },
  { client: '4.8.4', protocol: 4, parser: newest },
].flatMap((client) => WAYS.map((way) => ({ ...client, msgpack: true, where: 'Node', way })));
const PAGE_CELLS = WAYS.map((way) => ({ client: '4.8.4-msgpack', protocol: 4, msgpack: true, where: 'Chromium', way }));
const CELLS = [...NODE_CELLS, ...PAGE_CELLS];

const title = ({ client, where, way }) => `client ${client} in ${where}, ${way}`;

let browser;
let site;

before(async () => {
  site = await openSite();
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  await site?.close();
});

describeServers('msgpack', { contract: 'app', env, mayPanic: true, concurrency: 2 }, (server) => {
  describe('one after the other', { concurrency: 4 }, () => {
    for (const cell of CELLS) describe(title(cell), { concurrency: 1 }, () => checks(server, cell, titles(cell)));
  });
  describe('over time', { concurrency: 10 }, () => {
    for (const cell of CELLS) {
      const waiting = titles(cell, { overTime: true });
      describe(`${title(cell)}, over time`, { concurrency: true }, () => checks(server, cell, waiting));
    }
  });

  it('is heard in one room by clients of all generations, and by those of 0.9', async (t) => {
    const members = [...NODE_CELLS, { client: '0.9.17', protocol: 1, way: 'websocket' }].map((cell) => ({
      cell,
      peer: begin(load(cell.client), cell, server.msgpack),
    }));
    t.after(() => members.forEach(({ peer }) => peer.end()));
    for (const { peer } of members) {
      await peer.connected;
      assert.deepEqual(await peer.call('join', 'mixed'), ['mixed']);
    }
    const heardBy = members.map(({ peer }) => peer.count('news'));
    const [{ peer: teller }] = members;
    await teller.call('to-room', 'mixed', 'news', { deep: [Buffer.from([0, 255])] });
    await teller.call('to-room', 'mixed', 'news', 'text');
    for (const [i, { cell }] of members.entries()) {
      const binary = cell.protocol === 1 ? [] : [[{ deep: [Buffer.from([0, 255])] }]];
      const expected = i === 0 ? [] : [...binary, ['text']];
      await until(() => heardBy[i].length >= expected.length, `the news for ${title(cell)}`);
      assert.deepEqual(heardBy[i], expected, `heard by ${title(cell)}`);
    }
  });

  it('gets what JSON lacks as JSON has it', async (t) => {
    const [cell] = NODE_CELLS.slice(-1);
    const peer = begin(load(cell.client), cell, server.msgpack);
    t.after(() => peer.end());
    await peer.connected;
    const date = new Date('2026-01-31T12:00:00.123Z');
    const sent = [date, { date, gone: undefined }, [undefined], NaN, new Float32Array([1]), new ArrayBuffer(1)];
    const back = await peer.call('echo-ack', ...sent);
    const json = JSON.parse(JSON.stringify(sent.slice(0, 4)));
    assert.deepEqual(back, [...json, Buffer.from([0, 0, 0x80, 0x3f]), Buffer.alloc(1)]);
  });
});

function checks(server, cell, titles) {
  let page;
  if (cell.where === 'Chromium') {
    before(async () => (page = await openClient(browser, site, { url: server.msgpack }, cell)));
    after(() => page?.close());
  }
  const inNode = (title) => run(title, load(cell.client), cell, server.msgpack);
  eachCheck(cell, titles, (title) => (page ? page.check(title) : inNode(title)));
}

const [CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR] = [0, 1, 2, 3, 4];
const BYTES = Buffer.from([0, 1, 127, 128, 255]);

/** The packets of an EngineSocket or of a Polling session, as the npm package writes and reads them. */
class Packets {
  static async open(server) {
    const packets = new Packets();
    packets.engine = await EngineSocket.open(server, { path: '/socket.io/' });
    return packets;
  }

  static async connect(server, data) {
    const packets = await Packets.open(server);
    packets.send({ type: CONNECT, nsp: '/', data });
    const { type, nsp, data: answer } = await packets.next();
    assert.deepEqual([type, nsp], [CONNECT, '/']);
    assert.match(answer.sid, /^[A-Za-z0-9_-]{20}$/);
    assert.deepEqual(await packets.next(), { type: EVENT, data: ['auth', data ?? {}], nsp: '/' });
    return packets;
  }

  send(...packets) {
    for (const packet of packets) this.engine.send(...encode(packet));
  }

  async next() {
    return decode(await this.engine.next('a packet'));
  }

  async echoes(word = 'still here') {
    this.send({ type: EVENT, nsp: '/', data: ['message', word] });
    assert.deepEqual(await this.next(), { type: EVENT, data: ['message-back', word], nsp: '/' });
  }
}

const encode = (packet) => new newest.Encoder().encode(packet);

function decode(bytes) {
  let packet;
  const decoder = new newest.Decoder();
  decoder.on('decoded', (decoded) => (packet = decoded));
  decoder.add(bytes);
  return packet;
}

describeServers('packets in msgpack', { contract: 'socket', parser: 'msgpack', concurrency: 1 }, (server) => {
  it('connect to / and to a custom namespace, with auth', async () => {
    const socket = await Packets.connect(server, { token: '123', deep: { list: [1, null, 'é'] } });
    socket.send({ type: CONNECT, nsp: '/custom', data: { token: 'abc' } });
    assert.equal((await socket.next()).nsp, '/custom');
    assert.deepEqual(await socket.next(), { type: EVENT, data: ['auth', { token: 'abc' }], nsp: '/custom' });
    await socket.echoes();
    await socket.engine.close();
  });

  it('to an unknown namespace are refused', async () => {
    const socket = await Packets.connect(server);
    socket.send({ type: CONNECT, nsp: '/random' });
    const refusal = { type: CONNECT_ERROR, data: { message: 'Invalid namespace' }, nsp: '/random' };
    assert.deepEqual(await socket.next(), refusal);
    await socket.echoes();
    await socket.engine.close();
  });

  it('disconnect, and connect again on the same connection', async () => {
    const socket = await Packets.connect(server);
    socket.send({ type: DISCONNECT, nsp: '/' }, { type: CONNECT, nsp: '/' });
    assert.equal((await socket.next()).type, CONNECT);
    assert.deepEqual((await socket.next()).data, ['auth', {}]);
    await socket.echoes();
    await socket.engine.close();
  });

  it('come back byte by byte', async () => {
    const socket = await Packets.connect(server);
    const data = [1, -1, 0.1, 4_294_967_296, 'é😀', { z: [true, null], a: { b: BYTES } }, BYTES, Buffer.alloc(0)];
    const sent = { type: EVENT, data: ['message', ...data], nsp: '/' };
    const back = { type: EVENT, data: ['message-back', ...data], nsp: '/' };
    socket.send(sent);
    assert.deepEqual(await socket.engine.next(), encode(back)[0]);
    await socket.engine.close();
  });

  it('are acked with the arguments', async () => {
    const socket = await Packets.connect(server);
    for (const [id, data] of [[0, []], [456, [1, '2', { 3: [false] }]], [Number.MAX_SAFE_INTEGER, [BYTES, [BYTES]]]]) {
      socket.send({ type: EVENT, nsp: '/', data: ['message-with-ack', ...data], id });
      assert.deepEqual(await socket.next(), { type: ACK, data, id, nsp: '/' });
    }
    socket.send({ type: ACK, nsp: '/', data: ['of an unknown id'], id: 99 });
    await socket.echoes();
    await socket.engine.close();
  });

  it('travel over polling in base64', async () => {
    const session = await Polling.open(server, { path: '/socket.io/' });
    const send = (packet) => session.send(`b${encode(packet)[0].toString('base64')}`);
    const next = async () => decode(Buffer.from((await session.next()).slice(1), 'base64'));
    await send({ type: CONNECT, nsp: '/' });
    assert.equal((await next()).type, CONNECT);
    await next();
    await send({ type: EVENT, nsp: '/', data: ['message', BYTES] });
    assert.deepEqual(await next(), { type: EVENT, data: ['message-back', BYTES], nsp: '/' });
    await session.send('1');
  });

  const event = (data, more) => ({ type: EVENT, nsp: '/', data, ...more });
  const invalid = {
    'an unknown type': [{ type: 7, nsp: '/' }, { type: 'x', nsp: '/' }, { type: 1.5, nsp: '/' }, { nsp: '/' }],
    'a namespace that is no string': [{ type: EVENT, nsp: 1, data: ['message'] }, { type: EVENT, data: ['message'] }],
    'CONNECT to a namespace that is connected already': [{ type: CONNECT, nsp: '/' }],
    'CONNECT with auth that is no object': [{ type: CONNECT, nsp: '/custom', data: [1] }, { type: CONNECT, nsp: '/custom', data: 'x' }],
    'DISCONNECT with data': [{ type: DISCONNECT, nsp: '/', data: {} }],
    CONNECT_ERROR: [{ type: CONNECT_ERROR, nsp: '/', data: { message: 'x' } }],
    'an event whose data is no array': [event({}), event('message'), event(true), event(undefined)],
    'an event without a name': [event([]), event([null]), event([{}])],
    'an event with a reserved name': [event(['disconnect']), event(['connect_error'])],
    'an id that is no number': [event(['message-with-ack', 1], { id: 'x' }), event(['message-with-ack', 1], { id: 1.5 })],
    'an event on a namespace that is not connected': [event(['message'], { nsp: '/custom' })],
    'an ACK whose data is no array': [{ type: ACK, nsp: '/', id: 1, data: {} }],
  };
  for (const [what, packets] of Object.entries(invalid)) {
    for (const packet of packets) {
      it(`with ${what} close the connection: ${JSON.stringify(packet)}`, async () => {
        const socket = await Packets.connect(server);
        socket.send(packet);
        await socket.engine.closed();
      });
    }
  }

  const [whole] = encode(event(['message', 'x']));
  const broken = {
    'bytes behind it': Buffer.concat([whole, Buffer.from([0])]),
    'its end cut off': whole.subarray(0, -1),
    nothing: Buffer.alloc(0),
    'a packet of the default parser': '42["message"]',
    'text that is no packet': '4{}',
    '100,000 arrays in each other': Buffer.concat([
      Buffer.from([0x83, ...Buffer.from('\xa4type\x02\xa3nsp\xa1/\xa4data', 'latin1')]),
      Buffer.alloc(100_000, 0x91),
      Buffer.from([1]),
    ]),
    'an announced length of 4 GB': Buffer.from('84a474797065dbffffffff', 'hex'),
  };
  for (const [what, message] of Object.entries(broken)) {
    it(`with ${what} close the connection`, async () => {
      const socket = await Packets.connect(server);
      socket.engine.send(message);
      await socket.engine.closed();
    });
  }

  it('that are invalid leave other connections alone', async () => {
    const [healthy, bad] = [await Packets.connect(server), await Packets.connect(server)];
    bad.send({ type: 9, nsp: '/' });
    await bad.engine.closed();
    await healthy.echoes();
    await healthy.engine.close();
  });
});
