// The chat whose names and messages are kept: what is there after a restart, and what is said twice.
//
// Run: node --test chat-sqlite.test.mjs. Screenshots: tests/artifacts/chat-sqlite-*.png.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as path } from 'node:path';
import { after, before, test } from 'node:test';
import { describeExample } from './example.mjs';
import { call, connect, count, heard } from './official.mjs';
import { eventually, launchBrowser, openPage, picture, pictures } from './page.mjs';

const directory = mkdtempSync(path(tmpdir(), 'chat-sqlite-'));
process.env.DATABASE = path(directory, 'chat.db');

let browser;

before(async () => {
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  rmSync(directory, { recursive: true });
});

const text = (page, id) => page.locator(`#${id}`).textContent();
const said = (page) => page.locator('#log .line:not(.refused) .text').allTextContents();
const field = (page) => page.getByRole('textbox', { name: 'Message' });

async function enter(t, server, nick, options) {
  const page = await openPage(t, browser, server.url, options);
  await page.getByLabel('Your name').fill(nick);
  await page.getByRole('button', { name: 'Join the chat' }).click();
  await eventually(() => text(page, 'me'), `You are ${nick}`);
  return page;
}

async function say(page, words) {
  await field(page).fill(words);
  await page.keyboard.press('Enter');
}

/** Nothing was logged as an error, but connections that were lost. */
const problems = (page) => page.problems.filter((text) => !/WebSocket connection|ERR_CONNECTION/.test(text));

const guest = (t, server) => connect(t, server, '4.8.4', 'websocket', { namespace: '/chat' });

async function member(t, server, nick, key = nick) {
  const socket = await guest(t, server);
  const [answer] = await call(socket, 'join', { nick, key });
  assert.equal(answer.nick, nick, JSON.stringify(answer));
  return socket;
}

describeExample('chat-sqlite', (server) => {
  test('two talk, and names are unique in any case', async (t) => {
    const ada = await openPage(t, browser, server.url);
    await picture(ada, 'chat-sqlite-welcome');
    await ada.getByRole('button', { name: 'Join the chat' }).click();
    await eventually(() => text(ada, 'nick-error'), 'Type a name first.');
    await ada.getByLabel('Your name').fill('Ada');
    await ada.keyboard.press('Enter');
    await eventually(() => text(ada, 'people'), '1 here: Ada');
    await ada.getByText('This is where the chat begins.').waitFor();

    const ben = await openPage(t, browser, server.url);
    await ben.getByLabel('Your name').fill(' aDA ');
    await ben.keyboard.press('Enter');
    await eventually(() => text(ben, 'nick-error'), 'Ada is somebody else’s name. Pick another one.');
    await ben.getByLabel('Your name').fill('Ben');
    await ben.keyboard.press('Enter');
    await eventually(() => text(ada, 'people'), '2 here: Ada, Ben');

    const hostile = '<img src=x onerror="window.hacked = true"> & more';
    await say(ada, 'Good morning!');
    await say(ada, 'Is anybody there?');
    await eventually(() => said(ben), ['Good morning!', 'Is anybody there?']);
    await say(ben, hostile);
    await eventually(() => said(ada), ['Good morning!', 'Is anybody there?', hostile]);
    await say(ada, 'That is text, and it is kept.');
    for (const page of [ada, ben]) await eventually(async () => (await said(page)).length, 4);
    await eventually(() => ada.locator('.waiting').count(), 0);
    for (const page of [ada, ben]) assert.equal(await page.evaluate(() => window.hacked), undefined);

    // Another tab of the same browser is the same person.
    const tab = await ada.context().newPage();
    await tab.goto(server.url);
    await eventually(() => text(tab, 'me'), 'You are Ada');
    await say(tab, 'From another tab.');
    await eventually(async () => (await said(ada)).at(-1), 'From another tab.');
    await eventually(() => text(ben, 'people'), '2 here: Ada, Ben');
    await pictures(ben, 'chat-sqlite');
    for (const page of [ada, ben]) assert.deepEqual(problems(page), []);
  });

  test('a restart loses nothing, and what was said meanwhile is said once', async (t) => {
    const cat = await enter(t, server, 'Cat');
    const dan = await enter(t, server, 'Dan');
    await say(cat, 'before the restart');
    await eventually(async () => (await said(dan)).at(-1), 'before the restart');
    const earlier = await said(dan);

    await server.kill();
    await eventually(() => text(dan, 'state'), 'connection lost, trying again');
    await eventually(() => text(cat, 'state'), 'connection lost, trying again');
    await say(cat, 'while it was away');
    await cat.getByText('Waiting for the connection').waitFor();
    await picture(cat, 'chat-sqlite-lost');
    await server.restart();
    for (const page of [cat, dan]) await eventually(() => text(page, 'people'), '2 here: Cat, Dan');
    for (const page of [cat, dan]) await eventually(() => said(page), [...earlier, 'while it was away']);
    await eventually(() => cat.locator('.waiting').count(), 0);

    await dan.reload();
    await eventually(() => said(dan), [...earlier, 'while it was away']);
    const late = await openPage(t, browser, server.url);
    await late.getByLabel('Your name').fill('CAT');
    await late.keyboard.press('Enter');
    await eventually(() => text(late, 'nick-error'), 'Cat is somebody else’s name. Pick another one.');
  });

  test('history is read upwards, and the place that is read stays', async (t) => {
    const eve = await member(t, server, 'Eve');
    const words = Array.from({ length: 75 }, (_, i) => `message ${i + 1}`);
    for (const text of words) await call(eve, 'say', { token: text, text });

    const page = await enter(t, server, 'Fay', { viewport: { width: 420, height: 700 } });
    await eventually(() => said(page), words.slice(-30));
    const last = page.locator('.line').last();
    await eventually(() => last.evaluate((node) => node.getBoundingClientRect().bottom < innerHeight), true);

    const first = page.getByText('message 46', { exact: true });
    await page.locator('#log').evaluate((log) => { log.scrollTop = 0; });
    await eventually(() => said(page), words.slice(-60));
    const top = () => first.evaluate((node) => node.getBoundingClientRect().top);
    assert.ok((await top()) > 0 && (await top()) < 300, `what was read is at ${await top()} px`);
    await pictures(page, 'chat-sqlite-history');

    for (let pages = 0; (await page.locator('#older').isVisible()) && pages < 5; pages += 1) {
      const before = (await said(page)).length;
      await page.locator('#older').click();
      await eventually(async () => (await said(page)).length > before, true);
    }
    await page.getByText('This is where the chat begins.').waitFor();
    const all = await said(page);
    assert.deepEqual(all.slice(-75), words);
    assert.equal(all[0], 'Good morning!');
    assert.equal(new Set(await page.evaluate(() => [...lines.keys()])).size, all.length);

    // Who reads above is not torn away by what is new.
    await page.locator('#log').evaluate((log) => { log.scrollTop = 0; });
    await call(eve, 'say', { token: 'new', text: 'something new' });
    await page.getByRole('button', { name: 'New messages' }).click();
    await eventually(() => last.evaluate((node) => node.getBoundingClientRect().bottom < innerHeight), true);
    assert.deepEqual(problems(page), []);
  });

  test('a message said twice is heard and kept once', async (t) => {
    const gus = await member(t, server, 'Gus');
    const hal = await member(t, server, 'Hal');
    const messages = count(hal, 'message');
    const once = { token: 'gus-1', text: 'once' };
    const answers = await Promise.all([call(gus, 'say', once), call(gus, 'say', once)]);
    const again = await member(t, server, 'Gus');
    answers.push(await call(again, 'say', { ...once, text: 'changed' }));
    for (const [message] of answers) assert.deepEqual(message, answers[0][0]);
    await call(gus, 'say', { token: 'gus-2', text: 'twice' });
    await eventually(() => messages.map(([message]) => message.text), ['once', 'twice']);
    const [{ messages: kept }] = await call(hal, 'history', messages[1][0].id);
    assert.equal(kept.filter((message) => message.text === 'once').length, 1);
  });

  test('of many who ask for a name at once, one gets it', async (t) => {
    const guests = await Promise.all(Array.from({ length: 5 }, () => guest(t, server)));
    const nicks = ['Ivy', 'ivy', 'IVY', 'iVY', 'ivY'];
    const joins = guests.map((socket, i) => call(socket, 'join', { nick: nicks[i], key: `key ${i}` }));
    const answers = await Promise.all(joins);
    assert.equal(answers.filter(([answer]) => answer.nick).length, 1);
    assert.equal(answers.filter(([answer]) => /^ivy is somebody/i.test(answer.error?.message)).length, 4);
  });

  test('a client that has not joined hears nothing and may only join; what it sends is bounded', async (t) => {
    const socket = await guest(t, server);
    const messages = count(socket, 'message');
    for (const [event, argument] of [['say', { token: 't', text: 'hello' }], ['history', 1000]]) {
      const [{ error }] = await call(socket, event, argument);
      assert.equal(error.name, 'method_access_denied', event);
    }
    const refused = async (event, argument, message) => {
      const [answer] = await call(socket, event, argument);
      assert.match(answer.error?.message ?? '', message);
    };
    await refused('join', { nick: 'x'.repeat(21), key: 'k' }, /^A name has 1 to 20 characters\.$/);
    await refused('join', { nick: '<b>', key: 'k' }, /^A name has letters/);
    await refused('join', { nick: 'Jo', key: 'k'.repeat(65) }, /^A key has/);
    await refused('join', { nick: 'Jo' }, /^invalid arguments: .*missing field `key`/);
    const kay = await member(t, server, 'Kay');
    await call(kay, 'say', { token: 't', text: 'not for everybody' });
    const people = heard(socket, 'people');
    await call(socket, 'join', { nick: 'Jo', key: 'k' });
    await people;
    assert.deepEqual(messages, []);
    await refused('say', { token: 't', text: 'x'.repeat(2001) }, /^A message has at most 2000/);
    await refused('say', { token: 't', text: ' ' }, /^Write something first\.$/);
    await refused('join', { nick: 'Jo', key: 'k' }, /may not call this event/);
  });

  test('it stops at once, with people who talk', async (t) => {
    const page = await enter(t, server, 'Lea');
    await server.stop();
    await eventually(() => text(page, 'state'), 'connection lost, trying again');
  });
});
