// The login examples in a real browser: who is logged in by an ordinary form is known to the sockets' handlers.
//
// Run: node --test login.test.mjs. Screenshots of the first: tests/artifacts/login-*.png.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { describeExamples } from './example.mjs';
import { WAYS, connect, heard } from './official.mjs';
import { eventually, launchBrowser, openPage, pictures } from './page.mjs';
import { request } from './wire.mjs';

const LOGGED_OUT = 'log in first';
const USERS = { Ada: 'engine', Alan: 'enigma', Grace: 'moth' };

let browser;

before(async () => {
  browser = await launchBrowser();
});

after(() => browser?.close());

const text = (page, id) => page.locator(`#${id}`).textContent();
const online = (page) => page.locator('#online li').allTextContents();
const colours = (page) => page.locator('#online li').evaluateAll((items) => items.map((item) => item.dataset.colour));

/** Connected and upgraded: a page that leaves during its upgrade is missed only when it does not answer a ping. */
async function connected(page) {
  await eventually(() => text(page, 'state'), 'connected');
  await eventually(() => page.evaluate(() => socket.io.engine.transport.name), 'websocket');
}

/** What a page logs whose socket was refused: official clients poll on while they say good-bye, and may come too late. */
const LATE_POLL = 'Failed to load resource: the server responded with a status of 400 (Bad Request)';
const problems = (page) => page.problems.filter((problem) => problem !== LATE_POLL);

async function submit(page, name, password) {
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
}

/** The page of somebody who has logged in already. */
async function logIn(t, server, name) {
  const [cookie, value] = (await sessionOf(server, name)).Cookie.split('=');
  const storageState = { cookies: [{ ...COOKIE, name: cookie, value }], origins: [] };
  const page = await openPage(t, browser, server.url, { storageState });
  await connected(page);
  return page;
}

const COOKIE = { domain: '127.0.0.1', path: '/', expires: -1, httpOnly: true, secure: false, sameSite: 'Lax' };

/** The headers by which a client shows the session of somebody who has logged in without a page. */
async function sessionOf(server, name) {
  const body = new URLSearchParams({ name, password: USERS[name] }).toString();
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': body.length };
  const answer = await request(server, '/login', { method: 'POST', headers, body });
  assert.equal(answer.status, 303);
  return { Cookie: answer.headers['set-cookie'][0].split(';')[0] };
}

async function setColour(page, colour) {
  await page.getByLabel('Your favourite colour').fill(colour);
  await eventually(() => text(page, 'saved'), 'Saved.');
}

const anotherTab = async (page) => {
  const tab = await page.context().newPage();
  await tab.goto(page.url());
  await connected(tab);
  return tab;
};

describeExamples('login-', (name, server, first) => {
  test('who is not logged in sees the form, and the socket is refused', async (t) => {
    const page = await openPage(t, browser, server.url);
    await eventually(() => text(page, 'state'), `the socket is refused: ${LOGGED_OUT}`);
    assert.equal(await page.getByRole('button', { name: 'Log in' }).count(), 1);
    assert.deepEqual(problems(page), []);
  });

  for (const way of Object.keys(WAYS)) {
    test(`a client is refused without a session, and let in with one, over ${way}`, async (t) => {
      await assert.rejects(connect(t, server, '4.8.4', way), { message: LOGGED_OUT });
      const stale = { Cookie: 'session=0; id=0' };
      await assert.rejects(connect(t, server, '4.8.4', way, { extraHeaders: stale }), { message: LOGGED_OUT });
      const extraHeaders = await sessionOf(server, 'Ada');
      const socket = await connect(t, server, '4.8.4', way, { extraHeaders, upgraded: true });
      assert.ok(socket.connected);
    });
  }

  test('a wrong password shows an error', async (t) => {
    const page = await openPage(t, browser, server.url);
    await submit(page, 'Ada', 'moth');
    await eventually(() => text(page, 'error'), 'No user has this name and this password.');
    assert.deepEqual(await page.context().cookies(), []);
    if (first) await pictures(page, 'login-form');
  });

  test('the right one begins a session: a cookie that no script reads and no other site sends along', async (t) => {
    const page = await openPage(t, browser, server.url);
    await submit(page, 'ada', USERS.Ada);
    await page.getByRole('heading', { name: 'Hello, Ada' }).waitFor();
    await connected(page);
    await eventually(() => online(page), ['Ada']);
    const [cookie, ...others] = await page.context().cookies();
    assert.deepEqual(others, []);
    assert.equal(cookie.httpOnly, true);
    assert.equal(cookie.sameSite, 'Lax');
    assert.equal(await page.evaluate(() => document.cookie), '');
  });

  test('logging in makes a new session, and the old one is worth nothing', async (t) => {
    const page = await logIn(t, server, 'Ada');
    const context = page.context();
    const [old] = await context.cookies();
    await context.request.post(`${server.url}/login`, { form: { name: 'Alan', password: USERS.Alan } });
    assert.notEqual((await context.cookies())[0].value, old.value);
    assert.match(await (await context.request.get(server.url)).text(), /Hello, Alan/);
    await context.addCookies([old]);
    assert.doesNotMatch(await (await context.request.get(server.url)).text(), /Hello/);
  });

  test('users see who is online, and in which colour', async (t) => {
    const ada = await logIn(t, server, 'Ada');
    await eventually(() => online(ada), ['Ada']);
    const grace = await logIn(t, server, 'Grace');
    for (const page of [ada, grace]) await eventually(() => online(page), ['Ada', 'Grace']);
    const tab = await anotherTab(grace);
    await eventually(() => online(tab), ['Ada', 'Grace']);

    await setColour(grace, '#123456');
    for (const page of [ada, tab]) await eventually(async () => (await colours(page))[1], '#123456');
    if (first) await pictures(grace, 'login-home');

    await tab.close();
    await setColour(grace, '#654321'); // One of her tabs is still here.
    await eventually(async () => (await colours(ada))[1], '#654321');
    await grace.close();
    await eventually(() => online(ada), ['Ada']);
    for (const page of [ada, grace]) assert.deepEqual(problems(page), []);
  });

  test('what a handler writes into the session, the next request reads', async (t) => {
    const page = await logIn(t, server, 'Alan');
    assert.notEqual(await text(page, 'remembered'), '#0a141e');
    await setColour(page, '#0a141e');
    await page.reload();
    assert.equal(await text(page, 'remembered'), '#0a141e');
    assert.equal(await page.getByLabel('Your favourite colour').inputValue(), '#0a141e');

    await connected(page);
    await setColour(page, '#141e28'); // From a connection that began with the session as it was then.
    const html = await (await page.context().request.get(server.url)).text();
    assert.match(html, /<code id="remembered">#141e28</);

    const answer = await page.evaluate(() => socket.emitWithAck('colour', 'red"><b>'));
    assert.match(answer.error.message, /is no colour: write it as/);
    await page.reload();
    assert.equal(await text(page, 'remembered'), '#141e28');
    await connected(page);
  });

  test('logging out in one tab disconnects all of them, and nobody else', async (t) => {
    const grace = await logIn(t, server, 'Grace');
    const ada = await logIn(t, server, 'Ada');
    const tab = await anotherTab(ada);
    const [cookie] = await ada.context().cookies();
    await eventually(() => online(grace), ['Ada', 'Grace']);

    const extraHeaders = { Cookie: `${cookie.name}=${cookie.value}` };
    const socket = await connect(t, server, '4.8.4', 'websocket', { extraHeaders });
    const disconnected = heard(socket, 'disconnect');
    await ada.getByRole('button', { name: 'Log out' }).click();
    await disconnected;
    await tab.getByRole('alert').getByText('You are logged out.').waitFor();
    await eventually(() => text(tab, 'state'), `the socket is refused: ${LOGGED_OUT}`);
    await ada.getByRole('button', { name: 'Log in' }).waitFor();
    await eventually(() => online(grace), ['Grace']);
    assert.equal(await text(grace, 'state'), 'connected');
    if (first) await pictures(tab, 'login-logged-out');

    await tab.getByRole('link', { name: 'Log in again' }).click();
    await tab.getByRole('button', { name: 'Log in' }).waitFor();
    await assert.rejects(connect(t, server, '4.8.4', 'polling', { extraHeaders }), { message: LOGGED_OUT });
  });

  test('who has another session goes on when one is logged out of', async (t) => {
    const here = await logIn(t, server, 'Ada');
    const there = await logIn(t, server, 'Ada');
    const id = await here.evaluate(() => socket.id);
    await there.getByRole('button', { name: 'Log out' }).click();
    await there.getByRole('button', { name: 'Log in' }).waitFor();
    await eventually(() => here.evaluate((id) => socket.connected && socket.id !== id, id), true);
    await connected(here);
    await eventually(() => online(here), ['Ada']);
    await setColour(here, '#0f766e');
  });

  test('asked to stop, it does so at once, with users online', async (t) => {
    const page = await logIn(t, server, 'Ada');
    await server.stop();
    await eventually(() => text(page, 'state'), 'connection lost, trying again');
  });
});
