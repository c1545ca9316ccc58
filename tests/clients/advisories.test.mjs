// Inputs that have broken servers of this family, against contract `app`. After each of them the offender is gone (or
// was rightly tolerated), its room has heard `left` exactly once, and another client is served as before.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { describeServers, residentBytes } from './server.mjs';
import { BINARY, CLOSE, CONTINUATION, PING, PONG, RawWebSocket, TEXT } from './frames.mjs';
import { frame, openingRequest, statusOf, writeAndReset } from './frames.mjs';
import { Polling, SocketIo, pause, request, startRequest, upgradeRequest, within } from './wire.mjs';

const MB = 1 << 20;
const POLLING = '/socket.io/?EIO=4&transport=polling';
const WEBSOCKET = '/socket.io/?EIO=4&transport=websocket';
const ONE = '{"_placeholder":true,"num":0}';
const BYTES = Buffer.from([1, 2, 3]);
const heartbeat = { PING_INTERVAL_MS: '2000', PING_TIMEOUT_MS: '6000' };

let rooms = 0;

/** A healthy client in a room of its own test, which the offenders join. */
class Witness {
  static async arrive(server) {
    const witness = new Witness();
    witness.room = `room-${(rooms += 1)}`;
    witness.socket = await SocketIo.connect(server);
    await witness.call('join', witness.room);
    return witness;
  }

  call(...args) {
    return this.socket.call(...args);
  }

  /** Is the service as it was, for this client and for one that arrives now? */
  async isServed(server) {
    assert.deepEqual(await this.call('echo-ack', 'still here'), ['still here']);
    const newcomer = await SocketIo.connect(server);
    assert.deepEqual(await newcomer.call('echo-ack', 'welcome'), ['welcome']);
    await newcomer.close();
  }

  /** Has the room heard of exactly these departures? */
  async sawLeave(ids, ms = 10_000) {
    const left = [];
    const take = (packet) => {
      const [event, id] = JSON.parse(packet.slice(packet.indexOf('[')));
      if (event === 'left') left.push(id);
    };
    const drain = () => (this.socket.missed ?? []).splice(0).forEach(take);
    drain();
    while (left.length < ids.length) take(await this.socket.next(`${ids.length} times \`left\``, ms));
    await this.call('echo-ack');
    drain();
    assert.deepEqual(left.sort(), [...ids].sort());
  }
}

/** Runs `offend(offender, witness)` with a member of the witness's room and checks what must hold after it. */
async function offence(server, join, offend) {
  const witness = await Witness.arrive(server);
  const offender = await join(server, witness.room);
  await offend(offender, witness);
  await witness.sawLeave([offender.id]);
  await witness.isServed(server);
  await witness.socket.close();
}

async function joinBySocketIo(server, room) {
  const socket = await SocketIo.connect(server);
  await socket.call('join', room);
  return socket;
}

async function joinByFrames(server, room) {
  const raw = await RawWebSocket.open(server);
  raw.handshake = JSON.parse((await raw.nextText('the open packet')).slice(1));
  raw.text('40');
  raw.id = JSON.parse((await raw.nextText('CONNECT')).slice(2)).sid;
  assert.match(await raw.nextText('welcome'), /^42\["welcome"/);
  raw.text(`421["join",${JSON.stringify(room)}]`);
  assert.equal(await raw.nextText('the ack of join'), `431[${JSON.stringify(room)}]`);
  return raw;
}

async function joinByPolling(server, room) {
  const session = await Polling.open(server, { path: '/socket.io/' });
  await session.send('40');
  session.id = JSON.parse((await session.next()).slice(2)).sid;
  assert.match(await session.next(), /^42\["welcome"/);
  await session.send(`421["join",${JSON.stringify(room)}]`);
  assert.equal(await session.next(), `431[${JSON.stringify(room)}]`);
  return session;
}

/** Something that the server must merely survive; nobody joined a room. */
async function survives(server, act) {
  const witness = await Witness.arrive(server);
  await act();
  await witness.sawLeave([]);
  await witness.isServed(server);
  await witness.socket.close();
}

describeServers('bad WebSocket frames', { contract: 'app', env: heartbeat, concurrency: 1 }, (server) => {
  const text = (message, options) => frame(TEXT, message, options);
  const protocolErrors = [
    ['reserved bit 1 without an extension', [text('3', { rsv: 4 })]],
    ['reserved bit 2', [text('3', { rsv: 2 })]],
    ['reserved bit 3', [text('3', { rsv: 1 })]],
    ['all reserved bits on a ping', [frame(PING, '', { rsv: 7 })]],
    ['the reserved opcode 3', [frame(3, '3')]],
    ['the reserved opcode 7', [frame(7, '3')]],
    ['the reserved control opcode 11', [frame(11)]],
    ['the reserved control opcode 15', [frame(15)]],
    ['no mask', [text('3', { masked: false })]],
    ['a ping in fragments', [frame(PING, '', { fin: false })]],
    ['a ping of 126 bytes', [frame(PING, Buffer.alloc(126))]],
    ['a close of 126 bytes', [frame(CLOSE, Buffer.alloc(126, 3))]],
    ['a continuation of nothing', [frame(CONTINUATION, '3')]],
    ['a new message amid fragments', [text('4', { fin: false }), text('3')]],
    ['a close frame of one byte', [frame(CLOSE, [3])]],
    ['a close frame with code 999', [frame(CLOSE, [3, 0xe7])]],
    ['a close frame with code 1005', [frame(CLOSE, [3, 0xed])]],
    ['a close frame with code 1006', [frame(CLOSE, [3, 0xee])]],
  ];
  for (const [what, frames] of protocolErrors) {
    it(`${what} closes with 1002`, () =>
      offence(server, joinByFrames, async (raw) => {
        raw.send(...frames);
        assert.equal(await raw.closeCode(), 1002);
        await raw.ended();
      }));
  }

  it('reserved bits right behind the opening request close with 1002', () =>
    survives(server, async () => {
      const raw = await RawWebSocket.open(server);
      raw.send(text('2probe', { rsv: 3 }));
      assert.equal(await raw.closeCode(), 1002);
      await raw.ended();
    }));

  const notUtf8 = [
    ['text', [text(Buffer.from([0x34, 0xff]))]],
    ['text cut inside a character', [text(Buffer.from([0x34, 0xf0, 0x9f]))]],
    ['an encoded surrogate', [text(Buffer.from([0x34, 0xed, 0xa0, 0x80]))]],
    ['text in fragments', [text(Buffer.from([0x34, 0xc3]), { fin: false }), frame(CONTINUATION, [0x28])]],
    ['the reason of a close', [frame(CLOSE, [3, 0xe8, 0xff])]],
  ];
  for (const [what, frames] of notUtf8) {
    it(`${what} that is not UTF-8 closes with 1007`, () =>
      offence(server, joinByFrames, async (raw) => {
        raw.send(...frames);
        assert.equal(await raw.closeCode(), 1007);
        await raw.ended();
      }));
  }

  it('a message announced longer than the limit closes with 1009 before it is sent', () =>
    offence(server, joinByFrames, async (raw) => {
      raw.send(text('4', { claim: raw.handshake.maxPayload + 1 }));
      assert.equal(await raw.closeCode(), 1009);
      await raw.ended();
    }));

  for (const claim of [2n ** 62n, 2n ** 63n, 2n ** 64n - 1n]) {
    it(`a message announced ${claim} bytes long is refused at once`, () =>
      offence(server, joinByFrames, async (raw) => {
        raw.send(text('4', { claim }));
        assert.ok([1002, 1009].includes(await raw.closeCode()));
        await raw.ended();
      }));
  }

  it('fragments that exceed the limit together close with 1009', () =>
    offence(server, joinByFrames, async (raw) => {
      const part = Buffer.alloc(MB, 'x');
      const parts = Math.ceil(raw.handshake.maxPayload / MB);
      raw.send(frame(TEXT, '4', { fin: false }));
      for (let i = 0; i < parts; i++) await raw.flush(frame(CONTINUATION, part, { fin: false }));
      assert.equal(await raw.closeCode(), 1009);
      await raw.ended();
    }));

  for (const [what, byte] of [['1-byte', 'x'], ['empty', '']]) {
    it(`endless ${what} fragments are cut off`, () =>
      offence(server, joinByFrames, async (raw) => {
        raw.send(frame(TEXT, '4', { fin: false }));
        const thousand = Buffer.concat(Array.from({ length: 1_000 }, () => frame(CONTINUATION, byte, { fin: false })));
        let ended = false;
        raw.closed.then(() => (ended = true));
        for (let i = 0; i < 400 && !ended; i++) await raw.flush(thousand);
        const code = await raw.closeCode();
        assert.ok([1002, 1008, 1009, undefined].includes(code), `closed with ${code}`);
        await raw.ended();
      }));
  }

  it('a few hundred fragments, with control frames between them, are an ordinary message', () =>
    offence(server, joinByFrames, async (raw) => {
      const message = `421["echo-ack","${'é'.repeat(100)}"]`;
      const pieces = [...Buffer.from(message)].map((byte, i) => frame(i ? CONTINUATION : TEXT, [byte], { fin: false }));
      pieces.splice(50, 0, frame(PING, 'between'));
      raw.send(...pieces, frame(CONTINUATION));
      const pong = await raw.next();
      assert.deepEqual([pong.opcode, pong.payload.toString()], [PONG, 'between']);
      assert.equal(await raw.nextText(), `431["${'é'.repeat(100)}"]`);
      raw.send(frame(CLOSE, [3, 0xe8]));
      await raw.ended();
    }));

  it('a frame that arrives byte by byte is an ordinary one', () =>
    offence(server, joinByFrames, async (raw) => {
      for (const byte of frame(TEXT, '421["echo-ack","slow"]')) {
        raw.tcp.setNoDelay(true);
        await raw.flush(Buffer.from([byte]));
      }
      assert.equal(await raw.nextText(), '431["slow"]');
      raw.send(frame(CLOSE, [3, 0xe8]));
      await raw.ended();
    }));

  it('pings are answered with what came and nothing more', () =>
    offence(server, joinByFrames, async (raw) => {
      for (const payload of [Buffer.alloc(0), Buffer.from([0]), Buffer.alloc(125, 'p')]) {
        raw.send(frame(PING, payload));
        const pong = await raw.next();
        assert.equal(pong.first, 0x80 | PONG);
        assert.equal(pong.masked, false);
        assert.deepEqual(Buffer.from(pong.payload), payload);
      }
      raw.send(frame(CLOSE, [3, 0xe8]));
      await raw.ended();
    }));

  it('a close frame is answered with its code and the connection ended', () =>
    offence(server, joinByFrames, async (raw) => {
      raw.send(frame(CLOSE, [3, 0xe8]));
      assert.equal(await raw.closeCode(), 1000);
      await raw.ended('the end within a second', 1_000);
    }));

  it('floods of pongs, WebSocket and Engine.IO, cost no memory', () =>
    offence(server, joinByFrames, async (raw) => {
      const base = residentBytes(server.pid);
      for (const one of [frame(PONG, 'p'.repeat(100)), text('3')]) {
        const thousand = Buffer.concat(Array(1_000).fill(one));
        for (let i = 0; i < 100; i++) await raw.flush(thousand);
      }
      raw.text('422["echo-ack","after"]');
      assert.equal(await raw.nextText(), '432["after"]');
      const grown = residentBytes(server.pid) - base;
      assert.ok(grown < 64 * MB, `grown by ${grown >> 20} MB`);
      raw.send(frame(CLOSE, [3, 0xe8]));
      await raw.ended();
    }));

  const cutOff = [
    ['nothing', Buffer.alloc(0)],
    ['half a header', text('3').subarray(0, 1)],
    ['half a frame', text('42["echo","half"]').subarray(0, 12)],
    ['a fragment', text('42["echo"', { fin: false })],
    ['the header of a large message', text('4', { claim: MB })],
    ['a binary header without its attachments', text(`452-["echo",${ONE},{"_placeholder":true,"num":1}]`)],
    ['one of two attachments', Buffer.concat([
      text(`452-["echo",${ONE},{"_placeholder":true,"num":1}]`),
      frame(BINARY, BYTES),
    ])],
  ];
  for (const [what, bytes] of cutOff) {
    it(`a reset after ${what} ends the session`, () =>
      offence(server, joinByFrames, async (raw) => {
        await raw.flush(bytes);
        raw.reset();
      }));
    it(`an end without a close frame after ${what} ends the session`, () =>
      offence(server, joinByFrames, async (raw) => {
        await raw.flush(bytes);
        raw.tcp.end();
        await raw.ended();
      }));
  }
});

describeServers('bad handshakes', { contract: 'app', env: heartbeat, concurrency: 1 }, (server) => {
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '']) {
    it(`a transport named "${name}" is unknown, over HTTP and as an upgrade`, () =>
      survives(server, async () => {
        const target = `/socket.io/?EIO=4&transport=${name}`;
        const reply = await request(server, target);
        assert.deepEqual([reply.status, JSON.parse(reply.text).code], [400, 0]);
        assert.equal((await upgradeRequest(server, target)).status, 400);
      }));
    if (name === '') continue; // no session id is a handshake
    it(`a session named "${name}" is unknown, over HTTP and as an upgrade`, () =>
      survives(server, async () => {
        const reply = await request(server, `${POLLING}&sid=${name}`);
        assert.deepEqual([reply.status, JSON.parse(reply.text).code], [400, 1]);
        assert.equal((await upgradeRequest(server, `${WEBSOCKET}&sid=${name}`)).status, 400);
      }));
  }

  const targets = [
    '/socket.io/?EIO=4&EIO=3&transport=polling&transport=websocket',
    '/socket.io/?%',
    '/socket.io/?EIO=4&transport=%zz',
    '/socket.io/?EIO=4&transport=polling&sid=%00',
    '/socket.io/?EIO=4&transport=polling&sid=%ff%fe',
    '/socket.io/?EIO[]=4&transport[]=polling',
    '/socket.io/?EIO=99999999999999999999&transport=polling',
    '/socket.io/?EIO=-4&transport=polling',
    `/socket.io/?EIO=4&transport=${'x'.repeat(4_000)}`,
    `/socket.io/?${'&'.repeat(4_000)}`,
    '/socket.io/..%2f..%2fetc',
    '/socket.io/%ff?EIO=4',
  ];
  for (const target of targets) {
    it(`the target ${target.slice(0, 60)} is answered`, () =>
      survives(server, async () => {
        const { status } = await request(server, target);
        assert.ok(status === 200 || (status >= 400 && status < 500), `answered ${status}`);
        await upgradeRequest(server, target).catch((error) => assert.match(error.message, /reset|hang up|Parse Error/));
      }));
  }

  const refusedHeaders = [
    ['no key', { 'Sec-WebSocket-Key': undefined }, [400]],
    ['an empty key', { 'Sec-WebSocket-Key': '' }, [400]],
    ['a key of the wrong length', { 'Sec-WebSocket-Key': 'c2hvcnQ=' }, [400]],
    ['a key that is no base64', { 'Sec-WebSocket-Key': '!!!!!!!!!!!!!!!!!!!!!!==' }, [400]],
    ['version 12', { 'Sec-WebSocket-Version': '12' }, [400, 426]],
    ['no version', { 'Sec-WebSocket-Version': undefined }, [400, 426]],
  ];
  for (const [what, changed, expected] of refusedHeaders) {
    it(`an upgrade with ${what} is refused`, () =>
      survives(server, async () => {
        const headers = {
          Host: `${server.host}:${server.port}`,
          Connection: 'Upgrade',
          Upgrade: 'websocket',
          'Sec-WebSocket-Version': '13',
          'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
          ...changed,
        };
        const lines = Object.entries(headers).filter(([, value]) => value !== undefined);
        const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
        const status = await statusOf(server, `GET ${WEBSOCKET} HTTP/1.1\r\n${head}\r\n`);
        assert.ok(expected.includes(status), `answered ${status}`);
      }));
  }

  it('an upgrade by POST is refused', () =>
    survives(server, async () => {
      const status = await statusOf(server, openingRequest(server, WEBSOCKET).replace('GET', 'POST'));
      assert.ok([400, 405].includes(status), `answered ${status}`);
    }));

  const tolerated = [
    ['a malformed extension list', 'Sec-WebSocket-Extensions', ',,;;=permessage-deflate; ="'],
    ['an extension parameter without end', 'Sec-WebSocket-Extensions', 'permessage-deflate; server_max_window_bits="'],
    ['impossible extension parameters', 'Sec-WebSocket-Extensions', 'permessage-deflate; server_max_window_bits=99'],
    ['extensions named like properties', 'Sec-WebSocket-Extensions', 'constructor, __proto__; toString'],
    ['a long list of extensions', 'Sec-WebSocket-Extensions', 'permessage-deflate,'.repeat(400)],
    ['a long protocol list', 'Sec-WebSocket-Protocol', `a${' '.repeat(6_000)}, b`],
    ['a protocol list of commas', 'Sec-WebSocket-Protocol', ','.repeat(6_000)],
    ['a protocol list of many', 'Sec-WebSocket-Protocol', Array.from({ length: 1_000 }, (_, i) => `p${i}`).join()],
  ];
  for (const [what, name, value] of tolerated) {
    it(`an upgrade with ${what} is answered quickly`, () =>
      survives(server, async () => {
        const status = await statusOf(server, openingRequest(server, WEBSOCKET, [`${name}: ${value}`]), 1_000);
        assert.ok([101, 400].includes(status), `answered ${status}`);
      }));
  }

  const thousands = (line) => Array.from({ length: 5_000 }, (_, i) => line(i));
  for (const [what, headers] of [
    ['thousands of headers', thousands((i) => `x-${i}: ${i}`)],
    ['thousands of one header', thousands(() => 'Sec-WebSocket-Protocol: a')],
    ['a header of 1 MB', [`x: ${'x'.repeat(MB)}`]],
    ['a key of 1 MB', [`Sec-WebSocket-Key: ${'A'.repeat(MB)}`]],
  ]) {
    it(`an upgrade with ${what} is refused or cut off, quickly`, () =>
      survives(server, async () => {
        const status = await statusOf(server, openingRequest(server, WEBSOCKET, headers), 2_000);
        assert.ok([0, 400, 413, 431].includes(status), `answered ${status}`);
      }));
  }

  it('a header that never ends is cut off and costs no memory', () =>
    survives(server, async () => {
      const base = residentBytes(server.pid);
      const endless = Buffer.alloc(32 * MB, 'x');
      const status = await statusOf(server, Buffer.concat([Buffer.from(`GET ${WEBSOCKET} HTTP/1.1\r\nx: `), endless]));
      assert.ok([0, 400, 413, 431].includes(status), `answered ${status}`);
      const grown = residentBytes(server.pid) - base;
      assert.ok(grown < 24 * MB, `grown by ${grown >> 20} MB`);
    }));

  it('resets during refused and accepted upgrades are ignored', () =>
    survives(server, async () => {
      const requests = ['/socket.io/?EIO=4&transport=abc', WEBSOCKET, `${WEBSOCKET}&sid=abcdefghijklmnopqrst`];
      const resets = requests.flatMap((target) =>
        Array.from({ length: 30 }, (_, i) => {
          const whole = openingRequest(server, target);
          return writeAndReset(server, i % 3 ? whole : whole.slice(0, -i));
        }),
      );
      await Promise.all(resets);
    }));

  it('a JSONP callback takes digits only', () =>
    survives(server, async () => {
      const reply = await request(server, `${POLLING}&j=alert(1)//`);
      assert.ok(!reply.text.includes('alert'), reply.text);
      assert.ok(!/^text\/html/.test(reply.headers['content-type']), reply.headers['content-type']);
    }));
});

describeServers('bad Engine.IO', { contract: 'app', env: heartbeat, concurrency: 1 }, (server) => {
  for (const packet of ['é', '\u2028', '😀4', '', 'b', '9', '2']) {
    it(`the packet ${JSON.stringify(packet)} over WebSocket closes the session`, () =>
      offence(server, joinBySocketIo, async (socket) => {
        socket.engine.send(packet);
        await socket.closed();
      }));
  }

  for (const payload of ['é', '\x1e', '\x1e'.repeat(100_000), '😀4', 'abc', '2', '42["echo"]\x1e\x1e']) {
    it(`the payload ${JSON.stringify(payload.slice(0, 12))} over polling closes the session`, () =>
      offence(server, joinByPolling, async (session) => {
        await session.post(payload).catch(() => {}); // answered or cut off, both are fine
        assert.equal((await session.get()).status, 400);
      }));
  }

  it('base64 that is none harms nobody', () =>
    offence(server, joinByPolling, async (session) => {
      for (const packet of ['b%%%', 'b=', 'b====', `451-["echo",${ONE}]\x1eb%`]) {
        await session.post(packet).catch(() => {});
      }
      await session.post('1').catch(() => {});
    }));

  it('an octet-stream POST is answered 400 and ends the session', () =>
    offence(server, joinByPolling, async (session) => {
      const headers = { 'Content-Type': 'application/octet-stream' };
      assert.equal((await session.post('42["echo"]', { headers })).status, 400);
      assert.equal((await session.get()).status, 400);
    }));

  it('a POST of 100 MB is refused while it streams, and costs no memory', () =>
    offence(server, joinByPolling, async (session) => {
      const base = residentBytes(server.pid);
      const { outgoing, reply } = startRequest(server, session.target, { method: 'POST' });
      let answered;
      reply.then(({ status }) => (answered = status), () => (answered = 'cut off'));
      const chunk = Buffer.alloc(MB, 'x');
      let peak = 0;
      let sent = 0;
      while (sent < 100 && answered === undefined) {
        await within(Promise.race([new Promise((resolve) => outgoing.write(chunk, resolve)), reply]), 'the server to read').catch(() => {});
        await new Promise(setImmediate); // a connection that is gone takes everything at once: hear that it is
        peak = Math.max(peak, residentBytes(server.pid));
        sent += 1;
      }
      // whoever still writes when the server ends the connection may lose the answer
      const outcome = await within(reply, 'the answer to 100 MB').then(({ status }) => status, ({ code }) => code);
      assert.ok([413, 'EPIPE', 'ECONNRESET'].includes(outcome), `ended with ${outcome}`);
      outgoing.destroy();
      assert.ok(sent < 100, 'the whole body was taken');
      assert.ok(peak - base < 48 * MB, `grown by ${(peak - base) >> 20} MB`);
      await session.send('421["echo-ack","lives on"]'); // the limit costs the message, not the session
      assert.equal(await session.next(), '431["lives on"]');
      await session.send('1');
    }));

  it('a million packets in one payload are read in linear time', () =>
    offence(server, joinByPolling, async (session) => {
      const start = performance.now();
      await session.send(Array(1_000_000).fill('3').join('\x1e'));
      assert.ok(performance.now() - start < 5_000, 'took over five seconds');
      await session.send('1');
    }));

  it('one packet of 4 MB in small chunks is read in linear time', () =>
    offence(server, joinByPolling, async (session) => {
      const body = Buffer.from(`421["echo-ack","${'x'.repeat(3_900_000)}"]`);
      const { outgoing, reply } = startRequest(server, session.target, { method: 'POST' });
      const start = performance.now();
      for (let i = 0; i < body.length; i += 1_000) outgoing.write(body.subarray(i, i + 1_000));
      outgoing.end();
      assert.equal((await within(reply, 'the answer to 4 MB', 10_000)).status, 200);
      assert.ok(performance.now() - start < 5_000, 'took over five seconds');
      assert.equal((await session.next()).length, 3_900_000 + 7);
      await session.send('1');
    }));

  it('a POST that is cut off ends the session', () =>
    offence(server, joinByPolling, async (session) => {
      const headers = { 'Content-Type': 'text/plain', 'Content-Length': '1000' };
      const { outgoing, reply } = startRequest(server, session.target, { method: 'POST', headers });
      reply.catch(() => {});
      await new Promise((resolve) => outgoing.write('42["echo"', resolve));
      outgoing.destroy();
    }));

  it('a GET that is cut off ends the session', () =>
    offence(server, joinByPolling, async (session) => {
      const { outgoing, reply } = startRequest(server, session.target);
      reply.catch(() => {});
      outgoing.end();
      await new Promise((resolve) => outgoing.once('finish', resolve));
      await pause(50); // the server may need a moment to have the GET waiting
      outgoing.destroy();
    }));

  it('a second GET and a second POST end the session once', () =>
    offence(server, joinByPolling, async (session) => {
      const replies = await Promise.all(Array.from({ length: 5 }, () => session.get().catch(() => ({}))));
      assert.ok(replies.some(({ status }) => status === 400));
    }));

  it('WebSockets raced on one session leave one session', () =>
    offence(server, joinByPolling, async (session) => {
      const race = async () => {
        const raw = await RawWebSocket.open(server, `${WEBSOCKET}&sid=${session.sid}`);
        raw.text('2probe', '5');
        assert.equal(await raw.nextText(), '3probe');
        return raw;
      };
      const results = await Promise.allSettled(Array.from({ length: 10 }, race));
      const won = results.filter(({ status }) => status === 'fulfilled').map(({ value }) => value);
      assert.equal(won.length, 1, `${won.length} probes were answered`);
      won[0].text('429["echo-ack","winner"]');
      assert.equal(await won[0].nextText(), '439["winner"]');
      won[0].send(frame(CLOSE, [3, 0xe8]));
    }));
});

describeServers('bad Socket.IO', { contract: 'app', env: heartbeat, concurrency: 1 }, (server) => {
  const placeholder = (num) => [`51-["echo",{"_placeholder":true,"num":${num}}]`, BYTES];
  const closing = [
    ['a placeholder named "splice"', placeholder('"splice"')],
    ['a placeholder numbered -1', placeholder('-1')],
    ['a placeholder numbered 1e9', placeholder('1e9')],
    ['an event name with a toString of its own', ['2[{"toString":"foo"}]']],
    ['the event name null', ['2[null]']],
    ['the event name connect', ['2["connect"]']],
    ['the event name newListener', ['2["newListener","x"]']],
    ['a huge count of attachments', ['5999999999-["echo"]']],
    ['a count of attachments beyond numbers', [`5${'9'.repeat(400)}-["echo"]`]],
    ['no attachments, then binaries', ['50-["echo"]', BYTES, BYTES]],
    ['more binaries than announced', [`51-["echo",${ONE}]`, ...Array(50).fill(BYTES)]],
    ['binaries without a header', Array(50).fill(BYTES)],
    ['a second CONNECT', ['0']],
    ['thousands of CONNECTs to one namespace', Array(5_000).fill('0')],
    ['JSON nested 100,000 deep', [`2["echo",${'['.repeat(100_000)}${']'.repeat(100_000)}]`]],
    ['objects nested 100,000 deep', [`2["echo",${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}]`]],
    ['brackets that never close', [`2["echo",${'['.repeat(1_000_000)}`]],
    ['a multi-byte packet type', ['é["echo"]']],
  ];
  for (const [what, packets] of closing) {
    it(`${what} closes the connection`, () =>
      offence(server, joinBySocketIo, async (socket) => {
        socket.send(...packets);
        await socket.closed();
      }));
  }

  it('a huge count of attachments before CONNECT closes the connection', () =>
    survives(server, async () => {
      for (const packets of [['5999999999-["echo"]'], ['50-["echo"]', BYTES], [BYTES]]) {
        const socket = await SocketIo.open(server);
        socket.send(...packets);
        await socket.closed();
      }
    }));

  const survived = [
    ['the event `error`', ['2["error","oops"]', '2["error"]']],
    ['event names like properties', ['2["__proto__",1]', '2["constructor",1]', '2["hasOwnProperty"]']],
    ['keys like properties', ['2["echo",{"__proto__":{"polluted":1},"constructor":{"prototype":{}}}]']],
    ['handlers called with the wrong arguments', ['2["join"]', '2["to-room"]', '2["burst","x",{}]', '2["whoami"]', '2["leave",{}]']],
    ['room names like properties', ['2["join","__proto__"]', '2["to-room","__proto__","x",1]', '2["leave","__proto__"]']],
    ['acks that nobody asked for', ['30[]', '31[1]', '3999999999999999999[1]']],
    ['a lone surrogate everywhere', ['2["echo","\\ud800"]', '2["\\udc00","\\ud800"]', '2["echo",{"\\ud800":"\\udc00"}]']],
  ];
  for (const [what, packets] of survived) {
    it(`${what} harms nobody`, () =>
      offence(server, joinBySocketIo, async (socket) => {
        socket.send(...packets);
        await socket.call('echo-ack', 'alive').then(
          (answer) => assert.deepEqual(answer, ['alive']),
          (error) => assert.match(error.message, /is closed/), // refusing the packet is as good
        );
        if (socket.engine.ws.readyState === 1) await socket.close();
      }));
  }

  it('thousands of CONNECTs to unknown namespaces are refused one by one or cut off, and cost no memory', () =>
    offence(server, joinBySocketIo, async (socket) => {
      const base = residentBytes(server.pid);
      for (let i = 0; i < 5_000; i++) socket.send(`0/unknown-${i},`);
      const answers = (async () => {
        for (let i = 0; i < 5_000; i++) {
          assert.equal(await socket.next(), `4/unknown-${i},{"message":"Invalid namespace"}`);
        }
      })();
      await answers.catch((error) => assert.match(error.message, /is closed/));
      const grown = residentBytes(server.pid) - base;
      assert.ok(grown < 48 * MB, `grown by ${grown >> 20} MB`);
      await socket.close();
    }));

  it('a thousand questions that are never answered end with their client', () =>
    offence(server, joinBySocketIo, async (socket) => {
      for (let i = 0; i < 1_000; i++) socket.emit('ask-me', i);
      for (let i = 0; i < 1_000; i++) assert.equal((await socket.event())[1], i);
      await socket.close();
    }));

  it('a hundred clients that leave together are each told once', async () => {
    const witness = await Witness.arrive(server);
    const sockets = await Promise.all(Array.from({ length: 100 }, () => joinBySocketIo(server, witness.room)));
    for (const socket of sockets) socket.engine.ws.terminate();
    // those still there hear of the others, too; the witness hears of all
    await witness.sawLeave(sockets.map((socket) => socket.id));
    await witness.isServed(server);
    await witness.socket.close();
  });
});

// Heartbeats so slow that only the bound on what waits to be sent can end these clients.
const slowHeartbeat = { PING_INTERVAL_MS: '60000', PING_TIMEOUT_MS: '60000' };

describeServers('a client that never reads', { contract: 'app', env: slowHeartbeat, concurrency: 1 }, (server) => {
  const megabyte = 'x'.repeat(MB);
  const FLOOD = 200; // megabytes

  async function flood(witness) {
    for (let i = 0; i < FLOOD; i++) await witness.call('to-room', witness.room, 'flood', megabyte);
  }

  async function assertMemoryReturns(base) {
    const deadline = performance.now() + 10_000;
    let now;
    while ((now = residentBytes(server.pid)) > base + (FLOOD * MB) / 2) {
      assert.ok(performance.now() < deadline, `memory stays ${(now - base) >> 20} MB above its base`);
      await pause(100);
    }
  }

  const ways = [
    ['over WebSocket', joinByFrames, (raw) => raw.tcp.pause(), (raw) => raw.reset()],
    ['over polling', joinByPolling, () => {}, () => {}],
  ];
  for (const [way, join, stopReading, drop] of ways) {
    it(`${way} is cut off, its room is told, and memory returns`, async () => {
      const witness = await Witness.arrive(server);
      const base = residentBytes(server.pid);
      const offender = await join(server, witness.room);
      stopReading(offender);
      await flood(witness);
      await witness.sawLeave([offender.id], 15_000);
      drop(offender);
      await assertMemoryReturns(base);
      await witness.isServed(server);
      await witness.socket.close();
    });
  }

  it('and asks for ever more is cut off or no longer read, its room is told, and memory returns', async () => {
    const witness = await Witness.arrive(server);
    const base = residentBytes(server.pid);
    const offender = await joinByFrames(server, witness.room);
    offender.tcp.pause();
    const echo = frame(TEXT, `42["echo","${megabyte}"]`);
    for (let i = 0; i < FLOOD && !offender.tcp.destroyed; i++) offender.send(echo); // kept by this side if not read there
    await witness.isServed(server);
    // A server that stops reading such a client instead of ending it is as safe: then nothing grows on its side.
    const cut = await witness.sawLeave([offender.id], 5_000).then(() => true, () => false);
    await assertMemoryReturns(base);
    if (!cut) {
      offender.reset();
      await witness.sawLeave([offender.id]);
    }
    await witness.isServed(server);
    await witness.socket.close();
  });
});
