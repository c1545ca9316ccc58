// The conference board in real browsers: two people and a moderator, and what a client may try without a page.
//
// Run: node --test conference.test.mjs. Screenshots: tests/artifacts/conference-*.png.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { describeExample } from './example.mjs';
import { call, connect, heard } from './official.mjs';
import { PHONE, eventually, launchBrowser, openPage, picture, pictures } from './page.mjs';
import { request } from './wire.mjs';

const PASSWORD = 'a long password';
const LOGGED_OUT = 'log in first';

let browser;

before(async () => {
  browser = await launchBrowser();
});

after(() => browser?.close());

const text = (page, id) => page.locator(`#${id}`).textContent();
const listed = (page, id) => page.locator(`#${id} li`).evaluateAll((items) => items.map((item) => item.dataset.name));
const said = (page) => page.locator('#messages .text').allTextContents();
const button = (page, name) => page.getByRole('button', { name, exact: true });

/** What a page logs that was logged out: official clients poll on while they say good-bye, and may come too late. */
const LATE_POLL = 'Failed to load resource: the server responded with a status of 400 (Bad Request)';
const problems = (page) => page.problems.filter((problem) => problem !== LATE_POLL);

async function register(t, server, name, options) {
  const page = await openPage(t, browser, server.url, options);
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Password').fill(PASSWORD);
  await button(page, 'Create account').click();
  await inRoom(page, 'Foyer');
  return page;
}

/** In the room, and upgraded: a page that leaves during its upgrade is missed only when it does not answer a ping. */
async function inRoom(page, room) {
  await page.getByRole('heading', { name: room, exact: true }).waitFor();
  await page.locator('#people li').first().waitFor({ state: 'attached' }); // On a phone in a panel that is closed.
  await eventually(() => page.evaluate(() => socket.io.engine.transport.name), 'websocket');
}

async function say(page, message) {
  await page.getByLabel('Message', { exact: true }).fill(message);
  await page.keyboard.press('Enter');
  await eventually(async () => (await said(page)).at(-1), message);
}

async function go(page, name, room = name) {
  await page.getByRole('navigation').getByRole('button', { name, exact: true }).click();
  await inRoom(page, room);
}

async function anotherTab(page) {
  const tab = await page.context().newPage();
  tab.problems = page.problems;
  tab.setDefaultTimeout(10_000);
  await tab.goto(page.url());
  await inRoom(tab, 'Foyer');
  return tab;
}

/** A socket of somebody who has logged in, without a page. */
async function raw(t, server, page, conference = 'harbour') {
  const [cookie] = await page.context().cookies();
  const extraHeaders = { Cookie: `${cookie.name}=${cookie.value}` };
  return connect(t, server, '4.8.4', 'websocket', { namespace: '/board', auth: { conference }, extraHeaders });
}

function post(server, path, fields) {
  const body = new URLSearchParams(fields).toString();
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': body.length };
  return request(server, path, { method: 'POST', headers, body, ms: 15_000 }); // Hashing takes its time.
}

describeExample('conference', (server) => {
  let ada; // She registers first: she moderates.
  let ben;
  let cleo;

  test('people register, enter, and see each other once however many tabs they have', async (t) => {
    const kept = { after: () => {} }; // The pages are those of all tests.
    ada = await register(kept, server, 'Ada', { viewport: { width: 1280, height: 800 } });
    const visitor = await openPage(t, browser, server.url);
    await eventually(() => visitor.locator('#online li').allTextContents(), ['Ada']);
    ben = await register(kept, server, 'Ben', { viewport: { width: 1280, height: 800 } });
    await eventually(() => visitor.locator('#online li').allTextContents(), ['Ada', 'Ben']);
    cleo = await register(kept, server, 'Cleo', PHONE);
    for (const page of [ada, ben, cleo]) await eventually(() => listed(page, 'people'), ['Ada', 'Ben', 'Cleo']);
    await eventually(() => visitor.locator('#online li').allTextContents(), ['Ada', 'Ben', 'Cleo']);
    await pictures(visitor, 'conference-form');

    const tab = await anotherTab(ben);
    await eventually(() => listed(tab, 'people'), ['Ada', 'Ben', 'Cleo']);
    await go(tab, 'Workshops');
    await eventually(() => listed(tab, 'people'), ['Ben']);
    await eventually(() => listed(ada, 'people'), ['Ada', 'Ben', 'Cleo']);
    await go(ben, 'Workshops');
    await eventually(() => listed(ada, 'people'), ['Ada', 'Cleo']);
    await tab.close();
    await go(ben, 'Foyer');
    await eventually(() => listed(ada, 'people'), ['Ada', 'Ben', 'Cleo']);
    assert.equal(await visitor.evaluate(() => document.cookie), '');
    assert.deepEqual(problems(visitor), []);
  });

  test('a cookie that no script reads begins the session, and a form that is wrong says why', async (t) => {
    const [cookie] = await ben.context().cookies();
    assert.deepEqual([cookie.httpOnly, cookie.sameSite], [true, 'Lax']);
    const both = await Promise.all(
      ['Dora', ' DORA '].map((name) => post(server, '/register', { name, password: PASSWORD })),
    );
    assert.deepEqual(both.map(({ status }) => status).sort(), [303, 422]);
    const wrong = [{ name: '<b>x</b>', password: PASSWORD }, { name: 'Eve', password: 'short' }, { name: 'Eve' }];
    for (const fields of wrong) {
      const { status, headers } = await post(server, '/register', fields);
      assert.ok(status >= 400 && status < 500 && !headers['set-cookie'], `${status}`);
    }
    const page = await openPage(t, browser, server.url);
    await page.getByLabel('Name').fill('Ben');
    await page.getByLabel('Password').fill('not his password');
    await button(page, 'Log in').click();
    await eventually(() => text(page, 'error'), 'No account has this name and this password.');
    assert.equal(await page.getByLabel('Name').inputValue(), 'Ben');
  });

  test('what is said is read by all in the room, as text', async () => {
    const hostile = '<img src=x onerror="window.hacked = true"> & more';
    await say(ada, 'Welcome, everybody!');
    await say(ben, hostile);
    await say(cleo, 'Hello from a phone');
    for (const page of [ada, ben, cleo]) {
      await eventually(() => said(page), ['Welcome, everybody!', hostile, 'Hello from a phone']);
      assert.equal(await page.evaluate(() => window.hacked), undefined);
    }
  });

  test('a client that calls what only a moderator may is denied, and moderators see it', async (t) => {
    const socket = await raw(t, server, ben);
    for (const event of ['mute', 'kick', 'pardon', 'sanctions', 'reports']) {
      assert.equal((await call(socket, event, 'Cleo'))[0].error.name, 'method_access_denied', event);
    }
    assert.equal(await ben.getByRole('button', { name: 'Remove Cleo' }).count(), 0);
    const report = ada.locator('#reports li').first();
    await eventually(() => report.locator('p').first().textContent(), 'Ben: the client may not call this event');
    await eventually(() => report.locator('.kind').textContent(), 'method_access_denied');
    await call(socket, 'enter', 'Foyer');
    const long = 'x'.repeat(1001);
    const wrong = [[{ key: 'k', text: long }], [{ key: 'k', text: ' ' }], ['text'], [{ key: 1, text: 2 }], []];
    for (const args of wrong) assert.ok((await call(socket, 'say', ...args))[0].error, JSON.stringify(args));
    assert.ok((await call(socket, 'earlier', -1))[0].error);
    assert.equal((await said(ada)).length, 3);
    await assert.rejects(raw(t, server, ben, 'nowhere'), { message: 'there is no such conference' });
  });

  test('who is muted reads and cannot write, also after a reload, until pardoned', async () => {
    await ben.getByLabel('Message', { exact: true }).fill('I was about to say');
    await button(ada, 'Mute Ben').click();
    await ben.getByText('A moderator has muted you in Harbour Conf: you can read, but not write.').waitFor();
    await eventually(() => button(ben, 'Send').isDisabled(), true);
    await ada.locator('#people li[data-name=Ben] .tag.muted').waitFor();
    await picture(ben, 'conference-muted');
    await ben.reload();
    await ben.getByText('A moderator has muted you').waitFor();
    await inRoom(ben, 'Foyer');
    await say(cleo, 'Ben is so quiet');
    await eventually(async () => (await said(ben)).at(-1), 'Ben is so quiet');
    await pictures(ada, 'conference-moderator');
    await button(ada, 'Pardon Ben').click();
    await ben.getByText('A moderator has pardoned you').waitFor();
    assert.equal(await ben.getByLabel('Message', { exact: true }).inputValue(), 'I was about to say');
    await button(ben, 'Send').click();
    await eventually(async () => (await said(cleo)).at(-1), 'I was about to say');
  });

  test('who is kicked is told, leaves in every tab, and may go elsewhere until pardoned', async () => {
    const tab = await anotherTab(ben);
    await button(ada, 'Remove Ben').click();
    for (const page of [ben, tab]) {
      await page.getByText('A moderator has removed you from Harbour Conf. The other conferences are open').waitFor();
      await eventually(() => said(page), []);
    }
    await eventually(() => listed(ada, 'people'), ['Ada', 'Cleo']);
    await eventually(() => listed(ada, 'absent'), ['Ben']);
    await pictures(tab, 'conference-kicked');
    await ben.reload();
    await ben.getByText('A moderator has removed you from Harbour Conf.').waitFor();
    await go(ben, 'Night of Types', 'Foyer');
    await eventually(() => listed(ben, 'people'), ['Ben']);
    await say(ben, 'Anybody here?');
    await button(ada, 'Pardon Ben').click();
    await tab.getByText('A moderator has pardoned you: welcome back to Harbour Conf.').waitFor();
    await eventually(() => listed(ada, 'people'), ['Ada', 'Ben', 'Cleo']);
    await eventually(async () => (await said(tab)).at(-1), 'I was about to say');
    await tab.close();
    await go(ben, 'Harbour Conf', 'Foyer');
    await eventually(() => text(ben, 'notice'), '');
  });

  test('a hundred and twenty messages are read upwards, and a reload stays where it was', async (t) => {
    await go(ben, 'Workshops');
    const socket = await raw(t, server, cleo);
    await call(socket, 'enter', 'Workshops');
    const all = Array.from({ length: 120 }, (_, index) => `message ${index + 1}`);
    for (const message of all) assert.deepEqual(await call(socket, 'say', { key: message, text: message }), [null]);
    await eventually(() => said(ben), all);
    await ben.reload();
    await inRoom(ben, 'Workshops');
    await eventually(() => said(ben), all.slice(90));
    await ben.locator('#log').evaluate((log) => (log.scrollTop = 0));
    await eventually(() => said(ben), all.slice(60));
    await button(ben, 'Earlier messages').focus(); // Scrolls there.
    await eventually(() => said(ben), all.slice(30));
    await ben.keyboard.press('Enter');
    await eventually(() => said(ben), all);
    await eventually(() => button(ben, 'Earlier messages').isVisible(), false);
    await ben.locator('#log').evaluate((log) => (log.scrollTop = 700));
    await ben.getByLabel('Message', { exact: true }).fill('a draft');

    const inView = () =>
      ben.evaluate(() => {
        const mark = store.get('scroll:harbour/Workshops');
        const item = document.querySelector(`[data-id="${mark?.id}"]`);
        return item && [mark.id, item.offsetTop - document.getElementById('log').scrollTop];
      });
    await eventually(() => ben.evaluate(() => document.getElementById('log').scrollTop), 700);
    await eventually(async () => (await inView()) !== null, true);
    const before = await inView();
    await ben.reload();
    await inRoom(ben, 'Workshops');
    await eventually(inView, before);
    assert.equal(await ben.getByLabel('Message', { exact: true }).inputValue(), 'a draft');
    await say(ada, 'Elsewhere');
    await call(socket, 'say', { key: 'new', text: 'one more' });
    await button(ben, 'New messages').click();
    await eventually(async () => (await said(ben)).at(-1), 'one more');
    await button(ben, 'Send').click();
    await eventually(async () => (await said(ben)).at(-1), 'a draft');
    await eventually(() => ben.getByLabel('Message', { exact: true }).inputValue(), '');
  });

  test('logging out in one tab ends the other, and all sockets', async (t) => {
    const tab = await anotherTab(cleo);
    const socket = await raw(t, server, cleo);
    const ended = heard(socket, 'disconnect');
    const before = await cleo.context().cookies();
    await button(cleo, 'Log out').click();
    await ended;
    await tab.getByText('You are logged out.').waitFor();
    await button(cleo, 'Create account').waitFor();
    await eventually(() => listed(ada, 'people'), ['Ada']);
    await cleo.context().addCookies(before);
    await assert.rejects(raw(t, server, cleo), { message: LOGGED_OUT });
    await tab.getByRole('link', { name: 'Log in again' }).click();
    await tab.getByLabel('Name').fill('cleo');
    await tab.getByLabel('Password').fill(PASSWORD);
    await button(tab, 'Log in').click();
    await inRoom(tab, 'Foyer');
    await eventually(() => listed(ada, 'people'), ['Ada', 'Cleo']);
    for (const page of [ada, ben, cleo]) assert.deepEqual(problems(page), []);
  });

  test('a lost connection comes back to the room; asked to stop, the server does so at once', async () => {
    await go(ben, 'Foyer');
    const id = await ben.evaluate(() => socket.id);
    await ben.evaluate(() => socket.io.engine.close());
    await eventually(() => ben.evaluate((id) => socket.connected && socket.id !== id, id), true);
    await say(ada, 'Are you back?');
    await eventually(async () => (await said(ben)).at(-1), 'Are you back?');
    await Promise.all([picture(ada, 'conference-three-moderator'), picture(ben, 'conference-three-desktop')]);
    await picture(cleo.context().pages().at(-1), 'conference-three-phone');

    await server.stop();
    await ben.getByText('The connection is lost. Trying again…').waitFor();
    await server.restart(); // Its accounts were in memory.
    await ben.getByText('You are logged out.').waitFor();
    await Promise.all([ada, ben, cleo].map((page) => page.context().close()));
  });
});
