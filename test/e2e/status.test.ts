/** `edgestatd status` and the status socket of a real daemon. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, lstatSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createClient, socketOf } from '../../src/status/client.ts';
import type { StatusDocument, TableDocument } from '../../src/status/document.ts';
import { type DaemonProcess, scratch, startEdgestatd, stopAll } from '../support/daemon.ts';
import { endWithParent, eventually, freePort } from '../support/statsd.ts';
import { listenUdp, type UdpListener } from '../support/udp-listener.ts';

const bin = new URL('../../src/bin.js', import.meta.url).pathname;
const onTerminal = new URL('../support/terminal.py', import.meta.url).pathname;
// Each command is a process of its own, which on a busy machine takes seconds to begin.
vi.setConfig({ testTimeout: 120_000 });
const children: ChildProcess[] = [];
let udp: UdpListener | undefined;
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

async function stopDaemons(): Promise<void> {
  stopAll();
  await udp?.close();
  udp = undefined;
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

type Command = ChildProcess & { readonly stdout: Readable; readonly stderr: Readable };

function command(words: readonly string[], env: NodeJS.ProcessEnv): Command {
  const argv = [...endWithParent, bin, 'status', ...words];
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], env });
  children.push(child);
  return child as Command;
}

async function status(words: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<Ended> {
  const child = command(words, env);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { stdout, stderr, code: code as number | null };
}

const of = ({ file, env }: DaemonProcess, ...words: string[]): Promise<Ended> =>
  status(['--config', file, ...words], env);

/** A collector whose numbers, problems and failures are in a file. */
function plugin(): { readonly path: string; readonly numbers: (json: object) => void } {
  const directory = scratch();
  const path = join(directory, 'shaper.ts');
  const file = join(directory, 'numbers.json');
  writeFileSync(
    path,
    `import { defineCollector, Failure, gauge, sample, z } from 'edgestatd';
const about = { unit: 'ratio', labels: ['vif'], help: 'For tests.', source: 'test' } as const;
const use = gauge('use_ratio', about);
export const shaper = defineCollector({
  name: 'shaper', options: z.strictObject({ secret: z.string().default('') }), metrics: { use },
  tables: [{ name: 'shaped', title: 'What is shaped', labels: ['vif'], sortBy: 'use',
    columns: [{ title: 'use', metric: use, form: 'ratio', badAt: 0.95, chart: true }] }],
  async collect({ host, options }) {
    const { vifs = {}, fails, problem } = JSON.parse(await host.readFile(${JSON.stringify(file)}));
    if (fails !== undefined) throw new Failure('E_DENIED', fails + options.secret);
    return { samples: Object.entries(vifs).map(([vif, value]) => sample(use, value as number, { vif })),
      problems: problem === undefined ? [] : [new Failure('E_PARSE', problem)] };
  },
});
`,
  );
  const numbers = (json: object): void => writeFileSync(file, JSON.stringify(json));
  numbers({});
  return { path, numbers };
}

const yaml = (path: string, port: number, more = ''): string => `
plugins: [${path}]
sinks: [ { type: statsd, port: ${port} } ]
jobs: [ { collector: shaper, every: 1s, options: { secret: "\${env:SECRET}" } } ]
${more}
`;

async function started(more = '') {
  udp = await listenUdp();
  const { path, numbers } = plugin();
  const content = yaml(path, udp.port, more);
  const daemon = startEdgestatd(content, { SECRET: 'hunter2-and-more' });
  await daemon.event('daemon:started');
  return { daemon, numbers, content, socket: socketOf({ config: daemon.file }, { env: daemon.env, uid: 0 }) };
}

/** Asks until the answer is as it should be. */
async function until(daemon: DaemonProcess, fits: (document: StatusDocument) => boolean): Promise<StatusDocument> {
  const client = createClient(socketOf({ config: daemon.file }, { env: daemon.env, uid: 0 }));
  try {
    return await eventually(async () => {
      const document = await client.status().catch(() => undefined);
      return document !== undefined && fits(document) ? document : undefined;
    }, 'a status that fits');
  } finally {
    client.close();
  }
}

describe('beside one daemon', () => {
  let told: Awaited<ReturnType<typeof started>>;
  let daemon: DaemonProcess;
  beforeAll(async () => {
    told = await started();
    daemon = told.daemon;
  });
  afterAll(stopDaemons);

  /** Runs on a terminal of so many columns; resolves with what was written when the program has ended. */
  function onColumns(columns: number, words: readonly string[], env: NodeJS.ProcessEnv) {
    const script = `stty cols ${columns} rows 24; exec "$@"`;
    const argv = [onTerminal, 'sh', '-c', script, 'sh', process.execPath, bin, 'status', ...words];
    const child = spawn('python3', argv, { stdio: ['pipe', 'pipe', 'inherit'], env });
    children.push(child);
    child.stdin.write('read\n');
    return { child, output: text(child.stdout) };
  }
  /** The program below the one that gives it a terminal. */
  const pidOf = (parent: ChildProcess): Promise<number> =>
    eventually(() => {
      const below = readdirSync('/proc').filter((name) => {
        if (!/^\d+$/.test(name)) return false;
        try {
          return lstatSync(`/proc/${name}`).isDirectory() && parentOf(name) === parent.pid && isNode(name);
        } catch {
          return false;
        }
      });
      return below[0] === undefined ? undefined : Number(below[0]);
    }, 'the program on the terminal');

  it('says by its exit code whether the daemon is healthy', async () => {
    expect(await of(daemon, '--healthy')).toEqual({ code: 0, stdout: 'healthy\n', stderr: '' });
    // A daemon of which every job has failed for a minute, without the minute.
    const socket = join(scratch(), 's.sock');
    const health = { healthy: false, reasons: ['no job works: tcp@local', 'every sink is down: statsd\u001b[2J'] };
    const sick = createServer((_, response) => response.end(JSON.stringify({ format: 1, health })));
    sick.listen(socket);
    await once(sick, 'listening');
    expect(await status(['--healthy', '--socket', socket])).toEqual({
      ...{ code: 1, stderr: '', stdout: 'no job works: tcp@local\nevery sink is down: statsd\\u001b[2J\n' },
    });
    expect(await status(['--socket', socket])).toMatchObject({ code: 0, stdout: expect.stringMatching(/NOT HEALTHY/) });
    sick.close();
  });

  it.runIf(process.getuid?.() === 0)('is refused by another user’s daemon, and says who may', async () => {
    const argv = [
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
      process.execPath,
      bin,
      'status',
      '--socket',
      told.socket,
    ];
    const child = spawn('setpriv', argv, { stdio: ['ignore', 'pipe', 'pipe'], env: daemon.env });
    children.push(child);
    const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
    expect(stderr).toMatch(/^edgestatd: E_DENIED: this user may not ask the daemon at .*; be root, or join the group/);
    expect(code).toBe(1);
  });

  it('to a pipe watches with one document a line, until the reader has enough', async () => {
    const child = command(['--config', daemon.file, '--watch', '--json'], daemon.env);
    let lines = '';
    child.stdout.on('data', (chunk) => {
      lines += String(chunk);
    });
    await eventually(() => (lines.split('\n').length > 2 ? true : undefined), 'two documents');
    const [first, second] = lines.split('\n').map((line) => (line === '' ? undefined : JSON.parse(line)));
    expect(second.nowMs).toBeGreaterThan(first.nowMs);
    child.stdout.destroy();
    expect((await once(child, 'exit'))[0]).toBe(0);
  });

  it('has colours, unless NO_COLOR or TERM say otherwise; and fits 20 columns', async () => {
    told.numbers({ fails: 'root alone may read it: ' });
    await until(daemon, ({ jobs }) => jobs[0]?.state === 'down');
    const words = ['--config', daemon.file];
    const coloured = await onColumns(80, words, { ...daemon.env, TERM: 'xterm', NO_COLOR: undefined }).output;
    expect(coloured).toContain('\u001b[1;31m');
    for (const env of [{ TERM: 'xterm', NO_COLOR: '1' }, { TERM: 'dumb' }]) {
      const plain = await onColumns(20, words, { ...daemon.env, ...env }).output;
      expect(plain).not.toContain('\u001b');
      const lines = plain
        .replaceAll('\r', '')
        .replace(/\u001b\[[0-9;]*m/g, '')
        .split('\n');
      expect(lines.at(-2)).toBe('exit 0');
      for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(20);
      expect(lines.join('\n')).toMatch(/^ {2}shape\S* +DOWN$/m);
    }
  });

  it('watches on the other screen, and leaves the terminal as it was: on q, and on a signal', async () => {
    const words = ['--config', daemon.file, '--watch'];
    const { child, output } = onColumns(60, words, { ...daemon.env, TERM: 'xterm' });
    let written = '';
    child.stdout.on('data', (chunk) => {
      written += String(chunk);
    });
    await eventually(() => (written.includes('q ends') ? true : undefined), 'the first screen');
    expect(written).toContain('\u001b[?1049h');
    process.kill(await pidOf(child), 'SIGTERM');
    const all = await output;
    expect(all.trimEnd()).toMatch(/exit 143$/);
    expect(all.lastIndexOf('\u001b[?1049l')).toBeGreaterThan(all.lastIndexOf('\u001b[?1049h'));
    expect(all.lastIndexOf('\u001b[?25h')).toBeGreaterThan(all.lastIndexOf('\u001b[?25l'));
  });
});

describe('edgestatd status', () => {
  afterEach(stopDaemons);

  it('shows jobs, their problems since when, sinks and health; and again what has changed', async () => {
    const { daemon, numbers } = await started();
    await until(daemon, ({ jobs }) => jobs[0]?.state === 'up');
    const first = await of(daemon, '--json');
    expect(first).toMatchObject({ code: 0, stderr: '' });
    const document = JSON.parse(first.stdout) as StatusDocument;
    expect(document).toMatchObject({
      ...{ format: 1, pid: daemon.child.pid, node: process.version, config: daemon.file },
      health: { healthy: true, reasons: [] },
      jobs: [{ id: 'shaper@local', collector: 'shaper', schedule: '1s', state: 'up', failedRuns: 0, problems: [] }],
      sinks: [{ name: 'statsd', type: 'statsd', to: `127.0.0.1:${udp?.port}`, state: 'up' }],
    });
    expect(document.process.rssBytes).toBeGreaterThan(1e6);
    expect(document).not.toHaveProperty('events');

    numbers({ fails: 'root alone may read it: \u001b[2J' });
    const down = await until(daemon, ({ jobs }) => jobs[0]?.state === 'down');
    expect(down.jobs[0]?.problems[0]?.sinceMs).toBeGreaterThan(document.nowMs - 1000);
    const shown = await of(daemon);
    expect(shown).toMatchObject({ code: 0, stderr: '' });
    expect(shown.stdout).toMatch(/^edgestatd \S+ on .*: healthy$/m);
    expect(shown.stdout).toMatch(/^1 job: 0 up, 1 down$/m);
    expect(shown.stdout).toMatch(/^ {4}E_DENIED for \S+: root alone may read it: \\u001b\[2J\[redacted\]$/m);
    expect(shown.stdout).not.toContain('\u001b');
    expect(shown.stdout + JSON.stringify(down)).not.toContain('hunter2');

    // What is shown of it ends within the secret.
    numbers({ fails: `${'y'.repeat(991)} ` });
    const long = await until(daemon, ({ jobs }) => jobs[0]?.problems[0]?.message.startsWith('yy') === true);
    expect(long.jobs[0]?.problems[0]?.message).toMatch(/^y+ \[redacte…$/);

    numbers({ problem: 'line 3 is none' });
    const partly = await until(daemon, ({ jobs }) => jobs[0]?.problems[0]?.code === 'E_PARSE');
    expect(partly.jobs[0]).toMatchObject({ state: 'up', problems: [{ message: 'line 3 is none', fatal: false }] });
    expect(await daemon.end()).toBe(0);
  });

  it('tells of a sink that is down and up again, and when the configuration was reloaded', async () => {
    const port = await freePort();
    const { path } = plugin();
    const daemon = startEdgestatd(yaml(path, port), { SECRET: 'x' });
    const down = await until(daemon, ({ sinks }) => sinks[0]?.state === 'down');
    expect(down.sinks[0]).toMatchObject({ problem: { code: 'E_CONNECT', fatal: true }, to: `127.0.0.1:${port}` });
    expect(down).not.toHaveProperty('reloadedAtMs');
    udp = await listenUdp({ port });
    const up = await until(daemon, ({ sinks }) => sinks[0]?.state === 'up' && sinks[0].sentMetrics > 0);
    expect(up.sinks[0]).not.toHaveProperty('problem');
    expect(up.sinks[0]?.droppedMetrics.refused).toBeGreaterThan(0);
    daemon.configure(yaml(path, port, 'gracePeriod: 5s'));
    daemon.child.kill('SIGHUP');
    await daemon.event('daemon:reloaded');
    const after = await until(daemon, ({ reloadedAtMs }) => reloadedAtMs !== undefined);
    expect(after.jobs[0]?.runs).toBeGreaterThanOrEqual(up.jobs[0]?.runs ?? Number.NaN);
    expect(await daemon.end()).toBe(0);
  });

  it('without a daemon, or with one that is not for this user, says in one line what to do', async () => {
    const { daemon, socket } = await started();
    expect(await daemon.end()).toBe(0);
    expect(existsSync(socket)).toBe(false);
    const gone = await of(daemon);
    expect(gone).toMatchObject({ code: 1, stdout: '' });
    expect(gone.stderr).toBe(
      `edgestatd: E_CONNECT: no daemon answers: there is no socket "${socket}"; is it running? See "systemctl status edgestatd", or start it with "edgestatd run"\n`,
    );
    expect(await status(['--healthy', '--config', '/no/such.yaml'])).toMatchObject({ code: 2, stdout: '' });
  });

  it('that watches ends with the daemon, and says so', async () => {
    const { daemon } = await started();
    const child = command(['--config', daemon.file, '--watch'], daemon.env);
    const said = text(child.stderr);
    await once(child.stdout, 'data');
    expect(await daemon.end()).toBe(0);
    child.stdout.resume();
    expect((await once(child, 'exit'))[0]).toBe(1);
    expect(await said).toMatch(/E_CONNECT: no daemon answers/);
  });
});

describe('the socket of a daemon', () => {
  afterEach(stopDaemons);

  it('is for its user and group, replaced when one was killed, and gone when it stops', async () => {
    const { daemon, socket } = await started();
    expect(statSync(socket).mode & 0o777).toBe(0o660);
    await daemon.end('SIGKILL');
    expect(lstatSync(socket).isSocket()).toBe(true);
    const second = spawn(process.execPath, [...endWithParent, bin, 'run', '--config', daemon.file], {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      env: daemon.env,
    });
    children.push(second);
    const document = await until(daemon, ({ pid }) => pid === second.pid);
    expect(document.jobs).toHaveLength(1);
    second.kill('SIGTERM');
    expect((await once(second, 'exit'))[0]).toBe(0);
    expect(existsSync(socket)).toBe(false);
  });

  it('that another daemon has is left to it: the second one says so and works', async () => {
    const { daemon, content, socket } = await started();
    const second = startEdgestatd(`${content}\nstatus: { socket: ${socket} }`, { SECRET: 'y' });
    const said = await second.event('status:listen_failed');
    expect(said).toMatchObject({
      level: 'warn',
      code: 'E_CONNECT',
      message: expect.stringContaining('another process listens'),
    });
    await second.event('daemon:started');
    expect((await until(daemon, () => true)).pid).toBe(daemon.child.pid);
    expect(await second.end()).toBe(0);
    expect((await until(daemon, () => true)).pid).toBe(daemon.child.pid);
  });

  it('comes and goes with a reload; the page is on its own port, for loopback names alone', async () => {
    const { daemon, content, socket } = await started();
    const port = await freePort();
    daemon.configure(`${content}\nstatus: { socket: false, listen: "127.0.0.1:${port}" }`);
    daemon.child.kill('SIGHUP');
    expect(await daemon.event('status:listening')).toMatchObject({ at: `http://127.0.0.1:${port}` });
    expect(existsSync(socket)).toBe(false);
    const answer = await fetch(`http://127.0.0.1:${port}/status`);
    expect(await answer.json()).toMatchObject({ format: 1, pid: daemon.child.pid });
    expect((await fetch(`http://127.0.0.1:${port}/`)).headers.get('content-security-policy')).toContain(
      "default-src 'none'",
    );
    expect(await of(daemon)).toMatchObject({ code: 2, stderr: expect.stringContaining('status.socket is false') });
    daemon.configure(content);
    const from = daemon.events.length;
    daemon.child.kill('SIGHUP');
    await daemon.event('daemon:reloaded', from);
    await until(daemon, ({ pid }) => pid === daemon.child.pid);
    await expect(fetch(`http://127.0.0.1:${port}/status`)).rejects.toThrow();
  });

  it('has the tables of the collectors, in which what is gone is gone', async () => {
    const { numbers, socket } = await started();
    const client = createClient(socket);
    const rows = (fits: (table: TableDocument) => boolean): Promise<TableDocument> =>
      eventually(async () => {
        const table = await client.table('shaped', new URLSearchParams()).catch(() => undefined);
        return table !== undefined && fits(table) ? table : undefined;
      }, 'the rows');
    numbers({ vifs: { 'vif1.0': 0.5, 'vif<2>\n': 0.9 } });
    const both = await rows(({ found }) => found === 2);
    expect(both.entries.map(({ names, values }) => [...names, ...values])).toEqual([
      ['vif<2>\n', 0.9],
      ['vif1.0', 0.5],
    ]);
    expect(both.entries[0]?.key).toMatch(/\.shaper\.vif_2__$/);
    numbers({ vifs: { 'vif1.0': 0.6 } });
    expect((await rows(({ found }) => found === 1)).entries[0]?.values).toEqual([0.6]);
    client.close();
  });
});

function parentOf(pid: string): number {
  return Number(/^\d+ \(.*\) \S (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]);
}

/** The shell before it has become the program. */
function isNode(pid: string): boolean {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith(process.execPath);
}
