// Connection state recovery with the released client that has it, over a network that fails: contract `socket-client`.
import assert from 'node:assert/strict';
import net from 'node:net';
import { it } from 'node:test';
import { Manager } from 'socket.io-client-4.8';
import { call, count, heard, until } from './official.mjs';
import { describeServers } from './server.mjs';
import { within } from './wire.mjs';

/**
 * A TCP proxy in front of the server. `cut()` breaks all connections, the server's side first. After `deafen()`, what the server says is swallowed, save that
 * it accepts a POST: without that, a client that polls cannot say goodbye. `swallowed()` is that as text. `goodbyes()` counts the POSTs by which clients
 * that poll say goodbye.
 */
async function network(t, server) {
  const pairs = new Set();
  let swallowed;
  let goodbyes = 0;
  const proxy = net.createServer((client) => {
    const upstream = net.connect(server.port, server.host);
    const pair = [client, upstream];
    pairs.add(pair);
    for (const socket of pair) {
      socket.on('error', () => {});
      socket.on('close', () => {
        pairs.delete(pair);
        for (const other of pair) other.destroy();
      });
    }
    let saysGoodbye = false;
    client.on('data', (chunk) => {
      saysGoodbye ||= chunk.toString('latin1').endsWith('\r\n\r\n1');
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      const accepted = /\r\n\r\nok$/.test(chunk.toString('latin1'));
      if (accepted && saysGoodbye) goodbyes += 1;
      if (swallowed === undefined || accepted) client.write(chunk);
      else swallowed += chunk.toString('latin1');
    });
  });
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  // The server knows of it before the client can come back.
  const cut = async () => {
    const lost = [...pairs];
    const noticed = lost.map(([, upstream]) => new Promise((resolve) => upstream.once('close', resolve)));
    for (const [, upstream] of lost) upstream.end();
    await within(Promise.all(noticed), 'the server to close its side');
    swallowed = undefined;
  };
  t.after(() => {
    for (const socket of [...pairs].flat()) socket.destroy();
    proxy.close();
  });
  return {
    url: `http://127.0.0.1:${proxy.address().port}`,
    cut,
    deafen: () => (swallowed = ''),
    swallowed: () => swallowed,
    goodbyes: () => goodbyes,
    connections: () => pairs.size,
  };
}

/** A socket that has got an event, and so an offset, through that network. */
async function begun(t, url, transports, namespace = '/') {
  const manager = new Manager(url, { transports, reconnection: false, autoConnect: false });
  const socket = manager.socket(namespace);
  t.after(() => {
    socket.disconnect();
    manager.engine?.close();
  });
  const connected = heard(socket, 'connect');
  socket.connect();
  await connected;
  if (transports.length > 1) await until(() => manager.engine.transport.name === 'websocket', 'the upgrade');
  assert.equal(Boolean(socket.recovered), false);
  if (namespace === '/') {
    socket.emit('hi');
    await heard(socket, 'hi');
  }
  return socket;
}

/** How often clients that poll have gone, by network. */
const goodbyesDue = new Map();

/** Ends a client's connection by `end`, and has it come back once the server knows. */
async function comeBack(socket, wire, end) {
  const polls = socket.io.engine.transport.name === 'polling';
  const due = (goodbyesDue.get(wire) ?? 0) + 1;
  if (polls) goodbyesDue.set(wire, due);
  await end();
  if (socket.connected) await heard(socket, 'disconnect');
  // A client that polls says goodbye by a POST, another by hanging up.
  if (wire) await until(() => (polls ? wire.goodbyes() >= due : wire.connections() === 0), 'the server to know');
  const connected = heard(socket, 'connect');
  socket.connect();
  await connected;
}

const TEXTS = ['てすと', 'Я Б Г Д Ж Й', 'Ä ä Ü ü ß', 'utf8 — string', 'utf8 — string'];
const times = (text, word) => text.split(word).length - 1;

describeServers('connection state recovery', { contract: 'socket-client', concurrency: 1 }, (server) => {
  for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']]) {
    const way = transports.join(' and ');

    it(`a client whose connection breaks is who it was, and gets each event once: ${way}`, async (t) => {
      const wire = await network(t, server);
      const socket = await begun(t, wire.url, transports);
      const { id } = socket;
      const texts = count(socket, 'takeUtf8');
      wire.deafen();
      socket.emit('getUtf8');
      // A poll brings the first and no other is open then.
      const due = transports.length === 1 && transports[0] === 'polling' ? 1 : TEXTS.length;
      await until(() => times(wire.swallowed(), 'takeUtf8') >= due, 'what the server sends');
      await until(() => socket.io.engine.transport.writable, 'the server to accept what the client sent');
      await comeBack(socket, wire, wire.cut);
      assert.equal(socket.recovered, true);
      assert.equal(socket.id, id);
      await until(() => texts.length >= TEXTS.length, 'the events that were lost');
      assert.deepEqual(await call(socket, 'getId'), [id]);
      assert.deepEqual(texts.map(([text]) => text), TEXTS);
    });

    it(`a client that closes its engine comes back again and again: ${way}`, async (t) => {
      const wire = await network(t, server);
      const socket = await begun(t, wire.url, transports);
      const { id } = socket;
      for (let time = 0; time < 3; time++) {
        await comeBack(socket, wire, () => socket.io.engine.close());
        assert.equal(socket.recovered, true);
        assert.equal(socket.id, id);
        assert.deepEqual(await call(socket, 'getId'), [id]);
        assert.deepEqual(await call(socket, 'echo', time), [time]);
      }
    });
  }

  it('its offset is that of the last event', async (t) => {
    const socket = await begun(t, server.url, ['websocket']);
    const offsets = new Set();
    for (let time = 0; time < 3; time++) {
      socket.emit('hi');
      const [offset] = await heard(socket, 'hi');
      assert.equal(socket._lastOffset, offset);
      offsets.add(offset);
    }
    assert.equal(offsets.size, 3);
  });

  it('binary events have an offset, too', async (t) => {
    const socket = await begun(t, server.url, ['websocket']);
    socket.emit('doge');
    const [bytes, offset] = await heard(socket, 'doge');
    assert.deepEqual(Buffer.from(bytes), Buffer.from('asdfasdf'));
    assert.equal(socket._lastOffset, offset);
  });

  it('a client that never got an event begins anew', async (t) => {
    const socket = await begun(t, server.url, ['websocket'], '/foo');
    const { id } = socket;
    await comeBack(socket, undefined, () => socket.io.engine.close());
    assert.equal(socket.recovered, false);
    assert.notEqual(socket.id, id);
  });

  it('the only client of a dynamic namespace comes back to it', async (t) => {
    const wire = await network(t, server);
    const socket = await begun(t, wire.url, ['websocket'], '/orders-7');
    const { id } = socket;
    socket.emit('hi');
    await heard(socket, 'hi');
    await comeBack(socket, wire, wire.cut);
    assert.equal(socket.recovered, true);
    assert.equal(socket.id, id);
    socket.emit('hi');
    await heard(socket, 'hi');
  });

  it('a client that left its namespace begins anew', async (t) => {
    const socket = await begun(t, server.url, ['websocket']);
    const { id } = socket;
    await comeBack(socket, undefined, () => socket.disconnect());
    assert.equal(socket.recovered, false);
    assert.notEqual(socket.id, id);
  });

  it('of two clients that say that they are one, the second begins anew', async (t) => {
    const socket = await begun(t, server.url, ['websocket']);
    const thief = await begun(t, server.url, ['websocket']);
    [thief._pid, thief._lastOffset] = [socket._pid, socket._lastOffset];
    await comeBack(thief, undefined, () => thief.io.engine.close());
    assert.equal(thief.recovered, false);
    assert.notEqual(thief.id, socket.id);
  });
});
