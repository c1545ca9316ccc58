'use strict';

const by = (id) => document.getElementById(id);

let socket;

/** A list's entry, and what is said of it. */
function entry(text, remark) {
  const item = document.createElement('li');
  const muted = document.createElement('span');
  muted.className = 'muted';
  muted.textContent = remark;
  item.append(text, ' ', muted);
  return item;
}

/** Connects, and writes down which transports the connection has had. */
async function connect() {
  socket?.disconnect();
  by('way').replaceChildren();
  by('server').textContent = '–';
  const hash = await (await fetch('certificate')).json();
  const start = performance.now();
  socket = io({
    forceNew: true,
    // With 'websocket', too, networks that block UDP get that instead of polling.
    transports: by('direct').checked ? ['webtransport'] : ['polling', 'webtransport'],
    // Only for a certificate that no authority has signed.
    transportOptions: {
      webtransport: { serverCertificateHashes: [{ algorithm: 'sha-256', value: new Uint8Array(hash) }] },
    },
  });
  const { io: manager } = socket;
  const changed = (transport) => {
    by('way').append(entry(transport.name, `after ${Math.round(performance.now() - start)} ms`));
    show();
  };
  manager.on('open', () => {
    changed(manager.engine.transport);
    manager.engine.on('upgrade', changed);
  });
  socket.on('connect', show);
  socket.on('disconnect', (reason) => state(`disconnected: ${reason}`));
  socket.on('connect_error', (error) => state(`no connection: ${error.message}`));
  socket.on('said', (text, transport) => by('said').append(entry(text, `by ${transport}`)));
}

async function show() {
  if (!socket.connected) return;
  state(`connected by ${socket.io.engine.transport.name}`, true);
  by('server').textContent = await socket.emitWithAck('transport');
}

function state(text, up = false) {
  by('state').textContent = text;
  by('state').classList.toggle('up', up);
}

by('again').addEventListener('click', connect);
by('direct').addEventListener('change', connect);
by('form').addEventListener('submit', (event) => {
  event.preventDefault();
  if (by('text').value) socket.emit('say', by('text').value);
  by('text').value = '';
});
connect();
