// Checks of the matrix as tests, each told apart by what its client cannot do.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { cannot } from './cells.mjs';

const LIMIT_MS = 120_000;

/** A test for each of the titles; `check` runs one with the client of `cell`. */
export function eachCheck(cell, titles, check) {
  for (const title of titles) {
    const excuse = cannot(cell, title);
    const options = { timeout: LIMIT_MS, skip: excuse?.untried && excuse.reason };
    if (!excuse || excuse.untried) it(title, options, () => check(title));
    else it(`${title}: it cannot, ${excuse.reason}`, options, () => assert.rejects(check(title)));
  }
}
