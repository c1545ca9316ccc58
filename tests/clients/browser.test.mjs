// The official client in a real browser, on a page of another origin than the server's, against contract `app`.
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { describeServers } from './server.mjs';
import { CLIENT_BUNDLE, launchBrowser, openPage, serveFiles } from './page.mjs';

const PAGE = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script src="/client.js"></script>';

const WAYS = {
  polling: ['polling'],
  websocket: ['websocket'],
  upgrade: ['polling', 'websocket'],
};

let browser;
let site;

before(async () => {
  site = await serveFiles({ '/': ['text/html', PAGE], '/client.js': ['text/javascript', CLIENT_BUNDLE] });
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  await site?.close();
});

describeServers('a page of another origin', { contract: 'app', concurrency: 1 }, (server) => {
  for (const [way, transports] of Object.entries(WAYS)) {
    for (const withCredentials of [false, true]) {
      const what = withCredentials ? ' with credentials' : '';
      it(`talks to the server over ${way}${what}`, async (t) => {
        const page = await openPage(t, browser, site.url);
        const seen = await page.evaluate(converse, { url: server.url, transports, withCredentials });
        assert.deepEqual(page.problems, []);
        assert.equal(seen.transport, transports.at(-1));
        assert.equal(seen.welcomedAs, seen.id);
        assert.deepEqual(seen.echoed, ['é😀\u2028', { list: [1, null] }]);
        assert.deepEqual(seen.bytes, [0, 1, 254, 255]);
        assert.equal(seen.bigLength, 900_000);
        assert.equal(seen.refusal, 'unauthorized E_AUTH');
      });
    }
  }
});

describeServers('a page of another origin, when CORS is off', { contract: 'socket', concurrency: 1 }, (server) => {
  for (const [way, transports] of Object.entries(WAYS)) {
    it(`is refused over ${way}`, async (t) => {
      const page = await openPage(t, browser, site.url);
      const outcome = await page.evaluate(
        ({ url, transports }) =>
          new Promise((resolve) => {
            const socket = io(url, { transports, reconnection: false });
            socket.on('connect', () => resolve('connected'));
            socket.on('connect_error', (error) => resolve(error.message));
          }),
        { url: server.url, transports },
      );
      assert.match(outcome, /error/);
    });
  }
});

/** Runs in the page. */
async function converse({ url, transports, withCredentials }) {
  const within = (promise, what) =>
    Promise.race([
      promise,
      new Promise((_, reject) => setTimeout(() => reject(new Error(`waited in vain for ${what}`)), 8_000)),
    ]);
  const socket = io(url, { transports, withCredentials, reconnection: false });
  const heard = (emitter, event) => within(new Promise((resolve) => emitter.once(event, (...args) => resolve(args))), event);
  const call = (...args) => within(new Promise((resolve) => socket.emit(...args, (...answer) => resolve(answer))), args[0]);

  const welcome = heard(socket, 'welcome');
  const upgraded = heard(socket.io, 'open').then(() =>
    transports.length > 1 && socket.io.engine.transport.name === 'polling' ? heard(socket.io.engine, 'upgrade') : undefined,
  );
  const [, welcomedAs] = await welcome;
  await upgraded;

  const echo = heard(socket, 'echo');
  socket.emit('echo', 'é😀\u2028', { list: [1, null] });
  const echoed = await echo;
  const [buffer] = await call('echo-ack', new Uint8Array([0, 1, 254, 255]));
  const [big] = await call('echo-ack', 'x'.repeat(900_000));

  const admin = socket.io.socket('/admin');
  const [error] = await heard(admin, 'connect_error');
  return {
    id: socket.id,
    welcomedAs,
    transport: socket.io.engine.transport.name,
    echoed,
    bytes: [...new Uint8Array(buffer)],
    bigLength: big.length,
    refusal: `${error.message} ${error.data?.code}`,
  };
}
