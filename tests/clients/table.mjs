// A reporter that turns a run of the matrix into a Markdown table of clients and ways:
//
//   node --test --test-reporter=./table.mjs matrix.test.mjs
//
// ✓ is every check passed on every server that was tested, ✗ is not; footnotes name the checks, and what a client
// itself cannot do.
import { ABSENT, CELLS, cannot, cellTitle } from './matrix/cells.mjs';
import { titles } from './matrix/checks.js';

const COLUMNS = {
  polling: ['polling', 'xhr-polling'],
  JSONP: ['jsonp', 'jsonp-polling'],
  WebSocket: ['websocket'],
  upgrade: ['upgrade'],
  htmlfile: ['htmlfile'],
};

const HTMLFILE = 'in Chromium, with an ordinary hidden frame in place of the ActiveX object of Internet Explorer';

export default async function* table(events) {
  const { passed, failed } = await collect(events);
  const notes = new Notes();
  const outcome = (cell) => {
    const title = cellTitle(cell);
    if (failed.has(title)) return `✗ ${notes.refer([[...failed.get(title)].join('; ')])}`;
    if (!passed.has(title)) return '?';
    const reasons = [...titles(cell), ...titles(cell, { overTime: true })].map((check) => cannot(cell, check)?.reason);
    if (cell.way === 'htmlfile') reasons.push(HTMLFILE);
    return `✓ ${notes.refer(reasons.filter(Boolean))}`.trim();
  };

  const columns = Object.entries(COLUMNS);
  yield `| socket.io-client | ${columns.map(([name]) => name).join(' | ')} |\n`;
  yield `|${' --- |'.repeat(columns.length + 1)}\n`;
  for (const { client, where } of rows()) {
    const marks = columns.map(([, ways]) => {
      const here = (entry) => entry.client === client && entry.where === where;
      const cell = CELLS.find((cell) => here(cell) && ways.includes(cell.way));
      if (cell) return outcome(cell);
      const absent = ABSENT.find((entry) => here(entry) && (!entry.way || ways.includes(entry.way)));
      return absent ? `– ${notes.refer([absent.reason])}` : '';
    });
    yield `| ${client} (${where}) | ${marks.join(' | ')} |\n`;
  }
  yield `\n${notes.text()}`;
}

/** The titles of the cells that passed something, and what others failed on which server. */
async function collect(events) {
  const path = [];
  const [passed, failed] = [new Set(), new Map()];
  for await (const { type, data } of events) {
    if (type === 'test:start') path.splice(data.nesting, Infinity, data.name);
    if (!['test:pass', 'test:fail'].includes(type) || data.details.type === 'suite') continue;
    const title = path[data.nesting - 1];
    if (type === 'test:pass') passed.add(title);
    else failed.set(title, (failed.get(title) ?? new Set()).add(`${/\[(.*)\]/.exec(path[0])?.[1]}: ${data.name}`));
  }
  return { passed, failed };
}

/** Clients and where they run, oldest first. */
function rows() {
  const keys = [...ABSENT, ...CELLS].map(({ client, where }) => `${client} ${where}`);
  const number = ([client]) => client.split('.').reduce((sum, part) => sum * 1000 + Number(part), 0);
  return [...new Set(keys)]
    .map((key) => key.split(' '))
    .sort((a, b) => number(a) - number(b) || (a[1] < b[1] ? 1 : -1))
    .map(([client, where]) => ({ client, where }));
}

class Notes {
  #texts = [];

  /** The marks of footnotes, the same for the same text. */
  refer(texts) {
    this.#texts = [...new Set([...this.#texts, ...texts])];
    const indices = new Set(texts.map((text) => this.#texts.indexOf(text)));
    return [...indices].sort((a, b) => a - b).map(mark).join(' ');
  }

  text() {
    return this.#texts.map((text, index) => `${mark(index)} ${text}.\n`).join('');
  }
}

const mark = (index) => String(index + 1).replace(/\d/g, (digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[digit]);
