// The testbed: every feature of the server in a real browser, on each choice of transports.
//
// Run: node --test testbed.test.mjs. Screenshots: tests/artifacts/testbed*.png.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { describeExample } from './example.mjs';
import { WAYS, call, connect, count } from './official.mjs';
import { eventually, launchBrowser, openPage, picture, pictures } from './page.mjs';

const FEATURES = 26;
const JOURNEYS = { Both: 'polling → websocket', Polling: 'polling', WebSocket: 'websocket' };
/** Some lines of the log, after everything was run. */
const CALLS = [
  'page /testbed event "echo" ok',
  'page /testbed event "turn_around" ok',
  'page /testbed event "abracadabra" ok',
  'page /testbed event "panic" panic',
  'page /testbed event "fail" handler_error',
  'page /testbed event "sum" invalid_method_args',
  'page /locked event "secret" method_access_denied',
  'page /closed connect refused',
  'page /members connect refused',
  'page /testbed job aborted',
  'ben /testbed connect ok',
];
const SIZE = { viewport: { width: 1280, height: 860 } };

let browser;

before(async () => {
  browser = await launchBrowser();
});

after(() => browser?.close());

const state = (page) => page.locator('#state').textContent();
const summary = (page) => page.locator('#summary').textContent();
const failures = (page) => page.locator('.card[data-state=failed]').evaluateAll((cards) =>
  cards.map((card) => `${card.querySelector('h3').textContent}: ${card.querySelector('.came').textContent}`));
const log = (page) => page.locator('#log li').evaluateAll((items) =>
  items.map((item) => ['.who', '.where', '.what', '.outcome'].map((part) => item.querySelector(part).textContent).join(' ')));

/** What a page logs that leaves on polling: official clients poll on while they say good-bye, and may come too late. */
const LATE_POLL = 'Failed to load resource: the server responded with a status of 400 (Bad Request)';

/** What a page logs whose server has gone. */
const isLoss = (problem) => /ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|WebSocket connection to/.test(problem);

describeExample('testbed', (server) => {
  test('everything passes on each choice of transports', async (t) => {
    const page = await openPage(t, browser, server.url, SIZE);
    for (const [choice, journey] of Object.entries(JOURNEYS)) {
      await t.test(choice, async () => {
        await page.locator('label', { has: page.getByRole('radio', { name: choice }) }).click();
        await eventually(() => page.locator('#transport').textContent(), journey);
        await page.getByRole('button', { name: 'Clear' }).click();
        await page.getByRole('button', { name: 'Run everything' }).click();
        await eventually(async () => /passed in|failed/.test(await summary(page)), true);
        assert.deepEqual(await failures(page), []);
        assert.match(await summary(page), new RegExp(`^All ${FEATURES} passed in`));
        assert.equal(await page.locator('.card[data-state=ok]').count(), FEATURES);
        const lines = await log(page);
        for (const line of CALLS) assert.ok(lines.includes(line), `${line} is in the log:\n${lines.join('\n')}`);
        assert.deepEqual(page.problems.filter((problem) => problem !== LATE_POLL), []);
        if (choice === 'Both') await pictures(page, 'testbed');
      });
    }
  });

  test('a feature that does not work is marked, and the page comes back with the server', async (t) => {
    const page = await openPage(t, browser, server.url, SIZE);
    await eventually(() => state(page), 'connected');
    const button = page.getByRole('button', { name: 'Try: An event' });
    const card = page.locator('.card', { has: button });
    await button.click();
    await eventually(() => card.locator('.came').textContent(), '“é😀 <b>&amp;</b>” came back.');
    await server.stop();
    await eventually(() => page.locator('#banner').textContent(), 'The connection is lost. Trying again…');
    await button.click();
    await eventually(() => failures(page), ['An event: The server could not be reached within 2 s.']);
    await picture(page, 'testbed-lost');
    await server.restart();
    await eventually(() => state(page), 'connected');
    assert.equal(await page.locator('#banner').textContent(), '');
    await button.click();
    await eventually(() => card.getAttribute('data-state'), 'ok');
    assert.deepEqual(page.problems.filter((problem) => !isLoss(problem)), []);
  });

  for (const way of Object.keys(WAYS)) {
    test(`what a visitor sends on ${way} is bounded, and nothing of it reaches others`, async (t) => {
      const open = () => connect(t, server, '4.8.4', way, { namespace: '/testbed', upgraded: true });
      const [visitor, other] = await Promise.all([open(), open()]);
      const heard = ['told', 'shouted'].map((event) => count(other, event));
      const wrong = async (event, ...args) => {
        const [{ error }] = await call(visitor, event, ...args);
        return error.name ?? error.message;
      };
      for (const word of ['', 'x'.repeat(33), 7, null, { a: 1 }]) {
        assert.equal(await wrong('tell', 'others', word), 'invalid_method_args');
        assert.equal(await wrong('shout', 'room', word), 'invalid_method_args');
        assert.equal(await wrong('join', word), 'invalid_method_args');
        assert.equal(await wrong('remember', word), 'invalid_method_args');
      }
      assert.equal(await wrong('tell', 'everybody', 'word'), 'invalid_method_args');
      assert.equal(await wrong('burst', 1001), 'A burst has at most 1000 events.');
      assert.equal(await wrong('burst', -1), 'invalid_method_args');
      assert.equal(await wrong('sum', 2 ** 53, 'x'), 'invalid_method_args');
      assert.equal(await wrong('tell second', 'word'), 'You are not in /second.');
      for (let room = 1; room <= 8; room += 1) assert.deepEqual(await call(visitor, 'join', `room ${room}`), [true]);
      assert.equal(await wrong('join', 'room 9'), 'You are in 8 rooms. Leave one first.');
      assert.deepEqual(await call(visitor, 'leave', 'room 1'), [true]);
      assert.deepEqual(await call(visitor, 'join', 'room 9'), [true]);
      await call(other, 'jobs'); // What was emitted before has come.
      assert.deepEqual(heard, [[], []]);
    });
  }
}, { panics: true });
