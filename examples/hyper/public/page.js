/* The server tells:  welcome { peer, version }  once a connection
   The page asks:     echo                       -> true; for the round trip */
'use strict';

const $ = (id) => document.getElementById(id);
const show = (id, text) => { $(id).textContent = text; };

// Polling first is the default. Without it, the connection begins by the WebSocket's own request, and the
// page shows whether that went over HTTP/1.1 or HTTP/2.
const socket = io({ transports: ['websocket', 'polling'] });

socket.on('connect', () => {
  show('state', 'Connected');
  show('transport', socket.io.engine.transport.name);
  measure();
});

socket.on('welcome', ({ peer, version }) => {
  show('peer', peer);
  show('version', version);
});

socket.on('disconnect', () => show('state', 'Connection lost'));

async function measure() {
  if (!socket.connected) return;
  const start = performance.now();
  try {
    await socket.timeout(5000).emitWithAck('echo');
    show('rtt', `${(performance.now() - start).toFixed(1)} ms`);
  } catch {
    show('rtt', '–');
  }
}
setInterval(measure, 2000);
