// Pages that run checks: one for each client, with the released bundle as its users included it.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { serveFiles } from '../page.mjs';
import { bundles, leavesNeverByJsonp } from './cells.mjs';

const own = (name) => readFileSync(fileURLToPath(new URL(name, import.meta.url)));

/**
 * A page with the client of `version`; `check(title, cell, url)` runs one check. JSONP clients post what they send from
 * a text area outside of the window: it is not displayed, as laying out 900 KB takes longer than sending them.
 */
const page = (version) => `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<style>form { display: none }</style>
<script src="/matrix/htmlfile.js"></script>
<script src="/matrix/client-${version}.js"></script>
<body><script type="module">
  import { run } from '/matrix/checks.js';
  window.check = (title, cell, url) => run(title, window.io, cell, url);
</script>`;

/** The files of all pages, served from an origin of their own. */
export async function openSite() {
  const files = {};
  for (const name of ['checks.js', 'peers.js', 'htmlfile.js']) {
    files[`/matrix/${name}`] = ['text/javascript', own(name)];
  }
  for (const [version, file] of Object.entries(bundles())) {
    files[`/matrix/client-${version}.js`] = ['text/javascript', readFileSync(file)];
    files[`/matrix/${version}.html`] = ['text/html', page(version)];
  }
  return { ...(await serveFiles(files)), files };
}

/**
 * A page of the cell's client, in a context of its own: Chromium opens six HTTP connections to a server at once, and
 * one page's checks need as many. htmlfile's page comes from the server's own origin, as that transport must; all
 * others are of another.
 */
async function openPage(browser, site, server, cell) {
  const context = await browser.newContext();
  const sameOrigin = cell.way === 'htmlfile';
  if (sameOrigin) {
    await context.route(`${server.url}/matrix/**`, (route) => {
      const [contentType, body] = site.files[new URL(route.request().url()).pathname];
      return route.fulfill({ contentType, body });
    });
  }
  const page = await context.newPage();
  await page.goto(`${sameOrigin ? server.url : site.url}/matrix/${cell.client}.html`, { waitUntil: 'load' });
  await context.unrouteAll(); // otherwise every request of the client goes through here
  return {
    check: (title) => page.evaluate(([title, cell, url]) => window.check(title, cell, url), [title, cell, server.url]),
    close: () => context.close(),
  };
}

/** What runs the checks of a cell: one page for all of them, or one for each where the client leaves them unusable. */
export async function openClient(browser, site, server, cell) {
  const open = () => openPage(browser, site, server, cell);
  if (!leavesNeverByJsonp(cell)) return open();
  const check = async (title) => {
    const page = await open();
    return page.check(title).finally(page.close);
  };
  return { check, close: () => {} };
}
