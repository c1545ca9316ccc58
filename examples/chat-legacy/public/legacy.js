/* The client 0.9, as pages for gevent-socketio use it. */
(function () {
  'use strict';

  var choice = /[?&]transport=([a-z-]+)/.exec(window.location.search);
  // The client merges a list among its options into its own, entry by entry; so it is told here.
  if (choice) io.transports = [choice[1]];

  var socket = io.connect('/chat', { 'reconnection limit': 5000, 'max reconnection attempts': Infinity });
  var page = startChat(socket);

  socket.on('connect', function () { page.up(socket.socket.transport.name); });
  socket.on('disconnect', function () { page.down('Connection lost. Trying again…'); });
  socket.on('connect_failed', function (reason) { page.down('The server says no: ' + reason + '.'); });
  socket.on('error', function (reason) { page.down(reason ? 'The server says no: ' + reason + '.' : 'Connection lost.'); });
}());
