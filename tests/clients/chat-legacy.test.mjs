// The chat carried over from gevent-socketio: a page with the client 0.9 and one with today's, in one room.
//
// Run: node --test chat-legacy.test.mjs. Screenshots: tests/artifacts/chat-legacy*.png.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { describeExample } from './example.mjs';
import { call, connect, heard } from './official.mjs';
import { eventually, launchBrowser, openPage, pictures } from './page.mjs';

const DENIED = { name: 'method_access_denied', message: 'the client may not call this event' };
const HOSTILE = '<img src=x onerror="window.hacked = true"> & more';
const SIZE = { viewport: { width: 900, height: 640 } };

let browser;

before(async () => {
  browser = await launchBrowser();
});

after(() => browser?.close());

const people = (page) => page.locator('#nicknames li').allTextContents();
const told = (page) => page.locator('.told .text').allTextContents();
const said = (page) => page.locator('.line:not(.told):not(.waiting)').evaluateAll((lines) =>
  lines.map((line) => [line.querySelector('.who')?.textContent ?? 'me', line.querySelector('.text').textContent]));

async function come(page, nickname) {
  await page.getByLabel('Nickname').fill(nickname);
  await page.keyboard.press('Enter');
}

async function say(page, text) {
  await page.getByLabel('Message', { exact: true }).fill(text);
  await page.keyboard.press('Enter');
}

/** What a page logs whose server has gone. */
const isLoss = (problem) => /ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|WebSocket connection to/.test(problem);

describeExample('chat-legacy', (server) => {
  const open = (t, path) => openPage(t, browser, `${server.url}/${path}`, SIZE);
  const raw = (t) => connect(t, server, '4.8.4', 'websocket', { namespace: '/chat' });

  for (const transport of ['websocket', 'xhr-polling']) {
    test(`the client 0.9 on ${transport} and today's talk in one room`, async (t) => {
      const ada = await open(t, `?transport=${transport}`);
      await come(ada, '  Ada ');
      await eventually(() => people(ada), ['Ada']);
      await eventually(() => ada.locator('#transport').textContent(), transport);
      const ben = await open(t, 'modern.html');
      await come(ben, 'Ben');
      for (const page of [ada, ben]) await eventually(() => people(page), ['Ada', 'Ben']);
      await eventually(() => told(ada), ['Ada has come, with a client before 1.0', 'Ben has come, with today’s client']);

      await say(ada, 'Hello from 2012: é😀');
      await eventually(() => said(ben), [['Ada', 'Hello from 2012: é😀']]);
      await say(ben, 'And from today');
      await say(ben, HOSTILE);
      const conversation = (me, other) => [[me, 'Hello from 2012: é😀'], [other, 'And from today'], [other, HOSTILE]];
      await eventually(() => said(ada), conversation('me', 'Ben'));
      await eventually(() => said(ben), conversation('Ada', 'me'));
      for (const page of [ada, ben]) assert.equal(await page.evaluate(() => window.hacked), undefined);
      if (transport === 'websocket') {
        await pictures(ada, 'chat-legacy');
        await pictures(ben, 'chat-legacy-modern');
      }

      await ben.close();
      await eventually(() => people(ada), ['Ada']);
      await eventually(async () => (await told(ada)).at(-1), 'Ben has left');
      assert.deepEqual(ada.problems, []);
      assert.deepEqual(ben.problems, []);
      // It says so itself: a poll that nobody repeats is missed only after a minute.
      if (transport === 'xhr-polling') await ada.evaluate(() => io.sockets[Object.keys(io.sockets)[0]].disconnect());
    });
  }

  test('a nickname is borne once, and is free again when its page is reloaded', async (t) => {
    const ada = await open(t, '');
    await come(ada, ' ');
    await eventually(() => ada.getByRole('alert').textContent(), 'Type a nickname first.');
    await come(ada, 'Ada');
    await eventually(() => people(ada), ['Ada']);
    const other = await open(t, '');
    await come(other, 'aDA');
    const taken = 'Somebody called aDA is here already. Pick another name.';
    await eventually(() => other.getByRole('alert').textContent(), taken);
    await pictures(other, 'chat-legacy-taken');
    await ada.reload();
    await come(ada, 'Ada');
    await eventually(() => people(ada), ['Ada']);
  });

  test('of two who ask for one nickname at once, one gets it', async (t) => {
    const two = await Promise.all([raw(t), raw(t)]);
    const answers = await Promise.all(two.map((socket) => call(socket, 'nickname', 'Eve')));
    assert.deepEqual(answers.flat().sort(), [false, true]);
  });

  test('who has no nickname may only ask for one, and who has one does not ask again', async (t) => {
    const [socket, other] = await Promise.all([raw(t), raw(t)]);
    await call(other, 'nickname', 'Otto');
    const first = heard(other, 'msg_to_room');
    assert.deepEqual(await call(socket, 'user message', 'too early'), [{ error: DENIED }]);
    assert.deepEqual(await call(socket, 'user_message', { no: 'text' }), [{ error: DENIED }]);
    for (const bad of ['', ' \n', 'x'.repeat(21)]) {
      const [{ error }] = await call(socket, 'nickname', bad);
      assert.equal(error.message, 'A nickname has 1 to 20 characters.');
    }
    for (const bad of [3, null, ['Eve']]) {
      const [{ error }] = await call(socket, 'nickname', bad);
      assert.equal(error.name, 'invalid_method_args');
    }
    assert.deepEqual(await call(socket, 'nickname', '😀'.repeat(20)), [false]);
    assert.deepEqual(await call(socket, 'nickname', 'Mallory'), [{ error: DENIED }]);
    const [{ error }] = await call(socket, 'user message', 'x'.repeat(2001));
    assert.equal(error.message, 'A message has 1 to 2000 characters.');
    assert.deepEqual(await call(socket, 'user message', ' at last '), []);
    assert.deepEqual(await first, ['😀'.repeat(20), 'at last']);
  });

  test('both pages come back by themselves when the server does, and keep their nicknames', async (t) => {
    const ada = await open(t, '');
    const ben = await open(t, 'modern.html');
    await come(ada, 'Ada');
    await eventually(() => people(ada), ['Ada']);
    await come(ben, 'Ben');
    await eventually(() => people(ada), ['Ada', 'Ben']);
    await server.stop();
    for (const page of [ada, ben]) {
      await eventually(() => page.locator('#banner').textContent(), 'Connection lost. Trying again…');
      assert.ok(await page.getByLabel('Message', { exact: true }).isDisabled());
    }
    await server.restart();
    for (const page of [ada, ben]) {
      await eventually(async () => (await people(page)).sort(), ['Ada', 'Ben']);
      await eventually(() => page.locator('#banner').textContent(), '');
      assert.deepEqual(page.problems.filter((problem) => !isLoss(problem)), []);
    }
    await say(ada, 'Still here');
    await eventually(async () => (await said(ben)).at(-1), ['Ada', 'Still here']);
  });
});
