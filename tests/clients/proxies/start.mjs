// Runs the real proxies with the configurations of this folder, as an ordinary user and in a temporary folder.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pause, within } from '../wire.mjs';
import '../end.mjs';

/** An address that nobody else uses, so that a port found free there stays free. */
const HOST = '127.0.1.1';
/** Debian has them where an ordinary user does not look. */
const PATH = `${process.env.PATH}:/usr/sbin:/usr/local/sbin`;

/** What stands around the file on Debian; one process, which writes into the folder it is given. */
const NGINX_MAIN = `
daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    scgi_temp_path scgi;
    uwsgi_temp_path uwsgi;
    include site.conf;
}
`;

const PROXIES = {
  nginx: {
    file: 'nginx.conf',
    listen: 'listen 80;',
    run: (folder, text) => {
      writeFileSync(join(folder, 'site.conf'), text);
      writeFileSync(join(folder, 'main.conf'), NGINX_MAIN);
      return ['-p', folder, '-c', 'main.conf', '-e', 'stderr'];
    },
  },
  haproxy: {
    file: 'haproxy.cfg',
    listen: 'bind :80\n',
    run: (folder, text) => {
      writeFileSync(join(folder, 'haproxy.cfg'), text);
      return ['-db', '-f', join(folder, 'haproxy.cfg')];
    },
  },
};

export const NAMES = Object.keys(PROXIES);

/** The configuration as it is in this folder. */
export const configuration = (name) => readFileSync(new URL(PROXIES[name].file, import.meta.url), 'utf8');

/**
 * Starts a proxy in front of two servers, its configuration changed by `changes`, pairs of what is there and what takes
 * its place. Resolves with { url, host, port, stop }.
 */
export async function startProxy(name, servers, changes = []) {
  const { listen, run } = PROXIES[name];
  const port = await freePort();
  const [one, two] = servers.map((server) => `127.0.0.1:${server.port}`);
  const places = [[listen, listen.replace(/:?80/, `${HOST}:${port}`)], ['127.0.0.1:3001', one], ['127.0.0.1:3002', two]];
  const text = [...changes, ...places].reduce(changed, configuration(name));

  const folder = mkdtempSync(join(tmpdir(), `${name}-`));
  const child = spawn(name, run(folder, text), { env: { ...process.env, PATH }, stdio: ['ignore', 'ignore', 'pipe'] });
  const killOnExit = () => child.kill('SIGKILL');
  process.once('exit', killOnExit);
  let stderr = '';
  let ended;
  child.stderr.on('data', (chunk) => (stderr = (stderr + chunk).slice(-20_000)));
  const gone = new Promise((resolve) => {
    child.once('error', ({ code, message }) => {
      ended = code === 'ENOENT' ? `${name} is not installed: on Debian, apt-get install nginx-light haproxy` : message;
      resolve();
    });
    child.once('close', (code, signal) => {
      ended ??= `${name} ended with ${code ?? signal}:\n${stderr}`;
      resolve();
    });
  });

  const stop = async () => {
    child.kill('SIGKILL');
    await gone;
    process.removeListener('exit', killOnExit);
    rmSync(folder, { recursive: true, force: true });
  };
  const ready = async () => {
    while (!ended && !(await accepts(port))) await pause(5);
    if (ended) throw new Error(ended);
  };
  try {
    await within(ready(), `${name} to listen`);
  } catch (error) {
    await stop();
    throw error;
  }
  return { host: HOST, port, url: `http://${HOST}:${port}`, stop };
}

function changed(text, [from, to]) {
  if (!text.includes(from)) throw new Error(`the configuration has no ${JSON.stringify(from)} that could be changed`);
  return text.replaceAll(from, to);
}

const freePort = () =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, HOST, () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

const accepts = (port) =>
  new Promise((resolve) => {
    const socket = connect({ host: HOST, port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
