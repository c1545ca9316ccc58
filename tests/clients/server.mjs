// Starts the servers under test and stops them again; knows nothing of what they serve.
//
// Every server takes `--contract NAME --port N` and prints `listening on http://127.0.0.1:N` when it is ready; with
// MSGPACK_PORT in its environment, a second such line for that port follows.
// A framework is one more line in SERVERS. `TEST_SERVERS=axum,…` picks some; `SERVER_AXUM="command args"` replaces one.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { after, before, describe } from 'node:test';
import './end.mjs';

const built = (name) => fileURLToPath(new URL(`../../target/debug/${name}`, import.meta.url));

export const SERVERS = {
  axum: { command: process.env.SERVER_AXUM ?? built('server-axum'), remedy: 'cargo build -p server-axum' },
  actix: { command: process.env.SERVER_ACTIX ?? built('server-actix-web'), remedy: 'cargo build -p server-actix-web' },
  warp: { command: process.env.SERVER_WARP ?? built('server-warp'), remedy: 'cargo build -p server-warp' },
};

const START_MS = 20_000;
const STOP_MS = 5_000;

const selected = () => {
  const names = process.env.TEST_SERVERS?.split(',') ?? Object.keys(SERVERS);
  for (const name of names) {
    if (!SERVERS[name]) throw new Error(`unknown server "${name}" in TEST_SERVERS; known: ${Object.keys(SERVERS)}`);
  }
  return names;
};

/**
 * One `describe` a selected server. `body` gets a handle whose fields (url, host, port, certificate, pid) are filled in
 * before the first test runs. The suite fails if the server dies, or if it panics and `mayPanic` is not set.
 */
export function describeServers(title, { contract, parser, env, mayPanic = false, concurrency = 1 }, body) {
  for (const name of selected()) {
    describe(`${title} [${name}]`, { concurrency }, () => {
      const server = {};
      let running;
      before(async () => {
        running = await startServer(name, { contract, parser, env });
        Object.assign(server, running);
      });
      after(async () => {
        if (!running) return;
        const { stderr, diedEarly } = await running.stop();
        if (diedEarly) throw new Error(`the server died during the tests (${diedEarly}); its stderr ends:\n${stderr}`);
        if (!mayPanic && stderr.includes('panicked at')) throw new Error(`the server panicked:\n${stderr}`);
      });
      body(server);
    });
  }
}

/**
 * Starts one server and resolves with { url, host, port, pid, stop } once it listens, and with { msgpack }, the URL of
 * its second port, if `env` asks for one; with WEBTRANSPORT in `env` also with the hash of its `certificate`, a list of
 * bytes.
 */
export async function startServer(name, { contract, parser = 'default', env = {} }) {
  const { command, remedy } = SERVERS[name];
  const [program, ...args] = command.split(' ');
  if (program.includes('/') && !existsSync(program)) {
    throw new Error(`${program} is missing: run \`${remedy}\` first`);
  }
  const child = spawn(program, [...args, '--contract', contract, '--parser', parser, '--port', '0'], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const killOnExit = () => child.kill('SIGKILL');
  process.once('exit', killOnExit);

  let certificate;
  let stderr = '';
  child.stderr.on('data', (chunk) => (stderr = (stderr + chunk).slice(-20_000)));
  const exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`)));

  const wanted = env.MSGPACK_PORT === undefined ? 1 : 2;
  const [port, second] = await new Promise((resolve, reject) => {
    let stdout = '';
    const fail = (why) => {
      child.kill('SIGKILL');
      reject(new Error(`${command} --contract ${contract}: ${why}; its stderr ends:\n${stderr}`));
    };
    const timer = setTimeout(() => fail(`not listening after ${START_MS} ms`), START_MS);
    child.once('error', (error) => fail(error.message));
    exited.then((how) => fail(`ended before it listened (${how})`));
    child.stdout.on('data', (chunk) => {
      stdout = (stdout + chunk).slice(-4_000);
      const found = [...stdout.matchAll(/listening on http:\/\/127\.0\.0\.1:(\d+)\n/g)];
      if (found.length < wanted) return;
      clearTimeout(timer);
      certificate = /^certificate (\[.*\])$/m.exec(stdout)?.[1];
      resolve(found.map(([, port]) => Number(port)));
    });
  });

  const stop = async () => {
    const diedEarly = child.exitCode !== null || child.signalCode !== null ? await exited : undefined;
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await exited;
    clearTimeout(timer);
    process.removeListener('exit', killOnExit);
    return { stderr, diedEarly };
  };

  const url = (port) => port && `http://127.0.0.1:${port}`;
  const hash = JSON.parse(certificate ?? 'null');
  return { name, host: '127.0.0.1', port, url: url(port), msgpack: url(second), certificate: hash, pid: child.pid, stop };
}

/** Resident memory of a process in bytes (Linux). */
export function residentBytes(pid) {
  const found = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(found[1]) * 1024;
}
