// The parser of one's own that the documentation shows, on both sides, against contract `socket`: no integer is rounded.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parser } from '../../core/docs/parser.mjs';
import { CLIENTS, WAYS, call, connect, heard } from './official.mjs';
import { describeServers } from './server.mjs';

const BIG = [2n ** 53n + 1n, 2n ** 64n - 1n, -(2n ** 63n)];

describeServers('own parser', { contract: 'socket', parser: 'big-integers', concurrency: 4 }, (server) => {
  for (const version of Object.keys(CLIENTS)) {
    for (const way of Object.keys(WAYS)) {
      it(`of client ${version}, ${way}, has what JSON in JavaScript has not`, async (t) => {
        const socket = await connect(t, server, version, way, { parser });
        const back = heard(socket, 'message-back');
        const data = [...BIG, { list: [BIG, 1, 0.5, 'no number'] }];
        socket.emit('message', ...data);
        assert.deepEqual(await back, data);
        assert.deepEqual(await call(socket, 'message-with-ack', ...data), data);
      });

      it(`of client ${version}, ${way}, carries auth and refusals`, async (t) => {
        const auth = { id: BIG[0] };
        const socket = await connect(t, server, version, way, { parser });
        const custom = socket.io.socket('/custom', { auth });
        const told = heard(custom, 'auth');
        custom.connect();
        assert.deepEqual(await told, [auth]);
        const lost = socket.io.socket('/random');
        const refused = heard(lost, 'connect_error');
        lost.connect();
        assert.equal((await refused)[0].message, 'Invalid namespace');
      });
    }
  }
});
