/** What a real OVSDB server cannot be brought to do; the rest is in `integration/ovsdb.test.ts`. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { Failure } from '../src/errors.ts';
import { localTarget } from '../src/hosts/local.ts';
import type { Target } from '../src/hosts/target.ts';
import { columnValue, mapIn, textIn } from '../src/ovs/database.ts';
import { createReplica, type Ovsdb, ovsdb } from '../src/ovs/ovsdb.ts';
import { createRows, schemaOf, selectedRows, wantedOf } from '../src/ovs/ovsdb-rows.ts';
import { type OvsServer, type Request, rowOf, schema, startOvsServer, update } from './support/ovs-server.ts';

const rowA = rowOf('Queue', { external_ids: ['map', [['name', 'a']]] });
const rowB = rowOf('Queue', { external_ids: ['map', [['name', 'b']]] });
const rowC = rowOf('Queue', { external_ids: ['map', [['name', 'c']]] });
const twoQueues = { Queue: { 'uuid-a': { new: rowA }, 'uuid-b': { new: rowB } } };

const started: (OvsServer | Target)[] = [];
afterEach(async () => {
  for (const one of started.splice(0).reverse()) await one.close();
});

function replicaOf(path: string, waitMs = 20_000): { replica: Ovsdb; target: Target } {
  const target = localTarget('here');
  started.push(target);
  const host = target.open(new AbortController().signal);
  return { replica: host.keep('replica', (lasting) => createReplica(lasting, path, waitMs)), target };
}

async function serving(rows: Record<string, unknown> = twoQueues, waitMs?: number) {
  const server = await startOvsServer(rows);
  started.push(server);
  return { server, ...replicaOf(server.path, waitMs) };
}

/** The `name`s of the queues' external_ids by their UUIDs. */
async function queues(replica: Ovsdb): Promise<Record<string, unknown>> {
  const { tables, stale } = await replica.snapshot();
  expect(stale).toBeUndefined();
  const rows = tables.get('Queue') ?? new Map();
  return Object.fromEntries([...rows].map(([uuid, row]) => [uuid, mapIn(row.external_ids).get('name')]));
}

async function failureOf(promise: Promise<unknown>): Promise<Failure> {
  const thrown = await promise.then(
    () => undefined,
    (error) => error,
  );
  expect(thrown).toBeInstanceOf(Failure);
  return thrown as Failure;
}

const countOf = (server: OvsServer, method: string): number =>
  server.received.filter((message) => message.method === method).length;

describe('rows', () => {
  const captured = (name: string) =>
    JSON.parse(readFileSync(new URL(`./testdata/ovsdb/ovs3.1-rpc-${name}.json`, import.meta.url), 'utf8')).result;

  it('are those of a captured monitor reply', () => {
    const rows = createRows(
      new Map([
        ['Port', ['name', 'interfaces', 'qos']],
        ['QoS', ['type', 'queues', 'other_config']],
        ['Queue', ['other_config', 'external_ids', 'dscp']],
      ]),
    );
    expect(rows.apply(captured('monitor'))).toBe(true);
    const tables = rows.tables();
    expect([...tables].map(([name, all]) => [name, all.size])).toEqual([
      ['Port', 4],
      ['QoS', 2],
      ['Queue', 4],
    ]);
    expect(tables.get('Queue')?.get('8a853b53-5c3d-4a19-9b56-35bdafdb7606')).toEqual({
      other_config: new Map([
        ['max-rate', '1234567'],
        ['priority', '3'],
      ]),
      external_ids: new Map(),
      dscp: 46,
    });
    const port = tables.get('Port')?.get('92534fc2-0723-4418-ba20-dac3f40ffc1c');
    expect([port?.name, port?.qos]).toEqual(['p1', '69e45072-e7c2-41e5-84bb-88f6863c7449']);
    expect(tables.get('Port')?.get('f3ce4423-8697-44ca-90ed-98c6eb9b8ab8')?.qos).toEqual([]);
  });

  it('are those of a captured select', () => {
    const columns = ['name', 'statistics', 'link_speed'];
    const result = captured('transact-select').slice(2);
    const [row] = selectedRows(result, 'Interface', columns, () => new Failure('E_BUG', 'not refused'));
    expect(Object.keys(row ?? {})).toEqual(columns);
    expect(mapIn(row?.statistics).get('tx_bytes')).toBe(26524);
  });

  it('given away are never changed, and unchanged ones stay the same', () => {
    const rows = createRows(
      new Map([
        ['Queue', ['dscp']],
        ['QoS', ['type']],
      ]),
    );
    rows.apply({ Queue: { a: { new: { dscp: 1 } }, b: { new: { dscp: 2 } } }, QoS: { q: { new: { type: 'x' } } } });
    const first = rows.tables();
    expect(rows.tables()).toBe(first);
    expect(rows.apply({ Queue: {} })).toBe(false);
    expect(rows.tables()).toBe(first);
    rows.apply({ Queue: { a: { old: { dscp: 1 }, new: { dscp: 9 } }, b: { old: { dscp: 2 } } } });
    rows.apply({ Queue: { c: { new: { dscp: 3 } } } });
    const second = rows.tables();
    expect([...(first.get('Queue') ?? [])]).toEqual([
      ['a', { dscp: 1 }],
      ['b', { dscp: 2 }],
    ]);
    expect([...(second.get('Queue') ?? [])]).toEqual([
      ['a', { dscp: 9 }],
      ['c', { dscp: 3 }],
    ]);
    expect(second).not.toBe(first);
    expect(second.get('QoS')).toBe(first.get('QoS'));
    rows.apply({ Queue: { a: { old: {}, new: { dscp: 10 } } } });
    expect(rows.tables().get('Queue')?.get('c')).toBe(second.get('Queue')?.get('c'));
  });

  it('change as a whole or not at all', () => {
    const rows = createRows(new Map([['Queue', ['dscp']]]));
    rows.apply({ Queue: { a: { new: { dscp: 1 } } } });
    const first = rows.tables();
    expect(() => rows.apply({ Queue: { a: { old: { dscp: 1 } }, b: { new: { dscp: null } } } })).toThrow(Failure);
    expect(rows.tables()).toBe(first);
    expect(first.get('Queue')?.size).toBe(1);
  });

  it('of a schema that lacks some are asked for without them, and no hostile name is taken for one', () => {
    const schema = schemaOf({
      tables: {
        Queue: { columns: { dscp: {}, unknown: {} } },
        Manager: { columns: {} },
        constructor: { columns: { toString: {} } },
        ['__proto__']: { columns: {} },
      },
    });
    const { columns, missing } = wantedOf(schema);
    expect([...columns]).toEqual([['Queue', ['dscp']]]);
    expect(missing).toContain('Queue.external_ids');
    expect(missing).toContain('Interface');
    expect(missing).toContain('Manager');
    for (const bad of [null, [], {}, { tables: [] }, { tables: { a: null } }, { tables: { a: { columns: 1 } } }]) {
      expect(() => schemaOf(bad)).toThrow(Failure);
    }
  });

  it('share what is empty', () => {
    expect(columnValue(['set', []])).toEqual([]);
    expect(columnValue(['map', []])).toEqual(new Map());
    expect(columnValue(['map', []])).toBe(columnValue(['map', []]));
  });
});

describe('a snapshot', () => {
  it('asks for the watched columns once, for an echo each time, and has what was updated before', async () => {
    const { server, replica } = await serving();
    const first = await replica.snapshot();
    expect(await queues(replica)).toEqual({ 'uuid-a': 'a', 'uuid-b': 'b' });
    const second = await replica.snapshot();
    expect([second.tables, second.revision, second.missing]).toEqual([first.tables, first.revision, []]);
    expect(second.tables).toBe(first.tables);
    expect(second.replySeconds).toBeGreaterThan(0);
    expect(server.received.map(({ method }) => method)).toEqual(['get_schema', 'monitor', 'echo', 'echo', 'echo']);
    server.script(
      (_, usual) => update({ Queue: { 'uuid-b': { old: {}, new: rowC }, 'uuid-a': { old: rowA } } }) + usual,
    );
    const third = await replica.snapshot();
    expect(mapIn(third.tables.get('Queue')?.get('uuid-b')?.external_ids).get('name')).toBe('c');
    expect(third.tables.get('Queue')?.has('uuid-a')).toBe(false);
    expect(third.revision).toBeGreaterThan(first.revision);
    expect(third.tables.get('Port')).toBe(first.tables.get('Port'));
    expect(first.tables.get('Queue')?.has('uuid-a')).toBe(true);
  });

  it('has an update that came together with the monitor’s reply', async () => {
    const { server, replica } = await serving();
    server.script(({ method }, usual) =>
      method === 'monitor' ? usual + update({ Queue: { 'uuid-b': { old: rowB } } }) : usual,
    );
    expect(await queues(replica)).toEqual({ 'uuid-a': 'a' });
  });

  it('is of one connection for all who ask at once', async () => {
    const { server, replica } = await serving();
    const all = await Promise.all(Array.from({ length: 20 }, () => replica.snapshot()));
    expect(new Set(all.map(({ tables }) => tables)).size).toBe(1);
    expect([server.sockets.length, countOf(server, 'monitor')]).toEqual([1, 1]);
    for (const socket of server.sockets) socket.destroy();
    const again = await Promise.all(Array.from({ length: 20 }, () => replica.snapshot()));
    expect(again.map(({ stale, resyncs }) => [stale, resyncs])).toEqual(again.map(() => [undefined, 1]));
    expect(server.sockets.length).toBe(2);
  });

  it('is kept by the target, by the path of the socket', async () => {
    const server = await startOvsServer();
    const target = localTarget('here');
    started.push(server, target);
    const [one, two] = [target.open(new AbortController().signal), target.open(new AbortController().signal)];
    expect(ovsdb(one, server.path)).toBe(ovsdb(two, server.path));
    expect(ovsdb(one, server.path)).not.toBe(ovsdb(one, `${server.path}2`));
    expect((await ovsdb(one, server.path).snapshot()).resyncs).toBe(0);
  });

  it.each<[string, string]>([
    ['an insert of a row that is there', update({ Queue: { 'uuid-a': { new: rowA } } })],
    ['a change of a row that is not there', update({ Queue: { 'uuid-x': { old: {}, new: rowA } } })],
    ['a deletion of a row that is not there', update({ Queue: { 'uuid-x': { old: rowA } } })],
    ['an update without rows', update({ Queue: { 'uuid-x': {} } })],
    ['a row without a column', update({ Queue: { 'uuid-x': { new: { dscp: 1 } } } })],
    ['a value of no form', update({ Queue: { 'uuid-x': { new: { ...rowA, dscp: { a: 1 } } } } })],
    ['a row that is none', update({ Queue: { 'uuid-x': { new: [] } } })],
    ['an update of a table that was not asked for', update({ SSL: { 'uuid-x': { new: {} } } })],
    ['an update that is none', update([])],
    ['an update of another monitor', update({ Queue: {} }, 'other')],
    ['an update without parameters', '{"method":"update","id":null,"params":null}'],
    ['a second reply to the monitor', JSON.stringify({ id: 2, result: twoQueues, error: null })],
    ['the end of the monitor', '{"method":"monitor_canceled","id":null,"params":["edgestatd"]}'],
    ['what is not JSON', '{"method":}'],
    ['no object at all', 'Segmentation fault\n'],
  ])('after %s is of a new connection', async (_, text) => {
    const { server, replica } = await serving();
    const first = await replica.snapshot();
    // Before the echo's reply, so the very same snapshot makes the new connection.
    server.script(({ method }, usual) => (method === 'echo' && server.sockets.length === 1 ? text + usual : usual));
    const second = await replica.snapshot();
    expect([second.stale, second.resyncs, server.sockets.length]).toEqual([undefined, 1, 2]);
    expect(second.revision).toBeGreaterThan(first.revision);
    expect(second.tables.get('Queue')).toEqual(first.tables.get('Queue'));
    expect(second.replySeconds).toBeGreaterThan(0);
  });

  it('is stale with the last whole rows while the server goes on talking nonsense, and live again when it stops', async () => {
    const { server, replica } = await serving();
    const first = await replica.snapshot();
    const half = update({ Queue: { 'uuid-a': { old: rowA }, 'uuid-x': { new: 1 } } });
    server.script((_, usual) => half + usual);
    const stale = await replica.snapshot();
    expect([stale.stale?.code, stale.replySeconds]).toEqual(['E_PARSE', undefined]);
    expect(stale.tables).toBe(first.tables);
    expect(stale.revision).toBe(first.revision);
    server.script((_, usual) => usual);
    const live = await replica.snapshot();
    expect(live.stale).toBeUndefined();
    expect(live.revision).toBeGreaterThan(first.revision);
  });

  it.each<[string, Partial<Record<string, unknown>>, string]>([
    ['no schema', { get_schema: [] }, 'E_PARSE'],
    ['no rows', { monitor: null }, 'E_PARSE'],
    ['deletions at the start', { monitor: { Queue: { 'uuid-x': { old: rowA } } } }, 'E_PARSE'],
  ])('of a server that answers with %s rejects', async (_, results, code) => {
    const { server, replica } = await serving();
    server.script(({ id, method = '' }, usual) =>
      method in results ? JSON.stringify({ id, result: results[method], error: null }) : usual,
    );
    expect((await failureOf(replica.snapshot())).code).toBe(code);
    server.script((_, usual) => usual);
    expect(await queues(replica)).toEqual({ 'uuid-a': 'a', 'uuid-b': 'b' });
  });

  it('of a server without the database says so', async () => {
    const { server, replica } = await serving();
    server.script(({ id }) =>
      JSON.stringify({ id, error: { error: 'unknown database', details: 'get_schema request specifies unknown' } }),
    );
    const failure = await failureOf(replica.snapshot());
    expect(failure.code).toBe('E_NOT_FOUND');
    expect(failure.message).toContain(`the OVSDB server at "${server.path}" has no database Open_vSwitch`);
  });

  it('of a server with an older schema names what is missing', async () => {
    const { server, replica } = await serving({});
    const { Manager: _, ...others } = schema.tables;
    const { bfd_status: __, ...columns } = others.Interface?.columns ?? {};
    const older = { ...schema, tables: { ...others, Interface: { columns } } };
    server.script(({ id, method }, usual) =>
      method === 'get_schema' ? JSON.stringify({ id, result: older, error: null }) : usual,
    );
    expect((await replica.snapshot()).missing).toEqual(['Interface.bfd_status', 'Manager']);
    const asked = (await server.message(({ method }) => method === 'monitor')).params as [unknown, unknown, object];
    expect(Object.keys(asked[2])).not.toContain('Manager');
    expect(JSON.stringify(asked[2])).not.toContain('bfd_status');
  });
});

describe('a server that hangs', () => {
  const silent = (): undefined => undefined;

  it('is given up after a while, its rows are stale, and the next snapshot makes a new connection', async () => {
    const { server, replica } = await serving(twoQueues, 150);
    const first = await replica.snapshot();
    server.script(silent);
    const stale = await replica.snapshot();
    expect([stale.stale?.code, stale.tables]).toEqual(['E_TIMEOUT', first.tables]);
    expect(stale.stale?.message).toContain('did not answer within 0.15 s');
    const again = await replica.snapshot();
    expect([again.stale?.code, server.sockets.length]).toEqual(['E_TIMEOUT', 2]);
    server.script((_, usual) => usual);
    const live = await replica.snapshot();
    expect([live.stale, live.resyncs, server.sockets.length]).toEqual([undefined, 1, 3]);
  });

  it('costs a run little once that is known, while the attempt to reach it goes on', async () => {
    const { server, replica } = await serving(twoQueues, 1500);
    await replica.snapshot();
    server.script(silent);
    const reason = (await replica.snapshot()).stale;
    const again = await replica.snapshot();
    expect([again.stale, server.sockets.length]).toEqual([reason, 2]);
    expect(server.sockets[1]?.closed, 'the attempt is still under way').toBe(false);
    expect((await failureOf(replica.select('Queue', ['dscp']))).message).toBe(reason?.message);
    const [, attempt] = server.sockets;
    if (attempt?.closed === false) await once(attempt, 'close');
    server.script((_, usual) => usual);
    expect((await replica.snapshot()).stale).toBeUndefined();
  });

  it('from the start costs little too, once that is known', async () => {
    const { server, replica } = await serving(twoQueues, 1000);
    server.script(silent);
    const reason = await failureOf(replica.snapshot());
    expect(reason.code).toBe('E_TIMEOUT');
    const again = await failureOf(replica.snapshot());
    expect(again.code).toBe('E_TIMEOUT');
    expect(server.sockets.at(-1)?.closed, 'the attempt is still under way').toBe(false);
  });

  it('from the start rejects', async () => {
    const { server, replica } = await serving(twoQueues, 100);
    server.script(silent);
    expect((await failureOf(replica.snapshot())).code).toBe('E_TIMEOUT');
    expect((await failureOf(replica.select('Queue', ['dscp']))).code).toBe('E_TIMEOUT');
  });

  it('keeps nobody beyond the deadline, and does not lose its connection by that', async () => {
    const { server, replica } = await serving();
    await replica.snapshot();
    let held: string | undefined;
    server.script(({ method }, usual) => {
      if (method !== 'echo' || held !== undefined) return usual;
      held = usual;
      return undefined;
    });
    const deadline = new AbortController();
    const reason = new Failure('E_TIMEOUT', 'the deadline of 1 s passed');
    const pending = failureOf(replica.snapshot(deadline.signal));
    await server.message(() => countOf(server, 'echo') === 2);
    deadline.abort(reason);
    expect(await pending).toBe(reason);
    expect(await failureOf(replica.snapshot(deadline.signal))).toBe(reason);
    server.send(held ?? '');
    expect((await replica.snapshot()).resyncs).toBe(0);
  });

  it('that is gone while nobody asks does not end this process', async () => {
    const { server, replica } = await serving();
    await replica.snapshot();
    await server.close();
    const gone = await replica.snapshot();
    expect(gone.stale?.code).toBe('E_NOT_FOUND');
    expect(gone.stale?.message).toContain(server.path);
    expect(gone.tables.get('Queue')?.size).toBe(2);
  });
});

describe('select', () => {
  const answering =
    (result: unknown) =>
    ({ id, method }: Request, usual: string): string =>
      method === 'transact' ? `{"id":${id},"result":${JSON.stringify(result)},"error":null}` : usual;

  it('gives the rows with the columns that the schema has', async () => {
    const { server, replica } = await serving();
    const statistics = '["map",[["tx_bytes",9223372036854775807]]]';
    server.script(({ id, method }, usual) =>
      method === 'transact'
        ? `{"id":${id},"result":[{"rows":[{"_uuid":["uuid","u"],"name":"p","status":${statistics}}]}]}`
        : usual,
    );
    const [row] = await replica.select('Interface', ['_uuid', 'name', 'of_the_future', 'status']);
    expect([row?._uuid, textIn(row?.name)]).toEqual(['u', 'p']);
    expect(mapIn(row?.status).get('tx_bytes')).toBe(9223372036854775807n);
    expect((await server.message(({ method }) => method === 'transact')).params).toEqual([
      'Open_vSwitch',
      { op: 'select', table: 'Interface', where: [], columns: ['_uuid', 'name', 'status'] },
    ]);
  });

  it.each<[unknown, string]>([
    [[{ error: 'permission error', details: 'no' }], 'E_DENIED'],
    [[null, { error: 'resources exhausted' }], 'E_PARSE'],
    [[], 'E_PARSE'],
    [[{}], 'E_PARSE'],
    [[{ rows: [{ name: 'p' }] }], 'E_PARSE'],
    [{ rows: [] }, 'E_PARSE'],
  ])('of %j rejects with %s, and the rows stay live', async (result, code) => {
    const { server, replica } = await serving();
    server.script(answering(result));
    expect((await failureOf(replica.select('Interface', ['name', 'status']))).code).toBe(code);
    expect((await replica.snapshot()).resyncs).toBe(0);
  });

  it('of a table that the server has not rejects with E_NOT_FOUND', async () => {
    const { replica } = await serving();
    expect((await failureOf(replica.select('Flow_Table', ['name']))).code).toBe('E_NOT_FOUND');
  });

  it('on a connection that broke unseen is asked again on a new one', async () => {
    const { server, replica } = await serving();
    await replica.snapshot();
    server.script((request, usual, socket) => {
      if (request.method !== 'transact' || server.sockets.length > 1) return usual;
      socket.destroy();
      return undefined;
    });
    expect(await replica.select('Queue', ['dscp'])).toEqual([]);
    expect(server.sockets.length).toBe(2);
  });
});

describe('close', () => {
  it('ends the connection and all that waits, and nothing begins again', async () => {
    const { server, replica, target } = await serving();
    await replica.snapshot();
    server.script(() => undefined);
    const pending = [failureOf(replica.snapshot()), failureOf(replica.select('Queue', ['dscp']))];
    await server.message(({ method }) => method === 'transact');
    const ended = new Promise((resolve) => server.sockets[0]?.once('close', resolve));
    await target.close();
    expect((await Promise.all(pending)).map(({ code }) => code)).toEqual(['E_ABORTED', 'E_ABORTED']);
    await ended;
    expect((await failureOf(replica.snapshot())).code).toBe('E_ABORTED');
    expect((await failureOf(replica.select('Queue', ['dscp']))).code).toBe('E_ABORTED');
    expect(server.sockets.length).toBe(1);
  });

  it('ends a connection that is being made', async () => {
    const { server, replica, target } = await serving();
    server.script(() => undefined);
    const pending = failureOf(replica.snapshot());
    await server.message(({ method }) => method === 'get_schema');
    await target.close();
    expect((await pending).code).toBe('E_ABORTED');
  });
});
