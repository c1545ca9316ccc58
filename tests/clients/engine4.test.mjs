// Engine.IO protocol 4 against contract `engine`: pingInterval 300 ms, pingTimeout 200 ms, maxPayload 1,000,000, echo.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { describeServers } from './server.mjs';
import { EngineSocket, Polling, armed, pause, pendingPost } from './wire.mjs';
import { request, startRequest, upgradeRequest, within } from './wire.mjs';

const PING_INTERVAL = 300;
const PING_TIMEOUT = 200;
const SEPARATOR = '\x1e';
const SID = /^[A-Za-z0-9_-]{20}$/;
const POLLING = '/engine.io/?EIO=4&transport=polling';
const WEBSOCKET = '/engine.io/?EIO=4&transport=websocket';
const BYTES = Buffer.from([0, 1, 2, 127, 128, 254, 255]);

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

function assertRefusedUpgrade(reply, message) {
  assert.equal(reply.status, 400);
  assert.match(reply.headers['content-type'], /^text\/html/);
  assert.equal(reply.text, message);
}

async function assertGone(session) {
  assertError(await session.get(), UNKNOWN_SID);
}

async function assertEchoes(session, message) {
  await session.send(message);
  assert.deepEqual(await session.next(), message);
}

describeServers('Engine.IO 4', { contract: 'engine', concurrency: 1 }, (server) => {
  describe('handshake', () => {
    it('opens over polling with exactly the announced fields', async () => {
      const reply = await request(server, POLLING);
      assert.equal(reply.status, 200);
      assert.match(reply.headers['content-type'], /^text\/plain; charset=utf-8$/i);
      assert.equal(reply.headers['cache-control'], 'no-store');
      assert.equal(reply.headers['set-cookie'], undefined);
      assert.equal(reply.text[0], '0');
      const { sid, ...rest } = JSON.parse(reply.text.slice(1));
      assert.match(sid, SID);
      assert.deepEqual(rest, {
        upgrades: ['websocket'],
        pingInterval: PING_INTERVAL,
        pingTimeout: PING_TIMEOUT,
        maxPayload: 1_000_000,
      });
    });

    it('opens over WebSocket with exactly the announced fields', async () => {
      const session = await EngineSocket.open(server);
      const { sid, ...rest } = session.handshake;
      assert.match(sid, SID);
      assert.deepEqual(rest, {
        upgrades: [],
        pingInterval: PING_INTERVAL,
        pingTimeout: PING_TIMEOUT,
        maxPayload: 1_000_000,
      });
      await session.close();
    });

    it('gives every session an id of its own', async () => {
      const sessions = await Promise.all(Array.from({ length: 50 }, () => Polling.open(server)));
      assert.equal(new Set(sessions.map((session) => session.sid)).size, 50);
    });

    const refusals = [
      ['GET', '/engine.io/?transport=polling', UNSUPPORTED_VERSION, 'without a version'],
      ['GET', '/engine.io/?EIO=3&transport=polling', UNSUPPORTED_VERSION, 'with version 3, which is not enabled'],
      ['GET', '/engine.io/?EIO=abc&transport=polling', UNSUPPORTED_VERSION, 'with a version that is no number'],
      ['GET', '/engine.io/?EIO=4', UNKNOWN_TRANSPORT, 'without a transport'],
      ['GET', '/engine.io/?EIO=4&transport=abc', UNKNOWN_TRANSPORT, 'with an unknown transport'],
      ['GET', '/engine.io/?EIO=4&transport=__proto__', UNKNOWN_TRANSPORT, 'with a transport named like a property'],
      ['GET', '/engine.io/?EIO=4&transport=webtransport', UNKNOWN_TRANSPORT, 'with WebTransport over HTTP/1'],
      ['GET', '/engine.io/?EIO=3&transport=abc', UNKNOWN_TRANSPORT, 'with two faults, naming the transport first'],
      ['POST', POLLING, BAD_METHOD, 'by POST'],
      ['PUT', POLLING, BAD_METHOD, 'by PUT'],
      ['OPTIONS', POLLING, BAD_METHOD, 'by OPTIONS when CORS is off'],
      ['GET', WEBSOCKET, BAD_REQUEST, 'of the WebSocket transport without an upgrade'],
      ['GET', `${POLLING}&sid=abcdefghijklmnopqrst`, UNKNOWN_SID, 'with an unknown session id'],
      ['POST', `${POLLING}&sid=abcdefghijklmnopqrst`, UNKNOWN_SID, 'of a POST with an unknown session id'],
      ['GET', `${POLLING}&sid=__proto__`, UNKNOWN_SID, 'with a session id named like a property'],
    ];
    for (const [method, target, expected, what] of refusals) {
      it(`is refused ${what}`, async () => {
        assertError(await request(server, target, { method }), expected);
      });
    }

    const refusedUpgrades = [
      ['/engine.io/?EIO=4&transport=abc', UNKNOWN_TRANSPORT.message, 'with an unknown transport'],
      ['/engine.io/?EIO=4', UNKNOWN_TRANSPORT.message, 'without a transport'],
      ['/engine.io/?EIO=3&transport=websocket', UNSUPPORTED_VERSION.message, 'with version 3, which is not enabled'],
      ['/engine.io/?transport=websocket', UNSUPPORTED_VERSION.message, 'without a version'],
      [`${WEBSOCKET}&sid=abcdefghijklmnopqrst`, UNKNOWN_SID.message, 'with an unknown session id'],
    ];
    for (const [target, message, what] of refusedUpgrades) {
      it(`as a WebSocket upgrade is refused in plain text ${what}`, async () => {
        assertRefusedUpgrade(await upgradeRequest(server, target), message);
      });
    }

    it('is never a script that another page could run, as JSONP is not enabled', async () => {
      const reply = await request(server, `${POLLING}&j=0`);
      assert.ok(!reply.text.includes('___eio'), reply.text);
      assert.doesNotMatch(reply.headers['content-type'], /javascript/);
    });

    it('ignores further query parameters', async () => {
      const session = await Polling.open(server, { query: '&t=abc.0&b64=1&j2=x&x=%00%ff&sid=' });
      await assertEchoes(session, '4hello');
    });
  });

  describe('origin', () => {
    const own = () => `http://${server.host}:${server.port}`;

    it('of the server itself is accepted, with any scheme, on both transports', async () => {
      for (const origin of [own(), own().replace('http', 'https')]) {
        assert.equal((await request(server, POLLING, { headers: { Origin: origin } })).status, 200);
        assert.equal((await upgradeRequest(server, WEBSOCKET, { Origin: origin })).status, 101);
      }
    });

    for (const origin of ['http://evil.example', 'null', 'file://', 'http://127.0.0.1:1', 'capacitor://localhost']) {
      it(`${origin} is refused on both transports when CORS is not configured`, async () => {
        const polling = await request(server, POLLING, { headers: { Origin: origin } });
        assert.ok([400, 403].includes(polling.status), `polling answered ${polling.status}`);
        assert.equal(polling.headers['access-control-allow-origin'], undefined);
        const webSocket = await upgradeRequest(server, WEBSOCKET, { Origin: origin });
        assert.ok([400, 403].includes(webSocket.status), `WebSocket answered ${webSocket.status}`);
      });
    }
  });

  describe('messages over polling', () => {
    it('go both ways, with the headers of a session', async () => {
      const session = await Polling.open(server);
      const posted = await session.post('4hello');
      assert.equal(posted.status, 200);
      assert.equal(posted.text, 'ok');
      assert.match(posted.headers['content-type'], /^text\/html/);
      assert.equal(posted.headers['cache-control'], 'no-store');
      const polled = await session.get();
      assert.equal(polled.status, 200);
      assert.equal(polled.text, '4hello');
      assert.match(polled.headers['content-type'], /^text\/plain; charset=utf-8$/i);
      assert.equal(polled.headers['cache-control'], 'no-store');
    });

    it('answer a GET that waits already', async () => {
      const session = await Polling.open(server);
      const get = session.get();
      await session.send('4hello');
      assert.equal((await get).text, '4hello');
    });

    it('go several to a payload, in order, both ways', async () => {
      const session = await Polling.open(server);
      await session.send('4test1', '4test2', '4test3');
      assert.equal((await session.get()).text, ['4test1', '4test2', '4test3'].join(SEPARATOR));
    });

    it('of several POSTs come out in order', async () => {
      const session = await Polling.open(server);
      for (let i = 0; i < 20; i++) await session.send(`4${i}`);
      const received = [];
      while (received.length < 20) received.push(await session.next());
      assert.deepEqual(received, Array.from({ length: 20 }, (_, i) => `4${i}`));
    });

    it('are binary in base64, mixed with text', async () => {
      const session = await Polling.open(server);
      await session.send('4hello', 'bAQIDBA==', '4');
      assert.equal((await session.get()).text, ['4hello', 'bAQIDBA==', '4'].join(SEPARATOR));
    });

    it('carry every byte value, and empty binary', async () => {
      const session = await Polling.open(server);
      const all = `b${Buffer.from(Array.from({ length: 256 }, (_, i) => i)).toString('base64')}`;
      await assertEchoes(session, all);
      await assertEchoes(session, 'b');
    });

    it('are UTF-8, cut anywhere by the network', async () => {
      const session = await Polling.open(server);
      const message = '4\0é€😀\u2028\ufeff\ufffd\r\n</script>';
      const bytes = Buffer.from(message);
      const post = startRequest(server, session.target, { method: 'POST', headers: { 'Content-Length': bytes.length } });
      for (const byte of bytes) {
        post.outgoing.write(Buffer.from([byte]));
        await pause(0);
      }
      post.outgoing.end();
      assert.equal((await within(post.reply, 'the POST in pieces')).status, 200);
      assert.equal(await session.next(), message);
    });

    it('up to the announced limit are accepted', async () => {
      const session = await Polling.open(server);
      const message = `4${'x'.repeat(999_999)}`;
      await session.send(message);
      assert.ok((await session.next()) === message, 'the message came back changed');
    });

    for (const [length, what] of [
      [{ 'Content-Length': '1000001' }, 'with a Content-Length'],
      [{ 'Transfer-Encoding': 'chunked' }, 'in chunks'],
    ]) {
      it(`above the limit ${what} are refused with an empty 413, and the session lives on`, async () => {
        const session = await Polling.open(server);
        const reply = await session.post(`4${'x'.repeat(1_000_000)}`, { headers: length });
        assert.equal(reply.status, 413);
        assert.equal(reply.text, '');
        await assertEchoes(session, '4still here');
      });
    }

    it('in a second GET while one waits end the session: 400, and the first GET gets a close packet', async () => {
      const session = await Polling.open(server);
      const first = await armed(session);
      const second = await session.get();
      assert.equal(second.status, 400);
      assert.equal((await first.reply).text, '1');
      await assertGone(session);
    });

    it('in a second POST while one is open end the session: 400, and a waiting GET gets a close packet', async () => {
      const session = await Polling.open(server);
      const get = await armed(session);
      const post = await pendingPost(session);
      const second = await session.post('4hello');
      assert.equal(second.status, 400);
      assert.equal((await get.reply).text, '1');
      await assertGone(session);
      post.outgoing.destroy();
    });

    it('as application/octet-stream are refused with 400 and end the session', async () => {
      const session = await Polling.open(server);
      const reply = await session.post('4hello', { headers: { 'Content-Type': 'application/octet-stream' } });
      assert.equal(reply.status, 400);
      await assertGone(session);
    });

    for (const payload of ['abc', '4first\x1e', '4first\x1e\x1e4second', '9', 'é', '', '\x1e4second']) {
      it(`in the invalid payload ${JSON.stringify(payload)} end the session`, async () => {
        const session = await Polling.open(server);
        await session.post(payload).catch(() => {}); // answered or cut off, both are fine
        await assertGone(session);
      });
    }
  });

  describe('messages over WebSocket', () => {
    it('go both ways as text and as binary', async () => {
      const session = await EngineSocket.open(server);
      await assertEchoes(session, '4hello');
      await assertEchoes(session, '4');
      await assertEchoes(session, '4\0é€😀\u2028\ufeff\ufffd\r\n</script>');
      await assertEchoes(session, BYTES);
      await assertEchoes(session, Buffer.alloc(0));
      await session.close();
    });

    it('keep their order and their kind when many are in flight', async () => {
      const session = await EngineSocket.open(server);
      const messages = Array.from({ length: 1000 }, (_, i) => (i % 3 ? `4${i}` : Buffer.from(`${i}`)));
      session.send(...messages);
      for (const message of messages) assert.deepEqual(await session.next(), message);
      await session.close();
    });

    it('up to the announced limit are accepted', async () => {
      const session = await EngineSocket.open(server);
      const message = `4${'x'.repeat(999_999)}`;
      session.send(message);
      assert.ok((await session.next()) === message, 'the message came back changed');
      const binary = Buffer.alloc(1_000_000, 7);
      session.send(binary);
      assert.ok(binary.equals(await session.next()), 'the bytes came back changed');
      await session.close();
    });

    it('above the limit close the connection with 1009', async () => {
      const session = await EngineSocket.open(server);
      session.send(`4${'x'.repeat(1_000_000)}`);
      assert.equal((await session.closed()).code, 1009);
    });

    for (const packet of ['abc', '9', '', 'é', '2']) {
      it(`as the invalid packet ${JSON.stringify(packet)} close the connection`, async () => {
        const session = await EngineSocket.open(server);
        session.send(packet);
        await session.closed();
      });
    }
  });

  describe('heartbeat', { concurrency: true }, () => {
    it('over polling comes after one interval and again after each answer', async () => {
      const session = await Polling.open(server);
      for (let i = 0; i < 3; i++) {
        const start = performance.now();
        const reply = await session.get();
        assert.equal(reply.text, '2');
        assertAbout(performance.now() - start, PING_INTERVAL, 'the ping');
        await session.send('3');
      }
    });

    it('over WebSocket comes after one interval and again after each answer', async () => {
      const session = await EngineSocket.open(server, { pong: false });
      for (let i = 0; i < 3; i++) {
        const start = performance.now();
        assert.equal(await session.next(), '2');
        assertAbout(performance.now() - start, PING_INTERVAL, 'the ping');
        session.send('3');
      }
      await session.close();
    });

    it('left unanswered over WebSocket closes the connection', async () => {
      const session = await EngineSocket.open(server, { pong: false });
      const start = performance.now();
      await session.closed();
      assertAbout(performance.now() - start, PING_INTERVAL + PING_TIMEOUT, 'the close');
    });

    it('left unanswered over polling ends the session', async () => {
      const session = await Polling.open(server);
      await pause(PING_INTERVAL + PING_TIMEOUT + 150);
      await assertGone(session);
    });

    it('left unanswered over polling ends a waiting GET with a close packet', async () => {
      const session = await Polling.open(server);
      assert.equal((await session.get()).text, '2');
      const start = performance.now();
      assert.equal((await session.get()).text, '1');
      assertAbout(performance.now() - start, PING_TIMEOUT, 'the close packet');
      await assertGone(session);
    });

    it('is extended once, and only once, by another packet', async () => {
      const session = await EngineSocket.open(server, { pong: false });
      assert.equal(await session.next(), '2');
      const start = performance.now();
      await pause(130);
      await assertEchoes(session, '4first');
      await pause(120);
      await assertEchoes(session, '4second'); // alive beyond the first deadline
      await session.closed();
      const lived = performance.now() - start;
      assert.ok(lived > 250 && lived < 400, `ended ${Math.round(lived)} ms after the ping; 330 expected, 450 is twice`);
    });

    it('keeps an idle session of either transport open', async () => {
      const polling = await Polling.open(server);
      const webSocket = await EngineSocket.open(server);
      const end = performance.now() + 5 * (PING_INTERVAL + PING_TIMEOUT);
      while (performance.now() < end) assert.deepEqual(await polling.poll(), []);
      await assertEchoes(polling, '4here');
      await assertEchoes(webSocket, '4here');
      await webSocket.close();
    });
  });

  describe('close packet', () => {
    it('over polling ends the session and releases the waiting GET with a noop', async () => {
      const session = await Polling.open(server);
      const get = await armed(session);
      await session.send('1');
      assert.equal((await get.reply).text, '6');
      await assertGone(session);
    });

    it('over WebSocket closes the connection', async () => {
      const session = await EngineSocket.open(server);
      session.send('1');
      await session.closed();
    });

    it('is not needed: the session ends with its WebSocket', async () => {
      const session = await EngineSocket.open(server);
      await session.close();
      assertError(await request(server, `${POLLING}&sid=${session.sid}`), UNKNOWN_SID);
    });
  });

  describe('heartbeat after an upgrade', () => {
    it('done, the heartbeat goes on over WebSocket', async () => {
      const session = await Polling.open(server);
      const ws = await EngineSocket.open(server, { sid: session.sid, pong: false });
      ws.send('2probe');
      assert.equal(await ws.next(), '3probe');
      ws.send('5');
      for (let i = 0; i < 3; i++) {
        assert.equal(await ws.next(), '2');
        ws.send('3');
      }
      await ws.closed(); // and its end is noticed
      assertError(await session.get(), UNKNOWN_SID);
    });
  });
});

// A busy machine may be late with a pong; these tests are not about that.
const PATIENT = { PING_INTERVAL_MS: '1000', PING_TIMEOUT_MS: '10000' };

describeServers('Engine.IO 4 upgrade', { contract: 'engine', env: PATIENT, concurrency: 1 }, (server) => {
  describe('upgrade', { concurrency: true }, () => {
    it('moves a session from polling to WebSocket', async () => {
      const session = await Polling.open(server);
      const get = session.get();
      const ws = await probe(server, session);
      assert.equal((await get).text, '6');
      ws.send('5');
      await assertEchoes(ws, '4hello');
      await assertEchoes(ws, BYTES);
      await ws.close();
    });

    it('without a waiting GET needs no noop', async () => {
      const session = await Polling.open(server);
      const ws = await probe(server, session);
      ws.send('5');
      await assertEchoes(ws, '4hello');
      await ws.close();
    });

    it('takes messages that were not polled yet along', async () => {
      const session = await Polling.open(server);
      await session.send('4one', '4two');
      const ws = await probe(server, session);
      ws.send('5');
      assert.equal(await ws.next(), '4one');
      assert.equal(await ws.next(), '4two');
      await ws.close();
    });

    it('done, polling with the same sid is a bad request and does no harm', async () => {
      const { session, ws } = await upgraded(server);
      assertError(await session.get(), BAD_REQUEST);
      assertError(await session.post('4hello'), BAD_REQUEST);
      await assertEchoes(ws, '4still here');
      await ws.close();
    });

    it('done, another WebSocket with the same sid is refused or closed and does no harm', async () => {
      const { session, ws } = await upgraded(server);
      await assertNotProbed(server, session);
      await assertEchoes(ws, '4still here');
      await ws.close();
    });

    it('tried on a session that began as WebSocket does no harm', async () => {
      const first = await EngineSocket.open(server);
      const second = await attempt(server, first).catch(() => undefined);
      await second?.close();
      await assertEchoes(first, '4still here');
      await first.close();
    });

    it('in another version than the session has is refused', async () => {
      const session = await Polling.open(server);
      const reply = await upgradeRequest(server, `/engine.io/?EIO=3&transport=websocket&sid=${session.sid}`);
      assertRefusedUpgrade(reply, BAD_REQUEST.message);
      const polled = await request(server, `/engine.io/?EIO=3&transport=polling&sid=${session.sid}`);
      assertError(polled, BAD_REQUEST);
      await assertEchoes(session, '4still here');
    });

    for (const wrong of ['4hello', '2', '2prob', 'abc', Buffer.from('2probe')]) {
      const kind = typeof wrong === 'string' ? 'text' : 'binary';
      it(`begun with the ${kind} ${JSON.stringify(wrong.toString())} is given up, the session stays`, async () => {
        const session = await Polling.open(server);
        const ws = await EngineSocket.open(server, { sid: session.sid });
        ws.send(wrong);
        await ws.closed();
        await assertEchoes(session, '4still here');
      });
    }

    it('given up by the client after the probe leaves the session on polling', async () => {
      const session = await Polling.open(server);
      const ws = await probe(server, session);
      await ws.close();
      await assertEchoes(session, '4still here');
      const again = await probe(server, session);
      again.send('5');
      await assertEchoes(again, '4moved');
      await again.close();
    });

    it('probed and then silent is closed after upgradeTimeout, the session stays on polling', async () => {
      const session = await Polling.open(server);
      const start = performance.now();
      const ws = await probe(server, session);
      let open = true;
      const closed = ws.closed('the end of the silent probe', 15_000).finally(() => (open = false));
      while (open) {
        await assertEchoes(session, '4still here');
        await pause(20);
      }
      await closed;
      assertAbout(performance.now() - start, 10_000, 'the end of the silent probe', 1_500);
      await assertEchoes(session, '4and after');
    });

    it('of one session by two WebSockets at once is won by one of them', async () => {
      for (let round = 0; round < 20; round++) {
        const session = await Polling.open(server);
        const attempts = await Promise.allSettled([attempt(server, session), attempt(server, session)]);
        const won = attempts.filter(({ status }) => status === 'fulfilled').map(({ value }) => value);
        assert.equal(won.length, 1, `round ${round}: ${won.length} probes were answered`);
        won[0].send('5');
        await assertEchoes(won[0], '4winner');
        await won[0].close();
      }
    });

    it('loses, repeats and reorders no message, whenever it happens', async () => {
      await Promise.all(Array.from({ length: 20 }, (_, round) => upgradeUnderLoad(server, round)));
    });
  });
});

describeServers('CORS over Engine.IO 4', { contract: 'app', concurrency: 1 }, (server) => {
  const target = '/socket.io/?EIO=4&transport=polling';
  const Origin = 'http://page.example';

  function assertCors(reply) {
    assert.equal(reply.headers['access-control-allow-origin'], Origin);
    assert.equal(reply.headers['access-control-allow-credentials'], 'true');
    assert.match(reply.headers.vary ?? '', /origin/i);
  }

  it('preflight is answered 204 with what the browser asks for', async () => {
    const reply = await request(server, target, {
      method: 'OPTIONS',
      headers: {
        Origin,
        'Access-Control-Request-Method': 'POST',
        'Access-Control-Request-Headers': 'content-type,x-custom',
      },
    });
    assert.equal(reply.status, 204);
    assert.equal(reply.text, '');
    assertCors(reply);
    assert.match(reply.headers['access-control-allow-methods'], /\bPOST\b/);
    assert.match(reply.headers['access-control-allow-headers'], /content-type/i);
    assert.match(reply.headers['access-control-allow-headers'], /x-custom/i);
  });

  it('headers are on the handshake, on polls and on posts', async () => {
    const handshake = await request(server, target, { headers: { Origin } });
    assert.equal(handshake.status, 200);
    assertCors(handshake);
    const { sid } = JSON.parse(handshake.text.slice(1));
    const post = await request(server, `${target}&sid=${sid}`, { method: 'POST', headers: { Origin }, body: '40' });
    assert.equal(post.status, 200);
    assertCors(post);
    const poll = await request(server, `${target}&sid=${sid}`, { headers: { Origin } });
    assert.match(poll.text, /^40\{/);
    assertCors(poll);
  });

  it('headers are on errors', async () => {
    const unknownSid = await request(server, `${target}&sid=abcdefghijklmnopqrst`, { headers: { Origin } });
    assertError(unknownSid, UNKNOWN_SID);
    assertCors(unknownSid);
    const unknownTransport = await request(server, '/socket.io/?EIO=4&transport=abc', { headers: { Origin } });
    assertError(unknownTransport, UNKNOWN_TRANSPORT);
    assertCors(unknownTransport);
  });

  it('a WebSocket of any origin is accepted', async () => {
    const reply = await upgradeRequest(server, '/socket.io/?EIO=4&transport=websocket', { Origin });
    assert.equal(reply.status, 101);
  });
});

function assertAbout(actual, expected, what, slack = 200) {
  const close = actual > expected - 100 && actual < expected + slack; // early by what the test lost before its clock
  assert.ok(close, `${what} came after ${Math.round(actual)} ms, not about ${expected} ms`);
}

async function probe(server, session) {
  const ws = await EngineSocket.open(server, { sid: session.sid });
  ws.send('2probe');
  assert.equal(await ws.next('the answer to the probe'), '3probe');
  return ws;
}

/** A probe that may lose; resolves with the WebSocket if it was answered. */
async function attempt(server, session) {
  const ws = await EngineSocket.open(server, { sid: session.sid });
  ws.send('2probe');
  const answer = await ws.next('the answer to the probe');
  if (answer !== '3probe') throw new Error(`answered ${answer}`);
  return ws;
}

async function assertNotProbed(server, session) {
  await assert.rejects(attempt(server, session), /closed|Unexpected server response: 400/);
}

async function upgraded(server) {
  const session = await Polling.open(server);
  const ws = await probe(server, session);
  ws.send('5');
  await assertEchoes(ws, '4moved');
  return { session, ws };
}

/** Echoes numbered messages before, during and after an upgrade, as the official client orders its steps. */
async function upgradeUnderLoad(server, round) {
  const session = await Polling.open(server);
  const total = 60;
  let sent = 0;
  const received = [];
  const sendUpTo = async (count) => {
    while (sent < count) await session.send(`4${sent++}`, `4${sent++}`);
  };

  let pausing = false;
  const polling = (async () => {
    while (!pausing) received.push(...(await session.poll()));
  })();
  polling.catch(() => {}); // awaited below
  await sendUpTo(round * 2);
  const [ws] = await Promise.all([probe(server, session), sendUpTo(round * 2 + 10)]).finally(() => (pausing = true));
  await within(polling, 'the noop that ends the last poll');
  await session.idle();
  ws.send('5');
  while (sent < total) ws.send(`4${sent++}`);
  while (received.length < total) received.push(await ws.next());
  assert.deepEqual(received, Array.from({ length: total }, (_, i) => `4${i}`));
  ws.send('4end');
  assert.equal(await ws.next(), '4end', 'a message came twice');
  await ws.close();
}
