/** The exec collector with real programs on this machine: what they print, how they end, and that nothing is left. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exec } from '../../collectors/exec/index.ts';
import { systemClock } from '../../src/clock.ts';
import type { Reading } from '../../src/collector.ts';
import { localTarget } from '../../src/hosts/local.ts';
import { createLinks } from '../../src/hosts/ssh-links.ts';
import { sshTarget } from '../../src/hosts/ssh-target.ts';
import { run } from '../../src/run.ts';
import { canRunSshd, type Sshd, startSshd } from '../support/sshd.ts';

const folder = mkdtempSync(join(tmpdir(), 'edgestatd-exec-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function program(name: string, body: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}

async function measured(options: object, { timeoutMs = 20_000, maxOutputBytes = 1024 * 1024 } = {}) {
  const target = localTarget('here', { maxOutputBytes, killAfterMs: 200 });
  const plan = { job: 'exec', collector: exec, options: exec.options.parse(options), target, timeoutMs };
  const { reading, failure } = await run(plan, systemClock);
  await target.close();
  return { series: seriesOf(reading), problems: reading.problems ?? [], failure };
}

function seriesOf({ samples }: Reading): Record<string, number | bigint> {
  const series = samples.map(({ metric, labels, value }) => [
    [...metric.labels.map((label) => labels[label]), metric.name].join(' '),
    value,
  ]);
  return Object.fromEntries(series);
}

const LOAD = { name: 'load1', kind: 'gauge', unit: 'tasks' };

describe('a program', () => {
  it('is run without a shell, in the C locale, and sees its words as they are', async () => {
    const command = [
      program('check_words', 'echo "OK | n=$#;;;; l=`printf %s "$2" | wc -c` loc_$LC_ALL=1"'),
      '$(id)',
      'a b*',
      '',
    ];
    const metrics = [
      { name: 'words', kind: 'gauge', unit: 'words', from: 'n' },
      { name: 'length', kind: 'gauge', unit: 'characters', from: 'l' },
      { name: 'locale', kind: 'gauge', unit: 'boolean', from: 'loc_C' },
    ];
    const { series, problems } = await measured({ command, metrics });
    expect(problems).toEqual([]);
    expect(series).toMatchObject({ 'check_words words': 3, 'check_words length': 4, 'check_words locale': 1 });
  });

  it('that ends with CRITICAL has answered, and one that a signal ends has not', async () => {
    const bad = await measured({ command: [program('check_bad', 'echo "BAD | load1=9"; exit 2')], metrics: [LOAD] });
    expect(bad.series).toMatchObject({ 'check_bad status': 2, 'check_bad load1': 9 });
    const { failure } = await measured({ command: [program('check_killed', 'echo "OK | load1=9"; kill -9 $$')] });
    expect(failure).toMatchObject({ code: 'E_EXIT', evidence: { signal: 'SIGKILL' } });
  });

  it('that never ends is ended at the deadline, with all that it started', async () => {
    const pid = join(folder, 'pid');
    const command = [
      program('check_slow', `trap '' TERM; sleep 600 & echo $! >${pid}; echo "OK | load1=1"; sleep 600`),
    ];
    const { failure } = await measured({ command, metrics: [LOAD] }, { timeoutMs: 1500 });
    expect(failure?.code).toBe('E_TIMEOUT');
    expect(existsSync(`/proc/${readFileSync(pid, 'utf8').trim()}/exe`)).toBe(false);
  });

  it('that floods is ended at the limit', async () => {
    const { failure } = await measured({ command: ['yes', 'OK | a=1'] }, { maxOutputBytes: 100_000 });
    expect(failure?.code).toBe('E_OUTPUT_SIZE');
  });

  it('that is not there, or may not be run, says so', async () => {
    expect((await measured({ command: [join(folder, 'none')] })).failure?.code).toBe('E_NOT_FOUND');
    const path = program('check_denied', 'echo x');
    chmodSync(path, 0o644);
    expect((await measured({ command: [path] })).failure?.code).toBe('E_DENIED');
  });

  it('that prints bytes which are no text makes no wrong number', async () => {
    const command = [program('check_bytes', `printf 'OK | load1=1\\0005 \\377=3 a=\\3332\\n'`)];
    const { series, failure } = await measured({ command, metrics: [LOAD] });
    expect(failure).toBeUndefined();
    expect(series).not.toHaveProperty('check_bytes load1');
    expect(series).toMatchObject({ 'check_bytes missing': 1 });
  });
});

const PLUGINS = '/usr/lib/nagios/plugins';

describe.skipIf(!existsSync(`${PLUGINS}/check_load`))('the monitoring plugins of this machine', () => {
  it('check_load', async () => {
    const command = [`${PLUGINS}/check_load`, '-w', '999,999,999', '-c', '9999,9999,9999'];
    const { series, problems } = await measured({ command, metrics: [LOAD], ignore: ['load*'] });
    expect(problems).toEqual([]);
    expect(series).toMatchObject({ 'check_load status': 0, 'check_load values': 3, 'check_load missing': 0 });
    expect(series['check_load load1']).toBeGreaterThanOrEqual(0);
  });

  it('check_disk', async () => {
    const command = [`${PLUGINS}/check_disk`, '-w', '1', '-c', '1', '-p', '/'];
    const metrics = [
      { name: 'used_bytes', kind: 'gauge', unit: 'bytes', labels: ['path'], from: '*', kilo: 1024 },
      { name: 'size_bytes', kind: 'gauge', unit: 'bytes', labels: ['path'], from: '*', field: 'max', kilo: 1024 },
    ];
    const { series, problems } = await measured({ command, metrics });
    expect(problems).toEqual([]);
    expect(series['check_disk / used_bytes']).toBeGreaterThan(0);
    expect(series['check_disk / size_bytes']).toBeGreaterThan(Number(series['check_disk / used_bytes']));
  });
});

describe.skipIf(!canRunSshd())('a program of a machine that is reached by SSH', () => {
  let sshd: Sshd;
  beforeAll(async () => {
    // The user of the rig must reach what stands in it.
    chmodSync(folder, 0o755);
    sshd = await startSshd();
  });
  afterAll(() => sshd?.stop());

  async function both(options: object, timeoutMs = 20_000) {
    const settings = sshd.settings();
    const { link, release } = createLinks(systemClock).take(settings);
    const target = sshTarget('far', settings, link, { killAfterMs: 200 });
    const plan = { job: 'exec', collector: exec, options: exec.options.parse(options), target, timeoutMs };
    try {
      const { reading, failure } = await run(plan, systemClock);
      return { far: seriesOf(reading), failure };
    } finally {
      await target.close();
      release();
    }
  }

  it('gives what it gives here', async () => {
    const body = `printf "BAD - it's %s | 'a b'=5MiB c=12ms n=18446744073709551615c\\n" "$1"; exit 2`;
    const command = [program('check_far', body), `$(id) 'x'`];
    const metrics = [
      { name: 'held_bytes', kind: 'gauge', unit: 'bytes', from: 'a b' },
      { name: 'took_seconds', kind: 'gauge', unit: 'seconds', from: 'c' },
      { name: 'packets', kind: 'counter', unit: 'packets', from: 'n' },
    ];
    const { far } = await both({ command, metrics });
    expect(far).toEqual((await measured({ command, metrics })).series);
    expect(far).toMatchObject({ 'check_far status': 2, 'check_far held_bytes': 5242880, 'check_far missing': 0 });
    expect(far['check_far packets']).toBe(18446744073709551615n);
  });

  it('fails as it fails here', async () => {
    const silent = program('check_silent', 'echo "no way" >&2; exit 1');
    expect((await both({ command: [silent] })).failure).toMatchObject({
      code: 'E_PARSE',
      message: `${silent} ended with status 1 and printed nothing; a plugin prints a line: "no way"`,
    });
    expect((await both({ command: [join(folder, 'none')] })).failure?.code).toBe('E_NOT_FOUND');
    expect((await both({ command: [program('check_four', 'echo x; exit 4')] })).failure?.code).toBe('E_EXIT');
    expect((await both({ command: ['sleep', '600'] }, 2000)).failure?.code).toBe('E_TIMEOUT');
    expect(sshd.processes().filter(({ argv }) => argv.includes('sleep 600'))).toEqual([]);
  });
});
