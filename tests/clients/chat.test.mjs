// The chat examples in a real browser: two people talk, the server goes away and comes back.
//
// Run: node --test chat.test.mjs. Screenshots of the first: tests/artifacts/chat-*.png.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { describeExamples } from './example.mjs';
import { PHONE, eventually, launchBrowser, picture } from './page.mjs';

const PATIENCE = 15_000; // ms for anything to appear; a reconnect may back off to 3 s
const HOSTILE = '<img src=x onerror="window.hacked = true"><script>window.hacked = true</script> & \u202Eback';

let browser;

before(async () => {
  browser = await launchBrowser();
});

after(() => browser?.close());

async function login(page, name) {
  await page.getByLabel('Your name').fill(name);
  await page.keyboard.press('Enter');
}

async function say(page, text) {
  await page.getByLabel('Message', { exact: true }).fill(text);
  await page.keyboard.press('Enter');
}

const texts = (page) => page.locator('#log .line:not(.waiting) .text').allTextContents();
const people = (page) => page.locator('#people .name').allTextContents();
const room = (page) => page.locator('#room-title').textContent();
async function go(page, name) {
  await page.locator(`#rooms button[data-room="${name}"]`).click();
  await eventually(() => room(page), name);
}

describeExamples('chat-', (name, server, first) => {
  const complaints = [];

  async function visitor(options = {}, query = '') {
    const context = await browser.newContext({ viewport: { width: 1180, height: 760 }, ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE);
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error' && !/ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|WebSocket connection|already in CLOSING/.test(message.text())) {
        complaints.push(message.text());
      }
    });
    await page.goto(`${server.url}/${query}`);
    return page;
  }

  async function enter(name, options, query) {
    const page = await visitor(options, query);
    await login(page, name);
    await page.locator('#talk').waitFor();
    return page;
  }

  const shot = async (page, what) => first && picture(page, `chat-${what}`);

  let ada;
  let ben;

  test('two people see each other', async () => {
    const guest = await visitor();
    await guest.locator('#welcome').waitFor();
    await shot(guest, 'welcome');
    await guest.context().close();

    ada = await enter('Ada');
    ben = await enter('Ben');
    await eventually(() => people(ada), ['Ada', 'Ben']);
    await eventually(() => people(ben), ['Ben', 'Ada']);
    await ada.locator('.system', { hasText: 'Ben joined' }).waitFor();
    assert.equal(await room(ada), 'lobby');
  });

  test('the footer shows the transport and the round trip', async () => {
    await eventually(() => ada.locator('#transport').textContent(), 'websocket');
    await eventually(async () => /^\d+(\.\d)? ms$/.test(await ada.locator('#rtt').textContent()), true);
  });

  test('messages reach every tab and own ones are marked', async () => {
    await say(ada, 'Good morning! Is the kettle on?');
    await eventually(() => texts(ben), ['Good morning! Is the kettle on?']);
    await say(ben, 'It is. Two minutes.');
    await say(ben, 'Milk or lemon?');
    await eventually(() => texts(ada), ['Good morning! Is the kettle on?', 'It is. Two minutes.', 'Milk or lemon?']);
    await eventually(() => ada.locator('.line.own .text').allTextContents(), ['Good morning! Is the kettle on?']);
    await eventually(() => ben.locator('.line.own .text').allTextContents(), ['It is. Two minutes.', 'Milk or lemon?']);
    const at = await ada.locator('.line time').first().getAttribute('datetime');
    assert.ok(Math.abs(Date.now() - Date.parse(at)) < 60_000, `a time stamp of now, not ${at}`);
  });

  test('typing shows to the others and ends with the message', async () => {
    await ada.getByLabel('Message', { exact: true }).pressSequentially('Lemon, ');
    await ben.locator('#typing', { hasText: 'Ada is typing' }).waitFor();
    assert.equal(await ada.locator('#typing').textContent(), '');
    await shot(ben, 'typing');
    await ada.keyboard.type('please.');
    await ada.keyboard.press('Enter');
    await eventually(() => ben.locator('#typing').textContent(), '');
    await eventually(async () => (await texts(ben)).at(-1), 'Lemon, please.');
  });

  test('hostile text is text', async () => {
    await say(ada, HOSTILE);
    for (const page of [ada, ben]) {
      await eventually(async () => (await texts(page)).at(-1), HOSTILE);
      assert.equal(await page.locator('#app img, #app script').count(), 0);
      assert.equal(await page.evaluate(() => window.hacked), undefined);
    }
  });

  test('a name is borne once', async () => {
    const other = await visitor();
    await login(other, 'ada');
    await other.locator('#nick-error', { hasText: 'Ada is here already' }).waitFor();
    await shot(other, 'refused');
    assert.ok(await other.locator('#app').isHidden());
    await login(other, '<b>bold</b>');
    await other.locator('#nick-error', { hasText: 'letters, digits' }).waitFor();
    await login(other, 'Cleo');
    await eventually(() => people(ada), ['Ada', 'Ben', 'Cleo']);
    await other.context().close();
    await eventually(() => people(ada), ['Ada', 'Ben']);
    await ada.locator('.system', { hasText: 'Cleo left' }).waitFor();
  });

  test('a name is free again once its bearer leaves', async () => {
    const dora = await enter('Dora');
    await dora.getByRole('button', { name: 'Leave' }).click();
    await dora.locator('#welcome').waitFor();
    await eventually(() => people(ada), ['Ada', 'Ben']);
    await login(dora, 'Dora');
    await eventually(() => people(ada), ['Ada', 'Ben', 'Dora']);
    await dora.context().close();
    await eventually(() => people(ada), ['Ada', 'Ben']);
  });

  test('what is asked out of turn or beyond measure is refused with a reason', async () => {
    const page = await visitor();
    const replies = await page.evaluate(async () => {
      const raw = io({ forceNew: true });
      const ask = (...args) => raw.timeout(5000).emitWithAck(...args);
      const login = (nick) => ask('login', { nick, key: 'a key of this test' });
      const all = [
        await ask('join', { room: 'lobby' }),
        await ask('say', { id: '1', text: 'hello' }),
        await login('   '),
        await login('x'.repeat(21)),
        await login('new\nline\u0007'),
        await login('  Eve   of\tTest '),
        await login('Eve'),
        await ask('say', { id: '1', text: 'hello' }),
        await ask('join', { room: 'no spaces' }),
        await ask('join', { room: 'x'.repeat(25) }),
        await ask('join', { room: ' Eves ' }),
        await ask('say', { id: '1', text: ' \n ' }),
        await ask('say', { id: '1', text: '\u{1F600}'.repeat(2001) }),
        await ask('say', { id: '1', text: ' once ' }),
        await ask('say', { id: '1', text: 'twice' }),
        await ask('join', { room: 'eves' }),
      ];
      const empty = await new Promise((done) => raw.emit('echo', (...args) => done(args.length)));
      raw.disconnect();
      return { all, empty };
    });
    const outcome = (reply) => (reply?.error ? (reply.error.name ?? 'refused') : 'ok');
    const [denied, refused, ok] = ['method_access_denied', 'refused', 'ok'];
    assert.deepEqual(replies.all.map(outcome), [
      denied, denied, refused, refused, refused, ok, denied, denied, refused, refused, ok, refused, refused, ok, ok, ok,
    ]);
    for (const reply of replies.all.filter((reply) => outcome(reply) === refused)) assert.match(reply.error.message, /^[A-Z].*\.$/);
    assert.equal(replies.all[5].nick, 'Eve of Test');
    assert.ok(replies.all[5].rooms.some(({ name, people }) => name === 'lobby' && people === 2));
    assert.equal(replies.all[10].room, 'eves');
    const [{ at, ...message }] = replies.all[15].history;
    assert.equal(typeof at, 'number');
    assert.deepEqual(message, { room: 'eves', id: '1', nick: 'Eve of Test', text: 'once' });
    assert.equal(replies.all[15].history.length, 1);
    assert.deepEqual(replies.all[15].people, ['Eve of Test']);
    assert.equal(replies.empty, 0);
    await page.context().close();
  });

  test('rooms: another one, a new one, and the history on the way back', async () => {
    const before = await texts(ada);
    await go(ben, 'rust');
    await eventually(() => people(ben), ['Ben']);
    await eventually(() => people(ada), ['Ada']);
    await ada.locator('.system', { hasText: 'Ben left' }).waitFor();
    assert.deepEqual(await texts(ben), []);

    await say(ben, 'Nobody hears this in the lobby');
    await eventually(() => texts(ben), ['Nobody hears this in the lobby']);

    await ada.getByLabel('New room').fill('Book Club');
    await ada.keyboard.press('Enter');
    await eventually(() => room(ada), 'book-club');
    await go(ben, 'book-club');
    await eventually(() => people(ben), ['Ben', 'Ada']);
    await say(ben, 'What do we read next?');
    await eventually(() => texts(ada), ['What do we read next?']);

    await go(ben, 'lobby');
    await go(ada, 'lobby');
    await eventually(() => texts(ada), before);
    await eventually(() => texts(ben), before);
    await eventually(() => ada.locator('#rooms button[data-room="book-club"]').count(), 0);
  });

  test('a room keeps its last fifty messages', async () => {
    await go(ada, 'tea-room');
    for (let i = 1; i <= 53; i += 1) await say(ada, `cup ${i}`);
    await eventually(async () => (await texts(ada)).length, 53);
    await go(ben, 'tea-room');
    await eventually(() => texts(ben), Array.from({ length: 50 }, (_, i) => `cup ${i + 4}`));
    await go(ada, 'lobby');
    await go(ben, 'lobby');
    await eventually(() => people(ada), ['Ada', 'Ben']);
  });

  test('a reloaded tab takes its name over and is where it was', async () => {
    const before = await texts(ben);
    await ben.reload();
    await eventually(() => people(ben), ['Ben', 'Ada']);
    await eventually(() => people(ada), ['Ada', 'Ben']);
    assert.deepEqual(await texts(ben), before);
  });

  test('a copied tab goes on under the name and the first one steps back', async () => {
    const first = await enter('Gus');
    const kept = await first.evaluate(() => ({ ...sessionStorage }));
    const second = await first.context().newPage();
    await second.addInitScript((items) => Object.assign(sessionStorage, items), kept);
    await second.goto(server.url);
    await first.locator('#nick-error', { hasText: 'in another tab' }).waitFor();
    await eventually(() => people(second), ['Gus', 'Ada', 'Ben']);
    await login(first, 'Gus');
    await first.locator('#nick-error', { hasText: 'Gus is here already' }).waitFor();
    await first.context().close();
    await eventually(() => people(ada), ['Ada', 'Ben']);
  });

  test('a page that stays with polling takes part', async () => {
    const page = await enter('Polly', {}, '?transport=polling');
    await eventually(() => page.locator('#transport').textContent(), 'polling');
    const size = (await texts(ada)).length;
    await say(page, 'Slow and steady');
    await eventually(async () => (await texts(ada)).slice(size), ['Slow and steady']);
    await say(ada, 'Heard you');
    await eventually(async () => (await texts(page)).at(-1), 'Heard you');
    await page.context().close();
    await eventually(() => people(ada), ['Ada', 'Ben']);
  });

  test('the looks: wide, dark, and a phone', async () => {
    await say(ben, 'Shall we meet at four?\nI bring the biscuits.');
    await say(ada, 'Four is perfect');
    await eventually(async () => (await texts(ben)).at(-1), 'Four is perfect');
    await shot(ada, 'desktop-ada');
    await shot(ben, 'desktop-ben');
    await ada.emulateMedia({ colorScheme: 'dark' });
    await shot(ada, 'desktop-dark');
    await ada.emulateMedia({ colorScheme: 'light' });

    const page = await enter('Finn', PHONE);
    await say(page, 'Reading along from the tram');
    await eventually(async () => (await texts(ada)).at(-1), 'Reading along from the tram');
    await shot(page, 'phone');
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `the page is ${wide} px wider than the phone`);
    await page.getByRole('button', { name: 'Rooms' }).click();
    await eventually(async () => (await page.locator('#side').boundingBox()).x, 0);
    assert.equal(await page.evaluate(() => document.activeElement.dataset.room), 'lobby');
    await shot(page, 'phone-rooms');
    await page.keyboard.press('Escape');
    await eventually(() => page.locator('#side.open').count(), 0);
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.getByRole('button', { name: '3 here', exact: true }).click();
    await eventually(async () => {
      const { x, width } = await page.locator('#here').boundingBox();
      return x + width;
    }, 390);
    await shot(page, 'phone-people-dark');
    await page.keyboard.press('Escape');
    await shot(page, 'phone-dark');
    await page.context().close();
    await eventually(() => people(ada), ['Ada', 'Ben']);
  });

  test('the server goes and comes back: both are back in their room and go on, nothing twice', async () => {
    const before = await texts(ada);
    await server.kill();
    for (const page of [ada, ben]) await page.locator('#banner', { hasText: 'Connection lost' }).waitFor();
    await say(ada, 'Said into the void');
    await ada.locator('.line.waiting .fate', { hasText: 'Waiting for the connection' }).waitFor();
    await shot(ada, 'lost');

    await server.restart();
    await ada.locator('#banner', { hasText: 'You are back' }).waitFor();
    await shot(ada, 'back');
    await eventually(() => texts(ada), [...before, 'Said into the void']);
    for (const page of [ada, ben]) await eventually(() => page.locator('#banner').textContent(), '');
    await eventually(() => people(ada), ['Ada', 'Ben']);
    await eventually(() => people(ben), ['Ben', 'Ada']);
    await say(ben, 'Here again');
    await say(ada, 'So am I');
    for (const page of [ada, ben]) {
      await eventually(async () => (await texts(page)).slice(before.length), ['Said into the void', 'Here again', 'So am I']);
    }
  });

  test('asked to stop, the server does, and both are told', async () => {
    await server.stop();
    for (const page of [ada, ben]) await page.locator('#banner', { hasText: 'Connection lost' }).waitFor();
  });

  test('no page complained', () => assert.deepEqual(complaints, []));
});
