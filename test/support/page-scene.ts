/** The status page over numbers of the test's own making, an hour of them within a moment. */
import { registry } from '../../collectors/registry.ts';
import { type Clock, systemClock } from '../../src/clock.ts';
import type { Collector } from '../../src/collector.ts';
import type { Labels } from '../../src/metric.ts';
import type { Point } from '../../src/point.ts';
import { type Board, createBoard } from '../../src/status/board.ts';
import type { StatusDocument } from '../../src/status/document.ts';
import { createHistory, type History } from '../../src/status/history.ts';
import { pageRoutes } from '../../src/status/page.ts';
import { statusRoutes } from '../../src/status/routes.ts';
import { startServer } from '../../src/status/server.ts';
import { freePort } from './statsd.ts';

/** One measured thing, and its numbers by the titles of the table's columns. */
export interface SceneRow {
  readonly target?: string;
  readonly labels: Labels;
  readonly values: Readonly<Record<string, number>>;
}

export interface Scene {
  readonly url: string;
  readonly board: Board;
  readonly history: History;
  /** Changes what the daemon says of itself. */
  say(change: Partial<StatusDocument>): void;
  /** A run that ends now. */
  run(table: string, rows: readonly SceneRow[], intervalMs?: number): void;
  /** Lets time pass for the clock of the scene. */
  pass(ms: number): void;
  nowMs(): number;
  /** Nobody answers any more. */
  end(): Promise<void>;
}

export const STEP = 10_000;

export async function startScene(collectors: readonly Collector[] = [...registry.values()]): Promise<Scene> {
  let nowMs = Date.UTC(2026, 10, 21, 3, 4, 0);
  const startedAtMs = nowMs;
  const clock: Clock = { ...systemClock, wallMs: () => nowMs, monotonicMs: () => nowMs - startedAtMs };
  const board = createBoard(clock);
  const history = createHistory();
  board.use(collectors);
  history.use(collectors);
  let change: Partial<StatusDocument> = {};
  const status = (): StatusDocument => ({ ...plainStatus(startedAtMs), nowMs, ...change });
  const port = await freePort();
  const routes = new Map([
    ...statusRoutes(status, board),
    ...pageRoutes({ board, history, status, nowMs: clock.wallMs }),
  ]);
  const faults: string[] = [];
  const server = await startServer({
    ...{ place: { address: '127.0.0.1', port }, routes, clock: systemClock },
    onFault: ({ message }) => void faults.push(message),
  });
  return {
    url: server.address,
    board,
    history,
    say(more) {
      change = { ...change, ...more };
    },
    run(table, rows, intervalMs = STEP) {
      for (const [target, points] of pointsOf(collectors, table, rows, intervalMs)) {
        const collector = collectors.find(({ tables = [] }) => tables.some(({ name }) => name === table))?.name ?? '';
        const of = { job: `${collector}@${target}`, collector, target };
        const seen = { ...of, atMs: nowMs, intervalMs, tookMs: 0, points };
        board.see(seen);
        history.see(seen);
      }
    },
    pass(ms) {
      nowMs += ms;
    },
    nowMs: () => nowMs,
    async end() {
      await server.close(0);
      if (faults.length > 0) throw new Error(`the server had faults: ${faults.join('; ')}`);
    },
  };
}

/** By target. Of counters the values are per second. */
export function pointsOf(
  collectors: readonly Collector[],
  name: string,
  rows: readonly SceneRow[],
  intervalMs = STEP,
): ReadonlyMap<string, readonly Point[]> {
  const collector = collectors.find(({ tables = [] }) => tables.some((table) => table.name === name));
  const table = collector?.tables?.find((one) => one.name === name);
  if (collector === undefined || table === undefined) throw new Error(`no table ${name}`);
  const all = new Map<string, Point[]>();
  for (const { target = 'hv01', labels, values } of rows) {
    const base = `edge.${target}.${collector.name}`;
    const own = table.labels.flatMap((label) => labels[label] ?? []);
    const entity = [base, ...own.map((one) => one.replace(/[^A-Za-z0-9_-]/g, '_'))].join('.');
    const points = all.get(target) ?? [];
    all.set(target, points);
    for (const [title, value] of Object.entries(values)) {
      const metric = table.columns.find((column) => column.title === title)?.metric;
      if (metric === undefined) throw new Error(`no column ${title}`);
      const seconds = intervalMs / 1000;
      const counted = metric.kind === 'counter' ? { value: value * seconds, elapsedSeconds: seconds } : { value };
      points.push({ path: `${entity}.${metric.name}`, base, metric, labels, ...counted });
    }
  }
  return all;
}

function plainStatus(startedAtMs: number): Omit<StatusDocument, 'nowMs'> {
  return {
    ...{ format: 1, version: '0.1.0', node: 'v24.0.0', pid: 4711, machine: 'hv01' },
    ...{ config: '/etc/edgestatd/edgestatd.yaml', startedAtMs, health: { healthy: true, reasons: [] } },
    process: { rssBytes: 90e6, heapUsedBytes: 30e6, cpuSeconds: 12, eventLoopDelayP99Seconds: 0.002 },
    ...{ jobs: [], sinks: [] },
  };
}
