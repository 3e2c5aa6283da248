/** `edgestatd top` on real terminals, asking real daemons. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createClient } from '../../src/status/client.ts';
import { type DaemonProcess, scratch, startEdgestatd, stopAll } from '../support/daemon.ts';
import { cliOn, htbConfig } from '../support/htb-cli.ts';
import { endWithParent, eventually } from '../support/statsd.ts';
import { startTestbed, type Testbed, testbedReason } from '../support/testbed.ts';
import { closeTmux, PATIENCE_MS, startTmux, type Tmux } from '../support/tmux.ts';

const bin = new URL('../../src/bin.js', import.meta.url).pathname;
const onTerminal = new URL('../support/terminal.py', import.meta.url).pathname;

/** Programs are started one after the other, and a busy machine takes seconds for each. */
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

type Row = readonly [name: string, use: number | null, deep: number | null];

/** A daemon with one table, the rows of which a test writes. */
interface Told {
  readonly daemon: DaemonProcess;
  readonly config: string;
  readonly socket: string;
  tell(rows: readonly Row[]): void;
}

const PLUGIN = `import { defineCollector, gauge, sample, z } from 'edgestatd';
const about = { labels: ['thing'], help: 'For tests.', source: 'test' };
const use = gauge('use_ratio', { ...about, unit: 'ratio' });
const deep = gauge('deep', { ...about, unit: 'messages' });
export const things = defineCollector({
  name: 'things',
  options: z.strictObject({ file: z.string() }),
  metrics: { use, deep },
  tables: [{
    name: 'things', title: 'Things by use', labels: ['thing'], sortBy: 'use',
    columns: [
      { title: 'use', metric: use, form: 'ratio', warnAt: 0.8, badAt: 0.95 },
      { title: 'deep', metric: deep, form: 'number' },
    ],
  }],
  async collect({ host, options }) {
    const rows = JSON.parse(await host.readFile(options.file));
    return { samples: rows.flatMap(([thing, ratio, depth]) => [
      ...(ratio === null ? [] : [sample(use, ratio, { thing })]),
      ...(depth === null ? [] : [sample(deep, depth, { thing })]),
    ]) };
  },
});
`;

async function startTelling(rows: readonly Row[]): Promise<Told> {
  const folder = scratch();
  const [plugin, file, socket] = [join(folder, 'things.mjs'), join(folder, 'rows.json'), join(folder, 'status.sock')];
  const tell = (next: readonly Row[]): void => {
    writeFileSync(`${file}.new`, JSON.stringify(next));
    renameSync(`${file}.new`, file);
  };
  tell(rows);
  writeFileSync(plugin, PLUGIN, { mode: 0o600 });
  const daemon = startEdgestatd(`targets: { local: { type: local, name: hv01 } }
sinks: [ { type: stdout, onlyOnTerminal: true } ]
plugins: [ ${plugin} ]
status: { socket: ${socket} }
jobs: [ { collector: things, every: 1s, splay: 0s, options: { file: ${file} } }, { collector: link, every: 1h } ]
`);
  await daemon.event('daemon:started');
  await ready(socket, 'things');
  return { daemon, config: daemon.file, socket, tell };
}

const ROWS: readonly Row[] = [
  ['calm', 0.1, 7],
  ['full', 0.99, 3],
  ['busy', 0.85, 1500],
];

interface Ended {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | null;
}

/** Without a terminal. */
async function run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const program = spawn(process.execPath, [...endWithParent, bin, 'top', ...args], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...process.env, ...env },
  });
  const output = [program.stdout, program.stderr].map((stream) => (stream === null ? '' : text(stream)));
  const [stdout = '', stderr = '', [code]] = (await Promise.all([...output, once(program, 'exit')])) as [
    string,
    string,
    [number | null],
  ];
  return { stdout, stderr, code };
}

/** Resolves when the daemon has rows of a table. */
async function ready(socket: string, name: string): Promise<void> {
  const client = createClient(socket);
  try {
    await eventually(
      async () => {
        const { tables } = await client.tables().catch(() => ({ tables: [] }));
        return tables.some((table) => table.name === name && table.rows > 0) ? true : undefined;
      },
      `rows of ${name}`,
      PATIENCE_MS,
    );
  } finally {
    client.close();
  }
}

const top = (config: string, ...more: readonly string[]): string[] => [
  process.execPath,
  bin,
  'top',
  '--config',
  config,
  ...more,
];

/** `top` from a shell that says how the terminal was before and is after it. */
function inShell(config: string, ...more: readonly string[]): string[] {
  const script = 'before=$(stty -g); "$@"; echo "ended $?"; [ "$before" = "$(stty -g)" ] && echo as before; cat';
  return ['sh', '-c', script, 'sh', ...top(config, ...more)];
}

const namesOn = (lines: readonly string[]): string[] =>
  lines.flatMap((line) => /^(?:hv01 +)?(calm|full|busy|new)\b/.exec(line)?.[1] ?? []);
const shows =
  (...names: string[]) =>
  (lines: readonly string[]): boolean =>
    namesOn(lines).join() === names.join();

let child: ChildProcess | undefined;
afterEach(() => {
  closeTmux();
  child?.kill('SIGKILL');
  child = undefined;
});

describe('top beside a daemon that changes', () => {
  afterEach(stopAll);

  it('shows what is worst, as it changes; sorts, filters, and leaves the terminal as it was', async () => {
    const told = await startTelling(ROWS);
    const tmux = startTmux(inShell(told.config), { columns: 100, rows: 14 });
    const lines = await tmux.until(shows('full', 'busy', 'calm'), 'the rows');
    expect(lines[0]).toMatch(/^\S+ {2}healthy {2}data (?:\d+m?s|\d+m?s-\d+m?s) old {2}edgestatd \d/);
    expect(lines[1]).toMatch(/\[\d things\]/);
    expect(lines[3]).toMatch(/^thing +use↓ +deep$/);
    expect(lines[4]).toMatch(/^full +99 % +3$/);
    expect(tmux.ask('#{alternate_on} #{cursor_flag}')).toBe('1 0');
    expect(tmux.screen({ escapes: true }).join('\n')).toMatch(/\u001b\[1m\u001b\[31m99 %|\u001b\[1;31m99 %/);

    told.tell([...ROWS, ['new', 1.5, 2]]);
    await tmux.until(shows('new', 'full', 'busy', 'calm'), 'the new one above');
    tmux.send('s');
    const sorted = await tmux.until(shows('busy', 'calm', 'full', 'new'), 'the deepest above');
    expect(sorted[3]).toMatch(/deep↓$/);
    tmux.send('r');
    await tmux.until(shows('new', 'full', 'calm', 'busy'), 'the other way round');
    tmux.send('/', 'f', 'u');
    expect((await tmux.until(shows('full'), 'what is filtered'))[2]).toMatch(/^\/fu_ /);
    tmux.send('Escape');
    await tmux.until(shows('new', 'full', 'calm', 'busy'), 'everything again');
    tmux.send('?');
    await tmux.until((screen) => screen.some((line) => line.startsWith('any key goes back')), 'the help');
    tmux.send('x', 'p');
    await tmux.until((screen) => screen[0]?.includes('paused') === true, 'the pause');
    told.tell(ROWS);
    tmux.send('p');
    await tmux.until(shows('full', 'calm', 'busy'), 'without the new one');
    tmux.send('q');
    const after = await tmux.until((screen) => screen.includes('as before'), 'the shell');
    expect(after.slice(0, 2)).toEqual(['ended 0', 'as before']);
    expect(tmux.ask('#{alternate_on} #{cursor_flag} #{wrap_flag}')).toBe('0 1 1');
  });

  it('shows hostile names as text, and moves no row by them', async () => {
    const names = [
      '\u001b[2J\u001b[1;1Howned',
      '\u001b]0;title\u0007',
      'two\r\nlines',
      '\u202eevil',
      '虚拟机',
      'z\u0335\u0335\u0335\u0335\u0335\u0335',
      '\u001b[?1049l',
    ];
    const told = await startTelling(names.map((name, at) => [name, 0.9 - at / 100, at]));
    const tmux = startTmux(top(told.config), { columns: 80, rows: 16 });
    const full = (lines: readonly string[]): boolean =>
      lines.filter((line) => / \d+ %/.test(line)).length === names.length;
    const lines = await tmux.until(full, 'a row for each');
    expect(lines[4]).toMatch(/^\\u001b\[2J\\u001b\[1;1Howned +90 % +0$/);
    expect(lines[6]).toMatch(/^two\\u000d\\u000alines +88 % +2$/);
    expect(lines[7]).toMatch(/^\\u202eevil +87 %/);
    // tmux itself says in which column the numbers of the wide and of the combined ones are.
    const ends = new Set(
      lines.slice(4, 11).map((line) => [...line.replace(/虚拟机/, '######').replaceAll('\u0335', '')].length),
    );
    expect(ends.size).toBe(1);
    expect(tmux.ask('#{alternate_on} #{pane_title}')).not.toMatch(/^0|title/);
  });

  it('says so while the daemon is away, keeps what it had, and goes on when it is back', async () => {
    const told = await startTelling(ROWS);
    const tmux = startTmux(top(told.config), { columns: 120, rows: 14 });
    await tmux.until(shows('full', 'busy', 'calm'), 'the rows');
    const yaml = readFileSync(told.config, 'utf8');
    await told.daemon.end();
    const away = await tmux.until((lines) => lines[0]?.includes('no answer for') === true, 'that nobody answers');
    expect(away[0]).toMatch(/no daemon answers/);
    expect(namesOn(away)).toEqual(['full', 'busy', 'calm']);
    startEdgestatd(yaml);
    told.tell([['calm', 1, 1]]);
    await tmux.until((lines) => lines[0]?.includes('healthy') === true && shows('calm')(lines), 'the new daemon');
  });

  it('ends when it is told to while nobody reads its terminal', async () => {
    const told = await startTelling(
      Array.from({ length: 200 }, (_, at) => [`thing-${'x'.repeat(150)}-${at}`, at / 200, at]),
    );
    const command = ['sh', '-c', 'stty rows 200 cols 200; exec "$@"', 'sh', ...top(told.config, '--interval', '100ms')];
    const started = spawn('python3', [onTerminal, ...command], { stdio: ['pipe', 'pipe', 'inherit'] });
    child = started;
    const output = text(started.stdout);
    const pid = await eventually(() => belowOf(started.pid), 'the program');
    // It has filled what the terminal holds, and asks on: the daemon answers it more often than it can draw.
    const asked = (): number => cpuTicks(pid);
    const before = await eventually(() => (asked() > 20 ? asked() : undefined), 'its work');
    await eventually(() => (asked() > before + 5 ? true : undefined), 'that it goes on');
    process.kill(pid, 'SIGTERM');
    expect((await output).trimEnd()).toMatch(/(?:exit 143|signal 15)$/);
  });

  it('prints every table that has rows, as plain text with whole names', async () => {
    const name = `a-very-long-name-${'x'.repeat(150)}`;
    const told = await startTelling([...ROWS, [name, null, 5]]);
    const { stdout, stderr, code } = await run(['--config', told.config]);
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
    const printed = stdout.slice(stdout.indexOf('things:')).split('\n');
    expect(printed[0]).toBe('things: Things by use (4)');
    expect(printed.slice(2, 6).map((line) => line.split(/ +/))).toEqual([
      ['full', '99', '%', '3'],
      ['busy', '85', '%', '1.5k'],
      ['calm', '10', '%', '7'],
      [name, '–', '5'],
    ]);
    const some = await run([
      '--config',
      told.config,
      '--table',
      'things',
      '--sort',
      'deep',
      '--best',
      '--lines',
      '2',
      '--filter',
      'L',
    ]);
    expect(some.stdout.split('\n').slice(2)).toEqual([
      expect.stringMatching(/^full .* 3$/),
      expect.stringMatching(/^a-very/),
      '',
    ]);
  });
});

describe('top beside a daemon', () => {
  let told: Told;
  beforeAll(async () => {
    told = await startTelling(ROWS);
  });
  afterAll(stopAll);

  it.each([
    ['C-c', 0],
    ['SIGTERM', 143],
    ['SIGINT', 130],
    ['SIGHUP', 129],
  ] as const)('leaves the terminal as it was after %s', async (how, code) => {
    const tmux = startTmux(inShell(told.config), { rows: 12 });
    await tmux.until(shows('full', 'busy', 'calm'), 'the rows');
    if (how === 'C-c') tmux.send(how);
    else process.kill(programOn(tmux), how);
    const after = await tmux.until((lines) => lines.includes('as before'), 'the shell');
    expect(after.slice(0, 2)).toEqual([`ended ${code}`, 'as before']);
    expect(tmux.ask('#{alternate_on} #{cursor_flag}')).toBe('0 1');
  });

  it('fits terminals of any size while they change, down to twenty columns', async () => {
    const tmux = startTmux(top(told.config), { columns: 100, rows: 20 });
    await tmux.until(shows('full', 'busy', 'calm'), 'the rows');
    tmux.resize(20, 8);
    const narrow = await tmux.until(
      (lines) => lines.length === 8 && shows('full', 'busy', 'calm')(lines),
      'a narrow one',
    );
    expect(narrow[3]).toMatch(/^thing +use↓/);
    expect(narrow[4]).toMatch(/^full +99 %/);
    tmux.resize(20, 2);
    await tmux.until((lines) => lines.length === 2 && shows('full')(lines), 'the worst row alone');
    tmux.resize(120, 30);
    await tmux.until((lines) => lines.length === 30 && shows('full', 'busy', 'calm')(lines), 'a wide one');
    expect(tmux.screen().at(-1)).toMatch(/^q quit/);
  });

  it('is stopped by Ctrl-Z and goes on in the foreground', async () => {
    const tmux = startTmux(['bash', '--norc', '-i'], { rows: 12, env: { PS1: '> ', HISTFILE: undefined } });
    tmux.send(top(told.config).join(' '), 'Enter');
    await tmux.until(shows('full', 'busy', 'calm'), 'the rows');
    tmux.send('C-z');
    await tmux.until((lines) => lines.some((line) => line.includes('Stopped')), 'the shell');
    expect(tmux.ask('#{alternate_on} #{cursor_flag}')).toBe('0 1');
    tmux.send('fg', 'Enter');
    await tmux.until(shows('full', 'busy', 'calm'), 'the rows again');
    expect(tmux.ask('#{alternate_on} #{cursor_flag}')).toBe('1 0');
    tmux.send('q');
    await tmux.until((lines) => !namesOn(lines).includes('full'), 'the shell again');
  });

  it('has no colours with NO_COLOR, and then says by signs what is bad', async () => {
    const tmux = startTmux(top(told.config), { rows: 12, env: { NO_COLOR: '1' } });
    const lines = await tmux.until(shows('full', 'busy', 'calm'), 'the rows');
    expect(tmux.screen({ escapes: true }).join('\n')).not.toContain('\u001b[');
    expect(lines[4]).toMatch(/99 %! /);
    expect(lines[5]).toMatch(/85 %\* /);
  });

  it('prints once on a terminal that can do nothing, and when it is told to', async () => {
    for (const command of [['env', 'TERM=dumb', ...top(told.config)], top(told.config, '--once')]) {
      // A terminal whose program has ended is scrolled by a line.
      const tmux = startTmux(['sh', '-c', '"$@"; cat', 'sh', ...command], { columns: 30, rows: 12 });
      const lines = await tmux.until((screen) => screen.some((line) => /^calm/.test(line)), 'the rows');
      expect(lines[0]).toMatch(/^things: Things by use \(3\)$/);
      expect(tmux.ask('#{alternate_on}')).toBe('0');
      tmux.close();
    }
  });

  it('lists the tables, and refuses what there is not with what there is', async () => {
    const list = await run(['--config', told.config, '--table', 'list']);
    expect(list.stdout).toMatch(/^things +3 rows {2}Things by use$/m);
    expect(list.stdout).toMatch(/^interfaces +\d+ rows? +Interfaces by errors$/m);
    const wrong = [
      [['--table', 'thing'], /^--table "thing": .*did you mean "things"\? \(there are .*"interfaces".*\)\n$/],
      [
        ['--table', 'things', '--sort', 'deeep'],
        /^--sort "deeep": .*did you mean "deep"\? \(there are "target", "thing", "use", "deep"\)\n$/,
      ],
      [['--target', 'hv09'], /^--target "hv09": .*"hv01"\)\n$/],
    ] as const;
    const ended = await Promise.all(wrong.map(([flags]) => run(['--config', told.config, ...flags])));
    for (const [at, { stdout, stderr, code }] of ended.entries()) {
      expect({ stdout, code }, stderr).toEqual({ stdout: '', code: 2 });
      expect(stderr).toMatch(wrong[at]?.[1] ?? /none/);
    }
  });
});

describe('top without a daemon', () => {
  afterEach(stopAll);

  it('says in one line that no daemon answers', async () => {
    const socket = join(scratch(), 'none.sock');
    const { stdout, stderr, code } = await run(['--socket', socket]);
    expect({ stdout, code }).toEqual({ stdout: '', code: 1 });
    expect(stderr).toMatch(/^edgestatd: E_CONNECT: no daemon answers: .*none\.sock.*edgestatd run.*\n$/);
  });
});

const reason = testbedReason();
describe.skipIf(reason !== undefined)(`top of a hypervisor${reason === undefined ? '' : ` (${reason})`}`, () => {
  let testbed: Testbed;
  beforeAll(async () => {
    testbed = await startTestbed();
  });
  afterAll(() => testbed?.close());
  afterEach(stopAll);

  it('shows the VIF at its ceiling above the others', async () => {
    const cli = cliOn(testbed);
    try {
      const file = cli.file(htbConfig(testbed));
      const socket = join(scratch(), 'status.sock');
      writeFileSync(file, `${readFileSync(file, 'utf8')}status: { socket: ${socket} }\n`);
      cli.start(file);
      const traffic = await testbed.startTraffic('vm2');
      try {
        await ready(socket, 'vifs');
        const tmux = startTmux(top(file), { columns: 100, rows: 16 });
        // On a busy machine the sender may have had no turn for a part of an interval.
        const lines = await tmux.until(
          (screen) => /^eth1 +vif3\.1 +10\.0\.0\.38 +(?:9\d(?:\.\d)?|10\d) %/.test(screen[4] ?? ''),
          'vif3.1 at its ceiling',
        );
        expect(lines[3]).toMatch(/^device +name +ip .*util↓ +sent +ceil/);
        expect(lines[4]).toMatch(/ (?:9|10)(?:\.\d+)?M +10M /);
        expect(lines.slice(5).filter((line) => line.startsWith('eth1')).length).toBeGreaterThanOrEqual(3);
      } finally {
        await traffic.stop();
      }
    } finally {
      cli.close();
    }
  });
});

/** `top` right below another process; what else that has started is none of ours. */
function belowOf(pid: number | undefined): number | undefined {
  const { stdout } = spawnSync('ps', ['--no-headers', '-ww', '-o', 'pid,args', '--ppid', String(pid)], {
    encoding: 'utf8',
  });
  const found = stdout
    .split('\n')
    .find((line) => line.replace(/^ *[0-9]+ /, '').startsWith(`${process.execPath} ${bin} top`));
  return found === undefined ? undefined : Number.parseInt(found, 10);
}

/** `top` below the shell of a terminal. */
function programOn(tmux: Tmux): number {
  const pid = belowOf(Number(tmux.ask('#{pane_pid}')));
  if (pid === undefined) throw new Error('nothing runs below the shell');
  return pid;
}

/** utime and stime, proc(5). */
function cpuTicks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return Number(fields[11]) + Number(fields[12]);
}
