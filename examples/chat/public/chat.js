/* The chat's page. It talks to the server over one socket in the namespace `/`.

   The page asks, the server acknowledges with what is said here, or with { error: { message: "a sentence for people" } }:
     login  { nick, key }   -> { nick, rooms }            once a socket; `key` is the tab's secret: who comes with
                                                          the key of the one who bears the name takes it over
     join   { room }        -> { room, people, history }  leaves the room before; creates a room nobody is in
     say    { id, text }    -> null                       to the room joined; an id said before is not said again
     typing true | false                                  no acknowledgement
     echo                   -> (no arguments)             for the round trip
   Out of turn (`join` before `login`, `say` before `join`) they are denied: { error: { name: "method_access_denied", … } }.
   The server tells:
     rooms    [{ name, people: 2 }, …]      everybody, whenever a number changes
     message  { room, id, nick, text, at }  the whole room, the speaker included
     joined   { room, nick, people, at }    the others of the room
     left     { room, nick, people, at }    the others of the room
     typing   { room, nick, on }            the others of the room
     replaced (no arguments)                this socket, whose name has been taken over; then it is disconnected
   `people` is a list of names; `history` is the room's last messages, at most 50, oldest first, each as in `message`;
   `at` is in milliseconds since 1970. */
'use strict';

const $ = (id) => document.getElementById(id);
const START = 'lobby';
const PATIENCE = 8000; // ms for an acknowledgement
const KEEP = 500; // lines on the page
const SAME_BREATH = 5 * 60_000; // ms within which one person's messages share a heading
const TYPING_AGAIN = 3000; // ms between two `typing true`
const TYPING_FADES = 6000; // ms after which a silent typist is forgotten

/** What a reload of this tab keeps: the name, the room and the key. */
const store = {
  get: (name) => { try { return sessionStorage.getItem(`chat-${name}`); } catch { return null; } },
  set(name, value) {
    try {
      if (value) sessionStorage.setItem(`chat-${name}`, value);
      else sessionStorage.removeItem(`chat-${name}`);
    } catch { /* storage may be forbidden; then a reload asks for the name again */ }
  },
};

/** A fresh word nobody guesses. `crypto.randomUUID` is missing on plain http away from localhost. */
function word() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, '0')).join('');
}

let key = store.get('key') ?? word();
store.set('key', key);

let wanted = store.get('nick') ? { nick: store.get('nick'), room: store.get('room') ?? START } : null;
let nick = null; // as the server spells it, once logged in
let room = null; // the room on the page
let joined = false; // is this very connection in `room`?
let joining = 0; // how many joins are under way
let early = []; // what a room told while a join was under way: its acknowledgement comes first on the page
let lost = false; // a connection was there and broke
let roomList = [];
let unread = 0;
let seen = new Set(); // ids of the messages on the page
const waiting = new Map(); // id -> { id, text, node }: said, not yet acknowledged, in order
const typists = new Map(); // nick -> timer

/* ---- The socket ---- */

if (typeof io === 'undefined') {
  $('banner').textContent = 'The client bundle is missing: run `npm ci` in examples/chat, then start the server again.';
  throw new Error('/socket.io/socket.io.min.js was not served');
}
const transport = new URLSearchParams(location.search).get('transport'); // ?transport=polling stays with one
const socket = io({
  reconnectionDelay: 400,
  reconnectionDelayMax: 3000,
  ...(transport && { transports: [transport] }),
});

/** Emits and waits for the acknowledgement; silence becomes a refusal with `silent`. */
async function ask(event, ...args) {
  // The client would keep it for the next connection, on which the login has to come first.
  if (!socket.connected) return { ok: false, silent: true, error: 'There is no connection.' };
  try {
    const reply = await socket.timeout(PATIENCE).emitWithAck(event, ...args);
    return reply?.error ? { ok: false, error: reply.error.message } : { ok: true, ...reply };
  } catch {
    return { ok: false, silent: true, error: 'The server did not answer. Try again.' };
  }
}

socket.io.on('open', () => {
  showTransport();
  socket.io.engine.on('upgrade', () => { showTransport(); measure(); });
});

socket.on('connect', () => {
  showState('connected', true);
  measure();
  if (wanted) enter();
  else if (lost) flash('Connected again.');
  else flash(null);
  if (!wanted) lost = false;
});

socket.on('connect_error', () => {
  showState('no connection', false);
  warn(lost ? 'Connection lost. Reconnecting…' : 'The server cannot be reached. Trying again…');
});

socket.on('disconnect', (reason) => {
  joined = false;
  showTransport();
  showState('reconnecting', false);
  clearTypists();
  refreshControls();
  typingSince = 0;
  if (reason === 'io client disconnect') return;
  lost = true;
  warn('Connection lost. Reconnecting…');
  for (const { node } of waiting.values()) node.querySelector('.fate').textContent = 'Waiting for the connection';
  stick();
  // A server that hangs up is not called again by the client on its own.
  if (reason === 'io server disconnect') setTimeout(() => socket.connect(), 1000);
});

socket.on('replaced', () => {
  key = word(); // the other tab has the old one
  store.set('key', key);
  leave('You went on under this name in another tab.');
});

/** Logs in and joins: the first time, and again after every reconnect. */
async function enter() {
  const connection = socket.id;
  const gone = () => socket.id !== connection || !wanted;
  const login = await ask('login', { nick: wanted.nick, key });
  if (gone()) return;
  if (!login.ok) {
    // Silence on a living connection: a fresh one starts with a clean slate.
    if (login.silent && nick) return void socket.disconnect().connect();
    return void showWelcome(login.error);
  }
  nick = wanted.nick = login.nick;
  store.set('nick', nick);
  showRooms(login.rooms);
  if (!await join(wanted.room) && !gone()) await join(START);
  if (gone()) return;
  if (!joined) return void socket.disconnect().connect();
  flash(lost ? 'You are back.' : null);
  lost = false;
}

async function join(name) {
  joining += 1;
  const reply = await ask('join', { room: name });
  joining -= 1;
  const news = early;
  early = [];
  if (!reply.ok) {
    if (socket.connected) $('room-error').textContent = reply.error;
    return false;
  }
  $('room-error').textContent = '';
  const again = room === reply.room;
  if (!again) clearLog();
  room = wanted.room = reply.room;
  joined = true;
  store.set('room', room);
  showApp();
  for (const message of reply.history) if (!seen.has(message.id)) showMessage(message, false);
  if (!again) system(`You joined #${room}`, Date.now());
  showPeople(reply.people);
  for (const [event, data] of news) tell(event, data);
  refreshControls();
  scrollToEnd();
  for (const entry of waiting.values()) deliver(entry);
  return true;
}

async function switchTo(name) {
  name = name.normalize('NFC').trim().replace(/^#/, '').trim().replace(/\s+/g, '-').toLowerCase();
  if (!name || !joined) return;
  const changed = name === room || await join(name);
  if (!changed) return;
  $('room-name').value = '';
  closePanels();
  $('text').focus({ preventScroll: true });
}

/** Says one message; when no acknowledgement comes it stays in `waiting` and goes out again after the next join. */
async function deliver(entry) {
  const reply = await ask('say', { id: entry.id, text: entry.text });
  if (!waiting.has(entry.id)) return; // its echo was faster
  if (reply.ok) return settle(entry.id, Date.now());
  if (reply.silent) return void (joined && deliver(entry));
  waiting.delete(entry.id);
  entry.node.classList.replace('waiting', 'refused');
  entry.node.querySelector('.fate').textContent = `Not sent: ${reply.error}`;
}

const told = {
  message(message) {
    stopTypist(message.nick);
    showMessage(message, true);
    if (!document.hidden || message.nick === nick) return;
    unread += 1;
    showTitle();
  },
  joined(who) {
    showPeople(who.people);
    system(`${who.nick} joined`, who.at);
  },
  left(who) {
    stopTypist(who.nick);
    showPeople(who.people);
    system(`${who.nick} left`, who.at);
  },
  typing(who) {
    stopTypist(who.nick);
    if (who.on) typists.set(who.nick, setTimeout(() => stopTypist(who.nick), TYPING_FADES));
    showTypists();
  },
};

/** What happens in a room: for the page if it is the room on the page, and after the acknowledgement of a join. */
function tell(event, data) {
  if (joining) early.push([event, data]);
  else if (joined && data.room === room) told[event](data);
}
for (const event of Object.keys(told)) socket.on(event, (data) => tell(event, data));
socket.on('rooms', showRooms);

function measure() {
  if (!socket.connected) return;
  const sent = performance.now();
  socket.timeout(PATIENCE).emit('echo', (silence) => {
    const ms = performance.now() - sent;
    $('rtt').textContent = silence ? '' : `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
  });
}
setInterval(() => { if (!document.hidden) measure(); }, 5000);

/* ---- The page. Text of people reaches it through textContent alone. ---- */

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

function line(message, className) {
  const own = message.nick === nick;
  const node = el('div', `line ${className}${own ? ' own' : ''}`,
    el('div', 'head', el('span', 'who', own ? 'You' : message.nick), clock(message.at)),
    face(message.nick),
    el('div', 'text', message.text));
  if (own) node.append(el('span', 'fate'));
  node.querySelector('.text').dir = 'auto';
  node.dataset.nick = message.nick;
  node.dataset.at = message.at;
  return node;
}

/** Puts a line at the end, but before those that still wait, and keeps the view at the end if it was there. */
function place(node) {
  const log = $('log');
  log.insertBefore(node, log.querySelector('.waiting'));
  while (log.childElementCount > KEEP) log.firstElementChild.remove();
  group(node);
  if (node.nextElementSibling) group(node.nextElementSibling);
  if (atEnd || node.classList.contains('own')) scrollToEnd();
  else $('newer').hidden = false;
}

/** One person's messages in a row share a heading. */
function group(node) {
  const before = node.previousElementSibling;
  node.classList.toggle('more', Boolean(node.dataset.nick) && before?.dataset.nick === node.dataset.nick
    && node.dataset.at - before.dataset.at < SAME_BREATH);
}

function showMessage(message, fresh) {
  if (waiting.has(message.id)) return settle(message.id, message.at);
  if (seen.has(message.id)) return;
  seen.add(message.id);
  place(line(message, fresh ? 'fresh' : ''));
}

/** A message of ours has arrived: its line becomes an ordinary one. */
function settle(id, at) {
  const { node } = waiting.get(id);
  waiting.delete(id);
  seen.add(id);
  node.classList.remove('waiting');
  node.querySelector('.fate').textContent = '';
  node.querySelector('time').replaceWith(clock(at));
  node.dataset.at = at;
  place(node);
}

function say(text) {
  const entry = { id: word(), text };
  entry.node = line({ nick, text, at: Date.now() }, 'waiting fresh');
  waiting.set(entry.id, entry);
  $('log').append(entry.node); // after those that wait already
  group(entry.node);
  if (joined) deliver(entry);
  else entry.node.querySelector('.fate').textContent = 'Waiting for the connection';
  scrollToEnd();
}

function system(text, at) {
  place(el('div', 'system fresh', text, clock(at)));
}

function clearLog() {
  $('log').replaceChildren();
  seen = new Set();
  waiting.clear();
  clearTypists();
}

let atEnd = true; // does the reader see the newest line?
function scrollToEnd() {
  atEnd = true;
  $('log').scrollTop = $('log').scrollHeight;
  $('newer').hidden = true;
}

/** Keeps the newest line in view when the banner, the composer or a keyboard on the screen takes room. */
function stick() {
  if (atEnd) scrollToEnd();
}
new ResizeObserver(stick).observe($('log'));

function showRooms(rooms) {
  roomList = rooms;
  const focused = document.activeElement?.closest?.('#rooms button')?.dataset.room;
  $('rooms').replaceChildren(...rooms.map(({ name, people: many }) => {
    const count = el('span', 'many', String(many));
    count.setAttribute('aria-label', `${many} here`);
    const button = el('button', '', el('span', 'name', name), many ? count : '');
    button.type = 'button';
    button.dataset.room = name;
    button.disabled = !joined;
    if (name === room) button.setAttribute('aria-current', 'true');
    button.addEventListener('click', () => switchTo(name));
    return el('li', '', button);
  }));
  if (focused) [...$('rooms').querySelectorAll('button')].find((b) => b.dataset.room === focused)?.focus();
}

function showPeople(names) {
  const people = [...names].sort((a, b) => (b === nick) - (a === nick) || a.localeCompare(b));
  $('people').replaceChildren(...people.map((name) => el('li', '', face(name), el('span', 'name', name),
    name === nick ? el('span', 'you', 'you') : '')));
  $('people-title').textContent = `Here now (${people.length})`;
  $('open-people').textContent = `${people.length} here`;
}

function stopTypist(who) {
  clearTimeout(typists.get(who));
  if (typists.delete(who)) showTypists();
}

function clearTypists() {
  for (const who of [...typists.keys()]) stopTypist(who);
}

function showTypists() {
  const names = [...typists.keys()];
  if (!names.length) return $('typing').replaceChildren();
  const text = names.length === 1 ? `${names[0]} is typing`
    : names.length === 2 ? `${names[0]} and ${names[1]} are typing` : 'Several people are typing';
  const dots = el('span', 'dots', el('i'), el('i'), el('i'));
  dots.setAttribute('aria-hidden', 'true');
  $('typing').replaceChildren(dots, text);
}

function showTitle() {
  document.title = `${unread ? `(${unread}) ` : ''}${room && nick ? `#${room} – ` : ''}Chat`;
}

function showState(text, up) {
  $('state').textContent = text;
  $('state').classList.toggle('up', up);
}

function showTransport() {
  const open = socket.io.engine?.readyState === 'open';
  $('transport').textContent = open ? socket.io.engine.transport.name : '';
  if (!open) $('rtt').textContent = '';
}

let flashing;
function warn(text) {
  clearTimeout(flashing);
  $('banner').classList.remove('good');
  $('banner').textContent = text;
}

/** A passing word of good news in the banner; null takes away what is there. */
function flash(text) {
  clearTimeout(flashing);
  $('banner').classList.toggle('good', Boolean(text));
  $('banner').textContent = text ?? '';
  if (text) flashing = setTimeout(() => flash(null), 2500);
}

function refreshControls() {
  for (const control of [...$('rooms').querySelectorAll('button'), ...$('new-room').elements]) control.disabled = !joined;
}

function showWelcome(error) {
  wanted = null;
  nick = room = null;
  joined = false;
  store.set('nick', null);
  if (socket.connected) flash(null);
  clearLog();
  closePanels();
  showTitle();
  $('app').hidden = true;
  $('welcome').hidden = false;
  $('login').querySelector('button').disabled = false;
  $('nick-error').textContent = error ?? '';
  $('nick').setAttribute('aria-invalid', String(Boolean(error)));
  $('nick').focus();
  $('nick').select();
}

function showApp() {
  const first = $('app').hidden;
  $('welcome').hidden = true;
  $('app').hidden = false;
  $('nick-error').textContent = '';
  $('me-face').replaceChildren(face(nick));
  $('me-nick').textContent = nick;
  $('room-title').textContent = room;
  $('text').placeholder = `Message #${room}`;
  showTitle();
  showRooms(roomList);
  if (first) $('text').focus();
}

/** Out, by one's own will or because another tab took the name over. */
function leave(why) {
  showWelcome(why);
  if (socket.connected) socket.disconnect();
  socket.connect();
}

/* ---- Hands on the keyboard ---- */

$('login').addEventListener('submit', (event) => {
  event.preventDefault();
  const name = $('nick').value.normalize('NFC').trim();
  if (!name) return showWelcome('Type a name first.');
  $('login').querySelector('button').disabled = true;
  $('nick-error').textContent = '';
  wanted = { nick: name, room: store.get('room') ?? START };
  if (socket.connected) enter();
});

$('leave').addEventListener('click', () => leave());

$('new-room').addEventListener('submit', (event) => {
  event.preventDefault();
  switchTo($('room-name').value);
});

let typingSince = 0;
let idle;
/** Tells the room, at most every TYPING_AGAIN, that we type; and once that we stopped. */
function typing(on) {
  clearTimeout(idle);
  if (on) idle = setTimeout(() => typing(false), TYPING_FADES - 1000);
  const now = Date.now();
  if (!joined || (on ? now - typingSince < TYPING_AGAIN : !typingSince)) return;
  typingSince = on ? now : 0;
  socket.emit('typing', on);
}

function fit() {
  const text = $('text');
  text.style.height = 'auto';
  text.style.height = `${text.scrollHeight + 2}px`; // 2 for the border
}

$('text').addEventListener('input', () => {
  fit();
  typing($('text').value.trim() !== '');
});

$('text').addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    $('composer').requestSubmit();
  }
});

$('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = $('text').value.trim();
  $('text').focus();
  if (!text || !room) return;
  $('text').value = '';
  fit();
  typing(false);
  say(text);
});

const panels = [['open-side', 'side'], ['open-people', 'here']];
function closePanels() {
  for (const [button, panel] of panels) {
    if ($(panel).classList.contains('open')) $(button).focus();
    $(panel).classList.remove('open');
    $(button).setAttribute('aria-expanded', 'false');
  }
}
for (const [button, panel] of panels) {
  $(button).addEventListener('click', () => {
    closePanels();
    $(panel).classList.add('open');
    $(button).setAttribute('aria-expanded', 'true');
    $(panel).querySelector('button, input')?.focus();
  });
}
$('scrim').addEventListener('click', closePanels);
document.addEventListener('keydown', (event) => { if (event.key === 'Escape') closePanels(); });

$('newer').addEventListener('click', () => {
  scrollToEnd();
  $('text').focus({ preventScroll: true });
});
$('log').addEventListener('scroll', () => {
  const log = $('log');
  atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  if (atEnd) $('newer').hidden = true;
});
document.addEventListener('visibilitychange', () => {
  if (document.hidden) return;
  unread = 0;
  showTitle();
});

if (!wanted) showWelcome();
