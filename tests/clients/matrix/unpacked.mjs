// Client releases that npm can deliver but not install: 1.0 depends on archives that are on no registry. Only the
// bundle for browsers is needed, so its package is fetched once and unpacked.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const INTEGRITY = {
  '1.0.6': 'sha512-itdtz6fQBTFIDBP4+hJox0OlT+SbCVdENjPgjMup3ehu7OsiG6t0FYBXCx+k/upt9lbeyp9BmUNNi5EfnGa5Vw==',
};

const CACHE = fileURLToPath(new URL('../node_modules/.cache/socket.io-client/', import.meta.url));

/** The folder of the package's files. */
export function unpacked(version) {
  const folder = `${CACHE}${version}`;
  if (existsSync(folder)) return folder;
  mkdirSync(CACHE, { recursive: true });
  const work = mkdtempSync(`${CACHE}fetch-`);
  try {
    unpack(version, work);
    renameSync(`${work}/package`, folder); // whole or not at all
  } finally {
    rmSync(work, { recursive: true });
  }
  return folder;
}

function unpack(version, work) {
  const name = `socket.io-client@${version}`;
  const file = `${work}/socket.io-client-${version}.tgz`;
  execFileSync('npm', ['pack', '--silent', name], { cwd: work, stdio: ['ignore', 'ignore', 'inherit'] });
  const integrity = `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`;
  if (integrity !== INTEGRITY[version]) throw new Error(`${name} is ${integrity}, not ${INTEGRITY[version]}`);
  execFileSync('tar', ['-xzf', file, '-C', work]);
}
