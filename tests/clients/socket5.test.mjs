// Socket.IO protocol 5 against contract `socket`: pingInterval 300 ms, pingTimeout 200 ms, connectTimeout 1,000 ms;
// `/` and `/custom` emit `auth`; on `/` `message` comes back as `message-back`, `message-with-ack` is acked.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { describeServers } from './server.mjs';
import { Polling, SocketIo } from './wire.mjs';

const CONNECT_TIMEOUT = 1_000;
const SID = /^[A-Za-z0-9_-]{20}$/;
const SEPARATOR = '\x1e';
const ONE = '{"_placeholder":true,"num":0}';
const BYTES = Buffer.from([0, 1, 2, 127, 128, 254, 255]);

async function connected(server, options) {
  const socket = await SocketIo.connect(server, options);
  assert.deepEqual(await socket.event(), ['auth', options?.auth ?? {}]);
  return socket;
}

async function assertEchoes(socket, word = 'still here') {
  socket.emit('message', word);
  assert.deepEqual(await socket.event(), ['message-back', word]);
}

describeServers('Socket.IO 5', { contract: 'socket', concurrency: 1 }, (server) => {
  describe('connect', () => {
    it('to / answers with an id of its own and runs the handler', async () => {
      const socket = await SocketIo.open(server);
      socket.send('0');
      const answer = await socket.next();
      assert.match(answer, /^0\{"sid":"[^"]+"\}$/);
      const { sid } = JSON.parse(answer.slice(1));
      assert.match(sid, SID);
      assert.notEqual(sid, socket.engine.sid);
      assert.equal(await socket.next(), '2["auth",{}]');
      await socket.close();
    });

    it('to / carries auth', async () => {
      const socket = await SocketIo.open(server);
      socket.send('0{"token":"123","deep":{"list":[1,null,"é"]}}');
      assert.match(await socket.next(), /^0\{"sid":/);
      assert.equal(await socket.next(), '2["auth",{"token":"123","deep":{"list":[1,null,"é"]}}]');
      await socket.close();
    });

    for (const head of ['0/custom,', '0/custom']) {
      it(`to a custom namespace by ${head} answers in that namespace`, async () => {
        const socket = await SocketIo.open(server);
        socket.send(head);
        assert.match(await socket.next(), /^0\/custom,\{"sid":"[A-Za-z0-9_-]{20}"\}$/);
        assert.equal(await socket.next(), '2/custom,["auth",{}]');
        await socket.close();
      });
    }

    it('to a custom namespace carries auth', async () => {
      const socket = await SocketIo.open(server);
      socket.send('0/custom,{"token":"abc"}');
      assert.match(await socket.next(), /^0\/custom,\{"sid":/);
      assert.equal(await socket.next(), '2/custom,["auth",{"token":"abc"}]');
      await socket.close();
    });

    it('to two namespaces over one connection gives two ids', async () => {
      const socket = await connected(server);
      const main = socket.id;
      const custom = await socket.join('/custom');
      assert.notEqual(custom, main);
      assert.equal(await socket.next(), '2/custom,["auth",{}]');
      await assertEchoes(socket);
      await socket.close();
    });

    it('to an unknown namespace is refused and leaves the others alone', async () => {
      const socket = await connected(server);
      socket.send('0/random,');
      assert.equal(await socket.next(), '4/random,{"message":"Invalid namespace"}');
      await assertEchoes(socket);
      await socket.close();
    });

    it('after a refusal is possible on the same connection', async () => {
      const socket = await SocketIo.open(server);
      socket.send('0/random,{"token":"abc"}');
      assert.equal(await socket.next(), '4/random,{"message":"Invalid namespace"}');
      socket.send('0');
      assert.match(await socket.next(), /^0\{"sid":/);
      await socket.close();
    });

    it('holds back events that came with it in one payload until it is answered', async () => {
      const session = await Polling.open(server, { path: '/socket.io/' });
      await session.send('40', '42["message","early"]');
      assert.match(await session.next(), /^40\{"sid":/);
      assert.equal(await session.next(), '42["auth",{}]');
      assert.equal(await session.next(), '42["message-back","early"]');
      await session.send('1');
    });

    describe('timeout', { concurrency: true }, () => {
      const cases = [
        ['without any CONNECT', []],
        ['after nothing but a refused CONNECT', ['0/random,']],
      ];
      for (const [what, packets] of cases) {
        it(`closes the connection ${what}`, async () => {
          const start = performance.now();
          const socket = await SocketIo.open(server);
          socket.send(...packets);
          await socket.closed();
          const lived = performance.now() - start;
          assert.ok(
            lived > CONNECT_TIMEOUT - 50 && lived < CONNECT_TIMEOUT + 400,
            `closed after ${Math.round(lived)} ms, not about ${CONNECT_TIMEOUT} ms`,
          );
        });
      }

      it('does not touch a connection that joined a namespace and left it again', async () => {
        const socket = await connected(server);
        socket.send('1');
        await assert.rejects(socket.closed('nothing: it stays', CONNECT_TIMEOUT + 500), /in vain/);
        await socket.join();
        await socket.close();
      });
    });
  });

  describe('disconnect', () => {
    it('from / and connect again gives a new id on the same connection', async () => {
      const socket = await connected(server);
      const first = socket.id;
      socket.send('1');
      const second = await socket.join();
      assert.notEqual(second, first);
      assert.deepEqual(await socket.event(), ['auth', {}]);
      await assertEchoes(socket);
      await socket.close();
    });

    for (const packet of ['1/custom,', '1/custom']) {
      it(`from a custom namespace by ${packet} leaves / alone, and it can be joined again`, async () => {
        const socket = await connected(server);
        await socket.join('/custom');
        await socket.next();
        socket.send(packet);
        await assertEchoes(socket);
        await socket.join('/custom');
        assert.equal(await socket.next(), '2/custom,["auth",{}]');
        await socket.close();
      });
    }

    it('makes a later event on that namespace a violation that closes the connection', async () => {
      const socket = await connected(server);
      socket.send('1', '0/random,');
      assert.equal(await socket.next(), '4/random,{"message":"Invalid namespace"}');
      socket.send('2["message","too late"]');
      await socket.closed();
    });
  });

  describe('events', () => {
    const echoed = [
      '[]',
      '[1,"2",{"3":[true]}]',
      '[null,true,false,-1.5,1e21,"",[],{}]',
      '["\\u0000\\r\\n\\"\\\\</script>",{"b":1,"a":2}]',
      '["é€😀","\u2028\u2029\ufeff\ufffd"]',
      '[9007199254740991,-9007199254740991,0.1]',
      '[{"toString":"foo","__proto__":{"x":1},"constructor":null}]',
      '["message","connect",["disconnect"]]',
    ];
    for (const args of echoed) {
      it(`carry the arguments ${args} there and back`, async () => {
        const socket = await connected(server);
        socket.send(args === '[]' ? '2["message"]' : `2["message",${args.slice(1)}`);
        const packet = await socket.next();
        assert.equal(packet[0], '2');
        const [name, ...rest] = JSON.parse(packet.slice(1));
        assert.equal(name, 'message-back');
        assert.deepEqual(rest, JSON.parse(args));
        await socket.close();
      });
    }

    it('come back byte by byte: no blanks, object keys in the order they came', async () => {
      const socket = await connected(server);
      socket.send('2["message",{"z":1,"a":[1,2],"m":{"y":"é","b":null}}]');
      assert.equal(await socket.next(), '2["message-back",{"z":1,"a":[1,2],"m":{"y":"é","b":null}}]');
      await socket.close();
    });

    it('may be written with blanks and JSON escapes, in their name, too', async () => {
      const socket = await connected(server);
      socket.send('2[ "mess\\u0061ge" ,\t"caf\\u00e9" , { "a" : [ 1 ,\n2 ] } ]');
      assert.deepEqual(await socket.event(), ['message-back', 'café', { a: [1, 2] }]);
      socket.send('27["\\u006dessage-with-ack","caf\\u00e9"]');
      const ack = await socket.next();
      assert.match(ack, /^37\[/);
      assert.deepEqual(JSON.parse(ack.slice(2)), ['café']);
      await socket.close();
    });

    it('with a lone surrogate are delivered, the surrogate kept or replaced', async () => {
      const socket = await connected(server);
      for (const lone of ['\\ud83d', '\\ude00', '\\ude00\\ud83d']) {
        socket.send(`2["message","x${lone}y"]`);
        const [name, text] = await socket.event();
        assert.equal(name, 'message-back');
        assert.ok([JSON.parse(`"x${lone}y"`), lone.length > 6 ? 'x\ufffd\ufffdy' : 'x\ufffdy'].includes(text));
      }
      socket.send('2["message","pair \\ud83d\\ude00"]');
      assert.deepEqual(await socket.event(), ['message-back', 'pair 😀']);
      await socket.close();
    });

    it('that nobody listens to are ignored, `error` among them', async () => {
      const socket = await connected(server);
      socket.emit('nobody-listens', 1);
      socket.emit('error', 'oops');
      socket.emit('__proto__', 1);
      socket.emit('hasOwnProperty', 1);
      socket.emit('', 1);
      await assertEchoes(socket);
      await socket.close();
    });

    it('on another namespace do not reach the handlers of /', async () => {
      const socket = await connected(server);
      await socket.join('/custom');
      await socket.next();
      socket.send('2/custom,["message","wrong room"]');
      await assertEchoes(socket, 'right room');
      await socket.close();
    });

    it('keep their order', async () => {
      const socket = await connected(server);
      for (let i = 0; i < 1000; i++) socket.emit('message', i);
      for (let i = 0; i < 1000; i++) assert.deepEqual(await socket.event(), ['message-back', i]);
      await socket.close();
    });

    it('carry binary there and back', async () => {
      const socket = await connected(server);
      socket.send(`52-["message",${ONE},{"_placeholder":true,"num":1}]`, Buffer.from([1, 2, 3]), BYTES);
      assert.equal(await socket.next(), `52-["message-back",${ONE},{"_placeholder":true,"num":1}]`);
      assert.deepEqual(await socket.next(), Buffer.from([1, 2, 3]));
      assert.deepEqual(await socket.next(), BYTES);
      await socket.close();
    });

    it('carry binary at any depth, and empty binary', async () => {
      const socket = await connected(server);
      socket.send(`52-["message",{"a":[[${ONE}],1]},{"_placeholder":true,"num":1}]`, BYTES, Buffer.alloc(0));
      assert.equal(await socket.next(), `52-["message-back",{"a":[[${ONE}],1]},{"_placeholder":true,"num":1}]`);
      assert.deepEqual(await socket.next(), BYTES);
      assert.deepEqual(await socket.next(), Buffer.alloc(0));
      await socket.close();
    });

    it('carry binary over polling in base64', async () => {
      const session = await Polling.open(server, { path: '/socket.io/' });
      await session.send('40');
      assert.match(await session.next(), /^40\{"sid":/);
      assert.equal(await session.next(), '42["auth",{}]');
      await session.send(`451-["message",${ONE}]`, 'bAQIDBA==');
      assert.equal(await session.next(), `451-["message-back",${ONE}]`);
      assert.equal(await session.next(), 'bAQIDBA==');
      await session.send('1');
    });

    it('may have ten attachments', async () => {
      const socket = await connected(server);
      const placeholders = Array.from({ length: 10 }, (_, num) => `{"_placeholder":true,"num":${num}}`);
      const attachments = Array.from({ length: 10 }, (_, i) => Buffer.from([i]));
      socket.send(`510-["message",${placeholders}]`, ...attachments);
      assert.equal(await socket.next(), `510-["message-back",${placeholders}]`);
      for (const attachment of attachments) assert.deepEqual(await socket.next(), attachment);
      await socket.close();
    });
  });

  describe('acks', () => {
    for (const id of ['0', '456', '9007199254740991']) {
      it(`with id ${id} are answered with the arguments`, async () => {
        const socket = await connected(server);
        socket.send(`2${id}["message-with-ack",1,"2",{"3":[false]}]`);
        assert.equal(await socket.next(), `3${id}[1,"2",{"3":[false]}]`);
        await socket.close();
      });
    }

    it('without arguments are an empty array', async () => {
      const socket = await connected(server);
      socket.send('27["message-with-ack"]');
      assert.equal(await socket.next(), '37[]');
      await socket.close();
    });

    it('carry binary there and back', async () => {
      const socket = await connected(server);
      socket.send(`52-789["message-with-ack",${ONE},{"_placeholder":true,"num":1}]`, Buffer.from([1, 2, 3]), BYTES);
      assert.equal(await socket.next(), `62-789[${ONE},{"_placeholder":true,"num":1}]`);
      assert.deepEqual(await socket.next(), Buffer.from([1, 2, 3]));
      assert.deepEqual(await socket.next(), BYTES);
      await socket.close();
    });

    it('of an unknown id, text or binary, are ignored', async () => {
      const socket = await connected(server);
      socket.send('399["late"]', '30[]', `61-99[${ONE}]`, BYTES);
      await assertEchoes(socket);
      await socket.close();
    });
  });

  describe('invalid packet', () => {
    const reserved = ['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener'];
    const binary = (num) => [`51-["message",{"_placeholder":true,"num":${num}}]`, BYTES];
    const cases = [
      ['of an unknown type', ['abc'], ['7'], ['9["message"]'], ['é'], [' 2["message"]']],
      ['CONNECT to a namespace that is connected already', ['0'], ['0{}'], ['0/,']],
      ['CONNECT with auth that is no object', ['0/custom,[1]'], ['0/custom,"x"'], ['0/custom,true'], ['0/custom,{']],
      ['DISCONNECT with a payload', ['1{}'], ['1["x"]']],
      ['CONNECT_ERROR', ['4{"message":"x"}'], ['4/custom,{"message":"x"}']],
      ['event whose payload is no array', ['2{}'], ['2"message"'], ['2true'], ['2null']],
      ['event whose payload is no JSON', ['2["message"'], ['2["message",]'], ["2['message']"], ['2["message"]x']],
      ['event without a name', ['2[]'], ['2[null]'], ['2[true]'], ['2[["message"]]'], ['2[{"toString":"foo"}]']],
      ['event with a reserved name', ...reserved.map((name) => [`2["${name}"]`]), ['2["conn\\u0065ct"]']],
      ['event whose ack id is no number', ['2abc["message-with-ack",1]'], ['2-1["message-with-ack",1]']],
      ['event on a namespace that is not connected', ['2/custom,["message"]'], ['2/random,["message"]']],
      ['ACK whose payload is no array', ['31{}'], ['31"x"'], ['31null'], ['31[']],
      ['with no count of attachments', ['5["message"]'], ['5-["message"]'], ['51["message"]'], ['61'], ['5']],
      ['with a bad count of attachments', ['50-["a"]'], ['5-1-["a"]'], ['51.5-["a"]'], ['5x-["a"]'], ['60-1[]']],
      ['with too many attachments', ['511-["a"]'], ['599999999999999999999-["a"]'], ['611-1["a"]']],
      ['placeholder out of range', binary('1'), binary('-1'), binary('1e9'), binary('10')],
      ['placeholder whose number is none', binary('"splice"'), binary('0.5'), binary('null'), binary('{}')],
      ['text where an attachment is due', [`51-["message",${ONE}]`, '2["message"]']],
      ['attachment that was not announced', [BYTES], [`51-["message",${ONE}]`, BYTES, BYTES]],
      ['JSON nested 100,000 deep', [`2["message",${'['.repeat(100_000)}${']'.repeat(100_000)}]`]],
    ];
    for (const [what, ...lists] of cases) {
      for (const packets of lists) {
        it(`${what} closes the connection: ${shown(packets)}`, async () => {
          const socket = await connected(server);
          socket.send(...packets);
          await socket.closed();
        });
      }
    }

    const early = [['2["message","early"]'], ['31["early"]'], ['1'], [`51-["message",${ONE}]`, BYTES], ['5999999999-["a"]']];
    for (const packets of early) {
      it(`before CONNECT closes the connection: ${shown(packets)}`, async () => {
        const socket = await SocketIo.open(server);
        const start = performance.now();
        socket.send(...packets);
        await socket.closed();
        assert.ok(performance.now() - start < CONNECT_TIMEOUT - 200, 'only the connect timeout closed it');
      });
    }

    it('over polling ends the session with a close packet, after what was sent before', async () => {
      const session = await Polling.open(server, { path: '/socket.io/' });
      await session.send('40');
      assert.match(await session.next(), /^40/);
      assert.equal(await session.next(), '42["auth",{}]');
      const get = session.get();
      await session.post(`42["connect"]`).catch(() => {}); // answered or cut off, both are fine
      assert.equal((await get).text.split(SEPARATOR).at(-1), '1');
      assert.equal((await session.get()).status, 400);
    });

    it('leaves other connections alone', async () => {
      const healthy = await connected(server);
      const bad = await connected(server);
      bad.send('2["connect"]');
      await bad.closed();
      await assertEchoes(healthy);
      await healthy.close();
    });
  });
});

function shown(packets) {
  const texts = packets.map((packet) => (typeof packet === 'string' ? packet : `<${packet.length} bytes>`));
  const all = texts.join(' ');
  return all.length > 70 ? `${all.slice(0, 70)}…` : all;
}
