import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { Lasting } from '../src/collector.ts';
import { Failure } from '../src/errors.ts';
import { type RecordedTarget, readSession, recordedTarget } from './support/recorded-target.ts';

const DB = '/var/run/openvswitch/db.sock';
const CTL = '/var/run/openvswitch/ovs-vswitchd.1234.ctl';
const never = new AbortController().signal;

const folders = new Set<string>();
const targets = new Set<RecordedTarget>();
afterEach(async () => {
  for (const target of targets) await target.close();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  targets.clear();
  folders.clear();
});

function record(session: unknown, files: Readonly<Record<string, string | Buffer>> = {}): RecordedTarget {
  const folder = mkdtempSync(join(tmpdir(), 'edgestatd-recording-'));
  folders.add(folder);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  writeFileSync(join(folder, 'session.yaml'), stringify({ options: {}, ...(session as object) }));
  const target = recordedTarget('hv01', readSession(folder));
  targets.add(target);
  return target;
}

/** The next thing that a connection says, as text; what is said before this is called is not lost. */
function ear(connection: Duplex): () => Promise<string> {
  const heard: string[] = [];
  connection.setEncoding('utf8').on('data', (chunk: string) => heard.push(chunk));
  return async () => {
    while (heard.length === 0) await once(connection, 'data');
    return heard.shift() ?? '';
  };
}

/** Resolves when a connection is closed, however. */
const end = (connection: Duplex): Promise<void> =>
  new Promise((resolve) => connection.resume().once('close', () => resolve()));

describe('a recorded socket', () => {
  it('answers a request by its method, and by its params where they are recorded', async () => {
    const select = ['Open_vSwitch', { op: 'select', table: 'Queue', where: [] }];
    const target = record(
      {
        sockets: {
          [DB]: [
            { method: 'get_schema', file: 'schema.json' },
            { method: 'transact', params: select, file: 'queues.json' },
            { method: 'transact', file: 'other.json' },
          ],
          [CTL]: [
            { method: 'coverage/show', file: 'coverage.txt' },
            { method: 'bond/show', error: '"bond/show" is not a valid command' },
          ],
        },
      },
      {
        'schema.json': '{"name":"Open_vSwitch"}\n',
        'queues.json': '[{"rows":[]}]',
        'other.json': '[9007199254740993]',
        'coverage.txt': 'line "one"\nline two\n',
      },
    );
    const host = target.open(never);
    const db = await host.connect(DB);
    const next = ear(db);
    db.write('{"id":1,"method":"get_schema","params":["Open_vSwitch"]}');
    expect(await next()).toBe('{"id":1,"result":{"name":"Open_vSwitch"},"error":null}');
    // The order of an object's keys says nothing.
    const reordered =
      '{"id":"b","method":"transact","params":["Open_vSwitch",{"where":[],"table":"Queue","op":"select"}]}';
    db.write(reordered);
    expect(await next()).toBe('{"id":"b","result":[{"rows":[]}],"error":null}');
    db.write('{"id":3,"method":"transact","params":["Open_vSwitch"]}');
    expect(await next()).toBe('{"id":3,"result":[9007199254740993],"error":null}');
    const ctl = await host.connect(CTL);
    const say = ear(ctl);
    ctl.write('{"id":0,"method":"coverage/show","params":[]}');
    expect(JSON.parse(await say())).toEqual({ id: 0, result: 'line "one"\nline two\n', error: null });
    ctl.write('{"id":1,"method":"bond/show","params":[]}');
    expect(JSON.parse(await say())).toEqual({ id: 1, error: '"bond/show" is not a valid command' });
    expect(target.unasked()).toEqual([]);
  });

  it('takes requests in pieces, several at once and with braces in texts; answers echo, ignores what asks nothing', async () => {
    const target = record({ sockets: { [DB]: [] } });
    const db = await target.open(never).connect(DB);
    const next = ear(db);
    const tricky = { id: 2, method: 'echo', params: ['}{"\\', 'ü'] };
    const text = `{"id":null,"method":"echo","params":[]} {"id":5,"result":[],"error":null}\n${JSON.stringify(tricky)}`;
    for (const byte of Buffer.from(text)) db.write(Buffer.of(byte));
    expect(JSON.parse(await next())).toEqual({ id: 2, result: ['}{"\\', 'ü'], error: null });
    db.write('{"id":3,"method":"echo","params":[]}{"id":4,"method":"echo","params":[]}');
    expect(await next()).toBe('{"id":3,"result":[],"error":null}');
    expect(await next()).toBe('{"id":4,"result":[],"error":null}');
  });

  it('answers an error to what was not recorded, and says what it was', async () => {
    const target = record({ sockets: { [DB]: [{ method: 'list_dbs', params: ['x'], error: {} }] } });
    const db = await target.open(never).connect(DB);
    const next = ear(db);
    db.write('{"id":1,"method":"list_dbs","params":[]}');
    expect(JSON.parse(await next())).toEqual({ id: 1, error: 'list_dbs [] is not in the recording' });
    expect(target.unasked()).toEqual([`run 1: socket ${DB}: list_dbs ["x"]`]);
  });

  it('hangs up on what is no JSON', async () => {
    const target = record({ sockets: { [DB]: [] } });
    const db = await target.open(never).connect(DB);
    const closed = end(db);
    db.write('{"id":}');
    await closed;
  });

  it('refuses connections as it was recorded, and does not exist where it was not', async () => {
    const target = record({ sockets: { [CTL]: { failure: { code: 'E_DENIED', message: 'may not be used' } } } });
    const host = target.open(never);
    expect(target.unasked()).toEqual([`run 1: socket ${CTL}`]);
    await expect(host.connect(CTL)).rejects.toMatchObject({
      code: 'E_DENIED',
      message: 'may not be used',
      evidence: { path: CTL },
    });
    await expect(host.connect(DB)).rejects.toMatchObject({ code: 'E_NOT_FOUND', evidence: { path: DB } });
    expect(target.unasked()).toEqual([]);
  });

  it('dies with the run, and when the other side ends', async () => {
    const target = record({ sockets: { [DB]: [] } });
    const run = new AbortController();
    const host = target.open(run.signal);
    const [first, second] = [await host.connect(DB), await host.connect(DB)];
    const ended = end(first);
    first.end();
    await ended;
    const closed = end(second);
    const reason = new Failure('E_TIMEOUT', 'the deadline passed');
    run.abort(reason);
    await closed;
    expect(second.errored).toBe(reason);
    await expect(host.connect(DB)).rejects.toBe(reason);
  });
});

describe('a connection that outlives a run', () => {
  const keep = (target: RecordedTarget): Lasting => {
    let lasting: Lasting | undefined;
    target.open(never).keep('lasting', (given) => {
      lasting = given;
      return { close() {} };
    });
    if (lasting === undefined) throw new Error('keep() made nothing');
    return lasting;
  };

  it('answers from the reading of the moment, and gets what that reading pushes', async () => {
    const target = record(
      {
        readings: [
          { sockets: { [DB]: [{ method: 'monitor', file: 'monitor.json' }] } },
          {
            sockets: {
              [DB]: [
                { notification: 'update', file: 'update.json' },
                { notification: 'update2', file: 'update.json' },
                { method: 'monitor', file: 'again.json' },
              ],
            },
          },
        ],
      },
      { 'monitor.json': '{"first":1}', 'again.json': '{"second":2}', 'update.json': '[null,{}]' },
    );
    const db = await keep(target).connect(DB, never);
    const next = ear(db);
    const heardAtOnce: string[] = [];
    const ask = '{"id":1,"method":"monitor","params":[]}';
    db.write(ask);
    expect(await next()).toBe('{"id":1,"result":{"first":1},"error":null}');
    db.on('data', (chunk: string) => heardAtOnce.push(chunk));
    expect(target.unasked()).toHaveLength(4);
    target.open(never);
    // Before the run does anything: a collector finds its replica as that reading has it.
    const pushed = '{"id":null,"method":"update","params":[null,{}]}{"id":null,"method":"update2","params":[null,{}]}';
    expect(heardAtOnce).toEqual([pushed]);
    expect(await next()).toBe(pushed);
    db.write(ask);
    expect(await next()).toBe('{"id":1,"result":{"second":2},"error":null}');
    expect(target.unasked()).toEqual([]);
    // The last reading is repeated, and with it what it pushes.
    target.open(never);
    expect(await next()).toBe(pushed);
  });

  it('breaks when the socket is not up in the next reading, and can be made again in a later one', async () => {
    const up = { sockets: { [DB]: [] } };
    const down = { sockets: { [DB]: { failure: { code: 'E_CONNECT', message: 'nothing listens' } } } };
    const target = record({ readings: [up, down, up, {}] });
    const lasting = keep(target);
    const before = await lasting.connect(DB, never);
    const broken = end(before);
    target.open(never);
    await broken;
    await expect(lasting.connect(DB, never)).rejects.toMatchObject({ code: 'E_CONNECT' });
    target.open(never);
    const after = await lasting.connect(DB, never);
    const gone = end(after);
    target.open(never);
    await gone;
    await expect(lasting.connect(DB, never)).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
    expect(target.unasked()).toEqual([]);
  });

  it('ends with its signal, and with the target', async () => {
    const target = record({ sockets: { [DB]: [] } });
    const lasting = keep(target);
    const until = new AbortController();
    const one = await lasting.connect(DB, until.signal);
    const other = await lasting.connect(DB, never);
    const oneEnded = end(one);
    until.abort(new Failure('E_ABORTED', 'over'));
    await oneEnded;
    expect(other.destroyed).toBe(false);
    const otherEnded = end(other);
    await target.close();
    await otherEnded;
  });
});

describe('a recorded netlink dump', () => {
  it('answers by type, and by body where one is recorded', async () => {
    const target = record(
      {
        netlink: [
          { type: 42, file: 'class.bin' },
          { type: 42, body: '0000000001', file: 'one.bin' },
          { type: 38, failure: { code: 'E_DENIED', message: 'not you' } },
          { type: 18, file: 'class.bin' },
        ],
      },
      { 'class.bin': Buffer.of(0, 255, 128), 'one.bin': Buffer.of(1) },
    );
    const host = target.open(never);
    const dump = async (type: number, ...body: number[]) =>
      (await host.netlink({ type, body: Uint8Array.from(body) })).map((buffer) => [...buffer]);
    expect(await dump(42, 7, 7)).toEqual([[0, 255, 128]]);
    expect(await dump(42, 0, 0, 0, 0, 1)).toEqual([[1]]);
    await expect(dump(38)).rejects.toMatchObject({ code: 'E_DENIED', message: 'not you' });
    await expect(dump(16)).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
    expect(target.unasked()).toEqual(['run 1: netlink 18']);
  });
});

describe('session.yaml', () => {
  it('lists the files of sockets and netlink among its own', () => {
    const folder = mkdtempSync(join(tmpdir(), 'edgestatd-recording-'));
    folders.add(folder);
    const session = {
      options: {},
      sockets: {
        [DB]: [
          { method: 'a', file: 'a.json' },
          { method: 'b', error: 'x' },
          { notification: 'c', file: 'c.json' },
        ],
      },
      netlink: [{ type: 42, file: 'class.bin' }],
    };
    writeFileSync(join(folder, 'session.yaml'), stringify(session));
    const names = ['a.json', 'c.json', 'class.bin'];
    expect(readSession(folder).references).toEqual(names.map((name) => join(folder, name)));
  });

  it.each([
    [
      'a question that is answered twice',
      {
        sockets: {
          [DB]: [
            { method: 'a', file: 'x' },
            { method: 'a', file: 'y' },
          ],
        },
      },
    ],
    ['an exchange without an answer', { sockets: { [DB]: [{ method: 'a' }] } }],
    ['an unknown code', { sockets: { [DB]: { failure: { code: 'E_ODD', message: 'm' } } } }],
    ['a relative socket', { sockets: { 'db.sock': [] } }],
    ['a body that YAML took for a number', { netlink: [{ type: 42, body: 0, file: 'x' }] }],
    ['half a byte', { netlink: [{ type: 42, body: '0', file: 'x' }] }],
  ])('refuses %s', (_, session) => {
    expect(() => record(session)).toThrow();
  });
});

describe('what was recorded over HTTP', () => {
  const http = {
    'http://127.0.0.1:15672/api/overview': 'overview.json',
    'http://127.0.0.1:15692/metrics': 'metrics.txt',
    'http://127.0.0.1:15672/api/queues?page=1': { failure: { code: 'E_AUTH', message: 'not you', status: 401 } },
  };
  const files = { 'overview.json': '{"node":"a"}\n', 'metrics.txt': 'up 1\n' };

  it('is JSON, text or a failure, and all of it is asked for', async () => {
    const target = record({ http }, files);
    const host = target.open(never);
    expect(await host.getJson('http://127.0.0.1:15672/api/overview')).toEqual({ node: 'a' });
    expect(target.unasked()).toHaveLength(2);
    expect(await host.getText('http://127.0.0.1:15692/metrics')).toBe('up 1\n');
    await expect(host.getJson('http://127.0.0.1:15672/api/queues?page=1')).rejects.toMatchObject({
      ...{ code: 'E_AUTH', message: 'not you', evidence: { status: 401 } },
    });
    expect(target.unasked()).toEqual([]);
  });

  it('does not exist under another query, and is refused as a real answer is', async () => {
    const host = record({ http }, files).open(never);
    await expect(host.getJson('http://127.0.0.1:15672/api/queues')).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
    await expect(host.getJson('http://127.0.0.1:15692/metrics')).rejects.toMatchObject({ code: 'E_PARSE' });
  });
});
