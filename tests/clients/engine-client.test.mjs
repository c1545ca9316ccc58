// engine.io-client 6 in Node and in Chromium, against contract `engine-client`: what its own tests expect of a server.
// In Node also with fetch() in the place of XMLHttpRequest.
//
// Its tests of what happens on the client alone (URLs, cookies' syntax, its options) are left to it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { after, before, test } from 'node:test';
import * as eio from 'engine.io-client-6.6';
import { CHECKS, IN_NODE, IN_PAGES } from './engine-client/checks.js';
import { launchBrowser, openPage, serveFiles } from './page.mjs';
import { describeServers } from './server.mjs';
import { within } from './wire.mjs';

const POLLING = { XMLHttpRequest: 'polling', 'fetch()': eio.Fetch };

// One after the other: what the client remembers of an upgrade is the process's.
describeServers('engine.io-client in Node', { contract: 'engine-client', concurrency: 1 }, (server) => {
  for (const [name, polling] of Object.entries(POLLING)) {
    for (const [title, check] of Object.entries({ ...CHECKS, ...IN_NODE })) {
      test(`${title} [${name}]`, async (t) => {
        const cleanUp = [];
        t.after(() => cleanUp.forEach((close) => close()));
        await check({ eio, url: server.url, polling, cleanUp });
      });
    }
  }

  for (const transports of [['polling', 'websocket'], ['polling'], ['websocket']]) {
    test(`does not keep a process alive that has nothing else to do [${transports}]`, async (t) => {
      const { code, said } = await within(processWith(t, server, { transports, autoUnref: true }), 'the end');
      assert.deepEqual([code, said], [0, 'open\n']);
    });
  }

  test('keeps a process alive unless told otherwise', async (t) => {
    const ended = processWith(t, server, { transports: ['polling', 'websocket'] });
    const stillThere = new Promise((resolve) => ended.child.stdout.once('data', () => setTimeout(resolve, 500, 'alive')));
    assert.equal(await Promise.race([stillThere, ended.then(() => 'ended')]), 'alive');
  });
});

/** A process with one client: its end, { code, said }. It lives for a moment after the client has opened. */
function processWith(t, server, options) {
  const program = `
    import { Socket } from 'engine.io-client-6.6';
    const alive = setTimeout(() => {}, 60_000);
    const socket = new Socket(${JSON.stringify(server.url)}, ${JSON.stringify(options)});
    socket.on('open', () => setTimeout(() => clearTimeout(alive), 50) && console.log('open'));
  `;
  const cwd = new URL('.', import.meta.url);
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  let said = '';
  child.stdout.on('data', (chunk) => (said += chunk));
  const ended = new Promise((resolve) => child.once('close', (code) => resolve({ code, said })));
  return Object.assign(ended, { child });
}

const file = (path) => readFileSync(new URL(path, import.meta.url));

let browser;
let site;

before(async () => {
  const script = (path) => ['text/javascript', file(path)];
  site = await serveFiles({
    '/': ['text/html', '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">'],
    '/client.js': script('node_modules/engine.io-client-6.6/dist/engine.io.esm.min.js'),
    '/engine-client/checks.js': script('engine-client/checks.js'),
    '/matrix/peers.js': script('matrix/peers.js'),
    '/worker.js': script('engine-client/worker.js'),
  });
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  await site?.close();
});

describeServers('engine.io-client in Chromium', { contract: 'engine-client', concurrency: 4 }, (server) => {
  for (const title of Object.keys({ ...CHECKS, ...IN_PAGES })) {
    test(title, async (t) => {
      const page = await openPage(t, browser, site.url);
      await page.evaluate(runCheck, { title, url: server.url });
    });
  }
});

/** Runs in the page. */
async function runCheck({ title, url }) {
  const eio = await import('/client.js');
  const { CHECKS, IN_PAGES } = await import('/engine-client/checks.js');
  const cleanUp = [];
  try {
    await { ...CHECKS, ...IN_PAGES }[title]({ eio, url, polling: 'polling', cleanUp });
  } finally {
    for (const close of cleanUp) close();
  }
}
