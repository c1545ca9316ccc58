/* Today's client. */
(function () {
  'use strict';

  const transport = new URLSearchParams(location.search).get('transport');
  const socket = io('/chat', transport ? { transports: [transport] } : {});
  const page = startChat(socket);
  const showTransport = () => page.transport(socket.io.engine.transport.name);

  socket.on('connect', () => page.up(socket.io.engine.transport.name));
  socket.on('disconnect', () => page.down('Connection lost. Trying again…'));
  socket.on('connect_error', (error) => page.down(
    socket.active ? 'Connection lost. Trying again…' : `The server says no: ${error.message}.`));
  socket.io.on('open', () => socket.io.engine.on('upgrade', showTransport));
}());
