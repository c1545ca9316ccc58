/* What each button does, and what must come. A feature's `run` gets the page's connection, a way to more of them, and a
   mark for texts that other visitors hear, too. It returns a sentence about what came, or throws one. */
'use strict';

const DENIED = 'method_access_denied';

/** Whether the answer is the error of that name, or with that message. */
function expectError(answer, { name, message, data }, what) {
  expect({ name: answer?.error?.name, message: message && answer?.error?.message, data: answer?.error?.data }, { name, message, data }, what);
}

/** The refusal of a namespace. */
async function refusal(connection, namespace, auth) {
  connection.leave(namespace);
  try {
    await connection.enter(namespace, auth);
  } catch (error) {
    return error;
  }
  throw new Error(`${namespace} let us in`);
}

const FEATURES = {
  'Connecting': [
    {
      title: 'A namespace',
      about: 'Connects to /second over the same connection.',
      async run({ page }) {
        page.leave('/second');
        const second = await page.enter('/second');
        if (second.id === page.testbed.id) throw new Error('two namespaces have one id');
        return `In /second as ${second.id.slice(0, 6)}…`;
      },
    },
    {
      title: 'A refusal',
      about: '/closed refuses with a message and data, unless the key is right.',
      async run({ page }) {
        const error = await refusal(page, '/closed', { key: 'knock, knock' });
        expect([error.message, error.data], ['The door is closed.', { code: 'E_CLOSED', retry: 30 }], 'the refusal');
        await page.enter('/closed', { key: 'open sesame' });
        page.leave('/closed');
        return `“${error.message}” ${error.data.code}, again in ${error.data.retry} s. The key lets us in.`;
      },
    },
    {
      title: 'Middleware',
      about: '/members has middleware that refuses.',
      async run({ page }) {
        const error = await refusal(page, '/members');
        expect(error.message, 'Members only.', 'the refusal');
        await page.enter('/members', { key: 'golden' });
        page.leave('/members');
        return `“${error.message}” With a key we are let in.`;
      },
    },
    {
      title: 'No such namespace',
      about: 'Asks for /nowhere.',
      async run({ page }) {
        const error = await refusal(page, '/nowhere');
        expect(error.message, 'Invalid namespace', 'the refusal');
        return `“${error.message}”`;
      },
    },
    {
      title: 'Transport',
      about: 'The server says which it has; with both, polling becomes WebSocket.',
      async run({ page, socket }) {
        const wanted = { both: 'polling → websocket', polling: 'polling', websocket: 'websocket' }[page.choice];
        expect(page.journey.join(' → '), wanted, 'the transports');
        await until(() => ask(socket, 'transport'), page.transport, 'the same transport on the server');
        return `${wanted}, and the server agrees.`;
      },
    },
  ],
  'Events and acks': [
    {
      title: 'An event',
      about: 'There and back, unchanged.',
      async run({ socket }) {
        const text = 'é😀 <b>&amp;</b> \u2028';
        const echo = heard(socket, 'echo');
        socket.emit('echo', text);
        expect(await echo, [text], 'the echo');
        return `“${text.trim()}” came back.`;
      },
    },
    {
      title: 'Several arguments',
      about: 'Three, turned around; “turn around” and “turn_around” are one method.',
      async run({ socket }) {
        for (const event of ['turn around', 'turn_around']) {
          const turned = heard(socket, 'turned around');
          socket.emit(event, 1, 'two', { three: [3] });
          expect(await turned, [{ three: [3] }, 'two', 1], 'the arguments');
        }
        return '1, "two", {three: [3]} came back as {three: [3]}, "two", 1.';
      },
    },
    {
      title: 'Acks both ways',
      about: 'We ask the server; it asks us, and tells what we answered.',
      async run({ socket }) {
        expect(await ask(socket, 'sum', 2, 3), 5, 'the sum');
        socket.once('question', (a, b, answer) => answer(String(a * b)));
        expect(await ask(socket, 'ask me'), '42', 'our answer');
        return '2 + 3 = 5, says the server; 6 × 7 = 42, say we.';
      },
    },
    {
      title: 'Acks that do not come',
      about: 'Both sides wait for a limited time.',
      async run({ socket }) {
        let asked = 0;
        socket.once('hard question', () => (asked += 1)); // no answer
        expect([await ask(socket, 'ask in vain'), asked], ['timeout', 1], 'the server');
        const error = await socket.timeout(200).emitWithAck('keep silent').then((got) => ({ message: got }), (late) => late);
        expect(error.message, 'operation has timed out', 'our own wait');
        return 'The server gave up after 200 ms, and so did we.';
      },
    },
    {
      title: 'Binary',
      about: 'Bytes there, reversed; back in an ack, and inside an object.',
      async run({ socket }) {
        const reversed = heard(socket, 'reversed');
        const answer = await ask(socket, 'reverse', new Uint8Array([0, 1, 127, 128, 255]));
        const [object] = await reversed;
        const bytes = [answer, object.bytes].map((buffer) => [...new Uint8Array(buffer)]);
        expect(bytes, [[255, 128, 127, 1, 0], [255, 128, 127, 1, 0]], 'the bytes');
        expect(object.length, 5, 'the length');
        return `${bytes[0].join(' ')} came back.`;
      },
    },
    {
      title: 'Messages',
      about: 'What send() sends: text has one method, all else another.',
      async run({ socket }) {
        for (const [sent, wanted] of [['hi', { text: 'hi' }], [{ a: 1 }, { json: { a: 1 } }], [[1, 2], { json: [1, 2] }]]) {
          const message = heard(socket, 'message');
          socket.send(sent);
          expect(await message, [wanted], 'the message');
        }
        return '"hi" went to #[message], {a: 1} and [1, 2] to #[json].';
      },
    },
    {
      title: 'Any event',
      about: 'One that has no method goes to #[any].',
      async run({ socket }) {
        const answer = await ask(socket, 'abracadabra', 1, 2, 3);
        expect(answer, { arguments: 3, event: 'abracadabra' }, 'the answer');
        return `#[any] got “${answer.event}” with ${answer.arguments} arguments.`;
      },
    },
  ],
  'Rooms and broadcasts': [
    {
      title: 'Rooms',
      about: 'Who has joined hears what is said in the room; who has left does not.',
      async run({ socket, another, mark }) {
        const ben = await another('ben');
        const round = () => {
          const heardBy = [socket, ben].map((one) => heardUntilOver(one, mark));
          socket.emit('shout', mark, `${mark}hello`);
          socket.emit('tell', 'all', `${mark}over`);
          return Promise.all(heardBy);
        };
        await ask(ben, 'join', mark);
        expect(await round(), [[], ['hello']], 'what we and Ben heard, with him in the room');
        await ask(ben, 'leave', mark);
        expect(await round(), [[], []], 'what we and Ben heard, with him outside');
        return 'Ben heard it inside and not outside. We did not hear ourselves.';
      },
    },
    {
      title: 'Broadcasts',
      about: 'To all, to the others, and to those outside a room.',
      async run({ socket, another, mark }) {
        const [ben, cy] = await Promise.all([another('ben'), another('cy')]);
        await ask(cy, 'join', mark);
        const heardBy = [socket, ben, cy].map((one) => heardUntilOver(one, mark));
        for (const [whom, text] of [['others', 'others'], ['all', 'all'], [{ except: mark }, 'except'], ['all', 'over']]) {
          socket.emit('tell', whom, `${mark}${text}`);
        }
        const [we, ours, theirs] = await Promise.all(heardBy);
        expect(we, ['all'], 'what we heard');
        expect(ours, ['others', 'all', 'except'], 'what Ben heard');
        expect(theirs, ['others', 'all'], 'what Cy heard');
        return 'Each of three heard what it should, in order.';
      },
    },
    {
      title: 'Volatile events',
      about: 'Five hundred that may be lost, and one that may not.',
      async run({ socket }) {
        const came = [];
        const listener = (number) => came.push(number);
        socket.on('drop', listener);
        try {
          const over = heard(socket, 'burst over');
          socket.emit('burst', 500);
          expect(await over, [500], 'the last event');
        } finally {
          socket.off('drop', listener);
        }
        const rising = came.every((number, index) => index === 0 || number > came[index - 1]);
        if (!rising || came.length > 500) throw new Error(`the order is wrong: ${came.join(' ')}`);
        return `${came.length} of 500 came, in order, and then the one that had to.`;
      },
    },
  ],
  'State and jobs': [
    {
      title: 'Session',
      about: 'What /testbed keeps, /second finds; another client does not.',
      async run({ page, socket, another, mark }) {
        await ask(socket, 'remember', mark);
        expect(await ask(await page.enter('/second'), 'recall'), mark, 'in our session');
        await another('ben');
        expect(await ask(await another.connections.ben.enter('/second'), 'recall'), null, 'in the session of another');
        return `/second recalls “${mark.trim()}”.`;
      },
    },
    {
      title: 'From one namespace to another',
      about: '/testbed tells our socket in /second something.',
      async run({ page, socket, mark }) {
        page.leave('/second');
        expectError(await ask(socket, 'tell second', mark), { message: 'You are not in /second.' }, 'outside');
        const second = await page.enter('/second');
        const told = heard(second, 'told');
        await ask(socket, 'tell second', mark);
        expect(await told, [mark], 'what /second was told');
        return `/second heard “${mark.trim()}”.`;
      },
    },
    {
      title: 'Jobs',
      about: 'A counter that runs on the server until it is stopped.',
      async run({ socket }) {
        const ticks = [];
        let listener;
        const third = new Promise((resolve) => {
          listener = (number) => ticks.push(number) === 3 && resolve();
        });
        socket.on('tick', listener);
        try {
          expect(await ask(socket, 'start'), true, 'the start');
          await within(third, 'no third tick came');
          expect(ticks.slice(0, 3), [1, 2, 3], 'the ticks');
          expectError(await ask(socket, 'start'), { message: 'The counter runs already.' }, 'a second start');
          await ask(socket, 'stop');
          await until(() => ask(socket, 'jobs'), 0, 'the end of the job');
          const last = ticks.length;
          await new Promise((resolve) => setTimeout(resolve, 120)); // two ticks would have come
          await ask(socket, 'jobs');
          expect(ticks.length, last, 'ticks after the end');
          return `It counted to ${last} and then stopped.`;
        } finally {
          socket.off('tick', listener);
        }
      },
    },
  ],
  'Rules and errors': [
    {
      title: 'A call that is denied',
      about: 'The ACL says no before any argument is read, and yes when unlocked.',
      async run({ page }) {
        const locked = await page.enter('/locked');
        await ask(locked, 'reset');
        for (const args of [[7], ['not a number'], []]) {
          expectError(await ask(locked, 'secret', ...args), { name: DENIED }, 'before');
        }
        expect(await ask(locked, 'unlock'), true, 'unlocked');
        expect(await ask(locked, 'secret', 7), 'secret number 7', 'the secret');
        expect(await ask(locked, 'lock'), false, 'locked');
        expectError(await ask(locked, 'secret', 7), { name: DENIED }, 'after');
        return `${DENIED}, then “secret number 7”, then ${DENIED} again.`;
      },
    },
    {
      title: 'All restrictions lifted, and back',
      about: 'Lifts the ACL; goes back to the rules of the beginning.',
      async run({ page }) {
        const locked = await page.enter('/locked');
        await ask(locked, 'reset');
        expectError(await ask(locked, 'treasure'), { name: DENIED }, 'before');
        await ask(locked, 'lift');
        expect([await ask(locked, 'treasure'), await ask(locked, 'secret', 1)], ['gold', 'secret number 1'], 'lifted');
        await ask(locked, 'reset');
        expectError(await ask(locked, 'treasure'), { name: DENIED }, 'after');
        return 'Denied, then gold, then denied.';
      },
    },
    {
      title: 'Wrong arguments',
      about: 'They do not reach the method, and the answer says why.',
      async run({ socket }) {
        const answer = await ask(socket, 'sum', 1, 'two');
        expectError(answer, { name: 'invalid_method_args' }, 'the answer');
        return `${answer.error.name}: ${answer.error.message}`;
      },
    },
    {
      title: 'An error',
      about: 'One meant for us, with data; and one whose cause is the server’s business.',
      async run({ socket }) {
        const answer = await ask(socket, 'fail');
        expectError(answer, { message: 'The kettle is empty.', data: { code: 'E_KETTLE' } }, 'the answer');
        expectError(await ask(socket, 'break down'), { message: 'internal error' }, 'the other answer');
        return `“${answer.error.message}” ${answer.error.data.code}; and “internal error”.`;
      },
    },
    {
      title: 'A panic',
      about: 'A method panics. The answer says no more than it should, and all goes on.',
      async run({ socket }) {
        const { id } = socket;
        expectError(await ask(socket, 'panic'), { message: 'internal error' }, 'the answer');
        expect([await ask(socket, 'sum', 1, 1), socket.id], [2, id], 'afterwards');
        return '“internal error”, and the connection lives on.';
      },
    },
  ],
  'Leaving': [
    {
      title: 'Sent away',
      about: 'The server ends our part in the namespace. We come back when we ask.',
      async run({ page, socket }) {
        const { id } = socket;
        const gone = heard(socket, 'disconnect');
        socket.emit('send me away');
        expect((await gone)[0], 'io server disconnect', 'the reason');
        expect([socket.active, page.log.connected], [false, true], 'the other namespaces');
        await page.ready();
        if (socket.id === id) throw new Error('the id is the old one');
        return 'io server disconnect; then in again, with another id.';
      },
    },
    {
      title: 'A connection that ends',
      about: 'The server closes it. The page comes back by itself, in all its namespaces.',
      async run({ page, socket }) {
        await page.enter('/second');
        const { id } = socket;
        const gone = heard(socket, 'disconnect');
        const [back, backInSecond] = [socket, page.manager.socket('/second')].map((one) => heard(one, 'connect'));
        socket.emit('hang up');
        expect((await gone)[0], 'transport close', 'the reason');
        await Promise.all([back, backInSecond]);
        await page.ready();
        if (socket.id === id) throw new Error('the id is the old one');
        return `transport close; then back, over ${page.journey.join(' → ')}.`;
      },
    },
    {
      title: 'Somebody leaves',
      about: 'The #[disconnect] method tells the others, and why.',
      async run({ socket, another }) {
        const ben = await another('ben');
        const { id } = ben;
        const reason = new Promise((resolve) => {
          socket.on('left', function listener(who, why) {
            if (who !== id) return;
            socket.off('left', listener);
            resolve(why);
          });
        });
        ben.disconnect();
        expect(await within(reason, 'nobody said that Ben left'), 'client namespace disconnect', 'the reason');
        return 'Ben left: client namespace disconnect.';
      },
    },
  ],
};
