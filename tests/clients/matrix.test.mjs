// Every released line of the JavaScript client, where it runs and by every way it can go: the same checks for each,
// against contract `app`.
import { after, before, describe } from 'node:test';
import { CELLS, cellTitle, load } from './matrix/cells.mjs';
import { PING_INTERVAL_MS, PING_TIMEOUT_MS, run, titles } from './matrix/checks.js';
import { eachCheck } from './matrix/each.mjs';
import { openClient, openSite } from './matrix/pages.mjs';
import { launchBrowser } from './page.mjs';
import { describeServers } from './server.mjs';

const env = { PING_INTERVAL_MS: String(PING_INTERVAL_MS), PING_TIMEOUT_MS: String(PING_TIMEOUT_MS) };

const CELLS_AT_ONCE = 4;
const WAITING_AT_ONCE = 10;

let browser;
let site;

before(async () => {
  site = await openSite();
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  await site?.close();
});

describeServers('released clients', { contract: 'app', env, mayPanic: true, concurrency: 2 }, (server) => {
  describe('one after the other', { concurrency: CELLS_AT_ONCE }, () => {
    for (const cell of CELLS) describe(cellTitle(cell), { concurrency: 1 }, () => checks(server, cell, titles(cell)));
  });
  describe('over time', { concurrency: WAITING_AT_ONCE }, () => {
    for (const cell of CELLS) {
      const waiting = titles(cell, { overTime: true });
      describe(cellTitle(cell), { concurrency: true }, () => checks(server, cell, waiting));
    }
  });
});

function checks(server, cell, titles) {
  let client;
  before(async () => (client = await openRuntime(server, cell)));
  after(() => client?.close());
  eachCheck(cell, titles, (title) => client.check(title));
}

function openRuntime(server, cell) {
  if (cell.where === 'Chromium') return openClient(browser, site, server, cell);
  return { check: (title) => run(title, load(cell.client), cell, server.url), close: () => {} };
}
