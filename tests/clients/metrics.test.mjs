// The example of metrics: what is at /metrics after known traffic of released clients, each number of it; and the
// dashboard, which has a panel for each metric and no other.
//
// Run: node --test metrics.test.mjs.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { describeExample } from './example.mjs';
import { bundles, load } from './matrix/cells.mjs';
import { begin, until } from './matrix/peers.js';
import { eventually, launchBrowser, openPage } from './page.mjs';
import { request } from './wire.mjs';

const TEXT = 'ü'.repeat(50);
const BYTES = { asked: 2 * 50, told: 2 * 50, toldAscii: '\\u00fc'.length * 50 };

/** The messages of each generation, without the text. */
const ENGINE_4 = {
  generation: 'Engine.IO 4',
  asked: '20["echo",""]',
  told: '30[""]',
  greets: '0',
  greeted: `0{"sid":"${'x'.repeat(20)}"}`,
};
const ENGINE_3 = { ...ENGINE_4, generation: 'Engine.IO 3', greets: '', greeted: '0' };
const FIRST = {
  generation: 'Socket.IO 0.9',
  asked: '5:1+::{"name":"echo","args":[""]}',
  told: '6:::1+[""]',
  greets: '',
  greeted: '',
};

const CELLS = [
  { client: '0.9.17', protocol: 1, way: 'xhr-polling', wire: FIRST, ends: 'xhr-polling' },
  { client: '0.9.17', protocol: 1, way: 'websocket', wire: FIRST, ends: 'websocket' },
  { client: '2.5.0', protocol: 3, way: 'polling', wire: ENGINE_3, ends: 'polling', isToldAscii: true },
  { client: '2.5.0', protocol: 3, way: 'websocket', wire: ENGINE_3, ends: 'websocket' },
  { client: '2.5.0', protocol: 3, way: 'upgrade', wire: ENGINE_3, ends: 'websocket', isToldAscii: true },
  { client: '4.8.4', protocol: 4, way: 'polling', wire: ENGINE_4, ends: 'polling' },
  { client: '4.8.4', protocol: 4, way: 'websocket', wire: ENGINE_4, ends: 'websocket' },
  { client: '4.8.4', protocol: 4, way: 'upgrade', wire: ENGINE_4, ends: 'websocket' },
];

/** All series at /metrics, without those of histograms' times: a map. */
async function scrape(server) {
  const { status, headers, text } = await request(server, '/metrics');
  assert.equal(status, 200);
  assert.match(headers['content-type'], /^text\/plain; version=0\.0\.4/);
  const lines = text.split('\n').filter((line) => line && !line.startsWith('#'));
  const series = lines.map((line) => /^(.+) (\S+)$/.exec(line).slice(1));
  return new Map(series.filter(([name]) => !/_(sum|bucket)\{/.test(name)).map(([name, value]) => [name, Number(value)]));
}

/** What is another number than before, and by how much. */
function difference(before, now) {
  const changes = [...now].map(([name, value]) => [name, value - (before.get(name) ?? 0)]);
  return Object.fromEntries(changes.filter(([, change]) => change !== 0).sort());
}

/** 0.9 in Node calls itself the page of an origin that is none. */
const inNode = ({ protocol, way }) => protocol > 1 || way !== 'websocket';

const sorted = (series) => Object.fromEntries(Object.entries(series).filter(([, change]) => change !== 0).sort());

/** Waits until the difference is that, all of it. */
async function counted(server, before, expected) {
  let found;
  const deadline = performance.now() + 10_000;
  do found = difference(before, await scrape(server));
  while (JSON.stringify(found) !== JSON.stringify(sorted(expected)) && performance.now() < deadline);
  assert.deepEqual(found, sorted(expected));
}

const length = (text) => Buffer.byteLength(text);

let browser;

before(async () => {
  browser = await launchBrowser();
});

after(() => browser?.close());

describeExample('metrics', (server) => {
  /** A client in a page of the server that has no other. */
  async function inPage(t, { client, way }) {
    const page = await openPage(t, browser, `${server.url}/metrics`);
    await page.addScriptTag({ path: bundles()[client] });
    await page.evaluate(async (way) => {
      globalThis.socket = io.connect(location.origin, { transports: [way] });
      await new Promise((resolve) => socket.on('connect', resolve));
    }, way);
    return {
      call: (...args) => page.evaluate((args) => new Promise((done) => socket.emit(...args, (...got) => done(got))), args),
      disconnect: () => page.evaluate(() => socket.disconnect()),
      end() {},
    };
  }

  const connections = async () => {
    const clients = [...(await scrape(server))].filter(([name]) => name.startsWith('socketio_connections{'));
    return clients.reduce((sum, [, value]) => sum + value, 0);
  };

  for (const { wire, ends, isToldAscii, ...cell } of CELLS) {
    test(`a client ${cell.client} by ${cell.way} counts where it is, and with every message`, async (t) => {
      await eventually(connections, 0);
      const empty = await scrape(server);
      const peer = inNode(cell) ? begin(load(cell.client), cell, server.url) : await inPage(t, cell);
      t.after(() => peer.end());
      await peer.connected;
      if (cell.way === 'upgrade') await until(() => peer.transport === 'websocket', 'the upgrade');
      const labels = (transport) => `{generation="${wire.generation}",transport="${transport}"}`;
      // A client before 1.0 has no transport yet when it shakes hands.
      const begins = cell.protocol === 1 ? 'xhr-polling' : cell.way === 'upgrade' ? 'polling' : ends;
      const came = {
        [`socketio_handshakes_total${labels(begins)}`]: 1,
        [`socketio_connections${labels(ends)}`]: 1,
        [`socketio_upgrades_total${labels('websocket')}`]: cell.way === 'upgrade' ? 1 : 0,
        'socketio_connects_total{namespace="/"}': 1,
        'socketio_sockets{namespace="/"}': 1,
        [`socketio_messages_received_total${labels(begins)}`]: wire.greets ? 1 : 0,
        [`socketio_bytes_received_total${labels(begins)}`]: length(wire.greets),
        [`socketio_messages_sent_total${labels(begins)}`]: wire.greeted ? 1 : 0,
        [`socketio_bytes_sent_total${labels(begins)}`]: length(wire.greeted),
      };
      await counted(server, empty, came);

      const joined = await scrape(server);
      assert.deepEqual(await peer.call('echo', TEXT), [TEXT]);
      const traffic = {
        [`socketio_messages_received_total${labels(ends)}`]: 1,
        [`socketio_bytes_received_total${labels(ends)}`]: length(wire.asked) + BYTES.asked,
        [`socketio_messages_sent_total${labels(ends)}`]: 1,
        [`socketio_bytes_sent_total${labels(ends)}`]: length(wire.told) + (isToldAscii ? BYTES.toldAscii : BYTES.told),
        'socketio_events_received_total{namespace="/"}': 1,
        'socketio_handler_seconds_count{namespace="/",event="echo"}': 1,
      };
      await counted(server, joined, traffic);

      const before = await scrape(server);
      peer.disconnect();
      await eventually(connections, 0);
      const went = difference(before, await scrape(server));
      assert.equal(went['socketio_sockets{namespace="/"}'], -1);
      assert.equal(went[`socketio_connections${labels(ends)}`], -1);
      const sum = (name) => {
        const named = Object.entries(went).filter(([series]) => series.startsWith(name));
        return named.reduce((sum, [, change]) => sum + change, 0);
      };
      assert.equal(sum('socketio_disconnects_total'), 1);
      assert.equal(sum('socketio_connections_closed_total'), 1);
      await eventually(async () => {
        const count = 'socketio_handler_seconds_count{namespace="/",event="disconnect"}';
        return difference(before, await scrape(server))[count];
      }, 1);
    });
  }

  /** A client that counts no more once it is `in`. */
  async function member(t) {
    const cell = { client: '4.8.4', protocol: 4, way: 'websocket' };
    const peer = begin(load(cell.client), cell, server.url);
    t.after(() => peer.end());
    await peer.connected;
    return peer;
  }

  const WEBSOCKET = '{generation="Engine.IO 4",transport="websocket"}';

  /** Without what is counted for every message. */
  function apart(series) {
    const own = Object.entries(series).filter(([name]) => !/^socketio_(messages|bytes)_/.test(name));
    return Object.fromEntries(own);
  }

  test('a broadcast counts for all who get it, a room while somebody is in it', async (t) => {
    await eventually(connections, 0);
    const [speaker, ...others] = await Promise.all([member(t), member(t), member(t)]);
    const before = await scrape(server);
    for (const other of others) await other.call('join', 'lobby');
    const heard = others.map((other) => other.heard('said'));
    await speaker.call('say', 'lobby', TEXT);
    await Promise.all(heard);
    const changes = difference(before, await scrape(server));
    assert.deepEqual(apart(changes), {
      'socketio_events_received_total{namespace="/"}': 3,
      'socketio_events_sent_total{namespace="/"}': 2,
      'socketio_handler_seconds_count{namespace="/",event="join"}': 2,
      'socketio_handler_seconds_count{namespace="/",event="say"}': 1,
      'socketio_rooms{namespace="/"}': 1,
    });
    assert.equal(changes[`socketio_messages_sent_total${WEBSOCKET}`], 5);
    for (const other of others) other.disconnect();
    await eventually(async () => difference(before, await scrape(server))['socketio_rooms{namespace="/"}'], undefined);
  });

  test('handlers count while they run, events while they wait, failures by their kind', async (t) => {
    await eventually(connections, 0);
    const peer = await member(t);
    const before = await scrape(server);
    const series = [...before.keys()];
    peer.emit('fail');
    peer.emit('nobody handles this', 1);
    assert.match((await peer.call('wait', 'long'))[0].error.message, /^invalid arguments/);
    const waited = peer.call('wait', 1);
    const running = 'socketio_handlers_running{namespace="/",event="wait"}';
    await eventually(async () => (await scrape(server)).get(running), 1);
    await waited;
    assert.deepEqual(apart(difference(before, await scrape(server))), {
      'socketio_events_received_total{namespace="/"}': 4,
      'socketio_failures_total{namespace="/",kind="handler_error"}': 1,
      'socketio_failures_total{namespace="/",kind="invalid_method_args"}': 1,
      'socketio_failures_total{namespace="/",kind="no_such_method"}': 1,
      'socketio_handler_seconds_count{namespace="/",event="fail"}': 1,
      'socketio_handler_seconds_count{namespace="/",event="wait"}': 1,
    });
    const { text } = await request(server, '/metrics');
    const bucket = (le) => new RegExp(`seconds_bucket\\{namespace="/",event="wait",le="${le}"\\} (\\d+)`).exec(text)[1];
    assert.deepEqual([bucket('0.25'), bucket('5'), bucket('\\+Inf')], ['0', '1', '1'], 'a second and a bit');
    const fresh = [...(await scrape(server)).keys()].filter((name) => !series.includes(name));
    assert.ok(fresh.every((name) => /event="(wait|fail)"/.test(name)), `no client makes a label: ${fresh}`);

    // 1,024 of a client's handlers may be in progress.
    for (let count = 0; count < 1_030; count++) peer.emit('wait', 1.5);
    const waiting = async () => (await scrape(server)).get('socketio_events_waiting{namespace="/"}');
    await eventually(waiting, 6);
    await eventually(waiting, 0);
    await eventually(async () => (await scrape(server)).get(running), 0);
  });

  test('refusals, failed upgrades and unread volatile events count', async (t) => {
    await eventually(connections, 0);
    const before = await scrape(server);
    await request(server, '/socket.io/?EIO=4&transport=pigeon');
    await request(server, '/socket.io/?EIO=4&transport=polling&sid=nobody');
    await request(server, '/socket.io/?EIO=4&transport=polling', { method: 'POST' });
    await request(server, '/socket.io/?EIO=4&transport=polling', { headers: { origin: 'http://elsewhere' } });
    assert.deepEqual(difference(before, await scrape(server)), {
      'socketio_refusals_total{reason="bad_handshake_method"}': 1,
      'socketio_refusals_total{reason="forbidden"}': 1,
      'socketio_refusals_total{reason="session_unknown"}': 1,
      'socketio_refusals_total{reason="transport_unknown"}': 1,
    });

    // A client that polls never, and whose WebSocket does not probe.
    const { text } = await request(server, '/socket.io/?EIO=4&transport=polling');
    const { sid } = JSON.parse(text.slice(1));
    const session = `/socket.io/?EIO=4&transport=polling&sid=${sid}`;
    assert.equal((await request(server, session, { method: 'POST', body: '40' })).text, 'ok');
    const probe = new WebSocket(`${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket&sid=${sid}`);
    await new Promise((resolve) => probe.addEventListener('open', resolve));
    probe.send('4no probe');
    const counter = (name, labels = '') => async () =>
      difference(before, await scrape(server))[`socketio_${name}_total${labels}`];
    await eventually(counter('upgrade_failures'), 1);

    const speaker = await member(t);
    const polling = '{generation="Engine.IO 4",transport="polling"}';
    speaker.emit('point', 1, 2);
    await eventually(counter('volatile_dropped', polling), 1);
    await speaker.call('echo');
    await request(server, session, { method: 'POST', body: '42["join","lobby"]' });
    // Its outbox holds 1,000,000 bytes.
    for (let count = 0; count < 4; count++) await speaker.call('say', 'lobby', 'x'.repeat(600_000));
    await eventually(counter('slow_readers', polling), 1);
    await eventually(counter('connections_closed', '{reason="transport error"}'), 1);
    await eventually(counter('disconnects', '{namespace="/",reason="transport error"}'), 1);
  });

  test('the dashboard shows every metric that is exported, and asks for no other', async (t) => {
    const peer = await member(t);
    await peer.call('echo');
    const { text } = await request(server, '/metrics');
    const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)];
    const exported = types.map(([, name]) => name);
    assert.equal(exported.length, 22);
    for (const name of exported) assert.match(text, new RegExp(`^# HELP ${name} \\S`, 'm'));

    const dashboard = JSON.parse(readFileSync(new URL('../../examples/metrics/grafana.json', import.meta.url)));
    const queries = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
    const asked = queries.flatMap((query) => query.match(/\bsocketio_\w+/g));
    const histograms = types.filter(([, , kind]) => kind === 'histogram').map(([, name]) => name);
    const series = exported.flatMap((name) => (histograms.includes(name) ? [`${name}_bucket`, `${name}_count`] : name));
    assert.deepEqual([...new Set(asked)].sort(), series.sort());

    for (const query of queries) {
      const [, name] = /\b(socketio_\w+)/.exec(query);
      const [, first = ''] = new RegExp(`^${name}(?:\\{(.*)\\})? `, 'm').exec(text);
      const labels = new Set([...first.matchAll(/(\w+)="/g)].map(([, label]) => label));
      const wanted = [...query.matchAll(/ by \(([^)]*)\)/g)].flatMap(([, names]) => names.split(', '));
      for (const label of wanted) assert.ok(labels.has(label), `${name} has no label ${label}: ${query}`);
    }
    const ids = dashboard.panels.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length);
  });

  test('the page counts what its buttons do', async (t) => {
    const page = await openPage(t, browser, server.url);
    await eventually(() => page.locator('#state').textContent(), 'connected');
    await page.getByRole('button', { name: 'Join the lobby' }).click();
    const shown = () => page.locator('#metrics').textContent();
    await eventually(async () => (await shown()).includes('socketio_rooms{namespace="/"} 1'), true);
    assert.deepEqual(page.problems, []);
  });

  test('asked to stop, it does so at once', async (t) => {
    await member(t);
    await server.stop();
  });
});
