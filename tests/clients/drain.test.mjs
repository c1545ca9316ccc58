// A process that is asked to stop and gives its clients time to go elsewhere: the news examples with DRAIN_SECONDS.
//
// Run: node --test drain.test.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeExamples } from './example.mjs';
import { WAYS, connect } from './official.mjs';
import { eventually } from './page.mjs';
import { request, upgradeRequest } from './wire.mjs';

const HANDSHAKE = '/socket.io/?EIO=4&transport=polling';
const WEBSOCKET = '/socket.io/?EIO=4&transport=websocket';
const SECONDS = 3;

describeExamples(
  'news-',
  (name, server) => {
    test('asked to stop, it takes nobody in, serves its readers, and sends them away one after the other', async (t) => {
      const ways = Object.keys(WAYS);
      const sockets = [];
      for (let i = 0; i < 12; i++) {
        sockets.push(await connect(t, server, '4.8.4', ways[i % ways.length], { upgraded: true }));
      }
      const ends = [];
      for (const socket of sockets) {
        socket.once('disconnect', (reason) => ends.push({ reason, at: performance.now() }));
      }
      const start = performance.now();
      const stopped = server.stop(20_000);
      await eventually(async () => (await request(server, HANDSHAKE)).status, 503);
      assert.equal((await upgradeRequest(server, WEBSOCKET)).status, 503);
      assert.ok(ends.length < sockets.length, 'somebody is still connected');
      let served = 0;
      for (const socket of sockets) socket.on('readers', () => served++);
      await eventually(() => ends.map(({ reason }) => reason), sockets.map(() => 'transport close'));
      assert.ok(served > 0, 'what is emitted reaches those who are connected');
      await stopped;

      const times = ends.map(({ at }) => (at - start) / 1000);
      const spread = times.at(-1) - times[0];
      assert.ok(spread > SECONDS / 2 && times.at(-1) < SECONDS + 2, `they went at ${times.map((s) => s.toFixed(2))} s`);
    });
  },
  { env: { DRAIN_SECONDS: String(SECONDS) } },
);
