/* The page and its socket, in the namespace /cpu:
     point       { at, mean, cores }   at the socket's own pace: milliseconds since 1970, percent
     unreadable  "why"                 instead, where the CPU cannot be read
   It emits `pause`, `resume` and `interval` (100 to 5000 ms); each is answered { paused, interval }. */
'use strict';

const $ = (id) => document.getElementById(id);
const socket = io('/cpu');
const percent = (value) => `${Math.round(value)}\u202f%`;
const chart = new Chart($('chart'), showReading);
const errors = { graph: '', answer: '' };
let paused = false;

socket.on('connect', () => {
  showState('connected', true);
  showError('graph', '');
  showError('answer', '');
  // The server begins anew with every socket.
  if ($('interval').value !== '500') ask('interval', Number($('interval').value));
  if (paused) ask('pause');
  else chart.run(true);
});
for (const event of ['connect_error', 'disconnect']) {
  socket.on(event, () => {
    showState('connection lost, trying again');
    chart.gap();
    chart.run(false);
  });
}

socket.on('point', (point) => {
  if (paused) return; // It was on its way.
  chart.add(point);
  $('none').hidden = true;
  $('mean').textContent = percent(point.mean);
  $('chart').setAttribute('aria-label', `Chart of the last minute; ${percent(point.mean)} now, ${point.cores.length} cores`);
  showCores(point.cores);
});

socket.on('unreadable', (why) => {
  chart.run(false);
  $('none').textContent = 'There is nothing to draw.';
  showError('graph', `No graph: ${why}.`);
});

$('pause').addEventListener('click', () => {
  paused = !paused;
  $('pause').textContent = paused ? 'Resume' : 'Pause';
  chart.gap();
  chart.run(!paused && socket.connected);
  if (socket.connected) ask(paused ? 'pause' : 'resume');
});

$('interval').addEventListener('change', () => {
  if (socket.connected) ask('interval', Number($('interval').value));
});

async function ask(event, ...args) {
  try {
    const answer = await socket.timeout(5_000).emitWithAck(event, ...args);
    showError('answer', answer.error ? `The server refuses: ${answer.error.message}.` : '');
  } catch {
    if (socket.connected) showError('answer', `The server does not answer to “${event}”.`);
  }
}

function showCores(cores) {
  const list = $('cores');
  while (list.childElementCount > cores.length) list.lastElementChild.remove();
  cores.forEach((load, index) => {
    const item = list.children[index] ?? list.appendChild(newCore(index));
    item.children[1].textContent = percent(load);
    item.children[2].firstChild.style.transform = `scaleX(${load / 100})`;
  });
}

function newCore(index) {
  const [item, name, load, bar] = ['li', 'span', 'span', 'div'].map((tag) => document.createElement(tag));
  name.textContent = `Core ${index}`;
  bar.className = 'bar';
  bar.append(document.createElement('i'));
  item.append(name, load, bar);
  return item;
}

function showReading(point) {
  const time = point && new Date(point.at).toLocaleTimeString([], { hour: 'numeric', minute: '2-digit', second: '2-digit' });
  const text = point ? `${time}: mean ${percent(point.mean)}, busiest core ${percent(Math.max(...point.cores))}` : '';
  if ($('reading').textContent !== text) $('reading').textContent = text;
}

function showError(about, text) {
  errors[about] = text;
  $('error').textContent = Object.values(errors).join(' ').trim();
}

function showState(text, up = false) {
  $('state').textContent = text;
  $('state').classList.toggle('up', up);
}
