// The example of a job for each socket: points come at the socket's own pace, the page draws them, and the job ends with
// the socket.
//
// Run: node --test cpu-graph.test.mjs. Screenshots: tests/artifacts/cpu-graph*.png.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { describeExample } from './example.mjs';
import { WAYS, call, connect, count, heard, until } from './official.mjs';
import { eventually, launchBrowser, openPage, pictures } from './page.mjs';
import { request } from './wire.mjs';

const DESK = { viewport: { width: 1000, height: 760 } };

let browser;

before(async () => {
  browser = await launchBrowser();
});

after(() => browser?.close());

const text = (page, id) => page.locator(`#${id}`).textContent();
const points = (page) => page.evaluate(() => chart.length);

/** How much of the chart is of the mean's colour. */
const ink = (page) =>
  page.evaluate(() => {
    const canvas = document.getElementById('chart');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let pixels = 0;
    for (let at = 0; at < data.length; at += 4) {
      if (data[at + 3] > 0 && data[at + 1] > data[at] + 40) pixels += 1;
    }
    return pixels;
  });

const at = (interval, paused = false) => [{ paused, interval }];

describeExample('cpu-graph', (server) => {
  const jobs = async () => Number((await request(server, '/jobs')).text);
  const graph = (t, way = 'websocket') => connect(t, server, '4.8.4', way, { namespace: '/cpu', upgraded: true });

  /** Its socket, sending points as fast as it may. */
  async function fastGraph(t, way) {
    const socket = await graph(t, way);
    assert.deepEqual(await call(socket, 'interval', 100), at(100));
    return socket;
  }

  test('points arrive over every transport, in percent', async (t) => {
    for (const way of Object.keys(WAYS)) {
      const [point] = await heard(await fastGraph(t, way), 'point');
      assert.ok(Math.abs(point.at - Date.now()) < 5_000);
      assert.ok(point.cores.length > 0);
      for (const percent of [point.mean, ...point.cores]) assert.ok(percent >= 0 && percent <= 100, `${percent}`);
    }
  });

  test('the page draws what arrives, and can be read', async (t) => {
    const page = await openPage(t, browser, server.url, { ...DESK, deviceScaleFactor: 2 });
    await eventually(() => text(page, 'state'), 'connected');
    await page.getByLabel('A point every').selectOption('100 ms');
    await eventually(async () => (await points(page)) >= 3, true);
    const before = await ink(page);
    assert.ok(before > 0);
    await eventually(async () => (await points(page)) >= 30 && (await ink(page)) > 2 * before, true);

    assert.match(await text(page, 'mean'), /^\d+\u202f%$/);
    const [{ cores }] = await heard(await fastGraph(t), 'point');
    assert.equal(await page.locator('#cores li').count(), cores.length);
    const sharp = ({ width, clientWidth }) => width === 2 * clientWidth;
    assert.ok(await page.locator('#chart').evaluate(sharp), 'a pixel of the canvas is one of the screen');

    const reading = /^\d.*: mean \d+\u202f%, busiest core \d+\u202f%$/;
    const box = await page.locator('#chart').boundingBox();
    await page.mouse.move(box.x + box.width - 20, box.y + 40);
    await eventually(async () => reading.test(await text(page, 'reading')), true);
    await pictures(page, 'cpu-graph');
    await page.mouse.move(0, 0);
    await eventually(() => text(page, 'reading'), '');
    await page.locator('#chart').focus();
    await page.keyboard.press('ArrowLeft');
    const first = await text(page, 'reading');
    assert.match(first, reading);
    await page.keyboard.press('Home');
    await eventually(async () => (await text(page, 'reading')) !== first, true);
    assert.deepEqual(page.problems, []);
  });

  test('pause stops the points of that page alone, resume begins again', async (t) => {
    const page = await openPage(t, browser, server.url);
    await page.getByLabel('A point every').selectOption('100 ms');
    await eventually(async () => (await points(page)) > 0, true);
    const sent = page.evaluate(() => new Promise((done) => socket.emit('pause', done)));
    assert.deepEqual(await sent, { paused: true, interval: 100 });
    const then = await points(page);
    const other = await fastGraph(t);
    for (let index = 0; index < 4; index++) await heard(other, 'point');
    assert.equal(await points(page), then);

    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByRole('button', { name: 'Resume' }).click();
    await eventually(async () => (await points(page)) > then + 3, true);
    assert.equal(await page.getByRole('button', { name: 'Pause' }).count(), 1);
  });

  test('each client has its own pace', async (t) => {
    const fast = await fastGraph(t);
    const slow = await graph(t);
    assert.deepEqual(await call(slow, 'interval', 1_000), at(1_000));
    const [many, few] = [count(fast, 'point'), count(slow, 'point')];
    await until(() => few.length === 2, 'two points of the slow one');
    assert.ok(many.length >= 8, `${many.length} points of the fast one meanwhile`);
  });

  test('a client has one job at most, which ends with its socket', async (t) => {
    await eventually(jobs, 0);
    const socket = await graph(t);
    await eventually(jobs, 1);
    for (const event of ['resume', 'resume']) assert.deepEqual(await call(socket, event), at(500));
    await call(socket, 'interval', 100);
    await eventually(jobs, 1);
    await call(socket, 'pause');
    await eventually(jobs, 0);
    assert.deepEqual(await call(socket, 'interval', 200), at(200, true));
    assert.equal(await jobs(), 0);
    await call(socket, 'resume');
    const page = await openPage(t, browser, server.url);
    await eventually(jobs, 2);
    // Who leaves during an upgrade is missed only when no ping is answered.
    await eventually(() => page.evaluate(() => socket.io.engine.transport.name), 'websocket');
    await page.close();
    await eventually(jobs, 1);
    socket.disconnect();
    await eventually(jobs, 0);
  });

  test('an interval out of bounds is refused, and the old one stays', async (t) => {
    const socket = await fastGraph(t);
    for (const interval of [99, 5_001, 0, 1e18]) {
      const [answer] = await call(socket, 'interval', interval);
      assert.match(answer.error.message, /take one from 100 to 5000 ms/, `${interval}`);
    }
    for (const interval of ['200', 150.5, null, -1, { ms: 200 }]) {
      assert.ok((await call(socket, 'interval', interval))[0].error, `${interval}`);
    }
    assert.deepEqual(await call(socket, 'resume'), at(100));
    await heard(socket, 'point');
  });

  test('the page comes back by itself, with its pace, and says where there is no graph', async (t) => {
    const page = await openPage(t, browser, server.url);
    await page.getByLabel('A point every').selectOption('2 s');
    await eventually(() => text(page, 'state'), 'connected');
    await server.kill();
    await eventually(() => text(page, 'state'), 'connection lost, trying again');
    process.env.STAT = '/no/such/file';
    t.after(() => delete process.env.STAT);
    const asked = page.evaluate(() => {
      const { promise, resolve } = Promise.withResolvers();
      socket.onAnyOutgoing((...event) => resolve(event.slice(0, 2)));
      return promise;
    });
    await server.restart();
    assert.deepEqual(await asked, ['interval', 2_000]);
    const why = /^No graph: this machine does not tell how busy its CPU is: \/no\/such\/file: .*\.$/;
    await eventually(async () => why.test(await text(page, 'error')), true);
  });

  test('asked to stop, it does so at once, with jobs', async (t) => {
    const page = await openPage(t, browser, server.url);
    await eventually(() => text(page, 'state'), 'connected');
    await server.stop();
    await eventually(() => text(page, 'state'), 'connection lost, trying again');
  });
});
