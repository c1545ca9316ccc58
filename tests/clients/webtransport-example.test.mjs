// The example of WebTransport: the page begins by polling and is then carried by HTTP/3, or begins so.
//
// Run: node --test webtransport-example.test.mjs. Screenshots: tests/artifacts/webtransport*.png.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { describeExample } from './example.mjs';
import { eventually, launchBrowser, openPage, pictures } from './page.mjs';

let browser;

before(async () => {
  browser = await launchBrowser({ quic: true });
});

after(() => browser?.close());

const text = (page, id) => page.locator(`#${id}`).textContent();
const way = async (page) => (await page.locator('#way li').allTextContents()).map((step) => step.split(' ')[0]);

describeExample('webtransport', (server) => {
  test('the page changes from polling to WebTransport, talks, and connects by it directly', async (t) => {
    const page = await openPage(t, browser, server.url, { viewport: { width: 720, height: 640 } });
    await eventually(() => text(page, 'server'), 'webtransport');
    assert.deepEqual(await way(page), ['polling', 'webtransport']);

    const other = await openPage(t, browser, server.url);
    await eventually(() => text(other, 'state'), 'connected by webtransport');
    await page.getByLabel('Say something to all tabs').fill('hello');
    await page.getByRole('button', { name: 'Say', exact: true }).click();
    await eventually(() => other.locator('#said li').allTextContents(), ['hello by webtransport']);
    await pictures(page, 'webtransport');
    // Before the client closes a session itself, which it logs as an error.
    assert.deepEqual([...page.problems, ...other.problems], []);

    await page.getByLabel('without polling first').check();
    await eventually(() => way(page), ['webtransport']);
    await eventually(() => text(page, 'server'), 'webtransport');
  });

  test('it tells its pages when it stops', async (t) => {
    const page = await openPage(t, browser, server.url);
    await eventually(() => text(page, 'state'), 'connected by webtransport');
    await server.stop();
    await eventually(async () => /^disconnected: transport close|^no connection/.test(await text(page, 'state')), true);
  });
});
