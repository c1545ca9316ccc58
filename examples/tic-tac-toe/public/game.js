/* The game's page. It talks to the server over one socket in the namespace `/game`. What may be called when is the
   socket's ACL; a call that is not allowed is answered by { error: { name: "method_access_denied", message } }, and
   what the rules refuse by { error: { message: "A sentence for people." } }.

   In the lobby:
     lobby                      no answer; from now on `tables` are told
     create  "Ada"              -> { table: 3, mark: "X", token }      opens a table
     join    { table, name }    -> { table, mark: "O", token }         takes its free seat
     watch   3                  -> null
     back    { token, replace } -> { table, mark, token }, or null if somebody sits there and `replace` is false
   At a table:
     play    { table, cell }    -> null      while it is one's turn; cells are 0 to 8, row by row
     rematch 3                  -> null      when the game is over; it begins when both have asked
     leave                      -> for how many ms the seat is kept, as after a lost connection, if the game goes on;
                                   else null
   The server tells:
     tables   [{ id, stage: "open" | "playing" | "over", names: ["Ada", null], watchers: 0 }, …]   the lobby
     table    { id, stage, cells: ["X", null, …], turn, end: { winner, lines, walkover } | null,
                players: [{ name, away: ms | null, rematch } | null, …], watchers }                the table
     replaced (no arguments)    this socket, whose seat another tab took
     closed   (no arguments)    those who watched a table that is gone */
'use strict';

const $ = (id) => document.getElementById(id);
const SVG = 'http://www.w3.org/2000/svg';
const MARKS = ['X', 'O'];
const PATIENCE = 8000; // ms for an answer
const MAX_SEATS = 8; // that this browser remembers

/** What is kept: of this tab where it sits and its name, of the browser its seats, for a tab that was closed. */
const remember = (storage) => ({
  get: (name) => { try { return JSON.parse(storage().getItem(`tic-tac-toe-${name}`)); } catch { return null; } },
  set(name, value) {
    try { storage().setItem(`tic-tac-toe-${name}`, JSON.stringify(value)); } catch { /* storage may be forbidden */ }
  },
});
const tab = remember(() => sessionStorage);
const browser = remember(() => localStorage);

let place = tab.get('place'); // { table, mark, token } of a player, { table } of who watches, null in the lobby
let view = null; // the table, as the server last told it
let kept = null; // the seat of a game that was left: { token, text, until }
let restoring = false;
const deadlines = [null, null]; // when players who are away lose, by performance.now()

/* ---- The socket ---- */

const socket = io('/game', { reconnectionDelay: 300, reconnectionDelayMax: 2000 });

/** Emits and waits for the answer; throws an error whose message is a sentence. */
async function ask(event, ...args) {
  // The client would keep it for the next connection, on which the seat has to be taken first.
  if (!socket.connected) throw new Error('There is no connection.');
  let answer;
  try {
    answer = await socket.timeout(PATIENCE).emitWithAck(event, ...args);
  } catch {
    throw new Error('The server did not answer. Try again.');
  }
  if (answer?.error) throw new Error(sentence(answer.error.message));
  return answer;
}

const sentence = (text) => text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? '' : '.');

socket.on('connect', () => {
  showState('connected', true);
  $('banner').textContent = '';
  socket.emit('lobby');
  restore();
});
socket.on('connect_error', () => lost());
socket.on('disconnect', (reason) => {
  lost();
  if (reason === 'io server disconnect') socket.connect();
});

function lost() {
  showState('connection lost, trying again', false);
  $('banner').textContent = place?.token && view?.stage === 'playing'
    ? 'Connection lost. Your seat is kept for a moment; trying again…' : 'Connection lost. Trying again…';
  if (view) showTable();
}

/** Sits down where this tab sat, or at a seat of this browser that nobody sits at; else shows the lobby. */
async function restore() {
  const connection = socket.id;
  const before = place;
  restoring = true;
  try {
    if (before?.token) sit(await ask('back', { token: before.token, replace: true }));
    else if (before) await watch(before.table);
    else await restoreAny();
  } catch (error) {
    if (socket.id !== connection) return; // the next connection tries again
    forget(before?.token);
    toLobby(before ? error.message : '');
  } finally {
    restoring = false;
  }
}

async function restoreAny() {
  for (const token of browser.get('seats') ?? []) {
    const seat = await ask('back', { token, replace: false }).catch(() => forget(token));
    if (seat) return sit(seat);
  }
  toLobby();
}

socket.on('tables', showTables);

socket.on('table', (table) => {
  const known = view?.id === table.id ? view : null;
  view = table;
  const now = performance.now();
  table.players.forEach((player, i) => (deadlines[i] = player?.away == null ? null : now + player.away));
  if (place?.table === table.id) showTable(known);
});

socket.on('replaced', () => toLobby('You went on with this game in another tab.'));
socket.on('closed', () => toLobby('The players have left this table.'));

/* ---- Where this page is ---- */

function sit(seat) {
  place = seat;
  tab.set('place', place);
  browser.set('seats', [seat.token, ...others(seat.token)].slice(0, MAX_SEATS));
  kept = null;
  toTable();
}

async function watch(table) {
  await ask('watch', table);
  place = { table };
  tab.set('place', place);
  toTable();
}

const others = (token) => (browser.get('seats') ?? []).filter((other) => other !== token);

function forget(token) {
  if (token) browser.set('seats', others(token));
}

function toTable() {
  const first = $('table').hidden;
  $('lobby').hidden = true;
  $('table').hidden = false;
  $('table-error').textContent = '';
  showTable();
  if (first) (place.mark ? cells[roving] : $('title')).focus({ preventScroll: true });
}

function toLobby(error = '') {
  const first = $('lobby').hidden && !$('table').hidden;
  place = null;
  view = null;
  tab.set('place', null);
  $('table').hidden = true;
  $('lobby').hidden = false;
  $('lobby-error').textContent = error;
  document.title = 'Tic-tac-toe';
  showKept();
  if (first) $('lobby').querySelector('h1').focus();
}

/* ---- The lobby. Text of people reaches the page through textContent alone. ---- */

function el(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

function svg(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function showTables(tables) {
  const focused = document.activeElement?.closest?.('#tables button')?.dataset.key;
  $('tables').replaceChildren(...tables.map(({ id, stage, names, watchers }) => {
    const [one, other] = names.map((name) => name ?? '—');
    const title = stage === 'open' ? names.find(Boolean) : `${one} and ${other}`;
    const state = { open: 'waits for somebody to play with', playing: 'are playing', over: 'have finished' }[stage];
    const many = watchers ? `, ${watchers} ${watchers === 1 ? 'watches' : 'watch'}` : '';
    const item = el('li', stage, el('div', '', el('strong', '', title), el('span', 'muted', state + many)));
    const action = (text, className, act) => {
      const button = el('button', className, text);
      button.type = 'button';
      button.dataset.key = `${text} ${id}`;
      button.setAttribute('aria-label', `${text}: ${title}`);
      button.addEventListener('click', act);
      item.append(button);
    };
    if (stage === 'open') action('Play', 'primary', () => enter((name) => ask('join', { table: id, name })));
    else action('Watch', '', () => attempt('lobby-error', () => watch(id)));
    return item;
  }));
  $('none').hidden = tables.length > 0;
  if (focused) [...$('tables').querySelectorAll('button')].find((button) => button.dataset.key === focused)?.focus();
}

/** Shows why it did not work, if it did not. */
async function attempt(where, act) {
  $(where).textContent = '';
  try {
    await act();
  } catch (error) {
    $(where).textContent = error.message;
  }
}

function enter(how) {
  const name = $('name').value.normalize('NFC').trim();
  if (!name) {
    $('lobby-error').textContent = 'Type your name first.';
    return $('name').focus();
  }
  tab.set('name', name);
  browser.set('name', name);
  return attempt('lobby-error', async () => sit(await how(name)));
}

$('name').value = tab.get('name') ?? '';
$('new').addEventListener('submit', (event) => {
  event.preventDefault();
  enter((name) => ask('create', name));
});

/** The seat of a game that this page left. */
function showKept() {
  const left = kept ? kept.until - performance.now() : 0;
  $('kept').hidden = left <= 0;
  if (left <= 0) return void (kept = null);
  if ($('kept-text').textContent !== kept.text) $('kept-text').textContent = kept.text;
  $('kept-time').textContent = `Your seat is kept for ${seconds(left)} s.`;
}

$('return').addEventListener('click', () => {
  attempt('lobby-error', async () => sit(await ask('back', { token: kept.token, replace: true })));
});

const seconds = (ms) => Math.ceil(ms / 1000);

/* ---- The board ---- */

const X = () => svg('svg', { viewBox: '0 0 60 60', class: 'mark x', 'aria-hidden': 'true' },
  svg('path', { d: 'M6 6l48 48', pathLength: 1 }), svg('path', { d: 'M54 6l-48 48', pathLength: 1 }));
const O = () => svg('svg', { viewBox: '0 0 60 60', class: 'mark o', 'aria-hidden': 'true' },
  svg('circle', { cx: 30, cy: 30, r: 25, pathLength: 1, transform: 'rotate(-90 30 30)' }));
const draw = { X, O };

const cells = [];
const strikes = svg('svg', { viewBox: '0 0 300 300', class: 'strikes', 'aria-hidden': 'true' });
let roving = 4; // the cell that Tab reaches

function makeBoard() {
  const lines = [[100, 10, 100, 290], [200, 10, 200, 290], [10, 100, 290, 100], [10, 200, 290, 200]];
  $('board').append(svg('svg', { viewBox: '0 0 300 300', class: 'lines', 'aria-hidden': 'true' },
    ...lines.map(([x1, y1, x2, y2]) => svg('line', { x1, y1, x2, y2 }))));
  for (let row = 0; row < 3; row += 1) {
    const group = el('div');
    group.setAttribute('role', 'row');
    for (let column = 0; column < 3; column += 1) {
      const cell = el('button');
      const i = cells.push(cell) - 1;
      cell.type = 'button';
      cell.setAttribute('role', 'gridcell');
      cell.addEventListener('click', () => play(i));
      cell.addEventListener('focus', () => rove(i));
      group.append(cell);
    }
    $('board').append(group);
  }
  $('board').append(strikes);
  rove(roving);
}

function rove(to) {
  roving = to;
  cells.forEach((cell, i) => (cell.tabIndex = i === to ? 0 : -1));
}

const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
$('board').addEventListener('keydown', (event) => {
  const step = STEPS[event.key];
  const there = step ? [Math.floor(roving / 3) + step[0], (roving % 3) + step[1]] : null;
  if (there) event.preventDefault();
  if (there?.every((n) => n >= 0 && n < 3)) cells[there[0] * 3 + there[1]].focus();
});

const myTurn = () => socket.connected && Boolean(place?.mark) && view?.turn === place.mark;

function play(cell) {
  if (!myTurn() || view.cells[cell]) return;
  attempt('table-error', () => ask('play', { table: place.table, cell }));
}

/** `known` is the view that is on the page already: what is new since is drawn stroke by stroke. */
function showTable(known = view) {
  const here = view?.id === place?.table;
  $('board').classList.toggle('mine', here && myTurn());
  if (!here) return;
  const winning = view.end?.lines.flat() ?? [];
  $('board').classList.toggle('over', view.stage === 'over' && winning.length > 0);
  cells.forEach((cell, i) => {
    const mark = view.cells[i];
    const where = `row ${Math.floor(i / 3) + 1}, column ${(i % 3) + 1}`;
    cell.setAttribute('aria-label', `${where}: ${mark ?? 'free'}`);
    cell.setAttribute('aria-disabled', String(!myTurn() || Boolean(mark)));
    cell.classList.toggle('won', winning.includes(i));
    const shown = mark ?? (myTurn() ? `ghost ${place.mark}` : '');
    if (cell.dataset.shown === shown) return;
    cell.dataset.shown = shown;
    if (mark) cell.dataset.mark = mark;
    else delete cell.dataset.mark;
    const drawn = mark || shown ? draw[mark ?? place.mark]() : '';
    if (drawn && !mark) drawn.classList.add('ghost');
    if (mark && known && !known.cells[i] && known !== view) drawn.classList.add('fresh');
    cell.replaceChildren(drawn);
  });
  showStrikes();
  showPlayers();
  showStatus();
}

function showStrikes() {
  const lines = view.end?.lines ?? [];
  const key = JSON.stringify(lines);
  if (strikes.dataset.key === key) return;
  strikes.dataset.key = key;
  const centre = (cell) => [(cell % 3) * 100 + 50, Math.floor(cell / 3) * 100 + 50];
  strikes.replaceChildren(...lines.map(([first, , last]) => {
    const [[x1, y1], [x2, y2]] = [centre(first), centre(last)];
    const beyond = (a, b) => a + Math.sign(a - b) * 34;
    return svg('line', {
      class: view.end.winner.toLowerCase(),
      x1: beyond(x1, x2), y1: beyond(y1, y2), x2: beyond(x2, x1), y2: beyond(y2, y1), pathLength: 1,
    });
  }));
}

function showPlayers() {
  $('players').replaceChildren(...view.players.map((player, i) => {
    const mark = MARKS[i];
    const item = el('li', mark.toLowerCase(), draw[mark]());
    item.classList.toggle('turn', view.turn === mark);
    item.classList.toggle('winner', view.end?.winner === mark);
    item.classList.toggle('free', !player);
    item.classList.toggle('away', Boolean(player) && deadlines[i] !== null);
    const name = el('strong', '', player?.name ?? (view.stage === 'open' ? 'Free seat' : 'Gone'));
    item.append(name, el('span', '', presence(player, i)));
    return item;
  }));
}

function presence(player, i) {
  if (!player) return view.stage === 'open' ? 'waiting for a player' : 'has left';
  if (deadlines[i] !== null) return `away, ${seconds(Math.max(0, deadlines[i] - performance.now()))} s left`;
  return place.mark === MARKS[i] ? 'you' : 'here';
}

function showStatus() {
  const mine = place.mark;
  const nameOf = (mark) => view.players[MARKS.indexOf(mark)]?.name ?? 'somebody who has left';
  const theirs = mine === 'X' ? 'O' : 'X';
  const [mineAsked, otherAsked] = mine ? [mine, theirs].map((mark) => view.players[MARKS.indexOf(mark)]?.rematch) : [];
  const title = !mine ? 'Watching a game' : view.stage === 'open' ? 'Your table' : `Against ${nameOf(theirs)}`;
  if ($('title').textContent !== title) $('title').textContent = title;
  $('watchers').textContent = view.watchers ? `${view.watchers} watching` : '';

  let status;
  if (view.stage === 'open') status = 'Waiting for somebody to join…';
  else if (view.stage === 'playing') status = view.turn === mine ? 'Your turn' : `${nameOf(view.turn)}’s turn`;
  else if (!view.end.winner) status = 'A draw';
  else if (view.end.walkover && view.end.winner === mine) status = 'The other did not come back: you win';
  else if (view.end.walkover) status = `${nameOf(view.end.winner)} wins: the other did not come back`;
  else if (!mine) status = `${nameOf(view.end.winner)} wins`;
  else status = view.end.winner === mine ? 'You win!' : 'You lose';
  if (otherAsked && !mineAsked) status += `. ${nameOf(theirs)} wants to play again`;
  if ($('status').textContent !== status) $('status').textContent = status;
  document.title = `${status} · Tic-tac-toe`;

  const both = view.players.every(Boolean);
  $('again').hidden = !mine || view.stage !== 'over' || !both;
  $('again').disabled = Boolean(mineAsked) || !socket.connected;
  $('again').textContent = mineAsked ? 'Waiting for the other…' : 'Play again';
  $('leave').disabled = !socket.connected;
}

$('again').addEventListener('click', () => attempt('table-error', () => ask('rematch', place.table)));

$('leave').addEventListener('click', () => attempt('table-error', async () => {
  const { token, mark } = place;
  const left = view;
  const ms = await ask('leave');
  if (ms === null) forget(token);
  else {
    const other = left.players[mark === 'X' ? 1 : 0].name;
    kept = { token, text: `You left your game with ${other}.`, until: performance.now() + ms };
  }
  toLobby();
}));

setInterval(() => {
  if (place && view && deadlines.some((deadline) => deadline !== null)) showPlayers();
  if (!place && !restoring) showKept();
}, 500);

function showState(text, up) {
  $('state').textContent = text;
  $('state').classList.toggle('up', up);
}

makeBoard();
