// Socket.IO 0.9 by hand, against contract `app`: what the wire must be on every web framework, and what it must refuse.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import WebSocket from 'ws';
import { describeServers } from './server.mjs';
import { Inbox, PATIENCE_MS, request, startRequest, upgradeRequest, within } from './wire.mjs';

const PING_INTERVAL_MS = 2_000;
const PING_TIMEOUT_MS = 3_000;
const env = { PING_INTERVAL_MS: String(PING_INTERVAL_MS), PING_TIMEOUT_MS: String(PING_TIMEOUT_MS) };
const SID = /^[A-Za-z0-9_-]{20}$/;
const UNKNOWN = '7:::1+0';
const ORIGIN = { Origin: 'http://page.example' };

const framed = (...packets) => packets.map((packet) => `\ufffd${packet.length}\ufffd${packet}`).join('');

/** The packets of a payload. */
function unframed(payload) {
  if (payload === '') return [];
  if (payload[0] !== '\ufffd') return [payload];
  const packets = [];
  while (payload !== '') {
    const [, digits] = /^\ufffd(\d+)\ufffd/.exec(payload);
    const start = digits.length + 2;
    packets.push(payload.slice(start, start + Number(digits)));
    payload = payload.slice(start + Number(digits));
  }
  return packets;
}

async function reserve(server, query = '') {
  const reply = await request(server, `/socket.io/1/?t=1${query}`);
  assert.equal(reply.status, 200);
  return reply.text.split(':')[0];
}

/** A client that polls. */
class Poller {
  static async open(server, { transport = 'xhr-polling', query } = {}) {
    const poller = new Poller();
    poller.server = server;
    poller.sid = await reserve(server, query);
    poller.target = `/socket.io/1/${transport}/${poller.sid}?t=2`;
    poller.packets = [];
    assert.equal(await poller.next(), '1::');
    return poller;
  }

  get(options) {
    return request(this.server, this.target, { ms: PING_INTERVAL_MS + PATIENCE_MS, ...options });
  }

  post(body, options) {
    return request(this.server, this.target, { method: 'POST', headers: { 'Content-Type': 'text/plain;charset=UTF-8' }, body, ...options });
  }

  async send(...packets) {
    const reply = await this.post(packets.length === 1 ? packets[0] : framed(...packets));
    assert.deepEqual([reply.status, reply.text], [200, '1']);
  }

  /** The next packet that is no answer to an idle poll. */
  async next() {
    const deadline = performance.now() + 2 * PATIENCE_MS;
    while (this.packets.length === 0) {
      assert.ok(performance.now() < deadline, 'polled in vain for a packet');
      const reply = await this.get();
      assert.equal(reply.status, 200, reply.text);
      this.packets.push(...unframed(reply.text).filter((packet) => packet !== '8::'));
    }
    return this.packets.shift();
  }

  async welcomed() {
    assert.match(await this.next(), /^5:::\{"name":"welcome"/);
    return this;
  }

  async alive() {
    await this.send('5:1+::{"name":"echo-ack","args":["alive"]}');
    assert.equal(await this.next(), '6:::1+["alive"]');
  }
}

/** A WebSocket client; `next` gives packets, `closed` resolves when it is. */
async function websocket(server, sid, transport = 'websocket') {
  const inbox = new Inbox();
  const socket = new WebSocket(`ws://${server.host}:${server.port}/socket.io/1/${transport}/${sid}`);
  socket.on('message', (data, isBinary) => inbox.push(isBinary ? data : data.toString()));
  socket.on('error', () => {});
  const closed = new Promise((resolve) => socket.on('close', (code) => resolve(code)));
  closed.then(() => inbox.end(new Error('the WebSocket closed')));
  await within(new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject)), 'the WebSocket to open');
  return {
    send: (packet) => socket.send(packet),
    next: (what = 'a packet') => inbox.next(what),
    closed: () => within(closed, 'the WebSocket to close'),
    close: () => socket.terminate(),
  };
}

/** A client that polls and says goodbye meanwhile; tries again, slower, where the goodbye overtook the poll. */
async function goneWhilePolling(server, leave) {
  for (let wait = 50; ; wait *= 4) {
    const poller = await (await Poller.open(server)).welcomed();
    const poll = poller.get();
    await new Promise((resolve) => setTimeout(resolve, wait));
    await leave(poller);
    const told = (await poll).text;
    if (told !== UNKNOWN || wait > 3_000) return { poller, told };
  }
}

describeServers('Socket.IO 0.9', { contract: 'app', env, mayPanic: true, concurrency: true }, (server) => {
  describe('handshake', () => {
    it('tells the session, the times and the transports', async () => {
      const reply = await request(server, '/socket.io/1/?t=1');
      assert.equal(reply.status, 200);
      assert.match(reply.headers['content-type'], /^text\/plain/);
      const [sid, heartbeat, close, transports] = reply.text.split(':');
      assert.match(sid, SID);
      assert.deepEqual([heartbeat, close], ['5', '5']);
      assert.equal(transports, 'websocket,flashsocket,htmlfile,xhr-polling,jsonp-polling');
      assert.equal((await request(server, '/socket.io/1?t=1')).status, 200);
    });

    it('is a script by JSONP, whose index is a number', async () => {
      for (const [index, called] of [['0', 0], ['17', 17], ['alert(1)//', 0], ['-1', 0], ['', 0]]) {
        const reply = await request(server, `/socket.io/1/?jsonp=${encodeURIComponent(index)}`);
        assert.match(reply.headers['content-type'], /javascript/);
        assert.match(reply.text, new RegExp(`^io\\.j\\[${called}\\]\\("[^"]+:5:5:[a-z,-]+"\\);$`));
        assert.equal(reply.headers['x-xss-protection'], '0');
      }
    });

    it('admits pages of other origins with cookies, at every request', async () => {
      const { sid } = await Poller.open(server);
      const allowed = (reply) => [reply.headers['access-control-allow-origin'], reply.headers['access-control-allow-credentials']];
      for (const [method, target] of [
        ['GET', '/socket.io/1/'],
        ['GET', `/socket.io/1/xhr-polling/${sid}`],
        ['POST', `/socket.io/1/xhr-polling/${sid}`],
        ['GET', '/socket.io/1/xhr-polling/unknown'],
      ]) {
        assert.deepEqual(allowed(await request(server, target, { method, headers: ORIGIN })), ['http://page.example', 'true'], target);
      }
    });

    it('refuses other protocols', async () => {
      const reply = await request(server, '/socket.io/2/?t=1');
      assert.deepEqual([reply.status, reply.text], [500, 'Protocol version not supported.']);
      assert.equal((await request(server, '/socket.io/1/', { method: 'POST' })).status, 400);
    });
  });

  describe('transports', { concurrency: true }, () => {
    it('xhr-polling: the first answer is 1:: alone, POSTs are answered 1, several packets are framed', async () => {
      const poller = await (await Poller.open(server)).welcomed();
      await poller.send('5:::{"name":"echo","args":["é😀\ufffd"]}', '3:::text', '4:::{"json":1}');
      assert.equal(await poller.next(), '5:::{"name":"echo","args":["é😀\ufffd"]}');
      assert.equal(await poller.next(), '3:::text');
      assert.equal(await poller.next(), '4:::{"json":1}');
      const start = performance.now();
      const reply = await poller.get();
      assert.deepEqual([reply.status, reply.text], [200, '8::']);
      assert.ok(Math.abs(performance.now() - start - PING_INTERVAL_MS) < 1_000);
      assert.match(reply.headers['content-type'], /^text\/plain; charset=utf-8$/i);
    });

    it('xhr-polling: a newer poll replaces the older, and one that is given up loses nothing', async () => {
      const poller = await (await Poller.open(server)).welcomed();
      const older = poller.get();
      await new Promise((resolve) => setTimeout(resolve, 100)); // it has to be there first
      const { outgoing, reply } = startRequest(server, poller.target);
      outgoing.end();
      assert.equal((await older).text, '8::');
      reply.catch(() => {});
      outgoing.destroy();
      const newest = poller.get();
      await new Promise((resolve) => setTimeout(resolve, 100)); // it has to be there before the answer is
      await poller.send('3:::text');
      assert.equal((await newest).text, '3:::text');
    });

    it('jsonp-polling: answers are scripts, POSTs are forms', async () => {
      const sid = await reserve(server);
      const target = (index) => `/socket.io/1/jsonp-polling/${sid}?t=1&i=${index}`;
      const post = (body) =>
        request(server, target(0), { method: 'POST', headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body });
      assert.equal((await request(server, target(0))).text, 'io.j[0]("1::");');
      assert.match((await request(server, target(1))).text, /^io\.j\[1\]\("5:::/);
      const packet = '5:::{"name":"echo","args":["\\u2028 + </script>"]}';
      const reply = await post(`d=${encodeURIComponent(JSON.stringify(packet))}`);
      assert.deepEqual([reply.status, reply.text], [200, '1']);
      assert.equal(reply.headers['x-frame-options'], undefined);
      const script = (await request(server, target(12))).text;
      assert.ok(script.startsWith('io.j[12]("') && !script.includes('\u2028'), script);
      assert.equal(JSON.parse(script.slice('io.j[12]('.length, -2)), packet);
    });

    it('htmlfile: one response brings every packet at once, and heartbeats', async () => {
      const sid = await reserve(server);
      const { outgoing, reply } = startRequest(server, `/socket.io/1/htmlfile/${sid}?t=1`);
      reply.catch(() => {});
      const inbox = new Inbox();
      outgoing.on('response', (response) => {
        assert.match(response.headers['content-type'], /^text\/html; charset=utf-8$/i);
        let page = '';
        response.on('data', (chunk) => {
          page += chunk;
          for (;;) {
            const element = /<script>_\((".*?")\);<\/script>/.exec(page);
            if (!element) return;
            page = page.slice(element.index + element[0].length);
            for (const packet of unframed(JSON.parse(element[1]))) inbox.push(packet);
          }
        });
      });
      outgoing.end();
      const next = () => inbox.next('a packet of the page');
      assert.equal(await next(), '1::');
      assert.match(await next(), /^5:::\{"name":"welcome"/);
      const post = (body) => request(server, `/socket.io/1/htmlfile/${sid}?t=1`, { method: 'POST', body });
      assert.equal((await post('3:::</script>')).text, '1');
      assert.equal(await next(), '3:::</script>');
      for (let beat = 0; beat < 2; beat++) {
        assert.equal(await next(), '2::');
        await post('2::');
      }
      outgoing.destroy();
      // actix-web finds out by the second heartbeat that it cannot write, and there is none while others come.
      const answers = [];
      for (let beat = 0; beat < 5 && !answers.includes(400); beat++) {
        await new Promise((resolve) => setTimeout(resolve, PING_INTERVAL_MS + 200));
        answers.push((await post('2::')).status);
      }
      assert.equal(answers.at(-1), 400, 'the session outlives its page');
    });

    for (const transport of ['websocket', 'flashsocket']) {
      it(`${transport}: a packet a message, and heartbeats`, async () => {
        const ws = await websocket(server, await reserve(server), transport);
        assert.equal(await ws.next(), '1::');
        assert.match(await ws.next(), /^5:::\{"name":"welcome"/);
        ws.send('5:1+::{"name":"whoami"}');
        assert.equal(JSON.parse((await ws.next()).slice('6:::1+'.length))[0].transport, transport);
        for (let beat = 0; beat < 2; beat++) {
          assert.equal(await ws.next(), '2::');
          ws.send('2::');
        }
        assert.equal(await ws.next(), '2::'); // and no answer to this one
        const start = performance.now();
        await ws.closed();
        assert.ok(Math.abs(performance.now() - start - PING_TIMEOUT_MS) < 1_000);
      });
    }

    it('the newest request takes the session over, from a WebSocket and back', async () => {
      const poller = await (await Poller.open(server)).welcomed();
      const ws = await websocket(server, poller.sid);
      assert.equal(await ws.next(), '1::');
      ws.send('3:::by websocket');
      assert.equal(await ws.next(), '3:::by websocket');
      assert.equal(await poller.next(), '1::');
      await ws.closed();
      await poller.alive();
      const again = await websocket(server, poller.sid);
      assert.equal(await again.next(), '1::');
      const newest = await websocket(server, poller.sid);
      await again.closed();
      newest.send('3:::by the newest');
      assert.equal(await newest.next(), '3:::by the newest');
      newest.close();
    });
  });

  describe('endings', { concurrency: true }, () => {
    it('an unknown session is told so in what the transport wraps packets in', async () => {
      for (const sid of ['unknown', 'AAAAAAAAAAAAAAAAAAAA', '__proto__', '..%2f..']) {
        const get = async (transport, query = '') => (await request(server, `/socket.io/1/${transport}/${sid}?t=1${query}`)).text;
        assert.equal(await get('xhr-polling'), UNKNOWN);
        assert.equal(await get('jsonp-polling', '&i=3'), `io.j[3]("${UNKNOWN}");`);
        assert.ok((await get('htmlfile')).endsWith(`<script>_("${UNKNOWN}");</script>`));
        const ws = await websocket(server, sid);
        assert.equal(await ws.next(), UNKNOWN);
        await ws.closed();
      }
    });

    it('a goodbye by packet or by URL ends the session and answers its poll', async () => {
      for (const leave of ['post', '/socket.io/1//SID/?disconnect=1', '/socket.io/1/xhr-polling/SID?disconnect=True']) {
        const { poller, told } = await goneWhilePolling(server, async (poller) => {
          if (leave === 'post') return poller.send('0::');
          assert.deepEqual([(await request(server, leave.replace('SID', poller.sid))).text], ['']);
        });
        assert.equal(told, '0::');
        assert.equal((await poller.get()).text, UNKNOWN);
      }
    });

    it('a kick is told before the session ends', async () => {
      const ws = await websocket(server, await reserve(server));
      await ws.next();
      await ws.next();
      ws.send('5:::{"name":"kick-me"}');
      assert.equal(await ws.next(), '0::');
      await ws.closed();
      const poller = await (await Poller.open(server)).welcomed();
      await poller.send('5:::{"name":"kick-me"}');
      assert.equal(await poller.next(), '0::');
    });

    it('a session that is never used is gone after 30 s, and takes no slot of the namespace', { timeout: 60_000 }, async () => {
      const sid = await reserve(server);
      await new Promise((resolve) => setTimeout(resolve, 31_000));
      assert.equal((await request(server, `/socket.io/1/xhr-polling/${sid}`)).text, UNKNOWN);
    });
  });

  describe('bad input', () => {
    const DEEP = `5:::{"name":"echo","args":[${'['.repeat(100_000)}`;
    const PACKETS = [
      '9::',
      'x',
      '\u{10ffff}::',
      '5:::',
      '5:::{',
      '5:::[]',
      '5:::{"name":{}}',
      '5:::{"name":"a","args":{}}',
      '5:::{"name":"connect"}',
      '5:::{"name":"newListener"}',
      '5:99999999999999999999+::{"name":"echo"}',
      '6:::',
      '6:::18446744073709551616',
      '4:::{',
      `1::/${'x'.repeat(10_000)}`,
      DEEP,
    ];
    const PAYLOADS = [
      '\ufffd',
      '\ufffd5\ufffd',
      '\ufffd6\ufffd3:::a',
      '\ufffd-5\ufffd3:::a',
      '\ufffd0\ufffd',
      '\ufffd5\ufffd3:::😀',
      '\ufffd18446744073709551616\ufffd3:::a',
      '\ufffd5\ufffd3:::a!',
    ];
    const short = (text) => (text.length > 60 ? `${text.slice(0, 60)}…` : text);

    for (const packet of PACKETS) {
      it(`ends its session and no other: ${JSON.stringify(short(packet))}`, async () => {
        const other = await (await Poller.open(server)).welcomed();
        const ws = await websocket(server, await reserve(server));
        await ws.next();
        ws.send(packet);
        await ws.closed();
        const poller = await (await Poller.open(server)).welcomed();
        await poller.post(packet);
        assert.notEqual((await poller.post('2::')).status, 200, 'the session goes on');
        await other.alive();
      });
    }

    for (const payload of PAYLOADS) {
      it(`is refused: ${JSON.stringify(payload)}`, async () => {
        const poller = await (await Poller.open(server)).welcomed();
        assert.equal((await poller.post(payload)).status, 400);
        assert.equal((await poller.get()).text, UNKNOWN);
      });
    }

    it('refuses a POST above the limit, and the session goes on', async () => {
      const poller = await (await Poller.open(server)).welcomed();
      assert.equal((await poller.post('x'.repeat(5_000_000), { ms: 15_000 })).status, 413);
      await poller.alive();
    });

    it('refuses bytes that are no text, and binary messages', async () => {
      const poller = await (await Poller.open(server)).welcomed();
      assert.equal((await poller.post(Buffer.from([0x33, 0x3a, 0x3a, 0x3a, 0xff]))).status, 400);
      const ws = await websocket(server, await reserve(server));
      await ws.next();
      ws.send(Buffer.from('3:::a'));
      await ws.closed();
    });

    it('refuses transports that are none, and methods', async () => {
      const sid = await reserve(server);
      for (const transport of ['polling', '__proto__', 'xhr-multipart', 'constructor']) {
        assert.equal((await request(server, `/socket.io/1/${transport}/${sid}`)).status, 400, transport);
        assert.equal((await upgradeRequest(server, `/socket.io/1/${transport}/${sid}`)).status, 400, transport);
      }
      assert.equal((await request(server, `/socket.io/1/xhr-polling/${sid}`, { method: 'DELETE' })).status, 400);
      assert.equal((await request(server, `/socket.io/1/websocket/${sid}`)).status, 400);
    });

    it('keeps sessions of other generations apart', async () => {
      const handshake = await request(server, '/socket.io/?EIO=4&transport=polling');
      const { sid } = JSON.parse(handshake.text.slice(1));
      assert.equal((await request(server, `/socket.io/1/xhr-polling/${sid}`)).text, UNKNOWN);
      const poller = await (await Poller.open(server)).welcomed();
      assert.equal((await request(server, `/socket.io/?EIO=3&transport=polling&sid=${poller.sid}`)).status, 400);
      await poller.alive();
    });
  });
});

describeServers('Socket.IO 0.9, when it is not served', { contract: 'socket' }, (server) => {
  it('is unknown', async () => {
    assert.equal((await request(server, '/socket.io/1/?t=1')).status, 400);
  });
});
