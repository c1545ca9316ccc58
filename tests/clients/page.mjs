// Headless Chromium and pages served from an origin that is not the server's.
import assert from 'node:assert/strict';
import http from 'node:http';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const EXECUTABLE = process.env.CHROMIUM ?? '/usr/bin/chromium';
const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** The browser bundle of the newest official client. */
export const CLIENT_BUNDLE = readFileSync(
  new URL('./node_modules/socket.io-client-4.8/dist/socket.io.min.js', import.meta.url),
);

/** A browser; `quic` says that it may use HTTP/3. */
export async function launchBrowser({ quic = false } = {}) {
  if (!existsSync(EXECUTABLE)) throw new Error(`${EXECUTABLE} is missing: install Chromium or set CHROMIUM`);
  return chromium.launch({ executablePath: EXECUTABLE, args: quic ? ARGS : [...ARGS, '--disable-quic'] });
}

/** Serves `files` ({ path: [content type, content] }) from a port of its own -> { url, close }. */
export async function serveFiles(files) {
  const server = http.createServer((request, response) => {
    const [type, content] = files[request.url] ?? ['text/plain', undefined];
    response.writeHead(content === undefined ? 404 : 200, { 'Content-Type': type });
    response.end(content);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return { url: `http://127.0.0.1:${server.address().port}`, close };
}

/**
 * Opens `url` in a fresh page, with options of Playwright's for its context. `page.problems` collects what the page
 * logged as an error or threw; the page and its cookies are gone when the test `t` ends.
 */
export async function openPage(t, browser, url, options) {
  const context = await browser.newContext(options);
  t.after(() => context.close());
  const page = await context.newPage();
  page.problems = [];
  page.on('console', (message) => message.type() === 'error' && page.problems.push(message.text()));
  page.on('pageerror', (error) => page.problems.push(String(error)));
  page.setDefaultTimeout(10_000);
  await page.goto(url, { waitUntil: 'load' });
  return page;
}

/** Waits until what `read` gives is `wanted`. */
export async function eventually(read, wanted, ms = 15_000) {
  const end = performance.now() + ms;
  for (;;) {
    const got = await read();
    try {
      return assert.deepEqual(got, wanted);
    } catch (error) {
      if (performance.now() > end) throw error;
    }
    await new Promise((done) => setTimeout(done, 25));
  }
}

const ARTIFACTS = fileURLToPath(new URL('../artifacts/', import.meta.url));

/** Takes a picture of the page, for people to look at: tests/artifacts/NAME.png. */
export const picture = (page, name) => page.screenshot({ path: `${ARTIFACTS}${name}.png`, animations: 'disabled' });

export const PHONE = { viewport: { width: 390, height: 780 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };

/** Takes pictures of the page at its size and, in the other colour scheme, as a phone shows it, where nothing overflows. */
export async function pictures(page, name) {
  await picture(page, name);
  const size = page.viewportSize();
  await page.setViewportSize(PHONE.viewport);
  await page.emulateMedia({ colorScheme: 'dark' });
  await picture(page, `${name}-phone-dark`);
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(over <= 0, `the page is ${over} px wider than a phone`);
  await page.setViewportSize(size);
  await page.emulateMedia({ colorScheme: 'light' });
}
