/* The page only listens to its socket:
     news     { text }   whenever somebody publishes, by POST /news with the same as JSON
     readers  3          every second */
'use strict';

const $ = (id) => document.getElementById(id);
const KEEP = 100; // news on the page
const socket = io();

socket.on('connect', () => showState('connected', true));
socket.on('connect_error', () => showState('connection lost, trying again'));
socket.on('disconnect', () => showState('connection lost, trying again'));

socket.on('readers', (count) => {
  $('readers').textContent = count === 1 ? '1 reader' : `${count} readers`;
});

socket.on('news', ({ text }) => {
  const item = document.createElement('li');
  const time = document.createElement('time');
  time.textContent = new Date().toLocaleTimeString([], { hour: 'numeric', minute: '2-digit' });
  item.append(text, time);
  $('news').prepend(item);
  if ($('news').childElementCount > KEEP) $('news').lastElementChild.remove();
  $('none').hidden = true;
});

$('publish').addEventListener('submit', async (event) => {
  event.preventDefault();
  $('error').textContent = '';
  const text = $('text').value.trim();
  if (!text) return void ($('error').textContent = 'Write something first.');
  try {
    const headers = { 'Content-Type': 'application/json' };
    const answer = await fetch('/news', { method: 'POST', headers, body: JSON.stringify({ text }) });
    if (!answer.ok) throw new Error(`the server says ${answer.status}`);
    $('text').value = '';
  } catch (error) {
    $('error').textContent = `Not published: ${error.message}.`;
  }
});

function showState(text, up = false) {
  $('state').textContent = text;
  $('state').classList.toggle('up', up);
}
