/* The chat's page. It talks to the server over one socket in the namespace `/chat`. What may be called when is the
   socket's ACL: `join` alone, until one has joined; then `say` and `history`. An answer may be
   { error: { message: "A sentence for people." } }.

   The page asks:
     join    { nick, key }    -> { nick, history }     `key` is this browser's secret, and whoever has it has the name
     say     { token, text }  -> the message; one whose token was said before is not said again
     history 41               -> { messages, more }    those before that one
   The server tells those who have joined:
     message { id, nick, text, at }    something was said, by somebody else or in another tab
     people  ["Ada", "Ben"]            who is here, whenever that changes
   `history` is { messages: [message, …], more }: at most 30, oldest first, and whether there are older ones. Later
   messages have greater ids; `at` is in milliseconds since 1970. */
'use strict';

const $ = (id) => document.getElementById(id);
const PATIENCE = 8000; // ms for an answer
const SAME_BREATH = 5 * 60_000; // ms within which one person's messages share a heading

/** What this browser keeps: the name, and its key. */
const store = {
  get: (name) => { try { return localStorage.getItem(`chat-sqlite-${name}`); } catch { return null; } },
  set(name, value) { try { localStorage.setItem(`chat-sqlite-${name}`, value); } catch { /* it may be forbidden */ } },
};

/** A fresh word nobody guesses. `crypto.randomUUID` is missing on plain http away from localhost. */
const word = () => [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, '0')).join('');

const key = store.get('key') ?? word();
store.set('key', key);

let wanted = store.get('nick'); // the name to join with
let nick = null; // as the server spells it
let joined = false; // has this very connection joined?
let more = false; // are there messages before the first on the page?
let loading = false;
const lines = new Map(); // id -> line, of the messages on the page
const waiting = new Map(); // token -> { token, text, node }: said, not answered yet, in order

/* ---- The socket ---- */

const socket = io('/chat', { reconnectionDelay: 300, reconnectionDelayMax: 2000 });

/** Emits and waits for the answer; throws an error whose message is a sentence, `silent` if none came. */
async function ask(event, ...args) {
  const silent = (message) => Object.assign(new Error(message), { silent: true });
  // The client would keep it for the next connection, on which joining comes first.
  if (!socket.connected) throw silent('There is no connection.');
  let answer;
  try {
    answer = await socket.timeout(PATIENCE).emitWithAck(event, ...args);
  } catch {
    throw silent('The server did not answer. Try again.');
  }
  if (answer?.error) throw new Error(sentence(answer.error.message));
  return answer;
}

const sentence = (text) => text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? '' : '.');

socket.on('connect', () => {
  showState('connected', true);
  $('banner').textContent = '';
  if (wanted) join();
  else showWelcome();
});
socket.on('connect_error', lost);
socket.on('disconnect', (reason) => {
  lost();
  if (reason === 'io server disconnect') socket.connect();
});

function lost() {
  joined = false;
  showState('connection lost, trying again', false);
  $('banner').textContent = 'Connection lost. Trying again…';
  $('people').textContent = '';
  for (const { node } of waiting.values()) fate(node, 'Waiting for the connection');
}

/** Joins: the first time, and again on every new connection. */
async function join() {
  const connection = socket.id;
  try {
    const answer = await ask('join', { nick: wanted, key });
    if (socket.id !== connection) return;
    nick = wanted = answer.nick;
    store.set('nick', nick);
    joined = true;
    showTalk();
    showPage(answer.history);
    for (const entry of waiting.values()) deliver(entry);
  } catch (error) {
    if (socket.id !== connection) return;
    // Silence on a living connection: a fresh one starts with a clean slate.
    if (error.silent && nick) return void socket.disconnect().connect();
    showWelcome(error.message);
  }
}

socket.on('message', (message) => showMessage(message, true));

socket.on('people', (nicks) => {
  const names = [...nicks].sort((a, b) => a.localeCompare(b));
  $('people').textContent = `${names.length} here: ${names.join(', ')}`;
  $('people').title = names.join(', ');
});

/* ---- Messages. Text of people reaches the page through textContent alone. ---- */

function el(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

function face(name) {
  const node = el('span', 'face', [...name][0].toUpperCase());
  node.setAttribute('aria-hidden', 'true');
  let hash = 0;
  for (const c of name.toLowerCase()) hash = (Math.imul(hash, 31) + c.codePointAt(0)) >>> 0;
  node.style.setProperty('--hue', Math.round((hash * 137.508) % 360)); // the golden angle keeps neighbours apart
  return node;
}

function clock(at) {
  const date = new Date(at);
  const today = date.toDateString() === new Date().toDateString();
  const node = el('time', '', date.toLocaleString([], {
    ...(!today && { day: 'numeric', month: 'short' }), hour: 'numeric', minute: '2-digit',
  }));
  node.dateTime = date.toISOString();
  node.title = date.toLocaleString();
  return node;
}

function line({ nick: who, text, at }, className = '') {
  const own = who === nick;
  const node = el('div', `line ${className}${own ? ' own' : ''}`,
    el('div', 'head', el('span', 'who', own ? 'You' : who), clock(at)), face(who), el('div', 'text', text));
  if (own) node.append(el('span', 'fate'));
  node.querySelector('.text').dir = 'auto';
  node.dataset.nick = who;
  node.dataset.at = at;
  return node;
}

const fate = (node, text) => (node.querySelector('.fate').textContent = text);

/** One person's messages in a row share a heading. */
function group(node) {
  if (!node?.dataset.nick) return;
  const before = node.previousElementSibling;
  node.classList.toggle('more', before?.dataset.nick === node.dataset.nick
    && Math.abs(node.dataset.at - before.dataset.at) < SAME_BREATH);
}

/** After which line of the page a message belongs. */
function lineBefore(id) {
  const earlier = [...lines.keys()].filter((other) => other < id);
  return earlier.length ? lines.get(Math.max(...earlier)) : $('start');
}

/** Puts a message where its id belongs; one that is on the page already stays as it is. */
function showMessage(message, fresh = false) {
  if (lines.has(message.id)) return;
  const node = line(message, fresh ? 'fresh' : '');
  lineBefore(message.id).after(node);
  lines.set(message.id, node);
  group(node);
  group(node.nextElementSibling);
  if (!fresh) return;
  if (atEnd) toEnd();
  else $('newer').hidden = false;
}

/** The newest page. Where messages are missing between it and what is shown, what is shown goes. */
function showPage({ messages, more: older }) {
  const known = messages.some(({ id }) => lines.has(id));
  if (!known) {
    for (const node of lines.values()) node.remove();
    lines.clear();
  }
  messages.forEach((message) => showMessage(message));
  if (!known) showMore(older);
  if (atEnd) toEnd();
}

function showMore(older) {
  more = older;
  $('older').hidden = !more;
  $('start').hidden = more;
}

async function loadOlder() {
  if (loading || !joined || !more) return;
  loading = true;
  $('older').textContent = 'Loading…';
  try {
    const page = await ask('history', Math.min(...lines.keys()));
    // What is above grows: what is seen stays where it is.
    const { scrollHeight, scrollTop } = $('log');
    page.messages.forEach((message) => showMessage(message));
    showMore(page.more);
    $('log').scrollTop = scrollTop + $('log').scrollHeight - scrollHeight;
  } catch { /* it can be asked for again */ }
  loading = false;
  $('older').textContent = 'Earlier messages';
}

$('older').addEventListener('click', loadOlder);
// Its root is the log: near its upper end, the next page is asked for by itself.
new IntersectionObserver(([{ isIntersecting }]) => isIntersecting && loadOlder(), {
  root: $('log'), rootMargin: '80px 0px 0px',
}).observe($('older'));

let atEnd = true; // does the reader see the newest line?
function toEnd() {
  atEnd = true;
  $('log').scrollTop = $('log').scrollHeight;
  $('newer').hidden = true;
}
$('log').addEventListener('scroll', () => {
  const log = $('log');
  atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  if (atEnd) $('newer').hidden = true;
});
new ResizeObserver(() => atEnd && toEnd()).observe($('log'));
$('newer').addEventListener('click', () => {
  toEnd();
  $('text').focus({ preventScroll: true });
});

/* ---- What is said here ---- */

function say(text) {
  const entry = { token: word(), text, node: line({ nick, text, at: Date.now() }, 'waiting fresh') };
  waiting.set(entry.token, entry);
  $('log').append(entry.node);
  group(entry.node);
  if (joined) deliver(entry);
  else fate(entry.node, 'Waiting for the connection');
  toEnd();
}

/** Says it until it is answered, on this connection or the next: the server keeps it once. */
async function deliver(entry) {
  const connection = socket.id;
  fate(entry.node, '');
  try {
    const message = await ask('say', { token: entry.token, text: entry.text });
    waiting.delete(entry.token);
    entry.node.remove();
    showMessage(message);
    if (atEnd) toEnd();
  } catch (error) {
    if (error.silent) {
      // On a living connection that is silent, it is said again on a fresh one.
      if (socket.connected && socket.id === connection) socket.disconnect().connect();
      return;
    }
    waiting.delete(entry.token);
    entry.node.classList.replace('waiting', 'refused');
    fate(entry.node, error.message);
  }
}

$('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = $('text').value.trim();
  $('text').focus();
  if (!text) return;
  $('text').value = '';
  fit();
  say(text);
});

function fit() {
  const text = $('text');
  text.style.height = 'auto';
  text.style.height = `${text.scrollHeight + 2}px`; // 2 for the border
}
$('text').addEventListener('input', fit);
$('text').addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    $('composer').requestSubmit();
  }
});

/* ---- Coming in ---- */

function showWelcome(error = '') {
  wanted = null;
  $('talk').hidden = true;
  $('welcome').hidden = false;
  $('login').querySelector('button').disabled = false;
  $('nick-error').textContent = error;
  $('nick').setAttribute('aria-invalid', String(Boolean(error)));
  $('nick').focus();
  $('nick').select();
}

function showTalk() {
  const first = $('talk').hidden;
  $('welcome').hidden = true;
  $('talk').hidden = false;
  $('me').textContent = `You are ${nick}`;
  if (first) $('text').focus();
}

$('login').addEventListener('submit', (event) => {
  event.preventDefault();
  const name = $('nick').value.normalize('NFC').trim();
  if (!name) return showWelcome('Type a name first.');
  $('login').querySelector('button').disabled = true;
  $('nick-error').textContent = '';
  wanted = name;
  if (socket.connected) join();
});

function showState(text, up) {
  $('state').textContent = text;
  $('state').classList.toggle('up', up);
}
