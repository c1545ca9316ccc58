// Starts the examples (examples/README.md) and stops them as a process manager does.
//
// Every example listens on PORT and prints `listening on http://127.0.0.1:N` when it is ready. They are looked for where
// cargo puts them. `TEST_SERVERS=axum,…` picks those of some frameworks.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe } from 'node:test';
import { fileURLToPath } from 'node:url';
import { within } from './wire.mjs';
import './end.mjs';

const TARGET = process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL('../../target', import.meta.url));

const EXAMPLES = {
  axum: ['chat-axum', 'login-axum', 'news-axum'],
  actix: ['chat-actix-web', 'login-actix-web', 'news-actix-web'],
  warp: ['chat-warp', 'login-warp', 'login-warp-tower', 'news-warp'],
  hyper: ['hyper-plain', 'hyper-tls'],
};

const START_MS = 20_000;
const STOP_MS = 3_000; // actix-web's workers look once a second whether they are done

function selected() {
  const frameworks = process.env.TEST_SERVERS?.split(',') ?? Object.keys(EXAMPLES);
  return frameworks.flatMap((framework) => {
    if (!EXAMPLES[framework]) {
      throw new Error(`unknown server "${framework}" in TEST_SERVERS; known: ${Object.keys(EXAMPLES)}`);
    }
    return EXAMPLES[framework];
  });
}

/**
 * One `describe` a selected example whose name begins with `prefix`. `body` gets its name, a handle and whether it is the
 * first of them, whose looks are tested. The handle has `url`, `host` and `port` of the running example, `stop()` that asks
 * it to stop and checks how it does, and `kill()` and `restart()`, which starts it again on its port.
 */
export function describeExamples(prefix, body, options) {
  const names = selected().filter((name) => name.startsWith(prefix));
  for (const name of names) describeExample(name, (server) => body(name, server, name === names[0]), options);
}

/** A `describe` of one example, whose `body` gets the handle. `panics` says that it may panic; `env` is added to its environment. */
export function describeExample(name, body, { panics = false, env = {} } = {}) {
  describe(name, () => {
    const server = {};
    let child;
    const run = async (port) => {
      child = await start(name, port, env);
      Object.assign(server, child.address);
    };
    server.kill = () => child.end('SIGKILL');
    server.restart = () => run(server.port);
    server.stop = async (stopMs = STOP_MS) => {
      const start = performance.now();
      const { code, signal, stderr } = await child.end('SIGTERM');
      const took = performance.now() - start;
      assert.deepEqual({ code, signal }, { code: 0, signal: null }, `${name} ends well; its stderr ends:\n${stderr}`);
      assert.ok(took < stopMs, `${name} takes ${took.toFixed()} ms to stop`);
    };
    before(() => run(0));
    after(async () => {
      const { stderr } = await child.end('SIGKILL');
      assert.ok(panics || !stderr.includes('panicked at'), `${name} panicked:\n${stderr}`);
    });
    body(server);
  });
}

async function start(name, port, env) {
  const program = join(TARGET, 'debug', name);
  if (!existsSync(program)) throw new Error(`${program} is missing: run \`cargo build --bin ${name}\` first`);
  const child = spawn(program, { env: { ...process.env, ...env, PORT: String(port) }, stdio: ['ignore', 'pipe', 'pipe'] });
  const killOnExit = () => child.kill('SIGKILL');
  process.once('exit', killOnExit);

  let stdout = '';
  let stderr = '';
  child.stderr.on('data', (chunk) => (stderr = (stderr + chunk).slice(-20_000)));
  const exited = new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      process.removeListener('exit', killOnExit);
      resolve({ code, signal });
    });
  });
  const listening = new Promise((resolve, reject) => {
    child.once('error', reject);
    exited.then(({ code, signal }) => reject(new Error(`${name} ended with ${code ?? signal}:\n${stderr}`)));
    child.stdout.on('data', (chunk) => {
      stdout = (stdout + chunk).slice(-4_000);
      const found = /listening on (https?:\/\/127\.0\.0\.1:(\d+))\n/.exec(stdout);
      if (found) resolve({ url: found[1], host: '127.0.0.1', port: Number(found[2]) });
    });
  });

  const end = async (how) => {
    child.kill(how);
    return { ...(await within(exited, `${name} to end after ${how}`, 10_000)), stderr };
  };
  try {
    return { address: await within(listening, `${name} to listen`, START_MS), end };
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}
