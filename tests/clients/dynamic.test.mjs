// Namespaces that clients bring into being, middleware of packets, and a limit of clients' rates, against contract
// `dynamic`, by clients of every generation.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { load } from './matrix/cells.mjs';
import { begin, pause, until } from './matrix/peers.js';
import { describeServers } from './server.mjs';

const MEMBERS = [
  { client: '0.9.17', protocol: 1, way: 'xhr-polling' },
  { client: '0.9.17', protocol: 1, way: 'websocket' },
  { client: '2.5.0', protocol: 3, way: 'polling' },
  { client: '2.5.0', protocol: 3, way: 'upgrade' },
  { client: '4.8.4', protocol: 4, way: 'polling' },
  { client: '4.8.4', protocol: 4, way: 'upgrade' },
];

const title = ({ client, way }) => `${client} ${way}`;

function join(t, server, cell, namespace) {
  const peer = begin(load(cell.client), cell, server.url, { namespace });
  t.after(() => peer.end());
  return peer;
}

async function joined(t, server, cell, namespace) {
  const peer = join(t, server, cell, namespace);
  await peer.connected;
  return peer;
}

let orders = 0;
const newOrder = () => (orders += 1);

describeServers('namespaces of a pattern', { contract: 'dynamic' }, (server) => {
  for (const cell of MEMBERS) {
    it(`let ${title(cell)} in, and know their parameters`, async (t) => {
      const [one, other] = [newOrder(), newOrder()];
      const peer = await joined(t, server, cell, `/orders-${one}`);
      assert.deepEqual(await peer.welcome, [`/orders-${one}`, one]);
      const second = peer.of(`/orders-${other}`);
      assert.deepEqual(await second.welcome, [`/orders-${other}`, other]);
      assert.deepEqual(await second.call('say', 'ü'), ['ü']);
      assert.deepEqual(await peer.call('say', 1), [1]);
    });

    if (cell.protocol > 1) {
      it(`refuse ${title(cell)} where its path does not match, or its parameter is no number`, async (t) => {
        const peer = await joined(t, server, cell, '/');
        assert.deepEqual((await peer.of('/orders-').refused()).message, 'Invalid namespace');
        const refused = await peer.of('/orders-x').refused();
        const message = "invalid id in the namespace's path: invalid digit found in string";
        assert.equal(refused.message ?? refused, message);
      });
    }

    it(`are made for ${title(cell)} by a closure that awaits`, async (t) => {
      const path = `/tenant-${newOrder()}`;
      const peer = await joined(t, server, cell, '/');
      if (cell.protocol === 1) {
        peer.of(`${path}?token=letmein`);
        // 0.9 hears of a namespace by its path without the query.
        assert.deepEqual(await peer.of(path).heard('welcome'), [path]);
        return;
      }
      const credentials = { token: 'letmein' };
      const tenant = peer.of(path, { auth: credentials, query: credentials });
      assert.deepEqual(await tenant.welcome, [path]);
      assert.equal((await peer.of(`/tenant-${newOrder()}`).refused()).message, 'Invalid namespace');
    });

    it(`have middleware that changes, refuses and delays what ${title(cell)} sends, in order`, async (t) => {
      const path = `/orders-${newOrder()}`;
      const listener = await joined(t, server, MEMBERS.at(-1), path);
      const heard = listener.count('said');
      const peer = await joined(t, server, cell, path);
      const refused = { error: { message: 'not for you' } };
      assert.deepEqual(await peer.call('secret', 1), [refused]);
      assert.deepEqual(await peer.call('old say', 2), [2]);
      for (let i = 0; i < 6; i += 1) peer.emit(i % 2 ? 'say' : 'slow', i);
      await until(() => heard.length === 7, 'all that was said');
      assert.deepEqual(heard, [[2], [0], [1], [2], [3], [4], [5]]);
    });
  }

  it('are shared by clients of every generation, and part those of others', async (t) => {
    const [one, other] = [`/orders-${newOrder()}`, `/orders-${newOrder()}`];
    const members = await Promise.all(MEMBERS.map((cell) => joined(t, server, cell, one)));
    const stranger = await joined(t, server, MEMBERS.at(-1), other);
    await Promise.all([...members, stranger].map((peer) => peer.welcome));
    const heard = members.map((peer) => peer.count('said'));
    const news = [...members, stranger].map((peer) => peer.count('news'));
    const elsewhere = stranger.count('said');
    for (const [i, peer] of members.entries()) await peer.call('say', i);
    stranger.emit('news', 'for all');
    await until(() => news.every((list) => list.length === 1), 'the news');
    for (const [i, list] of heard.entries()) {
      const others = MEMBERS.map((_, sender) => [sender]).filter(([sender]) => sender !== i);
      assert.deepEqual(list, others, `heard by ${title(MEMBERS[i])}`);
    }
    assert.deepEqual(news, Array(MEMBERS.length + 1).fill([['for all']]));
    assert.deepEqual(elsewhere, []);
  });

  it('go when the last client has left, and come again', async (t) => {
    const [path, kept] = [`/orders-${newOrder()}`, `/orders-${newOrder()}`];
    const watcher = await joined(t, server, MEMBERS.at(-1), kept);
    const has = async (wanted) => {
      const [paths] = await watcher.call('children');
      return paths.includes(path) === wanted;
    };
    const eventually = async (wanted) => {
      const deadline = performance.now() + 10_000;
      while (!(await has(wanted))) assert.ok(performance.now() < deadline, `waited in vain for ${path}: ${wanted}`);
    };
    const peers = await Promise.all(MEMBERS.map((cell) => joined(t, server, cell, path)));
    await Promise.all(peers.map((peer) => peer.welcome));
    assert.ok(await has(true));
    for (const peer of peers) peer.end();
    await eventually(false);
    const again = await joined(t, server, MEMBERS[0], path);
    await again.welcome;
    assert.ok(await has(true));
  });
});

const BURST = 20;

describeServers('a limit that drops', { contract: 'dynamic', env: { EXCESS: 'drop' } }, (server) => {
  for (const cell of MEMBERS) {
    it(`tells ${title(cell)} so, and goes on`, async (t) => {
      const peer = await joined(t, server, cell, `/orders-${newOrder()}`);
      await peer.welcome;
      const answers = await Promise.all(Array.from({ length: 3 * BURST }, (_, i) => peer.call('say', i)));
      const limited = { error: { name: 'rate_limited', message: 'the client sends faster than it may' } };
      const dropped = answers.filter(([answer]) => typeof answer !== 'number');
      assert.ok(dropped.length > 0 && dropped.length < 3 * BURST, `${dropped.length} were dropped`);
      for (const answer of dropped) assert.deepEqual(answer, [limited]);
      assert.deepEqual(answers[0], [0]);
      await pause(500); // ten tokens
      assert.deepEqual(await peer.call('say', 'again'), ['again']);
    });
  }
});

describeServers('a limit that slows down', { contract: 'dynamic', env: { EXCESS: 'slow-down' } }, (server) => {
  for (const cell of MEMBERS) {
    it(`loses nothing of what ${title(cell)} sends`, async (t) => {
      const peer = await joined(t, server, cell, `/orders-${newOrder()}`);
      await peer.welcome;
      const start = performance.now();
      const numbers = Array.from({ length: 2 * BURST }, (_, i) => i);
      const answers = await Promise.all(numbers.map((i) => peer.call('say', i)));
      assert.deepEqual(answers, numbers.map((i) => [i]));
      // A second's worth is there at the beginning.
      assert.ok(performance.now() - start > 800, `it took ${performance.now() - start} ms`);
    });
  }
});

describeServers('a limit that disconnects', { contract: 'dynamic', env: { EXCESS: 'disconnect' } }, (server) => {
  for (const cell of MEMBERS) {
    it(`ends the connection of ${title(cell)}`, async (t) => {
      const peer = await joined(t, server, cell, `/orders-${newOrder()}`);
      await peer.welcome;
      const disconnected = peer.heard('disconnect');
      for (let i = 0; i < 3 * BURST; i += 1) peer.emit('say', i);
      await disconnected;
    });
  }
});
