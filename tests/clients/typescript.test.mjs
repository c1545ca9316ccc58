// What TypeScript makes of the file that is generated from the handlers: the example's page compiles, one with a mistake
// does not, and the page does in Chromium what it should.
//
// `cargo test` keeps both generated files up to date: the example's, and core/testdata/typescript/events.d.ts, which has
// an event of every kind. Run: node --test typescript.test.mjs. Screenshots: tests/artifacts/typescript*.png.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { describeExample } from './example.mjs';
import { eventually, launchBrowser, openPage, pictures } from './page.mjs';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const EXAMPLE = path('../../examples/typescript');
const GENERATED = path('../../core/testdata/typescript/events.d.ts');
const USES = path('typescript/uses.ts');
const TSC = path('node_modules/typescript/bin/tsc');
const CLIENT = path('node_modules/socket.io-client-4.8/build/esm/index.d.ts');

/** Runs the compiler -> its complaints, `{ file, line, code, text }` each. */
function tsc(...args) {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [TSC, '--pretty', 'false', ...args], (error, stdout, stderr) => {
      if (error && error.code !== 1 && error.code !== 2) return reject(new Error(`${error}\n${stdout}${stderr}`));
      const lines = stdout.split('\n').filter((line) => /^\S.*error TS/.test(line));
      const complaints = lines.map((line) => {
        const [, file, number, code, text] = /^(?:(.*)\((\d+),\d+\): )?error (TS\d+): (.*)$/.exec(line);
        return { file: file?.split('/').at(-1), line: Number(number), code, text };
      });
      assert.equal(error === null, complaints.length === 0, `${stdout}${stderr}`);
      resolve(complaints);
    });
  });
}

/** A project of the example's settings in a folder of its own, which is gone when the test ends. */
async function project(t) {
  const folder = await mkdtemp(join(tmpdir(), 'typescript-'));
  t.after(() => rm(folder, { recursive: true }));
  const { compilerOptions } = JSON.parse(await readFile(join(EXAMPLE, 'tsconfig.json'), 'utf8'));
  compilerOptions.paths = { 'socket.io-client': [CLIENT] };
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
  return folder;
}

test("the example's page compiles to what it serves", async (t) => {
  const folder = await project(t);
  for (const file of ['page.ts', 'events.d.ts']) await cp(join(EXAMPLE, 'public', file), join(folder, file));
  assert.deepEqual(await tsc('-p', folder), []);
  const [made, served] = await Promise.all([folder, join(EXAMPLE, 'public')].map((of) => readFile(join(of, 'page.js'), 'utf8')));
  assert.equal(served, made, 'run `npx -p typescript tsc -p examples/typescript`');
});

test('the way to compile it that it tells is one', async () => {
  assert.deepEqual(await tsc('-p', EXAMPLE, '--noEmit'), []);
});

/** What is written instead of what, and what the compiler says of it. */
const MISTAKES = {
  'an event that nobody handles': ["socket.emit('setDone', item.id", "socket.emit('set_done', item.id", 'TS2345', /"set_done"/],
  'an event that nobody emits': ["socket.on('added'", "socket.on('adden'", 'TS2345', /"adden"/],
  'an argument of another type': ['item.id, box.checked', 'String(item.id), box.checked', 'TS2345', /'string'.*'number'/],
  'a missing argument': ['item.id, box.checked', 'item.id', 'TS2554', /Expected 3 arguments, but got 2/],
  'an argument too many': ["emitWithAck('clearDone')", "emitWithAck('clearDone', 1)", 'TS2554', /Expected 1 arguments, but got 2/],
  'a value that the enum does not have': ['chosen ?? null', "chosen ?? 'urgent'", 'TS2345', /"urgent"/],
  'an answer taken for one without looking whether it is an error': [
    "const answer = await asked(socket.emitWithAck('add', text.value, chosen ?? null));",
    "const answer: Item = await socket.emitWithAck('add', text.value, chosen ?? null);",
    'TS2322',
    /ErrorAck/,
  ],
  'a field that the answer does not have': ["text.value = '';", 'text.value = answer.title;', 'TS2339', /'title'/],
  'a field that the event does not have': ['({ visitor, on })', '({ visitor, isOn: on })', 'TS2339', /'isOn'/],
  'an answer of an event that has none': ["socket.emit('writing', false)", "socket.emitWithAck('writing', false)", 'TS2554', /Expected 1 arguments, but got 2/],
};

test('a page with a mistake does not compile, and the mistake is named where it is', async (t) => {
  const folder = await project(t);
  await cp(join(EXAMPLE, 'public/events.d.ts'), join(folder, 'events.d.ts'));
  const page = await readFile(join(EXAMPLE, 'public/page.ts'), 'utf8');
  const lines = {};
  for (const [index, [right, wrong]] of Object.values(MISTAKES).entries()) {
    const at = page.indexOf(right);
    assert.ok(at >= 0, `the page has ${right}`);
    lines[index] = page.slice(0, at).split('\n').length;
    await writeFile(join(folder, `page${index}.ts`), page.replace(right, wrong));
  }
  const complaints = await tsc('-p', folder, '--noEmit');
  for (const [index, [what, [, , code, text]]] of Object.entries(MISTAKES).entries()) {
    await t.test(what, () => {
      const [first] = complaints.filter(({ file }) => file === `page${index}.ts`);
      assert.ok(first, 'it is seen');
      assert.deepEqual({ code: first.code, line: first.line }, { code, line: lines[index] }, first.text);
      assert.match(first.text, text);
    });
  }
});

test('every kind of event can be used as it is meant, and no other way', async (t) => {
  const folder = await project(t);
  await cp(GENERATED, join(folder, 'events.d.ts'));
  await cp(USES, join(folder, 'uses.ts'));
  assert.deepEqual(await tsc('-p', folder, '--noEmit'), []);
});

let browser;

before(async () => {
  browser = await launchBrowser();
});

after(() => browser?.close());

describeExample('typescript', (server) => {
  const open = (t) => openPage(t, browser, server.url, { viewport: { width: 900, height: 640 } });
  const add = async (page, what, urgency) => {
    await page.getByLabel('What is to be done').fill(what);
    await page.getByLabel('How soon').selectOption(urgency);
    await page.getByRole('button', { name: 'Add' }).click();
    await eventually(() => page.getByLabel('What is to be done').inputValue(), '');
  };
  const items = (page) => page.locator('#list li').allInnerTexts().then((all) => all.map((text) => text.replace(/\s+/g, ' ').trim()));

  test('what one page adds, ticks off and clears, the other shows', async (t) => {
    const [one, other] = [await open(t), await open(t)];
    for (const page of [one, other]) await page.locator('#state', { hasText: 'connected' }).waitFor();
    await one.getByLabel('What is to be done').fill('Water the plants');
    await other.locator('#writers', { hasText: 'Somebody else is writing' }).waitFor();
    await one.getByRole('button', { name: 'Add' }).click();
    await eventually(() => items(other), ['Water the plants Soon']);
    await eventually(() => other.locator('#writers').textContent(), '');
    await add(one, 'Answer the letter', 'Today');
    await add(one, '<b>Learn to juggle</b>', 'Some day');
    const all = ['Water the plants Soon', 'Answer the letter Today', '<b>Learn to juggle</b> Some day'];
    for (const page of [one, other]) await eventually(() => items(page), all);

    await other.getByLabel('Water the plants').check();
    await one.locator('#clear', { hasText: 'Clear 1 done' }).waitFor();
    await pictures(one, 'typescript');
    await one.locator('#clear').click();
    for (const page of [one, other]) await eventually(() => items(page), all.slice(1));
    for (const page of [one, other]) assert.deepEqual(page.problems, []);
  });

  test('an answer that is an error is shown', async (t) => {
    const page = await open(t);
    await page.locator('#state', { hasText: 'connected' }).waitFor();
    await page.getByLabel('What is to be done').fill('   ');
    await page.getByRole('button', { name: 'Add' }).click();
    await page.locator('#error', { hasText: 'Write 1 to 80 characters.' }).waitFor();
    assert.deepEqual(page.problems, []);
  });

  test('asked to stop, it does', () => server.stop());
});
