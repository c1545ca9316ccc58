// Headless Chromium and pages served from an origin that is not the server's.
import http from 'node:http';
import { existsSync, readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';

const EXECUTABLE = process.env.CHROMIUM ?? '/usr/bin/chromium';
const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** The browser bundle of the newest official client. */
export const CLIENT_BUNDLE = readFileSync(
  new URL('./node_modules/socket.io-client-4.8/dist/socket.io.min.js', import.meta.url),
);

export async function launchBrowser() {
  if (!existsSync(EXECUTABLE)) throw new Error(`${EXECUTABLE} is missing: install Chromium or set CHROMIUM`);
  return chromium.launch({ executablePath: EXECUTABLE, args: ARGS });
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
 * Opens `url` in a fresh page. `page.problems` collects what the page logged as an error or threw;
 * the page and its cookies are gone when the test `t` ends.
 */
export async function openPage(t, browser, url) {
  const context = await browser.newContext();
  t.after(() => context.close());
  const page = await context.newPage();
  page.problems = [];
  page.on('console', (message) => message.type() === 'error' && page.problems.push(message.text()));
  page.on('pageerror', (error) => page.problems.push(String(error)));
  page.setDefaultTimeout(10_000);
  await page.goto(url, { waitUntil: 'load' });
  return page;
}
