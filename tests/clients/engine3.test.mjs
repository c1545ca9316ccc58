// Engine.IO protocol 3, of clients 1.x and 2.x, against contract `engine3`: maxPayload 1,000,000, JSONP, echo; and what
// Socket.IO is to these clients, against contract `app`.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { describeServers, residentBytes } from './server.mjs';
import { EngineSocket, Polling, Polling3, SocketIo, armed, bytes3, pause, pendingPost, request } from './wire.mjs';
import { startRequest, text3, upgradeRequest, within } from './wire.mjs';

// A busy machine may be late with a ping; these tests are not about that.
const PATIENT = { PING_INTERVAL_MS: '20000', PING_TIMEOUT_MS: '10000' };
const SID = /^[A-Za-z0-9_-]{20}$/;
const POLLING = '/engine.io/?EIO=3&transport=polling';
const WEBSOCKET = '/engine.io/?EIO=3&transport=websocket';
const BYTES = Buffer.from([0, 1, 2, 127, 128, 254, 255]);
const ALL_BYTES = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
const STRANGE = '4\0é€😀\u2028\u2029\ufeff\ufffd\r\n\\n\\\\n"</script>';
const FORMS = { bytes: bytes3, text: text3 };

const error = (code, message) => ({ code, message });
const UNKNOWN_TRANSPORT = error(0, 'Transport unknown');
const UNKNOWN_SID = error(1, 'Session ID unknown');
const BAD_METHOD = error(2, 'Bad handshake method');
const BAD_REQUEST = error(3, 'Bad request');
const UNSUPPORTED_VERSION = error(5, 'Unsupported protocol version');

function assertError(reply, expected) {
  assert.equal(reply.status, 400);
  assert.match(reply.headers['content-type'], /^application\/json/);
  assert.deepEqual(JSON.parse(reply.text), expected);
}

async function assertGone(session) {
  assertError(await session.get(), UNKNOWN_SID);
}

/** It has ended, which the next poll may still be told. */
async function assertEnded(session, read) {
  const reply = await session.get();
  if (reply.status !== 200) return assertError(reply, UNKNOWN_SID);
  assert.deepEqual(read(reply), ['1']);
  await assertGone(session);
}

async function assertEchoes(session, message) {
  await session.send(message);
  assert.deepEqual(await session.next(), message);
}

function assertAbout(actual, expected, what, slack = 900) {
  const close = actual > expected - 100 && actual < expected + slack; // early by what the test lost before its clock
  assert.ok(close, `${what} came after ${Math.round(actual)} ms, not about ${expected} ms`);
}

function assertAnnounced(open, upgrades) {
  const { sid, maxPayload, ...rest } = open; // maxPayload is of later generations, and does no harm
  assert.match(sid, SID);
  assert.deepEqual(rest, { upgrades, pingInterval: 20_000, pingTimeout: 10_000 });
}

/** Bytes, some of them written as text. */
const bytesOf = (parts) => Buffer.concat(parts.map((part) => Buffer.from(typeof part === 'number' ? [part] : part)));

describeServers('Engine.IO 3', { contract: 'engine3', env: PATIENT, concurrency: 1 }, (server) => {
  const openWebSocket = (options) => EngineSocket.open(server, { version: 3, ...options });

  describe('handshake', () => {
    it('opens over polling as bytes', async () => {
      const reply = await request(server, POLLING);
      assert.equal(reply.status, 200);
      assert.equal(reply.headers['content-type'], 'application/octet-stream');
      assert.equal(reply.headers['cache-control'], 'no-store');
      assert.equal(reply.headers['set-cookie'], undefined);
      assert.equal(reply.body[0], 0);
      const [open, ...rest] = bytes3.read(reply.body);
      assert.equal(open[0], '0');
      assertAnnounced(JSON.parse(open.slice(1)), ['websocket']);
      assert.deepEqual(rest, []);
    });

    it('opens over polling as text for b64=1', async () => {
      const reply = await request(server, `${POLLING}&b64=1`);
      assert.match(reply.headers['content-type'], /^text\/plain; charset=utf-8$/i);
      const [, length, open] = /^([0-9]+):0(.*)$/.exec(reply.text);
      assert.equal(Number(length), open.length + 1);
      assertAnnounced(JSON.parse(open), ['websocket']);
    });

    it('opens over WebSocket', async () => {
      const session = await openWebSocket();
      assertAnnounced(session.handshake, []);
      await session.close();
    });

    for (const version of ['', 'EIO=&', 'EIO=2&', 'EIO=abc&']) {
      it(`is of this version for ?${version}transport=polling`, async () => {
        const reply = await request(server, `/engine.io/?${version}transport=polling`);
        assert.equal(bytes3.read(reply.body)[0][0], '0');
      });
    }

    it('gives every session an id of its own', async () => {
      const sessions = await Promise.all(Array.from({ length: 50 }, () => Polling3.open(server)));
      assert.equal(new Set(sessions.map((session) => session.sid)).size, 50);
    });

    const refusals = [
      ['GET', '/engine.io/?EIO=4&transport=polling', UNSUPPORTED_VERSION, 'with version 4, which is not enabled'],
      ['GET', '/engine.io/?EIO=3', UNKNOWN_TRANSPORT, 'without a transport'],
      ['GET', '/engine.io/?EIO=3&transport=abc', UNKNOWN_TRANSPORT, 'with an unknown transport'],
      ['GET', '/engine.io/?EIO=3&transport=__proto__', UNKNOWN_TRANSPORT, 'with a transport named like a property'],
      ['GET', '/engine.io/?EIO=4&transport=abc', UNKNOWN_TRANSPORT, 'with two faults, naming the transport first'],
      ['POST', POLLING, BAD_METHOD, 'by POST'],
      ['OPTIONS', POLLING, BAD_METHOD, 'by OPTIONS when CORS is off'],
      ['GET', WEBSOCKET, BAD_REQUEST, 'of the WebSocket transport without an upgrade'],
      ['GET', `${POLLING}&sid=abcdefghijklmnopqrst`, UNKNOWN_SID, 'with an unknown session id'],
      ['POST', `${POLLING}&sid=abcdefghijklmnopqrst`, UNKNOWN_SID, 'of a POST with an unknown session id'],
    ];
    for (const [method, target, expected, what] of refusals) {
      it(`is refused ${what}`, async () => {
        assertError(await request(server, target, { method }), expected);
      });
    }

    it('as a WebSocket upgrade of version 4 is refused in plain text', async () => {
      const reply = await upgradeRequest(server, '/engine.io/?EIO=4&transport=websocket');
      assert.equal(reply.status, 400);
      assert.match(reply.headers['content-type'], /^text\/html/);
      assert.equal(reply.text, UNSUPPORTED_VERSION.message);
    });

    it('of a foreign page is refused on both transports', async () => {
      for (const origin of ['http://evil.example', 'null']) {
        const polling = await request(server, POLLING, { headers: { Origin: origin } });
        assert.equal(polling.status, 403);
        const webSocket = await upgradeRequest(server, WEBSOCKET, { Origin: origin });
        assert.equal(webSocket.status, 400);
      }
    });
  });

  for (const [name, form] of Object.entries(FORMS)) {
    describe(`messages over polling as ${name}`, () => {
      const open = () => Polling3.open(server, { form });

      it('go both ways, with the headers of a session', async () => {
        const session = await open();
        const posted = await session.post(form.write(['4hello']));
        assert.equal(posted.status, 200);
        assert.equal(posted.text, 'ok');
        assert.match(posted.headers['content-type'], /^text\/html/);
        assert.equal(posted.headers['cache-control'], 'no-store');
        const polled = await session.get();
        assert.equal(polled.status, 200);
        assert.deepEqual(polled.body, Buffer.from(form.write(['4hello'])));
        const mediaType = name === 'text' ? /^text\/plain; charset=utf-8$/i : /^application\/octet-stream$/;
        assert.match(polled.headers['content-type'], mediaType);
        assert.equal(polled.headers['cache-control'], 'no-store');
      });

      it('answer a GET that waits already', async () => {
        const session = await open();
        const get = session.poll();
        await session.send('4hello');
        assert.deepEqual(await get, ['4hello']);
      });

      it('go several to a payload, text and binary, in order, both ways', async () => {
        const session = await open();
        const packets = ['4one', BYTES, '4é😀', Buffer.alloc(0), '4', ALL_BYTES, '4last'];
        await session.send(...packets);
        assert.deepEqual(await session.poll(), packets);
      });

      it('of several POSTs come out in order', async () => {
        const session = await open();
        for (let i = 0; i < 20; i++) await session.send(`4${i}`);
        const received = [];
        while (received.length < 20) received.push(await session.next());
        assert.deepEqual(received, Array.from({ length: 20 }, (_, i) => `4${i}`));
      });

      it('have any characters, cut anywhere by the network', async () => {
        const session = await open();
        const body = Buffer.from(form.write([STRANGE]));
        const headers = { 'Content-Type': form.contentType, 'Content-Length': body.length };
        const post = startRequest(server, session.target, { method: 'POST', headers });
        for (const byte of body) {
          post.outgoing.write(Buffer.from([byte]));
          await pause(0);
        }
        post.outgoing.end();
        assert.equal((await within(post.reply, 'the POST in pieces')).status, 200);
        assert.equal(await session.next(), STRANGE);
      });

      it('are read as the content type says, whatever the polls are answered in', async () => {
        const session = await open();
        const other = Object.values(FORMS).find((candidate) => candidate !== form);
        const headers = { 'Content-Type': other.contentType };
        const reply = await session.post(other.write(['4hello', BYTES]), { headers });
        assert.equal(reply.text, 'ok');
        assert.deepEqual(await session.poll(), ['4hello', BYTES]);
      });

      it('of more than a thousand characters are counted in decimal digits', async () => {
        const session = await open();
        await assertEchoes(session, `4${'é'.repeat(54_321)}`);
        await assertEchoes(session, Buffer.alloc(54_321, 7));
      });

      it('above the limit are refused with an empty 413, and the session lives on', async () => {
        const session = await open();
        const reply = await session.post(form.write([`4${'x'.repeat(1_000_000)}`]));
        assert.equal(reply.status, 413);
        assert.equal(reply.text, '');
        await assertEchoes(session, '4still here');
      });

      it('in a second GET while one waits end the session: 400, and the first GET gets a close packet', async () => {
        const session = await open();
        const first = await armed(session);
        assert.equal((await session.get()).status, 400);
        assert.deepEqual(form.read((await first.reply).body), ['1']);
        await assertGone(session);
      });

      it('in a second POST while one is open end the session: 400, and a waiting GET gets a close packet', async () => {
        const session = await open();
        const get = await armed(session);
        const post = await pendingPost(session);
        assert.equal((await session.post(form.write(['4hello']))).status, 400);
        assert.deepEqual(form.read((await get.reply).body), ['1']);
        await assertGone(session);
        post.outgoing.destroy();
      });
    });
  }

  describe('a bad payload', () => {
    const texts = [
      ['nothing', ''],
      ['no length', '4a'],
      ['no digits', ':4a'],
      ['a length of zero', '0:'],
      ['a negative length', '-1:4a'],
      ['a length with a sign', '+2:4a'],
      ['a length with a space', ' 2:4a'],
      ['a fraction as length', '2.0:4a'],
      ['digits of another script', '٢:4a'],
      ['no colon', '2'],
      ['another separator', '2;4a'],
      ['a length too long by one', '3:4a'],
      ['a length that splits a surrogate pair', '2:4😀'],
      ['a length in bytes', '5:4😀'],
      ['a length of 2^64 and two', '18446744073709551618:4a'],
      ['a length of 2^64 less one', '18446744073709551615:4a'],
      ['a length of 400 digits', `${'9'.repeat(400)}:4a`],
      ['a million digits', '9'.repeat(999_999)],
      ['a good packet and a bad length', '2:4a9:4b'],
      ['something after its packets', '2:4a!'],
      ['an unknown type', '1:9'],
      ['a type that is no digit', '3:abc'],
      ['a type of several bytes', '1:é'],
      ['a bare b', '1:b'],
      ['a base64 packet that is no message', '6:b2AQI='],
      ['base64 of other characters', '6:b4%%%%'],
      ['base64 padded in the middle', '6:b4A=I='],
      ['base64 with characters of several bytes', '4:b4éé'],
      ['a packet of the next version', '4a\x1e4b'],
      ['text that is not UTF-8', Buffer.from([0x32, 0x3a, 0x34, 0xff])],
      ['text that ends inside a character', Buffer.from([0x32, 0x3a, 0x34, 0xc3])],
      ['an encoded surrogate', Buffer.from([0x32, 0x3a, 0x34, 0xed, 0xa0, 0x80])],
    ];
    const bytes = [
      ['nothing', []],
      ['no length', [0]],
      ['no digits', [0, 0xff, '4a']],
      ['no end of the length', [0, 2]],
      ['no packet', [0, 2, 0xff]],
      ['a length of zero', [0, 0, 0xff]],
      ['a length of zero bytes of binary', [1, 0, 0xff]],
      ['a length too long by one', [0, 3, 0xff, '4a']],
      ['a length too short by one', [0, 1, 0xff, '4a']],
      ['a length in UTF-16 units', [0, 3, 0xff, '4😀']],
      ['a digit beyond nine', [0, 10, 0xff, '4123456789']],
      ['digits of text', [0, '2', 0xff, '4a']],
      ['a length of twenty digits', [0, ...Array(20).fill(9), 0xff, '4a']],
      ['a million digits', [0, Buffer.alloc(999_000, 9)]],
      ['a third kind', [2, 2, 0xff, '4a']],
      ['only ends of lengths', [0xff, 0xff, 0xff]],
      ['a payload of text', ['2:4a']],
      ['a good packet and a bad one', [0, 2, 0xff, '4a', 0, 9, 0xff, '4b']],
      ['an unknown type', [0, 1, 0xff, '9']],
      ['an unknown type of binary', [1, 2, 0xff, 9, 1]],
      ['a ping of binary', [1, 1, 0xff, 2]],
      ['a type of text in binary', [1, 2, 0xff, '4a']],
      ['text that is not UTF-8', [0, 2, 0xff, '4', 0xff]],
      ['text that ends inside a character', [0, 2, 0xff, '4', 0xc3]],
      ['an encoded surrogate', [0, 4, 0xff, '4', 0xed, 0xa0, 0x80]],
    ].map(([what, parts]) => [what, bytesOf(parts)]);

    for (const [name, payloads] of [['text', texts], ['bytes', bytes]]) {
      const form = FORMS[name];
      for (const [what, payload] of payloads) {
        it(`with ${what}, as ${name}, is answered 400, ends its session and harms no other`, async () => {
          const other = await Polling3.open(server, { form });
          const session = await Polling3.open(server, { form });
          assert.equal((await session.post(payload)).status, 400);
          await assertEnded(session, (reply) => form.read(reply.body));
          await assertEchoes(other, '4unharmed');
        });
      }
    }

    it('ends a waiting GET with a close packet', async () => {
      const session = await Polling3.open(server);
      const get = await armed(session);
      assert.equal((await session.post('no payload')).status, 400);
      assert.deepEqual(bytes3.read((await get.reply).body), ['1']);
      await assertGone(session);
    });
  });

  describe('messages over WebSocket', () => {
    const message = (bytes) => Buffer.concat([Buffer.from([4]), bytes]);

    it('go both ways as text, and as binary behind the type', async () => {
      const session = await openWebSocket();
      await assertEchoes(session, '4hello');
      await assertEchoes(session, '4');
      await assertEchoes(session, STRANGE);
      await assertEchoes(session, message(BYTES));
      await assertEchoes(session, message(Buffer.alloc(0)));
      await session.close();
    });

    it('keep their order and their kind when many are in flight', async () => {
      const session = await openWebSocket();
      const messages = Array.from({ length: 1000 }, (_, i) => (i % 3 ? `4${i}` : message(Buffer.from(`${i}`))));
      session.send(...messages);
      for (const expected of messages) assert.deepEqual(await session.next(), expected);
      await session.close();
    });

    it('are base64 in text frames where the client reads text only', async () => {
      const session = await openWebSocket({ query: '&b64=1' });
      await assertEchoes(session, 'b4AQI=');
      await assertEchoes(session, 'b4');
      await assertEchoes(session, '4text');
      await session.close();
    });

    it('above the limit close the connection with 1009', async () => {
      const session = await openWebSocket();
      session.send(`4${'x'.repeat(1_000_000)}`);
      assert.equal((await session.closed()).code, 1009);
    });

    const texts = ['abc', '9', '', 'é', '\u2028', '😀4', 'b', 'b2AQI=', 'b4%'];
    const binaries = [[], [0], [2], [9], [0x34, 0x61]].map((bytes) => Buffer.from(bytes));
    for (const packet of [...texts, ...binaries]) {
      const what = typeof packet === 'string' ? JSON.stringify(packet) : `bytes <${packet.toString('hex')}>`;
      it(`as the invalid packet ${what} close the connection and harm no other`, async () => {
        const other = await openWebSocket();
        const session = await openWebSocket();
        session.send(packet);
        await session.closed();
        await assertEchoes(other, '4unharmed');
        await other.close();
      });
    }
  });

  describe('close packet', () => {
    it('over polling ends the session and releases the waiting GET with a noop', async () => {
      const session = await Polling3.open(server);
      const get = await armed(session);
      await session.send('1');
      assert.deepEqual(bytes3.read((await get.reply).body), ['6']);
      await assertGone(session);
    });

    it('over WebSocket closes the connection', async () => {
      const session = await openWebSocket();
      session.send('1');
      await session.closed();
    });

    it('is not needed: the session ends with its WebSocket', async () => {
      const session = await openWebSocket();
      await session.close();
      assertError(await request(server, `${POLLING}&sid=${session.sid}`), UNKNOWN_SID);
    });
  });

  describe('JSONP', () => {
    const SCRIPT = /^___eio\[([0-9]+)\]\(("(?:[^"\\]|\\.)*")\);$/;

    /** The index and the packets of an answer. */
    function call(reply) {
      assert.equal(reply.status, 200, reply.text);
      assert.match(reply.headers['content-type'], /^text\/javascript; charset=utf-8$/i);
      const [, index, string] = SCRIPT.exec(reply.text) ?? assert.fail(`no call: ${reply.text}`);
      return { index: Number(index), packets: text3.read(JSON.parse(string)) };
    }

    /** As the clients' form: it escapes newlines, which forms change, and what looks like an escaped one. */
    const formOf = (payload) => {
      const escaped = payload.replaceAll('\\n', '\\\n').replaceAll('\n', '\\n');
      return new URLSearchParams({ d: escaped }).toString();
    };
    const FORM = 'application/x-www-form-urlencoded';

    async function openJsonp(index = 0) {
      const { packets } = call(await request(server, `${POLLING}&j=${index}`));
      const { sid } = JSON.parse(packets[0].slice(1));
      const target = (j = index) => `${POLLING}&j=${j}&sid=${sid}`;
      const poll = async (options) => call(await request(server, target(), options));
      const post = (body, headers) =>
        request(server, target(), { method: 'POST', body, headers: { 'Content-Type': FORM, ...headers } });
      return { sid, target, poll, post, get: (options) => request(server, target(), options) };
    }

    it('opens a session by calling the function of that index', async () => {
      for (const index of [0, 7, 123]) {
        const { index: called, packets } = call(await request(server, `${POLLING}&j=${index}`));
        assert.equal(called, index);
        assert.equal(packets.length, 1);
        assertAnnounced(JSON.parse(packets[0].slice(1)), ['websocket']);
      }
    });

    it('answers every poll with the index of that poll', async () => {
      const session = await openJsonp();
      await session.post(formOf('2:4a'));
      const { index, packets } = call(await request(server, session.target(9)));
      assert.deepEqual([index, packets], [9, ['4a']]);
    });

    it('carries text and binary', async () => {
      const session = await openJsonp();
      const packets = ['4one', BYTES, '4é😀', ALL_BYTES, '4last'];
      assert.equal((await session.post(formOf(text3.write(packets)))).text, 'ok');
      assert.deepEqual((await session.poll()).packets, packets);
    });

    for (const text of [STRANGE, '4\n', '4\\n', '4\\\\n', '4a b+c%20&d=1;e', "4');alert(1)//"]) {
      it(`carries ${JSON.stringify(text)}`, async () => {
        const session = await openJsonp();
        assert.equal((await session.post(formOf(text3.write([text])))).text, 'ok');
        assert.deepEqual((await session.poll()).packets, [text]);
      });
    }

    it('escapes what ends a line of a script', async () => {
      const session = await openJsonp();
      await session.post(formOf(text3.write(['4\u2028\u2029\r\n'])));
      const reply = await session.get();
      assert.doesNotMatch(reply.text, /[\u2028\u2029\r\n]/);
      assert.deepEqual(call(reply).packets, ['4\u2028\u2029\r\n']);
    });

    it('wraps the end of a session, too', async () => {
      const session = await openJsonp();
      const first = await armed({ server, target: session.target() });
      assert.equal((await session.get()).status, 400);
      assert.deepEqual(call(await first.reply).packets, ['1']);
    });

    for (const index of ['alert(1)//', '1a', '-1', '1.5', '', '0]("");alert(1);//', '%31%0a', '١', '9'.repeat(400)]) {
      it(`with the index ${JSON.stringify(index.slice(0, 20))} is refused, and is no script`, async () => {
        const reply = await request(server, `${POLLING}&j=${encodeURIComponent(index)}`);
        assertError(reply, BAD_REQUEST);
        assert.ok(!reply.text.includes('alert'), reply.text);
      });
    }

    const foreign = [
      ['a foreign page that sends its referrer', { Referer: 'http://evil.example/page' }],
      ['a page of another port', { Referer: 'http://127.0.0.1:1/page' }],
      ['a foreign page that hides its referrer', { 'Sec-Fetch-Site': 'cross-site' }],
      ['a page of the same site and another origin', { 'Sec-Fetch-Site': 'same-site' }],
    ];
    for (const [what, headers] of foreign) {
      it(`by ${what} is refused`, async () => {
        const session = await openJsonp();
        assert.equal((await request(server, `${POLLING}&j=0`, { headers })).status, 403);
        assert.equal((await session.get({ headers })).status, 403);
        assert.equal((await session.post(formOf('2:4a'), headers)).status, 403);
        await session.post(formOf('2:4b'));
        assert.deepEqual((await session.poll()).packets, ['4b']);
      });
    }

    it('by a page of the server itself is answered', async () => {
      for (const headers of [{ Referer: `${server.url}/page` }, { 'Sec-Fetch-Site': 'same-origin' }]) {
        call(await request(server, `${POLLING}&j=0`, { headers }));
      }
    });

    for (const body of ['', 'x=1', 'd=', 'd=4a', 'd=9%3A4a', 'd=2%3A4%F0%9F%98%80', '2:4a', 'd=%00%02%ff4a']) {
      it(`with the form ${JSON.stringify(body)} is answered 400 and ends its session`, async () => {
        const session = await openJsonp();
        assert.equal((await session.post(body)).status, 400);
        await assertEnded(session, (reply) => call(reply).packets);
      });
    }
  });
});

// Long enough that a busy machine's late pings end no session.
const DEAD_AFTER = 2_500;
const SLOW = { PING_INTERVAL_MS: '1000', PING_TIMEOUT_MS: '1500' };

describeServers('Engine.IO 3 heartbeat', { contract: 'engine3', env: SLOW, concurrency: true }, (server) => {
  const openWebSocket = (options) => EngineSocket.open(server, { version: 3, pong: false, ...options });

  it('is begun by the client and answered over polling, without what it carries', async () => {
    const session = await Polling3.open(server);
    for (const ping of ['2', '2probe', '2abc']) {
      await session.send(ping);
      assert.deepEqual(await session.poll(), ['3']);
    }
  });

  it('answers a GET that waits', async () => {
    const session = await Polling3.open(server);
    const get = await armed(session);
    await session.send('2');
    assert.deepEqual(bytes3.read((await get.reply).body), ['3']);
  });

  it('is begun by the client and answered over WebSocket, without what it carries', async () => {
    const session = await openWebSocket();
    for (const ping of ['2', '2probe', '2abc']) {
      session.send(ping);
      assert.equal(await session.next(), '3');
    }
    await session.close();
  });

  it('left out over WebSocket ends the connection after interval and timeout', async () => {
    const session = await openWebSocket();
    const start = performance.now();
    await session.closed();
    assertAbout(performance.now() - start, DEAD_AFTER, 'the close');
  });

  it('left out over polling ends a waiting GET with a close packet after interval and timeout', async () => {
    const session = await Polling3.open(server);
    const start = performance.now();
    assert.deepEqual(await session.poll(), ['1']);
    assertAbout(performance.now() - start, DEAD_AFTER, 'the close packet');
    await assertGone(session);
  });

  it('left out over polling ends the session although nothing waits', async () => {
    const session = await Polling3.open(server);
    await pause(DEAD_AFTER + 500);
    await assertGone(session);
  });

  it('keeps an idle session of either transport open, and the server begins none', async () => {
    const polling = await Polling3.open(server);
    const webSocket = await openWebSocket();
    const end = performance.now() + 2 * DEAD_AFTER;
    while (performance.now() < end) {
      await Promise.all([polling.send('2'), webSocket.send('2')]);
      assert.deepEqual(await polling.poll(), ['3']);
      assert.equal(await webSocket.next(), '3');
      await pause(300);
    }
    await assertEchoes(polling, '4here');
    await assertEchoes(webSocket, '4here');
    await webSocket.close();
  });

  it('is replaced by any message', async () => {
    const session = await openWebSocket();
    const end = performance.now() + 2 * DEAD_AFTER;
    while (performance.now() < end) {
      await assertEchoes(session, '4talkative');
      await pause(300);
    }
    await session.close();
  });
});

describeServers('Engine.IO 3 upgrade', { contract: 'engine3', env: PATIENT, concurrency: 1 }, (server) => {
  const open = (options) => EngineSocket.open(server, { version: 3, pong: false, ...options });

  async function probe(session) {
    const ws = await open({ sid: session.sid });
    ws.send('2probe');
    assert.equal(await ws.next('the answer to the probe'), '3probe');
    return ws;
  }

  it('moves a session from polling to WebSocket, and releases its GET', async () => {
    const session = await Polling3.open(server);
    const get = await armed(session);
    const ws = await probe(session);
    assert.deepEqual(bytes3.read((await get.reply).body), ['6']);
    ws.send('5');
    await assertEchoes(ws, '4hello');
    await assertEchoes(ws, Buffer.concat([Buffer.from([4]), BYTES]));
    assertError(await session.get(), BAD_REQUEST);
    await assertEchoes(ws, '4still here');
    await ws.close();
    await assertGone(session);
  });

  it('takes messages that were not polled yet along', async () => {
    const session = await Polling3.open(server);
    await session.send('4one', BYTES);
    const ws = await probe(session);
    ws.send('5');
    assert.equal(await ws.next(), '4one');
    assert.deepEqual(await ws.next(), Buffer.concat([Buffer.from([4]), BYTES]));
    await ws.close();
  });

  it('leaves the client to ping', async () => {
    const session = await Polling3.open(server);
    const ws = await probe(session);
    ws.send('5', '2');
    assert.equal(await ws.next(), '3');
    await ws.close();
  });

  it('goes to base64 in text frames where the client reads text only', async () => {
    const session = await Polling3.open(server, { form: text3 });
    const ws = await open({ sid: session.sid, query: '&b64=1' });
    ws.send('2probe');
    assert.equal(await ws.next(), '3probe');
    ws.send('5', 'b4AQI=');
    assert.equal(await ws.next(), 'b4AQI=');
    await ws.close();
  });

  for (const wrong of ['4hello', '2', '2prob', '5', 'abc', 'é', Buffer.from([2]), Buffer.from('2probe')]) {
    const what = typeof wrong === 'string' ? JSON.stringify(wrong) : `bytes <${wrong.toString('hex')}>`;
    it(`begun with ${what} is given up, the session stays`, async () => {
      const session = await Polling3.open(server);
      const ws = await open({ sid: session.sid });
      ws.send(wrong);
      await ws.closed();
      await assertEchoes(session, '4still here');
      const again = await probe(session);
      again.send('5');
      await assertEchoes(again, '4moved');
      await again.close();
    });
  }

  it('in another version than the session has is refused', async () => {
    const session = await Polling3.open(server);
    for (const version of ['4', '4&b64=1']) {
      const reply = await upgradeRequest(server, `/engine.io/?EIO=${version}&transport=websocket&sid=${session.sid}`);
      assert.equal(reply.status, 400);
      assert.equal(reply.text, BAD_REQUEST.message);
      for (const method of ['GET', 'POST']) {
        const target = `/engine.io/?EIO=${version}&transport=polling&sid=${session.sid}`;
        assertError(await request(server, target, { method }), BAD_REQUEST);
      }
    }
    await assertEchoes(session, '4still here');
  });

  it('of one session by two WebSockets at once is won by one of them', async () => {
    for (let round = 0; round < 20; round++) {
      const session = await Polling3.open(server);
      const attempts = await Promise.allSettled([probe(session), probe(session)]);
      const won = attempts.filter(({ status }) => status === 'fulfilled').map(({ value }) => value);
      assert.equal(won.length, 1, `round ${round}: ${won.length} probes were answered`);
      won[0].send('5');
      await assertEchoes(won[0], '4winner');
      await won[0].close();
    }
  });

  it('loses, repeats and reorders no message, whenever it happens', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, round) => upgradeUnderLoad(round)));
  });

  /** Echoes numbered messages before, during and after an upgrade, as the official client orders its steps. */
  async function upgradeUnderLoad(round) {
    const session = await Polling3.open(server, { form: round % 2 ? text3 : bytes3 });
    const total = 60;
    let sent = 0;
    const received = [];
    const sendUpTo = async (count) => {
      while (sent < count) await session.send(`4${sent++}`, `4${sent++}`);
    };

    let pausing = false;
    const polling = (async () => {
      while (!pausing) received.push(...(await session.poll()).filter((packet) => packet !== '6'));
    })();
    polling.catch(() => {}); // awaited below
    await sendUpTo(round * 2);
    const [ws] = await Promise.all([probe(session), sendUpTo(round * 2 + 10)]).finally(() => (pausing = true));
    await within(polling, 'the noop that ends the last poll');
    ws.send('5');
    while (sent < total) ws.send(`4${sent++}`);
    while (received.length < total) received.push(await ws.next());
    assert.deepEqual(received, Array.from({ length: total }, (_, i) => `4${i}`));
    ws.send('4end');
    assert.equal(await ws.next(), '4end', 'a message came twice');
    await ws.close();
  }
});

describeServers('JSONP where it is off', { contract: 'socket', concurrency: 1 }, (server) => {
  it('is refused, and is no script', async () => {
    for (const version of [3, 4]) {
      const reply = await request(server, `/socket.io/?EIO=${version}&transport=polling&j=0`);
      assertError(reply, UNKNOWN_TRANSPORT);
      assert.doesNotMatch(reply.text, /___eio/);
    }
  });

  it('is refused in a session that began without it', async () => {
    const session = await Polling.open(server, { path: '/socket.io/' });
    assertError(await request(server, `${session.target}&j=0`), UNKNOWN_TRANSPORT);
  });
});

const PATH = { path: '/socket.io/' };
const ONE = '{"_placeholder":true,"num":0}';
const MB = 1 << 20;
const LONG_MS = 60_000;

/** How much time of a processor a process took: unlike a clock's, no more on a busy machine (Linux). */
function processorSeconds(pid) {
  const [user, system] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ').slice(11, 13);
  return (Number(user) + Number(system)) / 100;
}

/** A binary message over WebSocket. */
const behindType = (...bytes) => Buffer.from([4, ...bytes]);

/** A client over WebSocket that has been let into `/`, and welcomed. */
async function connect(server) {
  const socket = await SocketIo.open(server, { version: 3, pong: false });
  assert.equal(await socket.next(), '0');
  assert.deepEqual(await socket.event(), ['welcome', '/', socket.engine.sid]);
  return Object.assign(socket, { id: socket.engine.sid });
}

/** The same over polling. */
async function connectPolling(server, options) {
  const session = await Polling3.open(server, { ...PATH, ...options });
  assert.equal(await session.next(), '40');
  assert.equal(await session.next(), `42["welcome","/","${session.sid}"]`);
  return Object.assign(session, { id: session.sid });
}

describeServers('Socket.IO 4 over Engine.IO 3', { contract: 'app', env: PATIENT, concurrency: 1 }, (server) => {
  it('begins in the main namespace, unasked, with the id of the connection', async () => {
    const socket = await connect(server);
    assert.equal((await socket.call('whoami'))[0].id, socket.engine.sid);
    await socket.close();
    for (const form of Object.values(FORMS)) await connectPolling(server, { form });
  });

  it('is answered a handshake with the open packet alone, as there are clients that read no further', async () => {
    for (const form of Object.values(FORMS)) {
      const reply = await request(server, `/socket.io/?EIO=3&transport=polling${form.query}`);
      assert.deepEqual(form.read(reply.body).map((packet) => packet[0]), ['0']);
    }
  });

  it('says who it is', async () => {
    const socket = await SocketIo.open(server, { version: 3, query: '&color=blue&token=x', pong: false });
    const [me] = await socket.call('whoami');
    assert.deepEqual({ ...me, query: undefined }, {
      id: socket.engine.sid, nsp: '/', transport: 'websocket', protocol: 3, query: undefined, auth: me.auth,
    });
    assert.equal(me.query.color, 'blue');
    assert.deepEqual(me.auth ?? {}, {});
    await socket.close();
  });

  it('has an id in other namespaces that begins with their name', async () => {
    const socket = await connect(server);
    socket.send('0/chat');
    assert.equal(await socket.next(), '0/chat,');
    assert.equal(await socket.next(), `2/chat,["welcome","/chat","/chat#${socket.id}"]`);
    await socket.close();
  });

  it('may ask for the main namespace all the same', async () => {
    const socket = await connect(server);
    socket.send('0', '0');
    assert.deepEqual(await socket.call('echo-ack', 'here'), ['here']);
    assert.deepEqual(socket.missed ?? [], []);
    await socket.close();
  });

  it('is closed when it asks for another namespace twice', async () => {
    const socket = await connect(server);
    socket.send('0/chat', '0/chat');
    await socket.closed();
  });

  it('brings the query of a namespace as auth', async () => {
    const socket = await connect(server);
    socket.send('0/chat?token=x+y%20z&n=1&empty=&flag,');
    assert.equal(await socket.next(), '0/chat,');
    await socket.next('welcome');
    socket.send('2/chat,1["whoami"]');
    const [me] = JSON.parse((await socket.next()).replace('3/chat,1', ''));
    assert.deepEqual(me.auth, { token: 'x y z', n: '1', empty: '', flag: '' });
    await socket.close();
  });

  it('is let into /admin by the token in the query of the namespace or of the connection', async () => {
    const inNamespace = await connect(server);
    inNamespace.send('0/admin?token=letmein');
    assert.equal(await inNamespace.next(), '0/admin,');
    await inNamespace.close();
    const inConnection = await SocketIo.open(server, { version: 3, query: '&token=letmein', pong: false });
    inConnection.send('0/admin');
    for (const expected of [/^0$/, /^2\["welcome"/, /^0\/admin,$/]) assert.match(await inConnection.next(), expected);
    await inConnection.close();
  });

  it('is refused with the data, and goes on in its other namespaces', async () => {
    const socket = await connect(server);
    for (const query of ['', '?token=wrong']) {
      socket.send(`0/admin${query}`);
      assert.equal(await socket.next(), '4/admin,{"code":"E_AUTH"}');
    }
    socket.send('0/nowhere');
    assert.match(await socket.next(), /^4\/nowhere,("Invalid namespace"|\{"message":"Invalid namespace"\})$/);
    assert.deepEqual(await socket.call('echo-ack', 'here'), ['here']);
    assert.deepEqual(socket.missed ?? [], []);
    await socket.close();
  });

  it('leaves and is kicked from a namespace, and goes on in the others', async () => {
    const socket = await connect(server);
    for (const leave of ['1/chat', '2/chat,["kick-me"]']) {
      socket.send('0/chat');
      assert.equal(await socket.next(), '0/chat,');
      await socket.next('welcome');
      socket.send(leave);
      if (leave.startsWith('2')) assert.equal(await socket.next(), '1/chat,');
    }
    assert.deepEqual(await socket.call('echo-ack', 'here'), ['here']);
    await socket.close();
  });

  it('asks, is asked and answers, with nothing or something', async () => {
    const socket = await connect(server);
    for (const [answer, args] of [['', []], ['[]', []], ['["yes",1]', ['yes', 1]]]) {
      socket.emit('ask-me', 'why');
      const [, id] = /^2([0-9]+)\["question","why"\]$/.exec(await socket.next());
      socket.send(`3${id}${answer}`);
      assert.deepEqual(await socket.event(), ['answer-received', ...args]);
    }
    await socket.close();
  });

  it('carries binary over WebSocket', async () => {
    const socket = await connect(server);
    socket.send(`51-["echo",${ONE},"text"]`, behindType(1, 2, 3), `51-7["echo-ack",{"deep":[${ONE}]}]`, behindType());
    const received = [];
    for (let i = 0; i < 4; i++) received.push(await socket.next());
    const echoed = [`51-["echo",${ONE},"text"]`, behindType(1, 2, 3)];
    const acked = [`61-7[{"deep":[${ONE}]}]`, behindType()];
    assert.deepEqual(received, [...echoed, ...acked]);
    await socket.close();
  });

  for (const [name, form] of Object.entries(FORMS)) {
    it(`carries binary over polling as ${name}`, async () => {
      const session = await connectPolling(server, { form });
      await session.send(`451-["echo",${ONE},"text"]`, BYTES);
      assert.equal(await session.next(), `451-["echo",${ONE},"text"]`);
      assert.deepEqual(await session.next(), BYTES);
    });
  }

  it('shares rooms with clients of today, text and binary', async () => {
    const old = await connect(server);
    const polling = await connectPolling(server);
    const today = await SocketIo.connect(server);
    await old.call('join', 'shared');
    await polling.send('421["join","shared"]');
    assert.equal(await polling.next(), '431["shared"]');
    await today.call('join', 'shared');

    await today.call('to-room', 'shared', 'news', 'é😀');
    assert.deepEqual(await old.event(), ['news', 'é😀']);
    assert.equal(await polling.next(), '42["news","é😀"]');

    today.send(`51-["to-room","shared","bin",${ONE}]`, Buffer.from([4, 5]));
    assert.equal(await old.next(), `51-["bin",${ONE}]`);
    assert.deepEqual(await old.next(), behindType(4, 5));
    assert.equal(await polling.next(), `451-["bin",${ONE}]`);
    assert.deepEqual(await polling.next(), Buffer.from([4, 5]));

    today.missed = []; // its welcome
    old.send(`51-["to-room","shared","bin",${ONE}]`, behindType(4, 5));
    assert.equal(await today.next(), `51-["bin",${ONE}]`);
    assert.deepEqual(await today.next(), Buffer.from([4, 5]));
    await old.close();
    assert.deepEqual(await today.event(), ['left', old.id]);
    await today.close();
  });

  it('closed by the server without a farewell, the connection ends', async () => {
    const socket = await connect(server);
    socket.emit('close-me');
    await socket.closed();
    const session = await connectPolling(server);
    const get = await armed(session);
    await session.send('42["close-me"]');
    assert.deepEqual(bytes3.read((await get.reply).body), ['1']);
    await assertGone(session);
  });
});

describeServers('bad input over Engine.IO 3', { contract: 'app', env: PATIENT, concurrency: 1 }, (server) => {
  let rooms = 0;

  /** The offender's room hears once that it left, and others are served as before. */
  async function offence(open, offend) {
    const room = `old-${(rooms += 1)}`;
    const witness = await SocketIo.connect(server);
    await witness.call('join', room);
    const offender = await open();
    await offend(offender, room);
    const left = () => (witness.missed ?? []).filter((packet) => packet === `2["left","${offender.id}"]`).length;
    const deadline = performance.now() + 10_000;
    while (left() === 0) {
      assert.ok(performance.now() < deadline, 'the room never heard that the offender left');
      assert.deepEqual(await witness.call('echo-ack', 'still here'), ['still here']);
    }
    const newcomer = await connect(server);
    assert.deepEqual(await newcomer.call('echo-ack', 'welcome'), ['welcome']);
    await newcomer.close();
    await witness.call('echo-ack');
    assert.equal(left(), 1);
    await witness.close();
  }

  const byWebSocket = (offend) =>
    offence(() => connect(server), async (socket, room) => {
      await socket.call('join', room);
      await offend(socket);
    });

  const byPolling = (form, offend) =>
    offence(() => connectPolling(server, { form }), async (session, room) => {
      await session.send(`421["join","${room}"]`);
      assert.equal(await session.next(), `431["${room}"]`);
      await offend(session);
    });

  const closing = [
    ['a placeholder named "splice"', ['51-["echo",{"_placeholder":true,"num":"splice"}]', behindType(1)]],
    ['a placeholder numbered 1e9', ['51-["echo",{"_placeholder":true,"num":1e9}]', behindType(1)]],
    ['an event name with a toString of its own', ['2[{"toString":"foo"}]']],
    ['the event name null', ['2[null]']],
    ['the event name connect', ['2["connect"]']],
    ['a huge count of attachments', ['5999999999-["echo"]']],
    ['a count of attachments beyond numbers', [`5${'9'.repeat(400)}-["echo"]`]],
    ['no attachments, then binaries', ['50-["echo"]', behindType(1)]],
    ['more binaries than announced', [`51-["echo",${ONE}]`, behindType(1), behindType(2)]],
    ['a binary without a header', [behindType(1)]],
    ['text amid attachments', [`51-["echo",${ONE}]`, '2["echo"]']],
    ['JSON nested 100,000 deep', [`2["echo",${'['.repeat(100_000)}${']'.repeat(100_000)}]`]],
    ['brackets that never close', [`2["echo",${'['.repeat(1_000_000)}`]],
    ['a multi-byte packet type', ['é["echo"]']],
    ['an unknown packet type', ['9']],
    ['an answer that is no list', ['30{"a":1}']],
  ];
  for (const [what, packets] of closing) {
    it(`${what} closes the connection over WebSocket`, () =>
      byWebSocket(async (socket) => {
        socket.send(...packets);
        await socket.closed();
      }));
    for (const [name, form] of Object.entries(FORMS)) {
      it(`${what} closes the connection over polling as ${name}`, () =>
        byPolling(form, async (session) => {
          const payload = packets.map((packet) => (typeof packet === 'string' ? `4${packet}` : packet.subarray(1)));
          await session.post(form.write(payload)).catch(() => {}); // answered or cut off, both are fine
          await untilGone(session);
        }));
    }
  }

  async function untilGone(session) {
    while ((await session.get()).status === 200);
  }

  it('thousands of CONNECTs to unknown namespaces are refused one by one or cut off, and cost no memory', () =>
    byWebSocket(async (socket) => {
      const base = residentBytes(server.pid);
      for (let i = 0; i < 5_000; i++) socket.send(`0/unknown-${i}`);
      const answers = (async () => {
        for (let i = 0; i < 5_000; i++) assert.ok((await socket.next()).startsWith(`4/unknown-${i},`));
      })();
      await answers.catch((error) => assert.match(error.message, /is closed/));
      const grown = residentBytes(server.pid) - base;
      assert.ok(grown < 48 * MB, `grown by ${grown >> 20} MB`);
      await socket.close();
    }));

  for (const [name, form, many] of [
    ['text', text3, '1:2'.repeat(1_000_000)],
    ['bytes', bytes3, Buffer.alloc(4_000_000, Buffer.from([0, 1, 0xff, 0x32]))],
  ]) {
    it(`a million pings in one payload of ${name} are taken in linear time or refused, and cost no memory`, () =>
      byPolling(form, async (session) => {
        const base = residentBytes(server.pid);
        const start = processorSeconds(server.pid);
        const post = session.post(many, { ms: LONG_MS }).catch(() => {});
        let polls = true;
        const reading = (async () => {
          while (polls && (await session.get()).status === 200);
        })();
        await post;
        polls = false;
        const taken = processorSeconds(server.pid) - start;
        assert.ok(taken < 5, `took ${taken} s`);
        const grown = residentBytes(server.pid) - base;
        assert.ok(grown < 64 * MB, `grown by ${grown >> 20} MB`);
        await session.post(form.write(['1'])).catch(() => {});
        await within(reading, 'the last poll');
      }));

    it(`a million pings in one payload of ${name}, their answers not read, cost no memory`, () =>
      byPolling(form, async (session) => {
        const base = residentBytes(server.pid);
        const post = session.post(many, { ms: LONG_MS }).catch(() => {});
        await pause(500);
        const grown = residentBytes(server.pid) - base;
        assert.ok(grown < 64 * MB, `grown by ${grown >> 20} MB`);
        await session.get(); // it is read after all,
        await session.get(); // and ends in a second GET or a POST that is open
        await session.post(form.write(['1'])).catch(() => {});
        await post;
      }));

    it(`one packet of nearly 4 MB as ${name} in small chunks is read in linear time`, () =>
      byPolling(form, async (session) => {
        const text = 'é'.repeat(1_900_000);
        const body = Buffer.from(form.write([`421["echo-ack","${text}"]`]));
        const headers = { 'Content-Type': form.contentType };
        const { outgoing, reply } = startRequest(server, session.target, { method: 'POST', headers });
        const start = processorSeconds(server.pid);
        for (let i = 0; i < body.length; i += 1_000) outgoing.write(body.subarray(i, i + 1_000));
        outgoing.end();
        assert.equal((await within(reply, 'the answer to 4 MB', LONG_MS)).status, 200);
        const [answer] = JSON.parse((await session.next()).replace('431', ''));
        const taken = processorSeconds(server.pid) - start;
        assert.ok(taken < 5, `took ${taken} s`);
        assert.ok(answer === text, 'it came back changed');
        await session.send('1');
      }));
  }

  it('a length of gigabytes reserves none', () =>
    byPolling(text3, async (session) => {
      const base = residentBytes(server.pid);
      assert.equal((await session.post(`4294967295:4${'x'.repeat(100)}`)).status, 400);
      const grown = residentBytes(server.pid) - base;
      assert.ok(grown < 24 * MB, `grown by ${grown >> 20} MB`);
    }));

  it('a flood of pings over WebSocket costs no memory', () =>
    byWebSocket(async (socket) => {
      const base = residentBytes(server.pid);
      for (let round = 0; round < 40; round++) {
        for (let i = 0; i < 5_000; i++) socket.engine.ws.send('2');
        for (let i = 0; i < 5_000; i++) assert.equal(await socket.engine.next('the answer to a ping', 10_000), '3');
      }
      const grown = residentBytes(server.pid) - base;
      assert.ok(grown < 64 * MB, `grown by ${grown >> 20} MB`);
      await socket.close();
    }));

  it('a POST that is cut off ends the session', () =>
    byPolling(bytes3, async (session) => {
      const headers = { 'Content-Type': 'application/octet-stream', 'Content-Length': '1000' };
      const { outgoing, reply } = startRequest(server, session.target, { method: 'POST', headers });
      reply.catch(() => {});
      await new Promise((resolve) => outgoing.write(Buffer.from([0, 9]), resolve));
      outgoing.destroy();
    }));
});
