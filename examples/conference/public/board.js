/* The board's page. It is in the namespace /board, of which it asks for one conference: { conference } as `auth`.

   The page asks; an answer is the value, or { error: { message, name? } }:
     enter    "Foyer"              -> { messages, more }       the last page; leaves the room before
     people                        -> [{ name, moderator, muted }, …], and from then on the event `people`
     say      { key, text }        -> null                     the room gets a `message`; once for each key
     earlier  57                   -> { messages, more }       the page before that message
   and a moderator also, with a name:
     mute, kick, pardon "Ben"      -> null
     sanctions                     -> [[name, "muted" | "kicked"], …], and from then on the event `sanctions`
     reports                       -> [{ at, who, occasion, kind, message, millis }, …], and the event `reports`
   The server tells:
     welcome  { name, moderator, conference, conferences }     this socket, first of all but a notice
     message  { id, from, text, at }                           the room, the author included
     notice   "muted" | "kicked" | null, "a sentence"          whom a moderator did that to
   A message's `id` counts those of its room; times are in milliseconds since 1970. */
'use strict';

const $ = (id) => document.getElementById(id);
const PATIENCE = 8000; // ms for an answer
const SAME_BREATH = 5 * 60_000; // ms within which one person's messages share a heading
const LOGGED_OUT = 'log in first';

/* ---- What a reload of this tab keeps ---- */

const store = {
  get(name) { try { return JSON.parse(sessionStorage.getItem(`board:${name}`)); } catch { return null; } },
  set(name, value) {
    try {
      if (value === null) sessionStorage.removeItem(`board:${name}`);
      else sessionStorage.setItem(`board:${name}`, JSON.stringify(value));
    } catch { /* Storage may be forbidden: then a reload begins anew. */ }
  },
};

const name = $('me').dataset.name;
if (store.get('name') !== name) { // Somebody else has used this tab.
  try { sessionStorage.clear(); } catch { /* as above */ }
  store.set('name', name);
}

let place = store.get('place') ?? { conference: 'harbour', room: null };
let conferences = [];
let moderator = false;
let sanction = null; // what a moderator took from this person here: 'muted', 'kicked'
let entered = false; // this connection is in the room on the page
let turn = 0; // counts the rooms entered, so that an answer that comes too late is known
let more = false; // there are messages before those on the page
let loading = null; // the request for them
let restoring = false; // the page is not where the reader left it yet
let sending = null; // { key, text, where }: said, and not known to be heard
let people = [];
let sanctions = [];

const here = () => `${place.conference}/${place.room}`;
const messages = () => $('messages').children;
const current = () => conferences.find(({ id }) => id === place.conference);

/* ---- The socket ---- */

const socket = io('/board', {
  auth: (give) => give({ conference: place.conference }),
  reconnectionDelay: 300,
  reconnectionDelayMax: 3000,
});

/** The answer, or { error, silent? } with a sentence. */
async function ask(event, ...args) {
  // The client would keep it for the next connection, on which a room has to be entered first.
  if (!socket.connected) return { error: 'There is no connection.', silent: true };
  try {
    const answer = await socket.timeout(PATIENCE).emitWithAck(event, ...args);
    if (!answer?.error) return answer;
    const denied = answer.error.name === 'method_access_denied';
    return { error: denied ? 'You may not do that here.' : sentence(answer.error.message) };
  } catch {
    return { error: 'The server did not answer.', silent: true };
  }
}

socket.on('connect', () => {
  sanction = null; // unless a notice follows
  showNotice('');
  showState('connected', true);
  $('banner').textContent = '';
});

socket.on('connect_error', (error) => {
  if (socket.active) return lost();
  if (error.message === LOGGED_OUT) return showLoggedOut();
  if (error.message === 'there is no such conference') { // The server has others since it was restarted.
    place = { conference: 'harbour', room: null };
    return socket.connect();
  }
  showState('refused');
  $('banner').textContent = sentence(error.message);
});

socket.on('disconnect', (reason) => {
  entered = false;
  refresh();
  if (reason === 'io client disconnect') return; // on the way to another conference
  lost();
  // A log-out disconnects all sockets of its person; who has another session gets in again.
  if (reason === 'io server disconnect') socket.connect();
});

socket.on('welcome', (welcome) => {
  ({ conferences, moderator } = welcome);
  place.conference = welcome.conference;
  $('me').classList.toggle('moderator', moderator);
  for (const id of ['absent-section', 'reports-section']) $(id).hidden = !moderator;
  goTo(current().rooms.includes(place.room) ? place.room : current().rooms[0]);
  if (moderator) moderate();
});

socket.on('notice', (what, text) => {
  const was = sanction;
  sanction = what;
  showNotice(text, what === null);
  if (what === 'kicked') {
    entered = false;
    turn += 1;
    clear();
    showPeople([]);
  } else if (was === 'kicked' && socket.connected) {
    goTo(place.room);
  }
  refresh();
});

socket.on('message', (message) => {
  if (!entered) return;
  const stay = !isAtEnd() && message.from !== name;
  add([message]);
  if (stay) $('newer').hidden = false;
  else toEnd();
});

socket.on('people', (list) => entered && showPeople(list));
socket.on('sanctions', showSanctions);
socket.on('reports', showReports);

/* ---- Rooms ---- */

function visit(conference, room = null) {
  if (conference === place.conference) return goTo(room ?? place.room);
  keep();
  place = { conference, room };
  clear();
  showPeople([]);
  // A socket is in one conference: another one is asked for when it connects.
  socket.disconnect().connect();
}

async function goTo(room) {
  const mine = ++turn;
  const again = here() === `${place.conference}/${room}` && messages().length > 0; // the connection was lost
  if (!again) {
    if (entered) keep();
    clear();
  }
  entered = false;
  place = { ...place, room };
  store.set('place', place);
  if (!again) $('text').value = store.get(`draft:${here()}`) ?? '';
  drawPlaces();
  refresh();
  if (sanction === 'kicked') return;

  const page = await ask('enter', room);
  if (mine !== turn) return;
  if (page.error) {
    if (!page.silent) say(page.error, true);
    return;
  }
  entered = true;
  await fill(page, again);
  if (mine !== turn) return;
  refresh();
  say('');
  const list = await ask('people');
  if (mine === turn && !list.error) showPeople(list);
  if (sending?.where === here()) deliver();
  else sending = null;
}

/** Shows a room's last page, where the reader left it. */
async function fill(page, again) {
  const stays = again && !isAtEnd();
  const newest = Number($('messages').lastElementChild?.dataset.id ?? 0);
  if (again && page.messages.length > 0) {
    const restarted = page.messages.at(-1).id < newest;
    if (restarted || page.messages[0].id > newest + 1) clear(); // more was missed than a page shows
  } else if (again) {
    clear();
  }
  if (messages().length === 0) more = page.more;
  add(page.messages);
  $('empty').hidden = messages().length > 0;
  $('earlier').hidden = !more;
  if (again) {
    if (!stays) toEnd();
    return;
  }
  const mine = turn;
  const mark = store.get(`scroll:${here()}`);
  restoring = true;
  while (mark && more && Number(messages()[0].dataset.id) > mark.id && mine === turn) {
    if (!(await earlier())) break;
  }
  if (mine !== turn) return;
  const item = mark && $('messages').querySelector(`[data-id="${Number(mark.id)}"]`);
  if (item) $('log').scrollTop = item.offsetTop - mark.offset;
  else toEnd();
  restoring = false;
}

/** Loads the page before; whether there was one. */
function earlier() {
  if (!loading) {
    const mine = load().finally(() => { if (loading === mine) loading = null; });
    loading = mine;
  }
  return loading;
}

async function load() {
  const mine = turn;
  if (!more || !entered || messages().length === 0) return false;
  const page = await ask('earlier', Number(messages()[0].dataset.id));
  if (mine !== turn || page.error) return false;
  more = page.more;
  const log = $('log');
  const below = log.scrollHeight - log.scrollTop;
  add(page.messages);
  $('earlier').hidden = !more;
  log.scrollTop = log.scrollHeight - below;
  return page.messages.length > 0;
}

/** Keeps what the reader will want to come back to. */
function keep() {
  if (!entered || restoring) return;
  store.set(`scroll:${here()}`, isAtEnd() ? null : mark());
}

/** The first message in view, and where it is. */
function mark() {
  const log = $('log');
  const item = [...messages()].find((item) => item.offsetTop + item.offsetHeight > log.scrollTop);
  return item ? { id: Number(item.dataset.id), offset: item.offsetTop - log.scrollTop } : null;
}

/* ---- Messages ---- */

function add(list) {
  for (const message of list) {
    if ($('messages').querySelector(`[data-id="${Number(message.id)}"]`)) continue;
    const item = line(message);
    const next = [...messages()].find((other) => Number(other.dataset.id) > message.id) ?? null;
    $('messages').insertBefore(item, next);
    group(item);
    if (next) group(next);
  }
  if (messages().length > 0) $('empty').hidden = true;
}

function line({ id, from, text, at }) {
  const item = document.createElement('li');
  item.dataset.id = id;
  item.dataset.from = from;
  item.dataset.at = at;
  if (from === name) item.className = 'own';
  const time = part('time', new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }));
  time.dateTime = new Date(at).toISOString();
  const head = part('p', '', 'head');
  head.append(part('span', from, 'who'), time);
  item.append(face(from), head, part('p', text, 'text'));
  return item;
}

/** One heading for what somebody says in one breath. */
function group(item) {
  const before = item.previousElementSibling?.dataset;
  item.classList.toggle('more', before?.from === item.dataset.from && item.dataset.at - before.at < SAME_BREATH);
}

function clear() {
  $('messages').replaceChildren();
  more = false;
  loading = null;
  restoring = false;
  for (const id of ['earlier', 'newer', 'empty']) $(id).hidden = true;
}

function isAtEnd() {
  const log = $('log');
  return log.scrollHeight - log.scrollTop - log.clientHeight < 40;
}

function toEnd() {
  $('log').scrollTop = $('log').scrollHeight;
  $('newer').hidden = true;
}

$('log').addEventListener('scroll', () => {
  if (!entered || restoring) return;
  if (isAtEnd()) $('newer').hidden = true;
  if ($('log').scrollTop < 60) earlier();
  keep();
});
$('earlier').addEventListener('click', earlier);
$('newer').addEventListener('click', toEnd);
addEventListener('pagehide', keep);
addEventListener('resize', () => entered && !restoring && !store.get(`scroll:${here()}`) && toEnd());

/* ---- Speaking ---- */

$('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = $('text').value.trim();
  if (!text || sending || !entered) return;
  sending = { key: word(), text, where: here() };
  deliver();
});

/** May be called again for the same message: its key tells the server. */
async function deliver() {
  const mine = sending;
  refresh();
  const answer = await ask('say', { key: mine.key, text: mine.text });
  if (sending !== mine) return;
  if (answer?.silent) return say('Not sent yet: it will be when the connection is back.');
  sending = null;
  refresh();
  if (answer?.error) return say(sanction === 'muted' ? 'Not sent: you are muted.' : `Not sent. ${answer.error}`, true);
  say('');
  if (here() !== mine.where || $('text').value.trim() !== mine.text) return;
  $('text').value = '';
  store.set(`draft:${here()}`, null);
  fit();
}

$('text').addEventListener('input', () => {
  store.set(`draft:${here()}`, $('text').value || null);
  fit();
});
$('text').addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $('composer').requestSubmit();
});

/** As high as what is written. */
function fit() {
  $('text').style.height = 'auto';
  $('text').style.height = `${$('text').scrollHeight + 2}px`;
}

/* ---- People ---- */

function showPeople(list) {
  people = list;
  $('count').textContent = list.length || '';
  const focused = document.activeElement?.dataset?.who;
  $('people').replaceChildren(...list.map((person) => row(person.name, tags(person), tools(person))));
  showSanctions(sanctions);
  if (focused) $('here').querySelector(`[data-who="${CSS.escape(focused)}"]`)?.focus();
}

function tags(person) {
  const all = { you: person.name === name, moderator: person.moderator, muted: person.muted };
  return Object.keys(all).filter((tag) => all[tag]);
}

/** What a moderator may do to somebody. */
function tools(person) {
  if (!moderator || person.moderator) return [];
  const first = person.muted ? ['Pardon', 'pardon'] : ['Mute', 'mute'];
  return [first, ['Remove', 'kick']];
}

function showSanctions(list) {
  sanctions = list;
  const absent = list.filter(([who]) => !people.some((person) => person.name === who));
  $('absent-section').hidden = !moderator || absent.length === 0;
  const tag = { muted: 'muted', kicked: 'removed' };
  $('absent').replaceChildren(...absent.map(([who, what]) => row(who, [tag[what]], [['Pardon', 'pardon']])));
}

function row(who, tags, tools) {
  const item = document.createElement('li');
  item.dataset.name = who;
  item.append(face(who), part('span', who, 'name'), ...tags.map((tag) => part('span', tag, `tag ${tag}`)));
  if (tools.length > 0) {
    const group = part('span', '', 'tools');
    group.append(...tools.map(([label, event]) => tool(label, event, who)));
    item.append(group);
  }
  return item;
}

function tool(label, event, who) {
  const button = part('button', label);
  button.type = 'button';
  button.dataset.who = who;
  button.setAttribute('aria-label', `${label} ${who}`);
  button.addEventListener('click', async () => {
    const answer = await ask(event, who);
    const done = { mute: 'is muted', kick: 'is removed', pardon: 'is pardoned' };
    $('done').textContent = answer?.error ?? `${who} ${done[event]}.`;
  });
  return button;
}

async function moderate() {
  const [sanctioned, reports] = await Promise.all([ask('sanctions'), ask('reports')]);
  if (!sanctioned.error) showSanctions(sanctioned);
  if (!reports.error) showReports(reports);
}

function showReports(list) {
  $('no-reports').hidden = list.length > 0;
  $('reports').replaceChildren(...list.toReversed().map((report) => {
    const item = document.createElement('li');
    const time = new Date(report.at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' });
    const took = report.millis === null ? 'not called' : `${report.millis.toFixed(1)} ms`;
    item.append(
      part('p', `${report.who ?? 'A visitor'}: ${report.message}`),
      part('p', `${time} · ${report.occasion} · ${took}`, 'muted small'),
      part('p', report.kind, 'kind small'),
    );
    return item;
  }));
}

/* ---- The rest of the page ---- */

function drawPlaces() {
  const focused = document.activeElement?.dataset?.place;
  $('places').replaceChildren(...conferences.map(({ id, title, rooms }) => {
    const section = document.createElement('section');
    const isHere = id === place.conference;
    section.append(choice(title, id, isHere ? null : () => visit(id), 'conference'));
    if (isHere) {
      const list = document.createElement('ul');
      list.append(...rooms.map((room) => {
        const item = document.createElement('li');
        item.append(choice(room, `${id}/${room}`, () => (closePanels(), visit(id, room)), 'room', room === place.room));
        return item;
      }));
      section.append(list);
    }
    return section;
  }));
  if (focused) $('places').querySelector(`[data-place="${CSS.escape(focused)}"]`)?.focus();
  $('room').textContent = place.room;
  $('conference').textContent = current().title;
  document.title = `${place.room} · ${current().title}`;
}

function choice(label, key, choose, kind, isCurrent = false) {
  if (!choose) return part('h2', label, kind);
  const button = part('button', label, kind);
  button.type = 'button';
  button.dataset.place = key;
  if (isCurrent) button.setAttribute('aria-current', 'page');
  button.addEventListener('click', choose);
  return button;
}

function refresh() {
  $('text').disabled = sanction !== null || conferences.length === 0;
  $('send').disabled = !entered || sanction !== null || sending !== null;
  $('text').placeholder = { muted: 'You are muted here', kicked: 'You were removed' }[sanction] ?? 'Write a message';
  for (const button of document.querySelectorAll('.tools button')) button.disabled = !socket.connected;
}

function showNotice(text, good = false) {
  $('notice').textContent = text;
  $('notice').classList.toggle('good', good);
}

function say(text, bad = false) {
  $('fate').textContent = text;
  $('fate').classList.toggle('error', bad);
}

function lost() {
  showState('connection lost');
  $('banner').textContent = 'The connection is lost. Trying again…';
}

function showLoggedOut() {
  showState('logged out');
  const link = part('a', 'Log in again');
  link.href = '/';
  $('banner').replaceChildren('You are logged out. ', link);
  showPeople([]);
  sanction = null;
  conferences = [];
  refresh();
}

function showState(text, up = false) {
  $('state').textContent = text;
  $('state').classList.toggle('up', up);
}

function part(kind, text, className = '') {
  const node = document.createElement(kind);
  node.textContent = text;
  if (className) node.className = className;
  return node;
}

/** A letter on a colour that is the person's own. */
function face(who) {
  const node = part('span', [...who][0].toUpperCase(), 'face');
  node.setAttribute('aria-hidden', 'true');
  const hue = [...who].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 360, 7);
  node.style.setProperty('--hue', hue);
  return node;
}

/** As the server says it: lower case, without an end. */
const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;

/** A fresh word nobody guesses. `crypto.randomUUID` is missing on plain http away from localhost. */
function word() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, '0')).join('');
}

/* Narrow: the two sides are panels. */

const panels = { 'open-places': $('places'), 'open-people': $('here') };

for (const [id, panel] of Object.entries(panels)) {
  $(id).addEventListener('click', () => {
    const opens = !panel.classList.contains('open');
    closePanels();
    panel.classList.toggle('open', opens);
    $(id).setAttribute('aria-expanded', opens);
    if (opens) panel.focus();
  });
}

function closePanels() {
  for (const [id, panel] of Object.entries(panels)) {
    if (panel.classList.contains('open') && panel.contains(document.activeElement)) $(id).focus();
    panel.classList.remove('open');
    $(id).setAttribute('aria-expanded', 'false');
  }
}

$('scrim').addEventListener('click', closePanels);
addEventListener('keydown', (event) => event.key === 'Escape' && closePanels());
