// The examples on bare hyper: without and with TLS.
//
// Run: node --test hyper.test.mjs. Screenshots of the first: tests/artifacts/hyper*.png.
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { describeExamples } from './example.mjs';
import { WAYS, call, connect, heard } from './official.mjs';
import { eventually, launchBrowser, openPage, pictures } from './page.mjs';
import { request, within } from './wire.mjs';

let browser;

before(async () => {
  browser = await launchBrowser();
});

after(() => browser?.close());

const text = (page, id) => page.locator(`#${id}`).textContent();

describeExamples('hyper-', (name, server, first) => {
  const secure = name === 'hyper-tls';
  const client = { rejectUnauthorized: false };

  for (const way of Object.keys(WAYS)) {
    test(`a client is told its address and version of HTTP over ${way}`, async (t) => {
      const socket = await connect(t, server, '4.8.4', way, client);
      const [{ peer, version }] = await socket.welcome;
      assert.match(peer, /^127\.0\.0\.1:\d+$/);
      assert.equal(version, 'HTTP/1.1');
      assert.deepEqual(await call(socket, 'echo'), [true]);
    });
  }

  test('a browser connects by WebSocket, over HTTP/2 where there is TLS', async (t) => {
    const page = await openPage(t, browser, server.url, { ignoreHTTPSErrors: true });
    await eventually(() => text(page, 'state'), 'Connected');
    await eventually(() => text(page, 'transport'), 'websocket');
    await eventually(() => text(page, 'version'), secure ? 'HTTP/2.0' : 'HTTP/1.1');
    assert.match(await text(page, 'peer'), /^127\.0\.0\.1:\d+$/);
    await eventually(async () => /^\d+\.\d ms$/.test(await text(page, 'rtt')), true);
    assert.deepEqual(page.problems, []);
    if (first) await pictures(page, 'hyper');
  });

  if (!secure) {
    test('what is not ours is the function’s', async () => {
      assert.match((await request(server, '/')).text, /<title>Hello<\/title>/);
      assert.equal((await request(server, '/nowhere')).status, 404);
      assert.equal((await request(server, '/socket.ioo/')).status, 404);
    });
  }

  test('a connection that says nothing keeps nobody waiting', async (t) => {
    const silent = net.connect(server.port, server.host);
    t.after(() => silent.destroy());
    await within(new Promise((resolve) => silent.once('connect', resolve)), 'the connection');
    const socket = await connect(t, server, '4.8.4', 'websocket', client);
    assert.ok(socket.connected);
  });

  test('asked to stop, it does so at once, with clients', async (t) => {
    const page = await openPage(t, browser, server.url, { ignoreHTTPSErrors: true });
    await eventually(() => text(page, 'state'), 'Connected');
    const ends = [];
    for (const way of Object.keys(WAYS)) {
      const socket = await connect(t, server, '4.8.4', way, client);
      ends.push(heard(socket, 'disconnect'));
    }
    await server.stop();
    for (const end of ends) assert.equal((await end)[0], 'transport close'); // They try to come back.
    await eventually(() => text(page, 'state'), 'Connection lost');
  });
});
