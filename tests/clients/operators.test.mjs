// Every operator and query, as released clients of each generation see them, against contract `operators`.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { load } from './matrix/cells.mjs';
import { begin, until } from './matrix/peers.js';
import { describeServers } from './server.mjs';

const MEMBERS = [
  { client: '0.9.17', protocol: 1, way: 'websocket' },
  { client: '0.9.17', protocol: 1, way: 'xhr-polling' },
  { client: '2.5.0', protocol: 3, way: 'polling' },
  { client: '2.5.0', protocol: 3, way: 'upgrade' },
  { client: '4.8.4', protocol: 4, way: 'polling' },
  { client: '4.8.4', protocol: 4, way: 'websocket' },
  { client: '4.8.4', protocol: 4, way: 'upgrade' },
];

const title = ({ client, way }) => `${client} ${way}`;
const bytes = (...values) => Buffer.from(values);

describeServers('operators', { contract: 'operators' }, (server) => {
  for (const from of ['io', 'namespace', 'socket']) {
    it(`reach whom they name, from ${from}`, async (t) => {
      const members = await gather(t, server);
      const { all } = members;
      // Rooms by the parity of the members: a member hears its own `socket.…` never.
      for (const [i, { peer }] of members.entries()) await join(peer, `${all} ${i % 2}`, ...(i === 0 ? [`${all} x`] : []));
      const sender = members.at(-1);
      const cases = [
        [{ to: [all] }, () => true],
        [{ to: [`${all} 0`] }, (i) => i % 2 === 0],
        [{ to: [`${all} 0`, `${all} 1`] }, () => true],
        [{ to: [`${all} 0`, `${all} x`], except: [`${all} 1`] }, (i) => i % 2 === 0],
        [{ to: [all], except: [`${all} x`, `${all} 1`] }, (i) => i % 2 === 0 && i > 0],
        [{ to: [all], local: true }, () => true],
        [{ to: [all], compress: false }, () => true],
        [{ to: [members[3].peer.id, members[5].peer.id] }, (i) => i === 3 || i === 5],
        [{ to: [] }, () => false],
      ];
      const heard = members.map(({ peer }) => peer.count('news'));
      const expected = members.map(() => []);
      for (const [n, [order, isFor]] of cases.entries()) {
        assert.deepEqual(await perform(sender.peer, { from, ...order, event: 'news' }, n, 'ü€😀'), true);
        for (const [i, news] of expected.entries()) {
          if (isFor(i) && (from !== 'socket' || members[i] !== sender)) news.push([n, 'ü€😀']);
        }
      }
      await settled(members);
      for (const [i, { cell }] of members.entries()) assert.deepEqual(heard[i], expected[i], `heard by ${title(cell)}`);
    });
  }

  it('send messages to all of a room', async (t) => {
    const members = await gather(t, server);
    const messages = members.map(({ peer }) => peer.count('message'));
    await perform(members[4].peer, { to: [members.all], act: 'send' }, 'hello');
    await settled(members);
    for (const [i, { cell }] of members.entries()) assert.deepEqual(messages[i], [['hello']], title(cell));
  });

  it('lose nothing volatile to those who can take it', async (t) => {
    const members = await gather(t, server);
    const open = members.filter(({ cell }) => cell.way !== 'polling' && cell.way !== 'xhr-polling');
    const moves = open.map(({ peer }) => peer.heard('move'));
    await settled(members);
    await perform(members[0].peer, { to: [members.all], volatile: true, event: 'move' }, 1);
    for (const move of moves) assert.deepEqual(await move, [1]);
  });

  it('ask many, and have the answer of each', async (t) => {
    const members = await gather(t, server);
    for (const { peer, cell } of members) peer.on('question', (n, ack) => ack({ n, by: title(cell) }));
    for (const from of ['io', 'namespace']) {
      const { answers, missing } = await perform(members[0].peer, { from, to: [members.all], act: 'ask', event: 'question' }, 7);
      const expected = members.map(({ peer, cell }) => [peer.id, { n: 7, by: title(cell) }]);
      assert.deepEqual(answers, Object.fromEntries(expected));
      assert.deepEqual(missing, {});
    }
  });

  it('ask all but the one who asks', async (t) => {
    const members = await gather(t, server);
    for (const { peer } of members) peer.on('question', (ack) => ack('here'));
    for (const { peer } of members) {
      const { answers, missing } = await perform(peer, { from: 'socket', to: [members.all], act: 'ask', event: 'question' });
      const others = members.filter((member) => member.peer !== peer).map((member) => [member.peer.id, 'here']);
      assert.deepEqual([answers, missing], [Object.fromEntries(others), {}]);
    }
  });

  it('name those who do not answer in time, and those who leave', async (t) => {
    const members = await gather(t, server);
    const [answering, silent, leaving] = [members[4].peer, members[5].peer, members[6].peer];
    const gone = leaving.id; // forgotten when it disconnects
    answering.on('question', (ack) => ack(1));
    leaving.on('question', () => leaving.disconnect());
    const to = [answering.id, silent.id, gone];
    const { answers, missing } = await perform(members[0].peer, { to, timeoutMs: 500, act: 'ask', event: 'question' });
    assert.deepEqual(answers, { [answering.id]: 1 });
    assert.deepEqual(missing, {
      [silent.id]: 'the client did not acknowledge in time',
      [gone]: 'the client left before it acknowledged',
    });
  });

  it('ask with bytes, and have bytes for an answer, where the generation has them', async (t) => {
    const members = await gather(t, server);
    const heard = members.map(({ peer }) => peer.count('bytes'));
    for (const { peer } of members) peer.on('bytes', (sent, ack) => ack({ length: sent.length }));
    const asker = members[4].peer;
    const { answers, missing } = await perform(asker, { to: [members.all], act: 'ask', event: 'bytes' }, bytes(1, 2, 3));
    const able = members.filter(({ cell }) => cell.protocol > 1);
    assert.deepEqual(answers, Object.fromEntries(able.map(({ peer }) => [peer.id, { length: 3 }])));
    assert.deepEqual(missing, {}, 'clients before 1.0 are not asked');
    await settled(members);
    for (const [i, { cell }] of members.entries()) assert.equal(heard[i].length, cell.protocol > 1 ? 1 : 0, title(cell));
  });

  it('find sockets, with their rooms, data and handshakes', async (t) => {
    const members = await gather(t, server);
    const { all } = members;
    for (const [i, { peer, cell }] of members.entries()) {
      const data = { name: title(cell), list: [i] };
      assert.deepEqual(await peer.call('set-data', data), [data]);
    }
    await join(members[0].peer, `${all} x`);
    const found = await perform(members[6].peer, { to: [all], act: 'fetch' });
    const byId = new Map(found.map((socket) => [socket.id, socket]));
    assert.equal(byId.size, members.length);
    for (const [i, { peer, cell }] of members.entries()) {
      const { rooms, data, address, query } = byId.get(peer.id);
      assert.deepEqual(rooms, [peer.id, all, ...(i === 0 ? [`${all} x`] : [])], title(cell));
      assert.deepEqual(data, { name: title(cell), list: [i] });
      assert.equal(address, '127.0.0.1');
      if (cell.protocol > 1) assert.match(query, new RegExp(`EIO=${cell.protocol}`));
    }
    const except = await perform(members[6].peer, { from: 'socket', to: [all], except: [`${all} x`], act: 'fetch' });
    const ids = members.slice(1, -1).map(({ peer }) => peer.id);
    assert.deepEqual(except.map(({ id }) => id).sort(), ids.sort());
  });

  it('tell, ask and move one socket that was found', async (t) => {
    const members = await gather(t, server);
    const asker = members[6].peer;
    for (const { peer, cell } of members.slice(0, -1)) {
      const order = (rest) => perform(asker, { from: peer.id, ...rest }, 'one', { two: 2 });
      const news = peer.heard('news');
      await order({ event: 'news' });
      assert.deepEqual(await news, ['one', { two: 2 }], title(cell));
      peer.on('question', (one, two, ack) => ack([one, two]));
      assert.deepEqual(await order({ act: 'ask', event: 'question' }), ['one', { two: 2 }], title(cell));
      assert.deepEqual(await order({ act: 'ask', event: 'silence', timeoutMs: 100 }), {
        error: 'the client did not acknowledge in time',
      });
      await order({ act: 'join', rooms: ['a', 'b'] });
      await order({ act: 'leave', rooms: ['a', members.all] });
      assert.deepEqual((await order({ act: 'fetch' })).rooms, [peer.id, 'b'], title(cell));
    }
  });

  it('move many sockets', async (t) => {
    const members = await gather(t, server);
    const { all } = members;
    const mover = members[4].peer;
    await perform(mover, { from: 'namespace', to: [all], act: 'join', rooms: [`${all} x`, `${all} y`] });
    await perform(mover, { from: 'socket', to: [`${all} x`], act: 'leave', rooms: [all, `${all} y`] });
    for (const { peer, cell } of members) {
      const others = peer === mover ? [all, `${all} x`, `${all} y`] : [`${all} x`];
      assert.deepEqual(await peer.call('join', []), [[peer.id, ...others]], title(cell));
    }
  });

  for (const act of ['disconnect', 'close']) {
    it(`${act} many sockets, which stay away`, async (t) => {
      const members = await gather(t, server);
      const others = members.map(({ peer, cell }) => (cell.protocol > 1 ? peer.of('/second') : undefined));
      for (const other of others.filter(Boolean)) await other.connected;
      const ends = members.map(({ peer }) => peer.count('disconnect'));
      const otherEnds = others.map((other) => other?.count('disconnect'));
      const judge = members[4].peer;
      assert.equal(await perform(judge, { from: 'socket', to: [members.all], act }), true);
      for (const [i, { peer, cell }] of members.entries()) {
        if (peer === judge) continue;
        await until(() => ends[i].length > 0, `${title(cell)} to be told`);
        const reason = cell.protocol > 1 ? 'io server disconnect' : 'booted';
        assert.deepEqual(ends[i].map(([why]) => why), [reason], title(cell));
        if (!others[i]) continue;
        if (act === 'disconnect') assert.deepEqual(await others[i].call('join', ['a']).then(([rooms]) => rooms.length), 2);
        else await until(() => otherEnds[i].length > 0, `${title(cell)} to leave /second`);
        const expected = act === 'close' ? ['io server disconnect'] : [];
        assert.deepEqual(otherEnds[i].map(([why]) => why), expected, `${title(cell)} in /second`);
      }
      assert.deepEqual(ends[4], []);
      const left = await perform(judge, { to: [members.all], act: 'fetch' });
      assert.deepEqual(left.map(({ id }) => id), [judge.id]);
    });
  }

  it('tell what happens to rooms, in order', async (t) => {
    const members = await gather(t, server);
    const { all } = members;
    const [first, second] = [members[2].peer, members[6].peer];
    await first.call('room-events');
    await join(first, `${all} x`, `${all} y`);
    await join(second, `${all} x`);
    await first.call('leave', [`${all} x`]);
    const id = second.id; // forgotten when it disconnects
    second.disconnect();
    const events = [];
    const mine = ([, room, socket]) => room.startsWith(all) || room === id || socket === id;
    while (events.at(-1)?.[1] !== `${all} x` || events.at(-1)?.[0] !== 'delete') {
      events.push(...(await first.call('room-events'))[0].filter(mine));
    }
    assert.deepEqual(events, [
      ['create', `${all} x`],
      ['join', `${all} x`, first.id],
      ['create', `${all} y`],
      ['join', `${all} y`, first.id],
      ['join', `${all} x`, id],
      ['leave', `${all} x`, first.id],
      ['leave', id, id],
      ['delete', id],
      ['leave', all, id],
      ['leave', `${all} x`, id],
      ['delete', `${all} x`],
    ]);
  });

  it('tell a change of transport once', async (t) => {
    for (const cell of MEMBERS) {
      const peer = begin(load(cell.client), cell, server.url);
      t.after(() => peer.end());
      const upgrades = peer.count('upgraded');
      await peer.connected;
      if (cell.way === 'upgrade') await until(() => upgrades.length > 0, `the upgrade of ${title(cell)}`);
      await peer.call('join', []);
      assert.deepEqual(upgrades, cell.way === 'upgrade' ? [['websocket']] : [], title(cell));
    }
  });
});

let rooms = 0;

/** A member of each kind in a room of their own, `all`. */
async function gather(t, server) {
  const all = `room-${(rooms += 1)}`;
  const members = MEMBERS.map((cell) => ({ cell, peer: begin(load(cell.client), cell, server.url) }));
  t.after(() => members.forEach(({ peer }) => peer.end()));
  for (const { peer, cell } of members) {
    await peer.connected;
    if (cell.way === 'upgrade') await until(() => peer.transport === 'websocket', `the upgrade of ${title(cell)}`);
    await join(peer, all);
  }
  return Object.assign(members, { all });
}

const join = (peer, ...names) => peer.call('join', names);

/** What the server answers to an order. */
async function perform(peer, order, ...args) {
  const [result] = await peer.call('do', order, ...args);
  return result;
}

/** Everything that was sent to the members before has come. */
const settled = (members) => Promise.all(members.map(({ peer }) => peer.call('join', [])));
