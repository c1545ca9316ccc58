/* The page and its socket, in the namespace /feed:
     history  { topic, posts }              the last posts of a topic, when it has been subscribed to
     post     { id, at, author, text, topics }
     rate     { posts_a_second, readers }   every second while somebody reads, and once when nobody does any more
   It emits `subscribe` and `unsubscribe` with a topic; each is answered by the list of what it is subscribed to. */
'use strict';

const TOPICS = ['space', 'tea', 'robots', 'cats', 'cycling', 'weather', 'music', 'gardens'];
const KEEP = 200; // posts on the page
const $ = (id) => document.getElementById(id);
const socket = io('/feed');
const chosen = new Set(stored().filter((topic) => TOPICS.includes(topic)));
const posts = new Map(); // by id
const rates = [];
let held = []; // posts that wait until the reader is at the top again

for (const topic of TOPICS) {
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = topic;
  button.dataset.topic = topic;
  button.addEventListener('click', () => choose(topic, !chosen.has(topic)));
  $('topics').append(button);
}
showTopics();

socket.on('connect', () => {
  showState('connected', true);
  showError('');
  // The server may have begun anew, and its numbers with it.
  posts.clear();
  held = [];
  $('posts').replaceChildren();
  for (const topic of chosen) ask('subscribe', topic);
  showPosts();
});
for (const event of ['connect_error', 'disconnect']) {
  socket.on(event, () => showState('connection lost, trying again'));
}

socket.on('history', (history) => history.posts.forEach(add));

socket.on('post', (post) => {
  const isNew = add(post);
  if (isNew) isNew.classList.add('new');
});

socket.on('rate', ({ posts_a_second: rate, readers }) => {
  $('rate').textContent = rate.toFixed(1).replace(/\.0$/, '');
  $('readers').textContent = readers === 0 ? 'no readers' : readers === 1 ? '1 reader' : `${readers} readers`;
  rates.push(rate);
  if (rates.length > 60) rates.shift();
  const most = Math.max(1, ...rates);
  const line = rates.map((value, index) => `${60 - rates.length + index},${19 - (value / most) * 18}`);
  $('spark').firstElementChild.setAttribute('points', line.join(' '));
});

$('more').addEventListener('click', () => {
  showHeld();
  // At once, and after what has come above: else the browser keeps what was read where it was.
  scrollTo({ top: 0, behavior: 'instant' });
  $('posts').focus({ preventScroll: true });
});
addEventListener('scroll', () => atTop() && showHeld(), { passive: true });

async function choose(topic, on) {
  if (on) chosen.add(topic);
  else chosen.delete(topic);
  store();
  showTopics();
  if (!on) {
    for (const post of posts.values()) if (!isWanted(post)) remove(post);
    held = held.filter(isWanted);
    showPosts();
  }
  if (socket.connected) await ask(on ? 'subscribe' : 'unsubscribe', topic);
}

async function ask(event, topic) {
  const button = $('topics').querySelector(`[data-topic=${topic}]`);
  button.setAttribute('aria-busy', 'true');
  try {
    const answer = await socket.timeout(5_000).emitWithAck(event, topic);
    showError(answer.error ? `The server refuses: ${answer.error.message}.` : '');
  } catch {
    if (socket.connected) showError(`The server does not answer about #${topic}.`);
  } finally {
    button.removeAttribute('aria-busy');
  }
}

const isWanted = (post) => post.topics.some((topic) => chosen.has(topic));
const atTop = () => scrollY < 120;

/** Returns the item that shows it, if it is shown at once. */
function add(post) {
  if (posts.has(post.id) || !isWanted(post)) return undefined;
  posts.set(post.id, post);
  if (!atTop()) {
    held.push(post);
    if (held.length > KEEP) posts.delete(held.shift().id);
    showPosts();
    return undefined;
  }
  const item = show(post);
  showPosts();
  return item;
}

/** The newest on top; histories of several topics are sorted in. */
function show(post) {
  const item = document.createElement('li');
  const [author, time, text] = ['b', 'time', 'p'].map((tag) => document.createElement(tag));
  item.dataset.id = post.id;
  author.textContent = post.author;
  time.textContent = new Date(post.at).toLocaleTimeString([], { hour: 'numeric', minute: '2-digit', second: '2-digit' });
  for (const part of post.text.split(/(#\w+)/)) {
    if (!part.startsWith('#')) text.append(part);
    else text.append(Object.assign(document.createElement('span'), { className: 'tag', textContent: part }));
  }
  item.append(author, time, text);
  const list = $('posts');
  const older = [...list.children].find((other) => Number(other.dataset.id) < post.id);
  list.insertBefore(item, older ?? null);
  if (list.childElementCount > KEEP) {
    posts.delete(Number(list.lastElementChild.dataset.id));
    list.lastElementChild.remove();
  }
  return item;
}

function remove(post) {
  posts.delete(post.id);
  $('posts').querySelector(`[data-id="${post.id}"]`)?.remove();
}

function showHeld() {
  for (const post of held.splice(0)) show(post);
  showPosts();
}

function showPosts() {
  $('more').hidden = held.length === 0;
  $('more').textContent = held.length === 1 ? 'Show 1 new post' : `Show ${held.length} new posts`;
  $('none').hidden = posts.size > 0;
  $('none').textContent = chosen.size
    ? 'Nothing yet about this. It will come.'
    : 'Choose a topic, or a few. The producer rests while nobody reads.';
}

function showTopics() {
  for (const button of $('topics').children) button.setAttribute('aria-pressed', chosen.has(button.dataset.topic));
}

function store() {
  localStorage.setItem('topics', JSON.stringify([...chosen]));
}

function stored() {
  try {
    const topics = JSON.parse(localStorage.getItem('topics'));
    return Array.isArray(topics) ? topics : [];
  } catch {
    return [];
  }
}

function showError(text) {
  $('error').textContent = text;
}

function showState(text, up = false) {
  $('state').textContent = text;
  $('state').classList.toggle('up', up);
}
