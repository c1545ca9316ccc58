// The example of one producer for all: it runs while somebody is subscribed, and each hears of what they subscribed to.
//
// Run: node --test feed.test.mjs. Screenshots: tests/artifacts/feed*.png.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { describeExample } from './example.mjs';
import { WAYS, call, connect, count, heard, until } from './official.mjs';
import { eventually, launchBrowser, openPage, picture, pictures } from './page.mjs';
import { Polling, request } from './wire.mjs';

const TOPICS = ['space', 'tea', 'robots', 'cats', 'cycling', 'weather', 'music', 'gardens'];
const HISTORY = 20;

process.env.RATE = '80';

let browser;

before(async () => {
  browser = await launchBrowser();
});

after(() => browser?.close());

const text = (page, id) => page.locator(`#${id}`).textContent();
const shown = (page) => page.locator('#posts li').count();
const topic = (page, name) => page.getByRole('button', { name: `#${name}`, exact: true });
const state = (page, wanted) => eventually(() => text(page, 'state'), wanted);

describeExample('feed', (server) => {
  const running = async () => JSON.parse((await request(server, '/producer')).text);
  const reader = (t, way = 'websocket') => connect(t, server, '4.8.4', way, { namespace: '/feed' });

  /** All posts from the first on, by number, as one reader of all topics gets them. */
  async function firstPosts(t, amount) {
    const socket = await reader(t);
    const [histories, posts] = [count(socket, 'history'), count(socket, 'post')];
    for (const topic of TOPICS) await call(socket, 'subscribe', topic);
    await until(() => posts.length >= amount, `${amount} posts`);
    socket.disconnect();
    const ids = posts.map(([post]) => post.id);
    assert.deepEqual(ids, [...new Set(ids)].sort((a, b) => a - b), 'each comes once, in order');
    const all = [...histories.flatMap(([{ posts }]) => posts), ...posts.map(([post]) => post)];
    return new Map(all.map((post) => [post.id, post]));
  }

  test('the same seed invents the same posts, of one or two topics', async (t) => {
    const runs = [];
    for (let run = 0; run < 2; run++) {
      await server.kill();
      await server.restart();
      runs.push(await firstPosts(t, 40));
    }
    for (let id = 1; id <= 40; id++) assert.equal(runs[0].get(id).text, runs[1].get(id).text, `post ${id}`);
    const posts = [...runs[0].values()];
    for (const { text, topics } of posts) assert.deepEqual(text.match(/(?<=#)\w+/g), topics);
    assert.ok(posts.some(({ topics }) => topics.length === 2));
  });

  test('the producer begins with the first subscriber and ends with the last', async (t) => {
    await eventually(running, false);
    const [first, second, idle] = [await reader(t), await reader(t), await reader(t)];
    assert.equal(await running(), false);
    assert.deepEqual(await call(first, 'subscribe', 'tea'), [['tea']]);
    assert.equal(await running(), true);
    assert.deepEqual(await call(second, 'subscribe', 'cats'), [['cats']]);
    assert.deepEqual(await call(second, 'subscribe', 'tea'), [['tea', 'cats']]);
    first.disconnect();
    await eventually(async () => (await heard(idle, 'rate'))[0].readers, 1);
    assert.deepEqual(await call(second, 'unsubscribe', 'tea'), [['cats']]);
    assert.deepEqual(await call(second, 'unsubscribe', 'tea'), [['cats']]);
    assert.equal(await running(), true);
    const rates = count(idle, 'rate');
    assert.deepEqual(await call(second, 'unsubscribe', 'cats'), [[]]);
    assert.equal(await running(), false);
    await eventually(() => rates.at(-1), [{ posts_a_second: 0, readers: 0 }]);

    await call(second, 'subscribe', 'cats');
    await heard(second, 'post');
    second.disconnect();
    await eventually(running, false);
  });

  test('a subscriber gets the last posts of the topic, then all that follow, over every transport', async (t) => {
    const witness = await reader(t);
    await call(witness, 'subscribe', 'tea');
    const [before] = await heard(witness, 'post');
    const posts = count(witness, 'post');
    await until(() => posts.length > HISTORY, 'a full history');
    for (const way of Object.keys(WAYS)) {
      const socket = await reader(t, way);
      const [histories, live] = [count(socket, 'history'), count(socket, 'post')];
      await call(socket, 'subscribe', 'tea');
      await call(socket, 'subscribe', 'tea'); // No second history.
      await until(() => live.length >= 3, 'three posts');
      assert.equal(histories.length, 1);
      const [{ topic, posts: history }] = histories[0];
      assert.equal(topic, 'tea');
      assert.equal(history.length, HISTORY);
      const got = [...history, ...live.map(([post]) => post)];
      await until(() => posts.at(-1)[0].id >= got.at(-1).id, 'the witness');
      const seen = [before, ...posts.map(([post]) => post)].map(({ id }) => id);
      const start = seen.indexOf(got[0].id);
      assert.deepEqual(got.map(({ id }) => id), seen.slice(start, start + got.length));
      assert.ok(got.every(({ topics }) => topics.includes('tea')));
    }
  });

  test('a slow reader misses no post; rates are not kept for it', async (t) => {
    const fast = await reader(t);
    const slow = await Polling.open(server, { path: '/socket.io/' });
    await slow.send('40/feed,');
    while (!(await slow.next()).startsWith('40/feed,'));
    await slow.send('42/feed,["subscribe","tea"]');
    while (!(await slow.next()).startsWith('42/feed,["history"'));
    await call(fast, 'subscribe', 'tea');
    const [posts, rates] = [count(fast, 'post'), count(fast, 'rate')];
    await until(() => posts.length >= 5 && rates.length >= 2, 'posts and rates');
    const ids = posts.map(([post]) => post.id);

    const packets = (await slow.poll()).filter((packet) => packet.startsWith('42/feed,'));
    const events = packets.map((packet) => JSON.parse(packet.slice('42/feed,'.length)));
    const got = events.filter(([event]) => event === 'post').map(([, post]) => post.id);
    assert.deepEqual(got.slice(got.indexOf(ids[0])).slice(0, ids.length), ids);
    assert.equal(events.filter(([event]) => event === 'rate').length, 0);
    await slow.send('41/feed,', '1');
  });

  test('what is no topic is refused', async (t) => {
    const socket = await reader(t);
    for (const event of ['subscribe', 'unsubscribe']) {
      for (const topic of ['nothing', 'Tea', '', 'x'.repeat(10_000), 3, null, ['tea'], {}]) {
        const [answer] = await call(socket, event, topic);
        assert.ok(answer.error?.message, `${event} ${topic}`);
      }
    }
    assert.deepEqual(await call(socket, 'subscribe', 'music'), [['music']]);
  });

  test('the page shows the topics that were chosen, live, and remembers them', async (t) => {
    const page = await openPage(t, browser, server.url, { viewport: { width: 900, height: 760 } });
    await state(page, 'connected');
    assert.match(await text(page, 'none'), /Choose a topic/);
    await picture(page, 'feed-empty');
    await topic(page, 'tea').click();
    await eventually(async () => (await shown(page)) > HISTORY, true);
    await eventually(() => text(page, 'readers'), '1 reader');
    await eventually(async () => Number(await text(page, 'rate')) > 5, true);
    await topic(page, 'cats').click();
    await eventually(async () => (await page.locator('#posts li', { hasText: '#cats' }).count()) > HISTORY, true);
    const ids = await page.locator('#posts li').evaluateAll((items) => items.map((item) => Number(item.dataset.id)));
    assert.deepEqual(ids, ids.toSorted((a, b) => b - a), 'the newest on top');
    assert.equal(await page.locator('#posts .tag').first().evaluate((tag) => tag.textContent[0]), '#');
    await pictures(page, 'feed');

    await topic(page, 'cats').click();
    await eventually(() => topic(page, 'cats').getAttribute('aria-pressed'), 'false');
    const others = page.locator('#posts li').filter({ hasNotText: '#tea' });
    assert.equal(await others.count(), 0);

    await page.reload();
    await state(page, 'connected');
    assert.equal(await topic(page, 'tea').getAttribute('aria-pressed'), 'true');
    await eventually(async () => (await shown(page)) > HISTORY, true);
    assert.deepEqual(page.problems, []);
  });

  test('who has scrolled down is not interrupted', async (t) => {
    const page = await openPage(t, browser, server.url, { viewport: { width: 900, height: 600 } });
    await topic(page, 'tea').click();
    await eventually(async () => (await shown(page)) > HISTORY, true);
    await page.evaluate(() => scrollTo(0, 600));
    const more = page.getByRole('button', { name: /^Show \d+ new posts$/ });
    await more.waitFor();
    const then = await shown(page);
    const before = await more.textContent();
    await eventually(async () => (await more.textContent()) !== before, true);
    assert.equal(await shown(page), then);
    await more.click();
    await eventually(async () => (await more.count()) === 0 && (await shown(page)) > then, true);
  });

  test('the page comes back by itself, and the server stops at once', async (t) => {
    const page = await openPage(t, browser, server.url);
    await topic(page, 'music').click();
    await eventually(async () => (await shown(page)) > 3, true);
    await server.kill();
    await state(page, 'connection lost, trying again');
    await server.restart();
    await state(page, 'connected');
    await eventually(async () => (await shown(page)) > 3 && (await running()), true);
    await server.stop();
    await state(page, 'connection lost, trying again');
  });
});
