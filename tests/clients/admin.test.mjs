// The official admin UI, of npm, against contract `admin` and the example: its page in Chromium, and its protocol by a raw
// client.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { io } from 'socket.io-client-4.8';
import { describeExample } from './example.mjs';
import { load } from './matrix/cells.mjs';
import { begin, until } from './matrix/peers.js';
import { eventually, launchBrowser, openPage, picture, serveFiles } from './page.mjs';
import { describeServers } from './server.mjs';

const require = createRequire(import.meta.url);

const MEMBERS = [
  { client: '0.9.17', protocol: 1, way: 'websocket' },
  { client: '2.5.0', protocol: 3, way: 'polling' },
  { client: '4.8.4', protocol: 4, way: 'upgrade' },
];
const LOGIN = { username: 'admin', password: 'changeit' };
const TYPES = { html: 'text/html', js: 'text/javascript', css: 'text/css', png: 'image/png', svg: 'image/svg+xml' };

/** The page as its package ships it, without the fonts that it has from elsewhere. */
function built() {
  const root = fileURLToPath(new URL('./node_modules/@socket.io/admin-ui/ui/dist/', import.meta.url));
  const files = readdirSync(root, { recursive: true }).filter((name) => /\.\w+$/.test(name));
  const served = files.map((name) => [`/${name}`, [TYPES[name.split('.').pop()] ?? 'text/plain', readFileSync(root + name)]]);
  const index = readFileSync(`${root}index.html`, 'utf8').replaceAll(/<link href="?https:[^>]*>/g, '');
  return { ...Object.fromEntries(served), '/': [TYPES.html, index] };
}

let browser;
let site;

before(async () => {
  site = await serveFiles(built());
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  await site?.close();
});

/** A client of the admin namespace, without a page, and what it was told. */
function connect(t, server, auth, options = {}) {
  const socket = io(`${server.url}/admin`, { auth, forceNew: true, reconnection: false, ...options });
  t.after(() => socket.close());
  const told = [];
  socket.onAny((event, ...args) => told.push([event, ...args]));
  const connected = new Promise((resolve, reject) => {
    socket.on('connect', resolve);
    socket.on('connect_error', reject);
  });
  return { socket, told, connected, of: (name) => told.filter(([event]) => event === name) };
}

async function member(t, server, cell, options) {
  const peer = begin(load(cell.client), cell, server.url, options);
  t.after(() => peer.end());
  await peer.connected;
  if (cell.way === 'upgrade') await until(() => peer.transport === 'websocket', 'the upgrade');
  return peer;
}

/** The page, which has been told where the server is and who wants in. */
async function logIn(t, server, { password = LOGIN.password, parser, at = site.url } = {}) {
  const page = await openPage(t, browser, at, { viewport: { width: 1300, height: 900 } });
  await page.getByLabel('Server URL').fill(server.url);
  await page.getByLabel('Username').fill(LOGIN.username);
  if (parser) {
    await page.locator('.v-dialog .v-input--switch').first().click();
    // A click while the dialog still grows is lost.
    const entry = page.getByText(parser, { exact: true });
    await eventually(async () => {
      await page.getByLabel('Parser').click({ force: true });
      return entry.waitFor({ timeout: 1000 }).then(() => true, () => false);
    }, true);
    await entry.click();
  }
  await tryPassword(page, password);
  return page;
}

async function tryPassword(page, password) {
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Connect' }).click();
}

/** Shows one of the page's tables, alone: the one before fades away. */
async function show(page, name) {
  await page.goto(`${site.url}/#/${name.toLowerCase()}/`);
  const shown = page.locator('.v-breadcrumbs');
  await eventually(async () => (await shown.allTextContents()).map((text) => text.trim()), [name]);
}

const row = (page, text) => page.locator('tbody tr', { hasText: text });

describeServers('admin', { contract: 'admin' }, (server) => {
  it('refuses whoever does not know name and password, in the words that the page knows', async (t) => {
    const wrong = [undefined, {}, { ...LOGIN, password: 'wrong' }, { ...LOGIN, username: 'root' }, { sessionId: 'invented' }];
    for (const auth of wrong) {
      await assert.rejects(connect(t, server, auth).connected, { message: 'invalid credentials' });
    }
    const { told, connected } = connect(t, server, LOGIN);
    await connected;
    await until(() => told.some(([event]) => event === 'all_sockets'), 'all sockets');
    assert.equal(told[0][0], 'session');
  });

  it('lets a session in again', async (t) => {
    const first = connect(t, server, LOGIN);
    await until(() => first.of('session').length, 'a session');
    const [[, sessionId]] = first.of('session');
    const again = connect(t, server, { sessionId, username: '', password: '' });
    await again.connected;
    await until(() => again.of('config').length, 'the settings');
    assert.deepEqual(again.of('session'), []);
  });

  it('tells of clients of every generation what they are and what passes', async (t) => {
    const looking = connect(t, server, LOGIN);
    await until(() => looking.of('all_sockets').length, 'all sockets');
    for (const cell of MEMBERS) {
      const peer = await member(t, server, cell, { query: { secret: 'no' }, auth: { token: 'hidden' } });
      const id = peer.id.replace(/^.*#/, '');
      const about = (name) => looking.told.filter(([event, ...args]) => event === name && JSON.stringify(args).includes(id));
      await until(() => about('socket_connected').length, `the client ${cell.client}`);
      const [[, shown, moment]] = about('socket_connected');
      assert.match(moment, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      assert.equal(shown.nsp, '/');
      assert.equal(shown.clientId.length, 12);
      assert.equal(shown.handshake.address, '127.0.0.1');
      assert.ok(!JSON.stringify(shown).includes('hidden'));
      await peer.call('echo', 'ü');
      await peer.call('join', 'lobby');
      const back = peer.heard('back');
      peer.emit('back', 1, 'two');
      await back;
      await until(() => about('event_sent').length, 'what it was sent');
      assert.deepEqual(about('event_received').map(([, nsp, , args]) => [nsp, args]), [
        ['/', ['echo', 'ü']],
        ['/', ['join', 'lobby']],
        ['/', ['back', 1, 'two']],
      ]);
      assert.deepEqual(about('event_sent').map(([, nsp, , args]) => [nsp, args]), [['/', ['back', 1, 'two']]]);
      assert.deepEqual(about('room_joined').map(([, , room]) => room), [shown.id, 'lobby']);
      if (cell.way === 'upgrade') assert.equal(about('socket_updated').at(-1)[1].transport, 'websocket');
      peer.disconnect();
      await until(() => about('room_left').length === 2, 'its rooms without it');
      assert.equal(about('socket_disconnected').length, 1);
    }
    await until(() => looking.of('server_stats').length >= 3, 'statistics');
    const [, stats] = looking.of('server_stats').at(-1);
    assert.equal(stats.serverId, 'under test');
    assert.ok(stats.namespaces.some(({ name }) => name === '/chat'));
    const counted = looking.of('server_stats').flatMap(([, { aggregatedEvents }]) => aggregatedEvents);
    const sum = (type) => counted.filter((count) => count.type === type).reduce((sum, { count }) => sum + count, 0);
    assert.ok(sum('rawConnection') >= 3 && sum('packetsIn') >= 9 && sum('bytesIn') > sum('packetsIn'), JSON.stringify(counted));
  });

  it('moves, tells and disconnects clients of every generation', async (t) => {
    const admin = connect(t, server, LOGIN);
    await admin.connected;
    for (const cell of MEMBERS) {
      const peer = await member(t, server, cell);
      const other = await member(t, server, cell);
      const ids = () => admin.of('socket_connected').flatMap(([, { nsp, id }]) => (nsp === '/' ? [id] : []));
      await until(() => ids().length === 2, 'both');
      const [id] = ids();
      admin.told.length = 0;
      const news = peer.heard('news');
      const others = other.count('news');
      admin.socket.emit('join', '/', 'chosen', id);
      admin.socket.emit('emit', '/', 'chosen', 'news', 1, 'ü');
      assert.deepEqual(await news, [1, 'ü']);
      const gone = peer.heard('disconnect');
      admin.socket.emit('_disconnect', '/', false, 'chosen');
      await gone;
      assert.deepEqual(await other.call('echo', 1), [1]);
      assert.deepEqual(others, []);
      other.disconnect();
    }
  });

  it('is the page’s: a wrong password is refused and shown, the right one shows clients, rooms, events, and moves them', async (t) => {
    const peers = [];
    for (const cell of MEMBERS) peers.push(await member(t, server, cell));
    const page = await logIn(t, server, { password: 'wrong' });
    await page.getByText('Invalid credentials').waitFor();
    await picture(page, `admin-${server.name}-refused`);
    await tryPassword(page, LOGIN.password);
    await page.getByText('Invalid credentials').waitFor({ state: 'hidden' });
    await page.getByText('Healthy').first().waitFor();
    await picture(page, `admin-${server.name}-dashboard`);

    const ids = async () => (await page.locator('tbody tr td:first-child').allTextContents()).map((text) => text.trim());
    await show(page, 'Sockets');
    await eventually(async () => (await ids()).length, 3);
    await picture(page, `admin-${server.name}-sockets`);

    const [old, , newest] = peers;
    await newest.call('set-data', { name: 'Ada' });
    await newest.call('echo', 'seen by the page');
    await show(page, 'Events');
    await page.getByText('echo').first().waitFor();
    await picture(page, `admin-${server.name}-events`);

    await show(page, 'Sockets');
    await row(page, newest.id).click();
    await page.getByText('"name": "Ada"').waitFor();
    await page.getByLabel('Join a room').fill('a room of the page');
    await page.locator('main form button[type=submit]').click();
    await row(page, 'a room of the page').waitFor();
    await picture(page, `admin-${server.name}-socket`);
    await show(page, 'Rooms');
    await row(page, 'a room of the page').waitFor();
    await picture(page, `admin-${server.name}-rooms`);

    await show(page, 'Sockets');
    const gone = old.heard('disconnect');
    await row(page, old.id).getByRole('button').click();
    await gone;
    // The button is in a row that shows its socket when it is clicked.
    await show(page, 'Sockets');
    await eventually(async () => (await ids()).length, 2);
    assert.deepEqual(await newest.call('echo', 1), [1], 'and nobody else');

    // A session, which the page keeps: no password is asked for.
    await page.reload();
    await eventually(async () => (await ids()).length, 2);
  });
});

describeServers('admin that may only read', { contract: 'admin', env: { ADMIN: 'read-only' } }, (server) => {
  it('shows no buttons, and does nothing that a page without them asks for', async (t) => {
    const peer = await member(t, server, MEMBERS[2]);
    const page = await logIn(t, server);
    await show(page, 'Sockets');
    await row(page, peer.id).waitFor();
    assert.equal(await page.locator('tbody button').count(), 0);
    await picture(page, `admin-${server.name}-read-only`);
    const [witness, admin] = [connect(t, server, LOGIN), connect(t, server, LOGIN)];
    await until(() => witness.of('config').length && admin.of('config').length, 'the settings');
    assert.deepEqual(admin.of('config')[0][1], { supportedFeatures: ['AGGREGATED_EVENTS', 'ALL_EVENTS'] });
    const news = peer.count('news');
    const { id } = admin.socket;
    admin.socket.emit('emit', '/', null, 'news');
    admin.socket.emit('join', '/', 'somewhere');
    admin.socket.emit('_disconnect', '/', true);
    admin.socket.disconnect();
    await until(() => witness.of('socket_disconnected').some(([, , gone]) => gone === id), 'that the server has read it');
    assert.deepEqual(await peer.call('echo', 1), [1]);
    assert.deepEqual(news, []);
    assert.ok(!witness.of('room_joined').some(([, , room]) => room === 'somewhere'));
  });
});

describeServers('admin in production', { contract: 'admin', env: { ADMIN: 'production' } }, (server) => {
  it('tells the page numbers only', async (t) => {
    const peer = await member(t, server, MEMBERS[2]);
    const admin = connect(t, server, LOGIN);
    const page = await logIn(t, server);
    await page.getByText('Healthy').first().waitFor();
    await peer.call('echo', 1);
    await until(() => admin.of('server_stats').length >= 3, 'statistics');
    assert.deepEqual([...new Set(admin.told.map(([event]) => event))], ['session', 'config', 'server_stats']);
    await picture(page, `admin-${server.name}-production`);
  });
});

describeServers('admin with msgpack', { contract: 'admin', parser: 'msgpack' }, (server) => {
  it('is the page’s with that parser', async (t) => {
    const cell = { ...MEMBERS[2], parser: require('socket.io-msgpack-parser') };
    const peer = await member(t, server, cell);
    const page = await logIn(t, server, { parser: 'MessagePack parser' });
    await show(page, 'Sockets');
    await row(page, peer.id).waitFor();
    const gone = peer.heard('disconnect');
    await row(page, peer.id).getByRole('button').click();
    await gone;
  });
});

describeExample(
  'admin',
  (server) => {
    it('serves the page, which sees the visitors of the chat', async (t) => {
      const visitor = await openPage(t, browser, server.url);
      await visitor.waitForFunction(() => performance.getEntriesByType('resource').some(({ name }) => name.includes('EIO=4')));
      const page = await logIn(t, server, { at: `${server.url}/admin-ui/` });
      await page.getByText('Healthy').first().waitFor();
      await page.goto(`${server.url}/admin-ui/#/sockets/`);
      await eventually(() => page.locator('tbody tr', { hasText: 'WebSocket' }).count(), 1);
    });
  },
  { env: { ADMIN_PASSWORD: LOGIN.password } },
);
