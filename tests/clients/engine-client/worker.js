// A worker of a page: talks to the server that it is told, and tells the page what it hears.
import { Socket } from '/client.js';

onmessage = ({ data: url }) => {
  const socket = new Socket(url, { transports: ['polling', 'websocket'] });
  socket.binaryType = 'arraybuffer';
  socket.on('open', () => {
    socket.send('give utf8');
    socket.send('give binary');
  });
  socket.on('message', (message) => {
    const isText = typeof message === 'string';
    postMessage(isText ? message : [...new Uint8Array(message)]);
    if (!isText) socket.close();
  });
  socket.on('close', (reason) => postMessage(`closed: ${reason}`));
};
