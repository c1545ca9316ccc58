/* The page for who has not logged in: who is online. Logging in is the form's alone.

   It is in the namespace /status, which asks nobody who they are:
     people                 -> [{ name, moderator }, …]   and from then on, whenever that changes:
     people [{ … }, …]      */
'use strict';

const $ = (id) => document.getElementById(id);
const status = io('/status');

status.on('connect', async () => {
  showState('connected', true);
  try {
    show(await status.timeout(8000).emitWithAck('people'));
  } catch { /* The connection is lost: the next one asks again. */ }
});

status.on('people', show);
status.on('connect_error', () => showState('no connection, trying again'));
status.on('disconnect', (reason) => {
  showState('connection lost, trying again');
  if (reason === 'io server disconnect') status.connect();
});

function show(people) {
  $('nobody').hidden = people.length > 0;
  $('online').replaceChildren(...people.map(({ name, moderator }) => {
    const item = document.createElement('li');
    item.textContent = name;
    item.classList.toggle('moderator', moderator);
    return item;
  }));
}

function showState(text, up = false) {
  $('state').textContent = text;
  $('state').classList.toggle('up', up);
}
