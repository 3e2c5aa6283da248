/** A delivery of events with a spool of its own, a clock that stands still, and a server that does what a test says. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type Clock, systemClock } from '../../src/clock.ts';
import { type Event, hashOf } from '../../src/events/event.ts';
import { grafanaOptions, graphiteOptions } from '../../src/events/options.ts';
import { createDelivery, type Delivery } from '../../src/events/out/delivery.ts';
import type { NamedOptions } from '../../src/events/out/destination.ts';
import { openSpool, type Spool } from '../../src/events/spool.ts';
import { type State, States } from '../../src/events/spool-tables.ts';
import { type FakeClock, fakeClock } from './fake-clock.ts';
import { type KeptLog, keptLog } from './sink-log.ts';

/** What a server keeps of an event. */
export interface Row {
  readonly what: string;
  readonly tags: readonly string[];
  readonly data: string;
  readonly when: number;
  /** Without its tags, by which it is not found. */
  readonly isHalf?: boolean;
}

export interface Asked {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** `take`: as graphite-web does. `drop`: the connection is reset. `hang`: nothing is answered. Else that is the answer. */
export type Reply =
  | 'take'
  | 'drop'
  | 'hang'
  | { readonly status: number; readonly body?: string; readonly headers?: Record<string, string> };

export interface ScriptedServer {
  readonly url: string;
  readonly port: number;
  /** Stored, in this order. */
  readonly rows: Row[];
  /** Every request that came. */
  readonly asked: Asked[];
  posts(): Row[];
  /** At once, at most. */
  readonly most: number;
  readonly connections: number;
  /** Requests that are not answered, and whose connection is open. */
  readonly underWay: number;
  /** What a POST comes to; `store` keeps the event, however it is answered. */
  onPost(row: Row, store: (isHalf?: boolean) => void): Reply | Promise<Reply>;
  onGet(asked: Asked): Reply;
  close(): Promise<void>;
}

/** `tls`: over HTTPS. */
export async function scriptedServer(port = 0, tls?: ServerOptions): Promise<ScriptedServer> {
  const counts = { now: 0, most: 0, connections: 0 };
  const listener: RequestListener = (request, response) => {
    answer(request, response).catch(() => request.socket.destroy());
  };
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  server.on('connection', () => {
    counts.connections++;
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const address = server.address() as AddressInfo;
  const scripted: ScriptedServer = {
    ...{ url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${address.port}/events/`, port: address.port },
    ...{ rows: [], asked: [] },
    posts: () => scripted.asked.filter(({ method }) => method === 'POST').map(({ body }) => JSON.parse(body)),
    get most() {
      return counts.most;
    },
    get connections() {
      return counts.connections;
    },
    get underWay() {
      return counts.now;
    },
    onPost(_, store) {
      store();
      return 'take';
    },
    onGet: () => 'take',
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    counts.most = Math.max(counts.most, ++counts.now);
    response.on('close', () => {
      counts.now--;
    });
    const { method = '', headers } = request;
    const asked = { method, headers, url: new URL(request.url ?? '/', 'http://server'), body: await text(request) };
    scripted.asked.push(asked);
    let reply: Reply;
    if (method === 'POST') {
      const row: Row = JSON.parse(asked.body);
      reply = await scripted.onPost(row, (isHalf = false) => {
        scripted.rows.push({ ...row, isHalf });
      });
    } else reply = scripted.onGet(asked);
    if (reply === 'hang') return;
    if (reply === 'drop') request.socket.resetAndDestroy();
    else if (reply !== 'take') response.writeHead(reply.status, reply.headers).end(reply.body);
    else if (method !== 'POST') response.end(JSON.stringify(found(scripted.rows, asked.url.searchParams)));
    // Django calls every answer a page.
    else response.setHeader('content-type', 'text/html; charset=utf-8').end();
  };
  return scripted;
}

/** As `get_data` does with `set=intersection`. */
function found(rows: readonly Row[], query: URLSearchParams): object[] {
  const wanted = (query.get('tags') ?? '').split(' ').filter(Boolean);
  return rows
    .filter(({ when }) => when >= Number(query.get('from')) && when <= Number(query.get('until')))
    .filter(({ tags, isHalf }) => wanted.every((tag) => !isHalf && tags.includes(tag)))
    .map(({ when, ...row }, id) => ({ id, ...row, when: Math.floor(when) }));
}

export const NOON = 1_700_000_000;

/** An event of the second `NOON`, or so many seconds later. */
export function happened(what: string, seconds = 0, more: Partial<Event> = {}): Event {
  const event = { what, tags: ['deploy', 'app'], data: '', whenUs: Math.round((NOON + seconds) * 1e6), ...more };
  return { id: more.id ?? hashOf(event), ...event };
}

export interface Rig {
  readonly clock: FakeClock;
  readonly kept: KeptLog;
  readonly spool: Spool;
  readonly delivery: Delivery;
  readonly options: NamedOptions;
  accept(...events: Event[]): void;
  /** By what happened, what became of it. */
  states(): Record<string, State>;
  answerOf(what: string): string;
  /** Resolves when all are settled in the spool. */
  settled(): Promise<void>;
  /** Another process with the same spool: the one before is gone with all that it knew. */
  again(clock?: Clock): Delivery;
  close(): Promise<void>;
}

export type RigOptions = Readonly<Record<string, unknown>> & {
  readonly name?: string;
  readonly type?: 'graphite' | 'grafana';
  readonly clock?: Clock;
  /** What the delivery sees instead of the spool. */
  readonly seen?: (spool: Spool) => Spool | undefined;
  readonly path?: string;
};

export function startRig({ clock: own, seen = (spool) => spool, path, ...given }: RigOptions): Rig {
  const directory = mkdtempSync(join(tmpdir(), 'edgestatd-delivery-'));
  const clock = fakeClock();
  const kept = keptLog();
  const schema = given.type === 'grafana' ? grafanaOptions : graphiteOptions;
  const parsed = schema.parse({ type: 'graphite', ...given });
  const options: NamedOptions = { ...parsed, name: given.name ?? 'here' } as NamedOptions;
  const limits = { maxBytes: 64 * 2 ** 20, maxAgeMs: 86_400_000, whenFull: 'refuse' } as const;
  const spool = openSpool(
    { path: path ?? join(directory, 'spool.db'), ...limits },
    { mayMoveAside: true, nowMs: clock.wallMs() },
  );
  spool.setDestinations([options.name], clock.wallMs());
  const make = (time: Clock): Delivery =>
    createDelivery({ spool: () => seen(spool), destination: options, clock: time, log: kept.log, random: () => 1 });
  const deliveries = [make(own ?? clock)];
  const rows = () =>
    spool.database
      .prepare('SELECT e.what, d.state, d.answer FROM delivery d JOIN event e ON e.seq = d.seq ORDER BY e.seq')
      .all();
  const rig: Rig = {
    ...{ clock, kept, spool, options },
    get delivery() {
      return deliveries.at(-1) as Delivery;
    },
    accept(...events) {
      spool.accept(events, { source: 'test', conflicts: 'refuse', nowMs: clock.wallMs() });
    },
    states: () => Object.fromEntries(rows().map(({ what, state }) => [String(what), nameOf(Number(state))])),
    answerOf: (what) => String(rows().find((row) => row.what === what)?.answer),
    settled: () =>
      soon(
        () => rows().every(({ state }) => Number(state) > 1),
        () => `all to be settled: ${JSON.stringify(rig.states())}`,
      ),
    again(time = own ?? clock) {
      deliveries.push(make(time));
      return rig.delivery;
    },
    async close() {
      const stopped = Promise.all(deliveries.map((one) => one.stop(0)));
      await clock.advance(0);
      await stopped;
      spool.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  return rig;
}

function nameOf(state: number): State {
  const [name] = Object.entries(States).find(([, number]) => number === state) ?? [];
  return (name ?? 'waiting') as State;
}

/** The system's clock, on which time passes so many times as fast. */
export function hastened(times: number): Clock {
  return {
    wallMs: systemClock.wallMs,
    monotonicMs: () => systemClock.monotonicMs() * times,
    after: (delayMs, call) => systemClock.after(delayMs / times, call),
  };
}

/** Looks until it is so: what it waits for comes over real sockets. */
export async function soon(isSo: () => boolean, what: string | (() => string), withinMs = 10_000): Promise<void> {
  const untilMs = performance.now() + withinMs;
  while (!isSo()) {
    if (performance.now() > untilMs) throw new Error(`waited in vain for ${typeof what === 'string' ? what : what()}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Gives what might still happen the time to happen, several round trips to a server of this machine. */
export async function quiet(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
}
