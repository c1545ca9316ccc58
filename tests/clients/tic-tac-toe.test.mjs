// The tic-tac-toe example: whose turn it is, may play. Two people and a spectator in Chromium, and clients that cheat.
//
// Run: node --test tic-tac-toe.test.mjs. Screenshots: tests/artifacts/tic-tac-toe-*.png.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { describeExample } from './example.mjs';
import { call, connect, count, heard } from './official.mjs';
import { eventually, launchBrowser, openPage, picture, pictures } from './page.mjs';

const AWAY_SECONDS = 5;
process.env.AWAY_SECONDS = AWAY_SECONDS;

let browser;

before(async () => {
  browser = await launchBrowser();
});

after(() => browser?.close());

const text = (page, id) => page.locator(`#${id}`).textContent();
const status = (page, wanted) => eventually(() => text(page, 'status'), wanted);
const cell = (page, i) => page.getByRole('gridcell').nth(i);
/** Clicks what the page says cannot be clicked. */
const force = (locator) => locator.click({ force: true });
const markOf = (cells) => cells.map((cell) => cell.dataset.mark ?? '-').join('');
const marks = (page) => page.getByRole('gridcell').evaluateAll(markOf);
const presence = (page) => page.locator('#players span').allTextContents();
const tables = (page) => page.locator('#tables strong').allTextContents();

async function open(t, server, name) {
  const page = await openPage(t, browser, server.url);
  await page.getByLabel('Your name').fill(name);
  return page;
}

/** Two pages at one table, Ada's being X. */
async function two(t, server) {
  const [ada, ben] = await Promise.all([open(t, server, 'Ada'), open(t, server, 'Ben')]);
  await ada.getByRole('button', { name: 'Open a table' }).click();
  await status(ada, 'Waiting for somebody to join…');
  await ben.getByRole('button', { name: 'Play: Ada' }).click();
  await status(ada, 'Your turn');
  await status(ben, 'Ada’s turn');
  return [ada, ben];
}

/** Plays these cells in turns, X first, each seen by both. */
async function play(pages, cells) {
  for (const [i, which] of cells.entries()) {
    const mark = 'XO'[i % 2];
    await cell(pages[i % 2], which).click();
    for (const page of pages) await eventually(async () => (await marks(page))[which], mark);
  }
}

/** Nothing was logged as an error, but connections that were lost. */
const problems = (page) => page.problems.filter((text) => !/WebSocket connection|ERR_CONNECTION/.test(text));

/** Raw clients, one as X and one as O. */
async function players(t, server) {
  const x = await player(t, server);
  const [seat] = await call(x, 'create', 'X');
  const o = await player(t, server);
  const [joined] = await call(o, 'join', { table: seat.table, name: 'O' });
  return { x, o, table: seat.table, token: seat.token, joined };
}

const player = (t, server) => connect(t, server, '4.8.4', 'websocket', { namespace: '/game' });
const denied = async (socket, event, ...args) => {
  const [{ error }] = await call(socket, event, ...args);
  assert.equal(error?.name, 'method_access_denied', `${event}: ${JSON.stringify(error)}`);
};
const refused = async (socket, event, args, message) => {
  const [answer] = await call(socket, event, args);
  assert.match(answer?.error?.message ?? '', message);
};

describeExample('tic-tac-toe', (server) => {
  test('two play in turns, by mouse and by keyboard, and a third watches', async (t) => {
    const empty = await openPage(t, browser, server.url);
    await empty.getByText('Nobody plays yet.').waitFor();
    await empty.getByRole('button', { name: 'Open a table' }).click();
    await eventually(() => text(empty, 'lobby-error'), 'Type your name first.');

    const [ada, ben] = await two(t, server);
    const eve = empty;
    await eventually(() => tables(eve), ['Ada and Ben']);
    await pictures(eve, 'tic-tac-toe-lobby');
    await eve.getByRole('button', { name: 'Watch: Ada and Ben' }).click();
    await eventually(() => text(ada, 'watchers'), '1 watching');
    assert.deepEqual(await presence(ada), ['you', 'here']);

    await force(cell(ben, 0)); // not his turn
    await force(cell(eve, 1)); // never hers
    await cell(ada, 4).focus();
    const keys = ['ArrowLeft', 'ArrowLeft', 'ArrowUp', 'ArrowDown', 'ArrowUp', 'Enter'];
    for (const key of keys) await ada.keyboard.press(key);
    for (const page of [ada, ben, eve]) await eventually(() => marks(page), 'X--------');
    assert.equal(await cell(ben, 0).getAttribute('aria-label'), 'row 1, column 1: X');
    await status(ben, 'Your turn');
    await status(eve, 'Ben’s turn');
    await force(cell(ben, 0)); // taken
    await cell(ben, 3).click();
    for (const page of [ada, ben, eve]) await eventually(() => marks(page), 'X--O-----');
    await pictures(ada, 'tic-tac-toe-turn');

    await play([ada, ben], [1, 4, 2]);
    await status(ada, 'You win!');
    await status(ben, 'You lose');
    await status(eve, 'Ada wins');
    for (const page of [ada, ben, eve]) assert.equal(await page.locator('.strikes line').count(), 1);
    await pictures(ben, 'tic-tac-toe-lost');
    await picture(eve, 'tic-tac-toe-watching');

    await ada.getByRole('button', { name: 'Play again' }).click();
    await status(ben, 'You lose. Ada wants to play again');
    await ben.getByRole('button', { name: 'Play again' }).click();
    await status(ben, 'Your turn'); // The other begins.
    await eventually(() => marks(eve), '---------');
    assert.equal(await eve.locator('.strikes line').count(), 0);
    assert.equal(await eve.getByRole('button', { name: 'Play again' }).isVisible(), false);
    for (const page of [ada, ben, eve]) assert.deepEqual(problems(page), []);
  });

  test('a client that plays out of turn, twice at once, or where it does not sit, is refused', async (t) => {
    const { x, o, table } = await players(t, server);
    const seen = count(x, 'table');
    await denied(o, 'play', { table, cell: 0 });
    await denied(o, 'play', 'and what it sends is not even read');

    const [first, second] = await Promise.all([0, 1].map((cell) => call(x, 'play', { table, cell })));
    assert.deepEqual([first[0], second[0].error.name], [null, 'method_access_denied']);
    assert.deepEqual(seen.at(-1)[0].cells.slice(0, 2), ['X', null]);
    await denied(x, 'play', { table, cell: 2 });

    const other = await players(t, server);
    await refused(other.x, 'play', { table, cell: 3 }, /^You do not play at this table\.$/);
    const stranger = await player(t, server);
    await denied(stranger, 'play', { table, cell: 3 });
    await denied(stranger, 'rematch', table);
    assert.deepEqual(await call(stranger, 'watch', table), [null]);
    const others = ['play', 'rematch', 'create', 'join', 'watch', 'back', 'lobby'];
    for (const event of others) await denied(stranger, event, {});
    assert.deepEqual(await call(stranger, 'leave'), [null]);

    await refused(o, 'play', { table, cell: 0 }, /^This cell is taken\.$/);
    await refused(o, 'play', { table, cell: 9 }, /nine cells/);
    await refused(o, 'play', { table, cell: -1 }, /^invalid arguments/);
    assert.deepEqual(await call(o, 'play', { table, cell: 8 }), [null]);
    const cells = ['X', null, null, null, null, null, null, null, 'O'];
    await eventually(() => seen.at(-1)[0].cells, cells);
  });

  test('of two who join at once, one sits down', async (t) => {
    const host = await player(t, server);
    const [{ table }] = await call(host, 'create', 'Host');
    const guests = await Promise.all([1, 2, 3].map(() => player(t, server)));
    const answers = await Promise.all(guests.map((guest, i) => call(guest, 'join', { table, name: `Guest ${i}` })));
    assert.equal(answers.filter(([answer]) => answer.mark === 'O').length, 1);
    assert.equal(answers.filter(([answer]) => answer.error?.message.startsWith('Somebody was faster')).length, 2);
  });

  test('what is no name is refused, and one with quotes is text', async (t) => {
    const socket = await player(t, server);
    for (const name of ['', '  ', 'x'.repeat(21), '<b>x</b>']) await refused(socket, 'create', name, /^A name has/);
    await refused(socket, 'create', { name: 'x' }, /^invalid arguments/);
    await refused(socket, 'join', { table: 4_000_000, name: 'x' }, /^This table is gone\.$/);
    await refused(socket, 'back', { token: 'a guess', replace: true }, /^You were away for too long/);
    await call(socket, 'create', " Mr.  O'Neil ");
    const page = await openPage(t, browser, server.url);
    await eventually(async () => (await tables(page)).includes("Mr. O'Neil"), true);
  });

  test('a reload, a lost connection and a closed tab give the seat back', async (t) => {
    const [ada, ben] = await two(t, server);
    await play([ada, ben], [4, 0]);
    await ada.reload();
    await status(ada, 'Your turn');
    assert.equal(await marks(ada), 'O---X----');
    await play([ada, ben], [8]);

    await ben.evaluate(() => socket.io.engine.close());
    await eventually(() => text(ben, 'state'), 'connected');
    await status(ben, 'Your turn');
    await cell(ben, 1).click();
    await eventually(() => marks(ada), 'OO--X---X');

    // A new tab of the same browser takes a seat that is empty, and not one that is in use.
    const tab = await ben.context().newPage();
    await tab.goto(server.url);
    await tab.getByRole('button', { name: 'Open a table' }).waitFor();
    await ben.close();
    await eventually(async () => (await presence(ada))[1].startsWith('away, '), true);
    await picture(ada, 'tic-tac-toe-away');
    await tab.reload();
    await status(tab, 'Ada’s turn');
    await eventually(() => presence(ada), ['you', 'here']);
    await cell(ada, 2).click();
    await cell(tab, 6).click();
    await eventually(() => marks(ada), 'OOX-X-O-X');
  });

  test('who leaves may return for a while, and then has lost', async (t) => {
    const [ada, ben] = await two(t, server);
    await ben.getByRole('button', { name: 'Leave' }).click();
    await ben.getByText('You left your game with Ada.').waitFor();
    await picture(ben, 'tic-tac-toe-kept');
    await ben.getByRole('button', { name: 'Back to the game' }).click();
    await status(ben, 'Ada’s turn');
    await cell(ada, 4).click();
    await cell(ben, 0).click();

    const begin = performance.now();
    await ada.getByRole('button', { name: 'Leave' }).click();
    await status(ben, 'The other did not come back: you win');
    const took = (performance.now() - begin) / 1000;
    assert.ok(took > AWAY_SECONDS - 0.5, `it took ${took} s`);
    await denied(await player(t, server), 'leave');
    await eventually(() => ada.locator('#kept').isVisible(), false);
    assert.equal(await ben.getByRole('button', { name: 'Play again' }).isVisible(), false);
    await ben.getByRole('button', { name: 'Leave' }).click();
    await ben.getByRole('button', { name: 'Open a table' }).waitFor();
  });

  test('one that takes the seat over, with its token, leaves the first in the lobby', async (t) => {
    const { x, table, token } = await players(t, server);
    const thief = await player(t, server);
    assert.deepEqual(await call(thief, 'back', { token, replace: false }), [null]);
    const replaced = heard(x, 'replaced');
    const [seat] = await call(thief, 'back', { token, replace: true });
    assert.deepEqual(seat, { table, mark: 'X', token });
    await replaced;
    await denied(x, 'play', { table, cell: 0 });
    assert.deepEqual(await call(thief, 'play', { table, cell: 0 }), [null]);
  });

  test('it stops at once, and its pages come back to the lobby of the next', async (t) => {
    const [ada] = await two(t, server);
    await server.stop();
    await eventually(() => text(ada, 'state'), 'connection lost, trying again');
    await ada.getByText('Connection lost. Your seat is kept for a moment').waitFor();
    await server.restart();
    await eventually(() => text(ada, 'state'), 'connected');
    await eventually(() => text(ada, 'lobby-error'), 'You were away for too long, and your seat is gone.');
    assert.deepEqual(problems(ada), []);
  });
});
