/* The page and its socket, which are of two origins. Both `fetch` and the socket ask for cookies to be sent along; the
   server lets pages of one origin do so. In the namespace /desk:
     said      "Ada", "hello"
   It emits `say` with a text, answered by true, and `who am i`, answered by the name. */
'use strict';

const $ = (id) => document.getElementById(id);
const meta = (name) => document.querySelector(`meta[name=${name}]`).content;
const API = meta('api');
const WITHOUT_ANSWER = 'The API does not answer. Is it running?';
let socket;

$('here').textContent = location.origin;
begin();

/** Asks the API who the cookie says it is. */
async function begin() {
  try {
    const answer = await fetch(`${API}/me`, { credentials: 'include' });
    if (answer.ok) enter(await answer.json());
    else askToLogIn();
  } catch {
    if (await isRefused()) showRefused();
    else {
      showState('the API does not answer, trying again');
      setTimeout(begin, 1_000);
    }
  }
}

/** Browsers do not tell a page why it may not read an answer. One that it does not ask to read comes all the same. */
async function isRefused() {
  try {
    await fetch(`${API}/me`, { mode: 'no-cors' });
    return true;
  } catch {
    return false;
  }
}

function connect() {
  socket?.close();
  socket = io(`${API}/desk`, {
    withCredentials: true,
    transports: document.querySelector('[name=way]:checked').value.split(','),
    forceNew: true,
  });
  socket.on('connect', async () => {
    const { engine } = socket.io;
    const show = () => showState(`connected by ${engine.transport.name}`, true);
    // A client that is closed while it upgrades finishes its upgrade first: another socket may be shown by then.
    engine.on('upgrade', () => engine === socket.io.engine && show());
    show();
    const name = await socket.emitWithAck('who am i');
    $('known').textContent = `The socket's server knows you as ${name}, by the cookie.`;
  });
  socket.on('connect_error', (error) => {
    $('known').textContent = '';
    if (socket.active) return showState('connection lost, trying again');
    // Not by the network: the server has said no, and the client does not try again by itself.
    askToLogIn(`The socket is refused: ${error.message}.`);
  });
  socket.on('disconnect', (reason) => {
    $('known').textContent = '';
    if (reason === 'io server disconnect') askToLogIn('You are logged out.');
    else showState('connection lost, trying again');
  });
  socket.on('said', (name, text) => {
    const item = document.createElement('li');
    const who = document.createElement('b');
    who.textContent = name;
    item.append(who, ' ', text);
    $('said').append(item);
    if ($('said').childElementCount > 50) $('said').firstElementChild.remove();
    $('none').hidden = true;
    item.scrollIntoView({ block: 'nearest' });
  });
}

$('login').addEventListener('submit', async (event) => {
  event.preventDefault();
  $('login-error').textContent = '';
  const body = JSON.stringify({ name: $('name').value, password: $('password').value });
  const headers = { 'Content-Type': 'application/json' };
  try {
    const answer = await fetch(`${API}/login`, { method: 'POST', credentials: 'include', headers, body });
    if (answer.ok) enter(await answer.json());
    else $('login-error').textContent = await answer.text();
  } catch {
    $('login-error').textContent = WITHOUT_ANSWER;
  }
});

$('logout').addEventListener('click', async () => {
  try {
    await fetch(`${API}/logout`, { method: 'POST', credentials: 'include' });
    askToLogIn();
  } catch {
    $('say-error').textContent = WITHOUT_ANSWER;
  }
});

for (const way of document.querySelectorAll('[name=way]')) way.addEventListener('change', connect);

$('say').addEventListener('submit', async (event) => {
  event.preventDefault();
  const text = $('text').value.trim();
  $('say-error').textContent = '';
  try {
    if (!text) throw new Error('write something first');
    const answer = await socket.timeout(5_000).emitWithAck('say', text);
    if (answer.error) throw new Error(answer.error.message);
    $('text').value = '';
  } catch (error) {
    $('say-error').textContent = `Not said: ${error.message}.`;
  }
});

function show(id) {
  for (const other of ['refused', 'login', 'desk']) $(other).hidden = other !== id;
}

function enter(name) {
  $('hello').textContent = `Hello, ${name}`;
  $('password').value = '';
  $('say-error').textContent = '';
  show('desk');
  showStranger();
  connect();
}

function askToLogIn(why = '') {
  socket?.close();
  showState('no socket: not logged in');
  $('login-error').textContent = why;
  show('login');
  showStranger();
}

/** Whatever cookie the browser has: neither answers nor sockets are for pages of this origin. */
function showRefused() {
  socket?.close();
  $('why').textContent =
    `The API at ${API} is there, but lets only pages of ${meta('origin')} read its answers and open sockets. ` +
    `This page is of ${location.origin}, so the browser keeps the answers from it, and its sockets are refused.`;
  show('refused');
  showState('refused');
}

function showStranger() {
  const there = new URL(location.href);
  if (there.hostname !== '127.0.0.1') return;
  there.hostname = 'localhost';
  $('wrong').href = there.href;
  $('wrong').textContent = there.origin;
  $('stranger').hidden = false;
}

function showState(text, up = false) {
  $('state').textContent = text;
  $('state').classList.toggle('up', up);
}
