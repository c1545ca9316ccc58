// Clients of every generation in one room, against contract `app`: what one says, all others hear.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { load } from './matrix/cells.mjs';
import { begin, until } from './matrix/peers.js';
import { describeServers } from './server.mjs';

const MEMBERS = [
  { client: '0.9.17', protocol: 1, way: 'xhr-polling' },
  { client: '0.9.17', protocol: 1, way: 'websocket' },
  { client: '1.7.4', protocol: 3, way: 'websocket' },
  { client: '2.5.0', protocol: 3, way: 'polling' },
  { client: '2.5.0', protocol: 3, way: 'upgrade' },
  { client: '4.8.4', protocol: 4, way: 'polling' },
  { client: '4.8.4', protocol: 4, way: 'upgrade' },
];

const title = ({ client, way }) => `${client} ${way}`;

describeServers('generations in one room', { contract: 'app', mayPanic: true }, (server) => {
  it('hear the text that each of them sends, once and in order', async (t) => {
    const members = await gather(t, server);
    const { room } = members;
    const heardBy = members.map(({ peer }) => peer.count('news'));
    const texts = members.map(({ cell }) => ({ from: title(cell), text: 'ü€😀 \u2028 </script> \ufffd' }));
    for (const [i, { peer }] of members.entries()) {
      assert.deepEqual(await peer.call('to-room', room, 'news', texts[i]), [true]);
    }
    await settled(members);
    for (const [i, { cell }] of members.entries()) {
      const others = texts.filter((_, sender) => sender !== i).map((text) => [text]);
      assert.deepEqual(heardBy[i], others, `heard by ${title(cell)}`);
    }
  });

  it('hear the broadcasts of each of them', async (t) => {
    const members = await gather(t, server);
    const event = members.room; // a name that no other test uses: everyone hears a broadcast
    const heardBy = members.map(({ peer }) => peer.count(event));
    for (const [i, { peer }] of members.entries()) {
      assert.deepEqual(await peer.call('broadcast-others', event, i), [true]);
    }
    await settled(members);
    for (const [i, { cell }] of members.entries()) {
      const others = members.map((_, sender) => [sender]).filter(([sender]) => sender !== i);
      assert.deepEqual(heardBy[i], others, `heard by ${title(cell)}`);
    }
  });

  it('hear binary where the generation has it, and the others stay connected', async (t) => {
    const members = await gather(t, server);
    const { room } = members;
    const heardBy = members.map(({ peer }) => peer.count('news'));
    const lost = members.map(({ peer }) => peer.count('disconnect'));
    const senders = members.filter(({ cell }) => cell.protocol > 1);
    for (const { peer } of senders) await peer.call('to-room', room, 'news', { deep: [Buffer.from([0, 255])] });
    for (const { peer } of senders) await peer.call('to-room', room, 'news', 'text');
    await settled(members);
    for (const [i, { cell }] of members.entries()) {
      const others = senders.length - (cell.protocol > 1 ? 1 : 0);
      const binary = cell.protocol > 1 ? Array(others).fill([{ deep: [Buffer.from([0, 255])] }]) : [];
      assert.deepEqual(heardBy[i], [...binary, ...Array(others).fill(['text'])], `heard by ${title(cell)}`);
      assert.deepEqual(lost[i], [], `${title(cell)} was disconnected`);
    }
  });

  it('answer the server, each its own question', async (t) => {
    const members = await gather(t, server);
    const answers = members.map(({ peer, cell }) => {
      peer.on('question', (...args) => args.pop()(...args, title(cell)));
      return peer.heard('answer-received');
    });
    for (const [i, { peer }] of members.entries()) peer.emit('ask-me', i);
    assert.deepEqual(
      await Promise.all(answers),
      members.map(({ cell }, i) => [i, title(cell)]),
    );
  });

  it('are told of each that leaves', async (t) => {
    const members = await gather(t, server);
    const left = members.map(({ peer }) => peer.count('left'));
    const gone = [];
    while (members.length > 1) {
      const { peer, cell } = members.pop();
      gone.push([peer.id]);
      peer.disconnect();
      for (const [i, member] of members.entries()) {
        await until(() => left[i].length >= gone.length, `${title(member.cell)} to hear that ${title(cell)} left`);
      }
    }
    assert.deepEqual(left[0], gone);
  });
});

let rooms = 0;

/** A member of each kind in a room of their own. */
async function gather(t, server) {
  const room = `mixed-${(rooms += 1)}`;
  const members = MEMBERS.map((cell) => ({ cell, peer: begin(load(cell.client), cell, server.url) }));
  t.after(() => members.forEach(({ peer }) => peer.end()));
  for (const { peer, cell } of members) {
    await peer.connected;
    if (cell.way === 'upgrade') await until(() => peer.transport === 'websocket', `the upgrade of ${title(cell)}`);
    assert.deepEqual(await peer.call('join', room), [room]);
  }
  return Object.assign(members, { room });
}

/** Everything that was sent to the members before has come. */
const settled = (members) => Promise.all(members.map(({ peer }) => peer.call('echo-ack')));
