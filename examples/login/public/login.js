/* Both pages: the form, where the socket is refused, and that of a user.

   The page asks:     colour "#0f766e"             -> the colour, as the session has it now
                                                      or { error: { message } }
   The server tells:  online [{ name, colour }, …] everybody, whenever somebody comes, leaves or changes colour
   Logging in and out are ordinary forms: they change a cookie, which a socket cannot. */
'use strict';

const $ = (id) => document.getElementById(id);
const home = $('home');
const socket = io();

socket.on('connect', () => showState('connected', true));

socket.on('connect_error', (error) => {
  if (socket.active) return showState('connection lost, trying again');
  // Refused by the server: it is not tried again.
  showState(`the socket is refused: ${error.message}`);
  if (home) showLoggedOut();
});

socket.on('disconnect', () => {
  showState('disconnected');
  // A log-out disconnects all sockets of its user; who has another session, in another browser, gets in again.
  if (!socket.active) socket.connect();
});

if (home) {
  socket.on('online', (people) => $('online').replaceChildren(...people.map(shown)));

  $('colour').addEventListener('change', async () => {
    $('saved').textContent = 'Saving…';
    try {
      const answer = await socket.timeout(5000).emitWithAck('colour', $('colour').value);
      $('saved').textContent = answer.error ? `Not saved: ${answer.error.message}.` : 'Saved.';
      if (!answer.error) $('swatch').setAttribute('fill', answer);
    } catch {
      $('saved').textContent = 'Not saved: no answer.';
    }
  });
}

function shown({ name, colour }) {
  const item = document.createElement('li');
  item.textContent = name;
  item.style.setProperty('--colour', colour);
  item.dataset.colour = colour;
  if (name === home.dataset.name) item.className = 'you';
  return item;
}

function showState(text, up = false) {
  $('state').textContent = text;
  $('state').classList.toggle('up', up);
  if (home) $('colour').disabled = !up;
}

function showLoggedOut() {
  $('notice').hidden = false;
  $('online').replaceChildren();
}
