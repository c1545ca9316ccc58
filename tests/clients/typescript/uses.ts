// Every kind of event of events.d.ts (core/tests/typescript.rs), used as it is meant. What must not compile stands below
// `@ts-expect-error`, which is an error itself where the compiler has nothing to say.
import { io, type Socket } from 'socket.io-client';
import type { ClientToServerEvents, ErrorAck, Message, Page, Person, Room, ServerToClientEvents } from './events';

const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io();

const room: Room = { kind: 'private', with: { nick: null } };
const message: Message = { room, saidAt: 1, mentions: [{ nick: 'ada' }] };

/** Compiles where the value is of exactly that type. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_: Same<A, B>) => {};

export async function events() {
  socket.emit('nothing');
  // @ts-expect-error
  socket.emit('nothing', 1);

  socket.emit('say', message, (answer) => same<typeof answer, boolean | ErrorAck>(true));
  // @ts-expect-error
  socket.emit('say', { ...message, room: { kind: 'garden' } }, () => {});
  // @ts-expect-error
  socket.emit('say', message);
  const said = await socket.emitWithAck('say', message);
  same<typeof said, boolean | ErrorAck>(true);
  socket.timeout(1000).emit('say', message, (error, answer) => {
    same<typeof error, Error>(true);
    same<typeof answer, boolean | ErrorAck>(true);
  });

  socket.emit('user:move', 1.5, 2);
  // @ts-expect-error
  socket.emit('user:move', 1.5);

  socket.emit('search', null, 'b');
  socket.emit('search', 1, 'b', 3);
  // @ts-expect-error
  socket.emit('search', undefined, 'b', '3');

  // With `timeout` before it, the client's own types say `any` of the answer; with the option `ackTimeout` they do not.
  const found = await socket.emitWithAck('find', 'a', null);
  same<typeof found, Page<Person> | ErrorAck>(true);
  if (!('error' in found)) same<typeof found.items, Person[]>(true);

  socket.emit('pair', new Uint8Array([1]), (...answer) => same<typeof answer, [string, ArrayBuffer] | [ErrorAck]>(true));
  socket.emit('pair', new ArrayBuffer(1), () => {});
  socket.emit('pair', null, () => {});
  // @ts-expect-error
  socket.emit('pair', 'bytes', () => {});

  socket.emit('done', (error) => same<typeof error, ErrorAck | undefined>(true));
  same<Awaited<ReturnType<typeof done>>, ErrorAck | undefined>(true);
  socket.emit('unit', (answer) => same<typeof answer, ErrorAck | null>(true));

  socket.emit('raw');
  socket.emit('raw', 1, 'two', [3]);
  socket.emit('raw_echo', 1, 'two', (..._answer: [number, string]) => {});
  socket.emit('later', (_answer: number) => {});

  socket.emit('later-typed', 1, (...answer) => same<typeof answer, [number, string] | [ErrorAck]>(true));
  socket.emit('own_extractor', 'text');
  // @ts-expect-error
  socket.emit('own_extractor', 1);

  socket.send('text');
  socket.emit('message', 'text', (answer) => same<typeof answer, number | ErrorAck>(true));
  socket.emit('message', { nick: 'ada' });
  // @ts-expect-error
  socket.emit('message', 1);
  socket.emit('enter', 'lobby', (answer) => same<typeof answer, boolean | ErrorAck>(true));

  // @ts-expect-error
  socket.emit('left_out');
  // @ts-expect-error
  socket.emit('userCame', { nick: null });
}

const done = () => socket.emitWithAck('done');

socket.on('userCame', (person) => same<typeof person, Person>(true));
socket.on('moved', (x, y) => {
  same<typeof x, number>(true);
  same<typeof y, number | null>(true);
});
socket.on('typing', ({ nick, type }) => {
  same<typeof nick, string>(true);
  same<typeof type, ArrayBuffer | null>(true);
});
socket.on('cleared', (...args) => same<typeof args, []>(true));
socket.on('room:closed', (bytes, json) => {
  same<typeof bytes, number[]>(true);
  // @ts-expect-error
  json.anything;
});
socket.once('image', (bytes) => same<typeof bytes, ArrayBuffer>(true));
socket.off('who', (id) => same<typeof id, string>(true));
socket.on('confirm', (question, ack) => {
  same<typeof question, string>(true);
  ack(question === '');
  // @ts-expect-error
  ack('yes');
});
socket.on('get_file', (ack) => ack('name', new Uint8Array([1])));
socket.on('flush', (ack) => ack());
socket.on('disconnect', (reason) => same<typeof reason, Socket.DisconnectReason>(true));
// @ts-expect-error
socket.on('say', () => {});
