// The news examples: what ordinary requests and a background task emit reaches readers, beneath the usual middleware.
//
// Run: node --test news.test.mjs. Screenshots of the first: tests/artifacts/news-*.png.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { describeExamples } from './example.mjs';
import { WAYS, connect, count, heard } from './official.mjs';
import { eventually, launchBrowser, openPage, pictures } from './page.mjs';
import { request } from './wire.mjs';

const FRONT_END = 'http://localhost:5173';
const STRANGER = 'http://stranger.example';
const HANDSHAKE = '/socket.io/?EIO=4&transport=polling';

let browser;

before(async () => {
  browser = await launchBrowser();
});

after(() => browser?.close());

function publish(server, text, headers = {}) {
  const body = JSON.stringify({ text });
  return request(server, '/news', {
    method: 'POST',
    body,
    headers: { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body), ...headers },
  });
}

const news = (page) => page.locator('#news li').evaluateAll((items) => items.map((item) => item.firstChild.data));

describeExamples('news-', (name, server, first) => {
  test('a POST reaches readers over every transport, and so does the background task', async (t) => {
    const ways = Object.keys(WAYS);
    const sockets = await Promise.all(ways.map((way) => connect(t, server, '4.8.4', way, { upgraded: true })));
    const items = sockets.map((socket) => heard(socket, 'news'));
    assert.equal((await publish(server, ' é😀 ')).status, 204);
    for (const item of items) assert.deepEqual(await item, [{ text: 'é😀' }]);
    for (const socket of sockets) assert.deepEqual(await heard(socket, 'readers'), [sockets.length]);
    for (const socket of sockets) await heard(socket, 'readers'); // It goes on.
  });

  test('the page shows what it publishes, as text, and how many read', async (t) => {
    const page = await openPage(t, browser, server.url);
    await eventually(() => page.locator('#readers').textContent(), '1 reader');
    await connect(t, server, '4.8.4', 'websocket');
    await connect(t, server, '4.8.4', 'polling');
    await eventually(() => page.locator('#readers').textContent(), '3 readers');

    const hostile = '<img src=x onerror="window.hacked = true"> & more';
    for (const text of ['The kettle is on', 'Tea is served', hostile]) {
      await page.getByLabel('Publish by an ordinary request').fill(text);
      await page.keyboard.press('Enter');
      await eventually(async () => (await news(page))[0], text);
    }
    assert.equal(await page.locator('#none').isVisible(), false);
    assert.equal(await page.evaluate(() => window.hacked), undefined);
    assert.deepEqual(page.problems, []);
    if (first) await pictures(page, 'news');
  });

  test('what is no news is refused and reaches nobody', async (t) => {
    const socket = await connect(t, server, '4.8.4', 'websocket');
    const items = count(socket, 'news');
    for (const text of ['', '  ', 'x'.repeat(281), 3]) {
      const { status } = await publish(server, text);
      assert.ok(status >= 400 && status < 500, `${status} for ${text}`);
    }
    const item = heard(socket, 'news');
    await publish(server, 'x'.repeat(280));
    await item;
    assert.equal(items.length, 1);
  });

  test('the listed origin may publish and read, another may not', async () => {
    const preflight = (origin) =>
      request(server, '/news', {
        method: 'OPTIONS',
        headers: {
          Origin: origin,
          'Access-Control-Request-Method': 'POST',
          'Access-Control-Request-Headers': 'content-type',
        },
      });
    const allowed = await preflight(FRONT_END);
    assert.ok(allowed.status < 300, `${allowed.status}`);
    assert.equal(allowed.headers['access-control-allow-origin'], FRONT_END);
    assert.match(allowed.headers['access-control-allow-headers'], /content-type/i);
    assert.notEqual((await preflight(STRANGER)).headers['access-control-allow-origin'], STRANGER);

    const published = await publish(server, 'from a front end', { Origin: FRONT_END });
    assert.equal(published.status, 204);
    assert.equal(published.headers['access-control-allow-origin'], FRONT_END);

    const read = await request(server, HANDSHAKE, { headers: { Origin: FRONT_END } });
    assert.equal(read.status, 200);
    assert.equal(read.headers['access-control-allow-origin'], FRONT_END); // Twice would be two, with a comma.
    assert.equal((await request(server, HANDSHAKE, { headers: { Origin: STRANGER } })).status, 403);
  });

  test('the page is compressed for who takes it', async () => {
    const { headers } = await request(server, '/', { headers: { 'Accept-Encoding': 'gzip' } });
    assert.equal(headers['content-encoding'], 'gzip');
    const handshake = await request(server, HANDSHAKE);
    assert.equal(handshake.headers['content-encoding'], undefined);
    assert.match(handshake.text, /^0\{/);
  });

  test('asked to stop, it does so at once, with readers', async (t) => {
    const page = await openPage(t, browser, server.url);
    await eventually(() => page.locator('#state').textContent(), 'connected');
    const sockets = [];
    for (const way of Object.keys(WAYS)) sockets.push(await connect(t, server, '4.8.4', way));
    const ends = sockets.map((socket) => heard(socket, 'disconnect'));
    await server.stop();
    for (const end of ends) assert.equal((await end)[0], 'transport close'); // They try to come back.
    await eventually(() => page.locator('#state').textContent(), 'connection lost, trying again');
  });
});
