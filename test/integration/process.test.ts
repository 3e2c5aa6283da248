/** The process collector with real processes: started, killed, restarted, stopped, left as zombies, owned by others. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { namedProcesses } from '../../collectors/process/index.ts';
import { systemClock } from '../../src/clock.ts';
import { localTarget } from '../../src/hosts/local.ts';
import type { Target } from '../../src/hosts/target.ts';
import { deliveryOf, freshMemory, planOf } from '../../src/job.ts';
import { run } from '../../src/run.ts';
import { createClaims } from '../../src/vet.ts';
import { endWithParent, eventually } from '../support/statsd.ts';

const bin = new URL('../../src/bin.js', import.meta.url).pathname;
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

let directory: string;
let children: ChildProcess[];
let targets: Target[];
/** In every name, so that no other process of the machine is found. */
let mark: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'edgestatd-process-'));
  chmodSync(directory, 0o755);
  mark = randomBytes(3).toString('hex');
  [children, targets] = [[], []];
});
afterEach(async () => {
  for (const child of children) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  await Promise.all(targets.map((target) => target.close()));
  rmSync(directory, { recursive: true, force: true });
});

/** A program of its own name, which tells when it has begun and ends with this test's process. */
async function start(name: string, code = 'pass'): Promise<ChildProcess & { readonly pid: number }> {
  const path = join(directory, name);
  const text = [
    '#!/usr/bin/python3',
    'import ctypes, os, signal, sys, threading, time',
    'ctypes.CDLL(None).prctl(1, 9)',
    code,
    'print("ready", flush=True)',
    'time.sleep(600)',
  ];
  writeFileSync(path, `${text.join('\n')}\n`, { mode: 0o755 });
  const child = spawn(path, ['--of', mark], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  await once(child.stdout, 'data');
  if (child.pid === undefined) throw new Error(`${name} was not started`);
  return child as ChildProcess & { readonly pid: number };
}

async function end(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

/** A job of its own; each reading is a run of the daemon's, and counters show their increments. */
function job(options: object) {
  const target = localTarget('hv');
  targets.push(target);
  const config = {
    ...{ id: 'process@hv', name: 'process', collector: namedProcesses, target: 'hv' },
    ...{
      options: namedProcesses.options.parse({ hypervisor: false, ...options }),
      when: { everyMs: 10_000 },
      intervalMs: 10_000,
    },
    ...{ splayMs: 0, timeoutMs: 20_000, fingerprint: '' },
  };
  const around = { prefix: 'edge', target, claims: createClaims() };
  const memory = freshMemory(config, around);
  const readOnce = async () => {
    const { delivery, problems, failure } = deliveryOf(
      await run(planOf(config, target), systemClock),
      config,
      around,
      memory,
    );
    expect(failure).toBeUndefined();
    const values: Record<string, number | undefined> = {};
    for (const { path, value } of delivery.points) values[path.replace('edge.hv.process.', '')] = value;
    return { values, problems: problems.map(({ code, message }) => `${code} ${message}`) };
  };
  // On a busy machine any process may be in state D for a moment, and is not looked into then.
  return () =>
    eventually(async () => {
      const reading = await readOnce();
      return reading.problems.some((text) => text.includes('state D')) ? undefined : reading;
    }, 'a reading without a process in state D');
}

it('a long name of a script: it runs, is killed, is dead, and starts again', async () => {
  const name = `neutron-openvswitch-${mark}`;
  const read = job({ processes: [name] });
  expect((await read()).values).toMatchObject({ [`${name}.running`]: 0, [`${name}.alive`]: 0 });
  const first = await start(
    name,
    'files = [open("/dev/null") for _ in range(40)]; threading.Thread(target=signal.pause, daemon=True).start()',
  );
  const { values, problems } = await read();
  expect(problems).toEqual([]);
  expect(values).toMatchObject({ [`${name}.running`]: 1, [`${name}.threads`]: 2, [`${name}.restarts`]: 0 });
  expect(values[`${name}.open_files`]).toBeGreaterThanOrEqual(43);
  expect(values[`${name}.open_files_ratio`]).toBeGreaterThan(0);
  expect(values[`${name}.resident_bytes`]).toBeGreaterThan(1_000_000);
  expect(values[`${name}.age_seconds`]).toBeLessThan(600);
  await end(first);
  const dead = (await read()).values;
  expect(dead).toMatchObject({ [`${name}.running`]: 0, [`${name}.alive`]: 0, [`${name}.restarts`]: 0 });
  // StatsD would repeat the last value of a gauge that is not sent again.
  expect(dead).toMatchObject({ [`${name}.threads`]: 0, [`${name}.open_files`]: 0, [`${name}.resident_bytes`]: 0 });
  await start(name);
  expect((await read()).values).toMatchObject({ [`${name}.running`]: 1, [`${name}.restarts`]: 1 });
  expect((await read()).values).toMatchObject({ [`${name}.restarts`]: 0 });
});

it('processor time of several: what one uses is counted, and nothing falls when another ends', async () => {
  const name = `spin${mark}`;
  const spin = 'until = time.process_time() + 0.3\nwhile time.process_time() < until: pass';
  const read = job({ processes: [name] });
  await read();
  const first = await start(name, spin);
  const sumOf = (values: Record<string, number | undefined>): number =>
    (values[`${name}.cpu_user_seconds`] ?? Number.NaN) + (values[`${name}.cpu_system_seconds`] ?? Number.NaN);
  expect(sumOf((await read()).values)).toBeGreaterThanOrEqual(0.28);
  await start(name, spin);
  await end(first);
  const { values } = await read();
  expect(values).toMatchObject({ [`${name}.running`]: 1, [`${name}.restarts`]: 1 });
  expect(sumOf(values)).toBeGreaterThanOrEqual(0.28);
  expect(sumOf((await read()).values)).toBeLessThan(0.2);
});

it('stopped by a signal, and as a zombie', async () => {
  const [frozen, lost] = [`frozen${mark}`, `lost${mark}`];
  const child = await start(frozen);
  // The child names itself, ends, and nobody waits for it.
  const parent = await start(
    `parent${mark}`,
    `if os.fork() == 0:\n  open("/proc/self/comm", "w").write("${lost}")\n  os._exit(0)`,
  );
  const read = job({ processes: [frozen, lost] });
  child.kill('SIGSTOP');
  const values = await eventually(async () => {
    const now = (await read()).values;
    return now[`${frozen}.stopped`] === 1 && now[`${lost}.zombies`] === 1 ? now : undefined;
  }, 'the states T and Z');
  expect(values).toMatchObject({ [`${frozen}.running`]: 1, [`${lost}.running`]: 0, [`${lost}.alive`]: 0 });
  await end(parent);
  child.kill('SIGCONT');
  await eventually(async () => {
    const now = (await read()).values;
    return now[`${frozen}.stopped`] === 0 && now[`${lost}.zombies`] === 0 ? true : undefined;
  }, 'the end of both');
});

it('by a pattern, by pid files: right, stale, empty', async () => {
  const child = await start(`daemon${mark}`);
  const pidFile = join(directory, 'a.pid');
  writeFileSync(pidFile, `${child.pid}\n`);
  const read = job({
    processes: [
      { name: 'pattern', pattern: `*daemon${mark} --of ${mark}` },
      { name: 'file', pidFile, exact: `daemon${mark}` },
    ],
  });
  expect(await read()).toMatchObject({ values: { 'pattern.running': 1, 'file.running': 1 }, problems: [] });
  writeFileSync(pidFile, `${process.pid}\n`);
  const stale = await read();
  expect(stale.values).toMatchObject({ 'pattern.running': 1, 'file.running': 0 });
  expect(stale.problems).toEqual([expect.stringMatching(/^E_NOT_FOUND "file": .* it is stale$/)]);
  writeFileSync(pidFile, '');
  const empty = await read();
  expect(empty.values).not.toHaveProperty('file.running');
  expect(empty.problems).toEqual([expect.stringMatching(/^E_PARSE "file": pid file .* is empty/)]);
});

it.skipIf(!isRoot)(
  'as a user who may not: open files of others are unknown and said once, the rest is sent',
  async () => {
    const name = `others${mark}`;
    await start(name);
    const file = join(directory, 'edgestatd.yaml');
    const config = `sinks: [ { type: stdout } ]\njobs: [ { collector: process, every: 10s, options: { hypervisor: false, processes: [ ${name} ] } } ]\n`;
    writeFileSync(file, config, { mode: 0o644 });
    const [as, ...through] = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
    const daemon = spawn(as ?? '', [...through, process.execPath, ...endWithParent, bin, 'once', '--config', file], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    children.push(daemon);
    let [out, err] = ['', ''];
    daemon.stdout?.on('data', (chunk) => {
      out += String(chunk);
    });
    daemon.stderr?.on('data', (chunk) => {
      err += String(chunk);
    });
    const [code] = await once(daemon, 'close');
    expect(err).toMatch(/E_DENIED: .*open files cannot be counted.*CAP_DAC_READ_SEARCH/);
    expect(err.match(/E_DENIED/g)).toHaveLength(1);
    expect(code).toBe(0);
    expect(out).toMatch(new RegExp(`^edge\\.\\S+\\.process\\.${name}\\.running 1 gauge processes$`, 'm'));
    expect(out).toMatch(new RegExp(`^edge\\.\\S+\\.process\\.${name}\\.resident_bytes [1-9]`, 'm'));
    expect(out).not.toContain('open_files');
  },
);
