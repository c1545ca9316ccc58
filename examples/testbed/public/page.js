/* The page: cards, the buttons that run their features, the log, and what the connection is like. */
'use strict';

const $ = (id) => document.getElementById(id);
const KEEP = 300; // lines in the log
const MARKS = { idle: '', running: '…', ok: '✓', failed: '✗' };
const WORDS = { idle: '', running: 'running', ok: 'passed', failed: 'failed' };

let page; // the connection
let busy = false;
let everConnected = false;
const cards = Object.entries(FEATURES).flatMap(([section, features]) => showSection(section, features));

function el(name, className, ...content) {
  const node = document.createElement(name);
  if (className) node.className = className;
  node.append(...content);
  return node;
}

function showSection(name, features) {
  const grid = el('div', 'grid');
  const made = features.map((feature) => makeCard(feature));
  grid.append(...made.map((card) => card.node));
  $('features').append(el('section', '', el('h2', '', name), grid));
  return made;
}

function makeCard(feature) {
  const mark = el('span', 'mark');
  mark.setAttribute('role', 'img');
  const button = el('button', 'quiet', 'Try');
  button.type = 'button';
  button.setAttribute('aria-label', `Try: ${feature.title}`);
  const output = el('output', 'came');
  const node = el('article', 'card', el('header', '', mark, el('h3', '', feature.title), button),
    el('p', 'muted', feature.about), output);
  const card = { feature, node, mark, button, output };
  button.addEventListener('click', () => run([card]));
  setState(card, 'idle', '');
  return card;
}

function setState(card, state, text) {
  card.node.dataset.state = state;
  card.mark.textContent = MARKS[state];
  card.mark.setAttribute('aria-label', WORDS[state]);
  card.mark.hidden = state === 'idle';
  card.output.textContent = text;
}

/** Runs features one after the other; more connections live as long as the feature that asked for them. */
async function run(some) {
  if (busy) return;
  setBusy(true);
  const begin = performance.now();
  for (const [index, card] of some.entries()) {
    if (some.length > 1) summarize(`${index + 1} of ${some.length}: ${card.feature.title}`);
    setState(card, 'running', '');
    const another = connections();
    try {
      const socket = await page.ready();
      const mark = `${Math.random().toString(36).slice(2, 8)} `;
      setState(card, 'ok', await card.feature.run({ page, socket, another, mark }));
    } catch (error) {
      setState(card, 'failed', sentence(error.message));
    }
    another.close();
  }
  if (some.length > 1) {
    const failed = some.filter((card) => card.node.dataset.state === 'failed').length;
    const seconds = ((performance.now() - begin) / 1000).toFixed(1);
    summarize(failed ? `${failed} of ${some.length} failed` : `All ${some.length} passed in ${seconds} s`, failed ? 'failed' : 'ok');
  }
  setBusy(false);
}

function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
}

/** `another(name)` is the socket, in /testbed, of a connection of that name. */
function connections() {
  const made = {};
  const another = (name) => {
    made[name] ??= new Connection(name, page.choice, { log: showLine });
    return made[name].ready();
  };
  another.connections = made;
  another.close = () => Object.values(made).forEach((connection) => connection.close());
  return another;
}

function setBusy(now) {
  busy = now;
  for (const control of [$('run'), ...cards.map((card) => card.button), ...$('transports').elements]) {
    if (control.tagName === 'BUTTON') control.setAttribute('aria-disabled', String(now));
    else control.disabled = now;
  }
}

function summarize(text, state = '') {
  $('summary').textContent = text;
  $('summary').dataset.state = state;
}

function connect(choice) {
  page?.close();
  everConnected = false;
  page = new Connection('page', choice, { log: showLine, changed: showConnection });
  for (const card of cards) setState(card, 'idle', '');
  summarize('');
  showConnection();
}

function showConnection() {
  if (!page) return;
  const up = page.testbed.connected;
  everConnected ||= up;
  $('state').textContent = up ? 'connected' : 'connecting';
  $('state').classList.toggle('up', up);
  $('transport').textContent = up ? page.journey.join(' → ') : '';
  $('id').textContent = up ? page.testbed.id : '';
  $('banner').textContent = up || !everConnected || !page.testbed.active ? '' : 'The connection is lost. Trying again…';
}

function showLine({ name, namespace, call, micros, outcome }) {
  const took = micros === null ? 'not made' : micros < 1000 ? `${micros} µs` : `${(micros / 1000).toFixed(1)} ms`;
  const item = el('li', outcome === 'ok' ? '' : 'odd', el('span', 'who', name), el('span', 'where', namespace),
    el('span', 'what', call), el('span', 'took', took), el('span', 'outcome', outcome));
  const log = $('log');
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  log.append(item);
  if (log.childElementCount > KEEP) log.firstElementChild.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
  $('none').hidden = true;
}

$('run').addEventListener('click', () => run(cards));
$('clear').addEventListener('click', () => {
  $('log').replaceChildren();
  $('none').hidden = false;
});
$('transports').addEventListener('change', (event) => connect(event.target.value));

const asked = new URLSearchParams(location.search).get('transport');
const choice = asked in TRANSPORTS ? asked : 'both';
$('transports').querySelector(`[value=${choice}]`).checked = true;
connect(choice);
