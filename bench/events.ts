/**
 * Events: many of them imported into a real graphite-web, beside a bare loop of the same requests; and how fast the spool
 * accepts, beside bare SQLite that syncs as often.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type Event, hashOf } from '../src/events/event.ts';
import { openSpool } from '../src/events/spool.ts';
import { startEdgestatd, stopAll } from '../test/support/daemon.ts';
import { edgestatd, spoolOf } from '../test/support/event-commands.ts';
import { type Graphite, startGraphite } from '../test/support/graphite.ts';

const EVENTS = 10_000;
const CONCURRENCY = 4;
const FIRST = 1_600_000_000;

export async function events(): Promise<string[]> {
  const directory = mkdtempSync(join(tmpdir(), 'edgestatd-bench-events-'));
  try {
    return [...(await imported(directory)), ...accepted(directory)];
  } finally {
    stopAll();
    rmSync(directory, { recursive: true, force: true });
  }
}

const bodyOf = (number: number) => ({
  what: `deploy ${number}`,
  tags: ['deploy', 'nova'],
  data: 'by the bench',
  when: FIRST + 60 * number,
});

async function imported(directory: string): Promise<string[]> {
  // Each has a server of its own, as tables grow.
  const bareMs = await withGraphite((graphite) => bareLoop(graphite));
  return withGraphite(async (graphite) => {
    const file = join(directory, 'deploys.jsonl');
    writeFileSync(file, Array.from({ length: EVENTS }, (_, number) => JSON.stringify(bodyOf(number))).join('\n'));
    const config = join(directory, 'edgestatd.yaml');
    const yaml = `sinks: [ { type: stdout, onlyOnTerminal: true } ]\njobs: [ { collector: tcp, every: 60s } ]\nevents: { spool: ${directory}/spool.db, graphite: { url: "${graphite.eventsUrl}", concurrency: ${CONCURRENCY} } }\n`;
    writeFileSync(config, yaml);
    const daemon = startEdgestatd(yaml);
    await daemon.event('daemon:started');
    const beginMs = performance.now();
    const { code, stdout, stderr } = await edgestatd(['event', 'import', file, '--config', config]);
    if (code !== 0) throw new Error(stderr);
    const takenMs = performance.now() - beginMs;
    for (;;) {
      const [one] = (await spoolOf(config)).destinations;
      if (one?.delivered === EVENTS) break;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    const wholeMs = performance.now() - beginMs;
    const rows = graphite.rows();
    const right = new Set(rows.map(({ what, whenSeconds }) => `${what} ${whenSeconds}`));
    const wrong = Array.from({ length: EVENTS }, (_, number) => bodyOf(number)).filter(
      ({ what, when }) => !right.has(`${what} ${when}`),
    );
    return [
      `${stdout.trim()} in ${seconds(takenMs)} s, on the disk`,
      `${rows.length} rows in graphite-web for ${EVENTS} events, ${wrong.length} missing or at another second`,
      `delivered in ${seconds(wholeMs)} s; a bare loop of ${CONCURRENCY} POSTs at once: ${seconds(bareMs)} s; ${(wholeMs / bareMs).toFixed(2)} times (limit 1.5)`,
    ];
  });
}

async function withGraphite<Result>(work: (graphite: Graphite) => Promise<Result>): Promise<Result> {
  const graphite = await startGraphite({ sync: false });
  try {
    return await work(graphite);
  } finally {
    await graphite.close();
  }
}

/** The same requests without anything that makes them safe. */
async function bareLoop(graphite: Graphite): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONCURRENCY });
  const beginMs = performance.now();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < EVENTS) await post(graphite, agent, JSON.stringify(bodyOf(next++)));
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  agent.destroy();
  return performance.now() - beginMs;
}

function post({ port }: Graphite, agent: Agent, body: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const sent = request({ host: '127.0.0.1', port, path: '/events/', method: 'POST', headers, agent }, (response) => {
      response.resume().on('end', () => (response.statusCode === 200 ? resolve() : reject(new Error('refused'))));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** One event a commit, and 500, as an import does. */
function accepted(directory: string): string[] {
  const all: Event[] = Array.from({ length: 5000 }, (_, number) => {
    const { when, ...body } = bodyOf(number);
    const event = { ...body, whenUs: when * 1e6 };
    return { id: hashOf(event), ...event };
  });
  return [1, 500].map((batch) => {
    const some = batch === 1 ? all.slice(0, 1000) : all;
    const path = join(directory, `accept-${batch}.db`);
    const spool = openSpool(
      { path, maxBytes: 2 ** 30, maxAgeMs: 1e12, whenFull: 'refuse' },
      { mayMoveAside: false, nowMs: 0 },
    );
    spool.setDestinations(['graphite'], 0);
    const ours = timed(some, batch, (part) => {
      spool.accept(part, { source: 'bench', conflicts: 'refuse', nowMs: 0 });
    });
    spool.close();
    const bare = new DatabaseSync(join(directory, `bare-${batch}.db`));
    bare.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE event (id TEXT, text TEXT)');
    const insert = bare.prepare('INSERT INTO event VALUES (?, ?)');
    const theirs = timed(some, batch, (part) => {
      bare.exec('BEGIN');
      for (const event of part) insert.run(event.id, JSON.stringify(event));
      bare.exec('COMMIT');
    });
    bare.close();
    return `accepted durably, ${batch} a commit: ${Math.round(ours)} events/s; bare SQLite with one table: ${Math.round(theirs)}/s; ${(ours / theirs).toFixed(2)} times`;
  });
}

function timed(events: readonly Event[], batch: number, write: (part: readonly Event[]) => void): number {
  const beginMs = performance.now();
  for (let at = 0; at < events.length; at += batch) write(events.slice(at, at + batch));
  return (1000 * events.length) / (performance.now() - beginMs);
}

const seconds = (ms: number): string => (ms / 1000).toFixed(1);
