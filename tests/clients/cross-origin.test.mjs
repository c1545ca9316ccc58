// The example of a page on one origin and its sockets on another: a cookie lets the socket in, over polling and WebSocket
// alike, and pages of other origins are refused whatever cookie the browser has.
//
// Run: node --test cross-origin.test.mjs. Screenshots: tests/artifacts/cross-origin*.png.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { describeExample } from './example.mjs';
import { eventually, launchBrowser, openPage, pictures, serveFiles } from './page.mjs';
import { request, upgradeRequest } from './wire.mjs';

const LOGGED_OUT = 'log in first';
const USERS = { Ada: 'engine', Alan: 'enigma', Grace: 'moth' };
const WAYS = ['polling', 'websocket'];
const TABLET = { viewport: { width: 820, height: 760 } };

process.env.API_PORT = '0';

let browser;

before(async () => {
  browser = await launchBrowser();
});

after(() => browser?.close());

const text = (page, id) => page.locator(`#${id}`).textContent();
const state = (page, wanted) => eventually(() => text(page, 'state'), wanted);
const said = (page) => page.locator('#said li').allTextContents();
const button = (page, name) => page.getByRole('button', { name, exact: true });

async function fillIn(page, name, password = USERS[name]) {
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Password').fill(password);
  await button(page, 'Log in').click();
}

async function logIn(t, server, name) {
  const page = await openPage(t, browser, server.url, TABLET);
  await fillIn(page, name);
  await state(page, 'connected by websocket');
  return page;
}

async function anotherTab(page) {
  const tab = await page.context().newPage();
  tab.setDefaultTimeout(10_000);
  await tab.goto(page.url());
  return tab;
}

/** How a socket of that page fares: `connected`, or the error. */
const socketOf = (page, way, withCredentials = true) =>
  page.evaluate(
    ([way, withCredentials]) =>
      new Promise((resolve) => {
        const options = { transports: [way], withCredentials, forceNew: true, reconnection: false };
        const socket = io(`${API}/desk`, options);
        const end = (how) => resolve(how) ?? socket.close();
        socket.on('connect', () => end('connected'));
        socket.on('connect_error', (error) => end(error.message));
      }),
    [way, withCredentials],
  );

const apiOf = async (server) => {
  const { text } = await request(server, '/');
  const url = new URL(/name="api" content="([^"]+)"/.exec(text)[1]);
  return { host: url.hostname, port: Number(url.port), url: url.origin };
};

const POLLING = '/socket.io/?EIO=4&transport=polling';
const WEBSOCKET = '/socket.io/?EIO=4&transport=websocket';

describeExample('cross-origin', (server) => {
  test('a cookie of the API lets the sockets of the page in, over every transport', async (t) => {
    const page = await openPage(t, browser, server.url, TABLET);
    await state(page, 'no socket: not logged in');
    await pictures(page, 'cross-origin-login');
    for (const way of WAYS) assert.equal(await socketOf(page, way), LOGGED_OUT, way);

    await fillIn(page, 'Ada');
    const hello = "The socket's server knows you as Ada, by the cookie.";
    const choices = { Polling: 'polling', WebSocket: 'websocket', 'Polling, then WebSocket': 'websocket' };
    for (const [choice, transport] of Object.entries(choices)) {
      await page.getByLabel(choice, { exact: true }).check();
      await state(page, `connected by ${transport}`);
      await eventually(() => text(page, 'known'), hello);
      await page.getByLabel('Say something').fill(`by ${choice}`);
      await page.keyboard.press('Enter');
      await eventually(async () => (await said(page)).at(-1), `Ada by ${choice}`);
    }
    const [cookie, ...others] = await page.context().cookies();
    assert.deepEqual(others, []);
    assert.ok(cookie.httpOnly && cookie.sameSite === 'Lax', JSON.stringify(cookie));
    assert.match(cookie.value, /^[0-9a-f]{32}$/);
    await pictures(page, 'cross-origin');

    // Without `withCredentials`, polling sends no cookie; a WebSocket of the same site always does.
    assert.equal(await socketOf(page, 'polling', false), LOGGED_OUT);
    assert.equal(await socketOf(page, 'websocket', false), 'connected');
    await page.reload();
    await state(page, 'connected by websocket');
    assert.equal(await text(page, 'hello'), 'Hello, Ada');
  });

  test('two users hear each other, and markup is text', async (t) => {
    const [ada, grace] = [await logIn(t, server, 'Ada'), await logIn(t, server, 'Grace')];
    const hostile = '<img src=x onerror="window.hacked = true"> & more';
    await grace.getByLabel('Say something').fill(hostile);
    await grace.keyboard.press('Enter');
    for (const page of [ada, grace]) {
      await eventually(() => said(page), [`Grace ${hostile}`]);
      assert.equal(await page.evaluate(() => window.hacked), undefined);
      assert.deepEqual(page.problems.filter((problem) => !problem.includes('401')), []);
    }
    for (const [wrong, why] of [['', /1 to 280/], ['x'.repeat(281), /1 to 280/], [3, /./], [null, /./]]) {
      const answer = await ada.evaluate((wrong) => socket.emitWithAck('say', wrong), wrong);
      assert.match(answer.error.message, why);
    }
    await ada.getByLabel('Say something').fill('   ');
    await ada.keyboard.press('Enter');
    await eventually(() => text(ada, 'say-error'), 'Not said: write something first.');
    assert.equal((await said(grace)).length, 1);
  });

  test('a page of another origin is refused with the cookie, and says why', async (t) => {
    const ada = await logIn(t, server, 'Ada');
    const files = {};
    for (const path of ['/', '/cross-origin.js', '/cross-origin.css']) {
      const { headers, text } = await request(server, path);
      files[path] = [headers['content-type'], text];
    }
    const stranger = await serveFiles(files);
    t.after(() => stranger.close());

    const page = await ada.context().newPage(); // Of the same site: the browser has the cookie for it.
    await page.goto(stranger.url);
    await page.getByRole('alert').getByText('This origin is not allowed').waitFor();
    const api = await apiOf(server);
    const why =
      `The API at ${api.url} is there, but lets only pages of ${server.url} read its answers and open sockets. ` +
      `This page is of ${stranger.url}, so the browser keeps the answers from it, and its sockets are refused.`;
    assert.equal(await text(page, 'why'), why);
    await pictures(page, 'cross-origin-refused');
    assert.equal(await socketOf(page, 'polling'), 'xhr poll error');
    assert.equal(await socketOf(page, 'websocket'), 'websocket error');

    // Nor can it act in the user's name.
    await page.evaluate(() => fetch(`${API}/logout`, { method: 'POST', mode: 'no-cors', credentials: 'include' }));
    await ada.reload();
    await state(ada, 'connected by websocket');

    await page.getByRole('link', { name: 'Open it where it is allowed' }).click();
    await state(page, 'connected by websocket');
  });

  test('the same page by another name is of another origin', async (t) => {
    const page = await openPage(t, browser, server.url, TABLET);
    await page.locator('#wrong').click();
    await page.getByRole('alert').getByText('This origin is not allowed').waitFor();
    assert.equal(await text(page, 'here'), server.url.replace('127.0.0.1', 'localhost'));
  });

  test('answers name the origin that is allowed, once, and no other', async () => {
    const api = await apiOf(server);
    const [own, strange] = [{ Origin: server.url }, { Origin: 'http://stranger.example' }];
    const allowed = ['access-control-allow-origin', 'access-control-allow-credentials'];
    for (const target of ['/me', POLLING]) {
      const { headers } = await request(api, target, { headers: own });
      assert.deepEqual(allowed.map((name) => headers[name]), [server.url, 'true'], target);
      const refused = await request(api, target, { headers: strange });
      assert.equal(refused.status, 403, target);
      assert.equal(refused.headers['access-control-allow-origin'], undefined, target);
    }
    assert.equal((await upgradeRequest(api, WEBSOCKET, own)).status, 101);
    assert.equal((await upgradeRequest(api, WEBSOCKET, strange)).status, 400);
  });

  test('logging out ends the sockets of that session, and nobody else', async (t) => {
    const ada = await logIn(t, server, 'Ada');
    const tab = await anotherTab(ada);
    await state(tab, 'connected by websocket');
    const elsewhere = await logIn(t, server, 'Ada');
    await button(ada, 'Log out').click();
    for (const page of [ada, tab]) await button(page, 'Log in').waitFor();
    assert.equal(await text(tab, 'login-error'), 'You are logged out.');
    for (const way of WAYS) assert.equal(await socketOf(tab, way), LOGGED_OUT, way);
    assert.equal(await text(elsewhere, 'state'), 'connected by websocket');

    await fillIn(ada, 'Ada', 'moth');
    await eventually(() => text(ada, 'login-error'), 'No user has this name and this password.');
    await fillIn(ada, 'Alan');
    await state(ada, 'connected by websocket');
    assert.equal(await text(ada, 'hello'), 'Hello, Alan');
  });

  test('the page comes back by itself, and asks whom the server has forgotten', async (t) => {
    const page = await logIn(t, server, 'Grace');
    process.env.API_PORT = String((await apiOf(server)).port);
    await server.kill();
    await state(page, 'connection lost, trying again');
    await server.restart();
    await eventually(() => text(page, 'login-error'), `The socket is refused: ${LOGGED_OUT}.`);
    await fillIn(page, 'Grace');
    await state(page, 'connected by websocket');
    await server.stop();
    await state(page, 'connection lost, trying again');
  });
});
