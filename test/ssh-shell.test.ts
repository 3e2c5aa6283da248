/** The protocol with a remote shell, against the shells of this machine, without SSH. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Failure } from '../src/errors.ts';
import { localTarget } from '../src/hosts/local.ts';
import { sshTargetOptions } from '../src/hosts/ssh-options.ts';
import { openShell } from '../src/hosts/ssh-shell.ts';
import { createShells } from '../src/hosts/ssh-shells.ts';
import { type SshLimits, sshTarget } from '../src/hosts/ssh-target.ts';
import { callsOn, type Ground, makeGround, told } from './support/host-cases.ts';
import { type ShellWireOptions, shellLink, shellWire } from './support/shell-wire.ts';
import { eventually } from './support/statsd.ts';

const directory = mkdtempSync(join(tmpdir(), 'edgestatd-shell-'));
let ground: Ground;
beforeAll(async () => {
  ground = await makeGround(directory);
});
afterAll(async () => {
  await ground?.close();
  rmSync(directory, { recursive: true, force: true });
});

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const isThere = (program: string): boolean =>
  (process.env.PATH ?? '').split(delimiter).some((part) => existsSync(join(part, program)));

/** What stands for /bin/sh, by the way in which it is started. */
const shells = Object.entries({
  dash: 'exec dash',
  bash: 'exec -a sh bash',
  busybox: 'exec busybox sh',
  mksh: 'exec mksh',
  ksh93: 'exec ksh',
}).filter(([name]) => isThere(name === 'ksh93' ? 'ksh' : name) || (name === 'busybox' && process.env.CI !== undefined));

const loginTo = (start: string): ShellWireOptions => ({
  login: ['/bin/bash', '-c', `[ "$0" = 'exec /bin/sh' ] && ${start}; exit 9`],
});

function far(wire: ShellWireOptions = {}, limits: Partial<SshLimits> = {}, more: { maxSessions?: number } = {}) {
  const link = shellLink(wire);
  const { type: _, name: __, groups: ___, jump: ____, ...options } = sshTargetOptions.parse({ type: 'ssh', ...more });
  const settings = { ...options, host: 'far.example' };
  const target = sshTarget('far', settings, link, { killAfterMs: 300, ...limits });
  const controller = new AbortController();
  const host = target.open(controller.signal);
  const expire = (): void => controller.abort(new Failure('E_TIMEOUT', 'the deadline of 1 s passed'));
  closers.push(async () => {
    expire();
    await host.settled();
    await target.close();
    link.close();
  });
  return { link, target, host, expire };
}

async function failureOf(promise: Promise<unknown>): Promise<Failure> {
  const thrown = await promise.then(
    () => undefined,
    (error) => error,
  );
  expect(thrown).toBeInstanceOf(Failure);
  return thrown as Failure;
}

/** Processes whose command line contains a mark. */
function processesWith(mark: string): string[] {
  const { stdout } = spawnSync('ps', ['-eo', 'pid,stat,args'], { encoding: 'utf8' });
  return stdout
    .split('\n')
    .filter((line) => line.includes(mark) && !line.includes('ps -eo') && !/^\s*\d+ Z/.test(line));
}
const end = (mark: string): void => {
  for (const line of processesWith(mark)) process.kill(Number.parseInt(line, 10), 'SIGKILL');
};
const gone = (mark: string) =>
  eventually(() => (processesWith(mark).length === 0 ? true : undefined), `${mark} to end`);
const begun = (mark: string, count = 1) =>
  eventually(() => (processesWith(mark).length >= count ? true : undefined), `${mark} to start`);

describe.each(shells)('%s as /bin/sh', (_, start) => {
  it('answers all that this machine answers', async () => {
    const { host, link } = far(loginTo(start));
    const near = localTarget('near').open(new AbortController().signal);
    for (const [name, call] of Object.entries(callsOn(directory))) {
      expect(await told(call(host)), name).toEqual(await told(call(near)));
    }
    // Nothing of it has made a shell doubtful, except what was cut off.
    expect(link.current()?.pids.length).toBeLessThanOrEqual(3);
  }, 120_000);

  it('ends the whole process group at the deadline, also when SIGTERM is ignored, and stays', async () => {
    const { host, target, expire, link } = far(loginTo(start));
    const mark = `mark-${process.pid}-stubborn`;
    const script = `: ${mark}; trap "" TERM; sh -c ': ${mark}; trap "" TERM; sleep 600' & sleep 600`;
    const running = failureOf(host.run(['sh', '-c', script]));
    await begun(mark, 2);
    expire();
    const failed = await running;
    expect([failed.code, failed.message]).toEqual(['E_TIMEOUT', 'sh: the deadline of 1 s passed']);
    expect(failed.evidence.argv?.[0]).toBe('sh');
    await host.settled();
    expect(processesWith(mark)).toEqual([]);
    const next = target.open(new AbortController().signal);
    expect(await next.run(['echo', 'next'])).toBe('next\n');
    expect(link.current()?.pids).toHaveLength(1);
  });

  it('ends a program when the connection is gone', async () => {
    const { host, link } = far(loginTo(start));
    const mark = `mark-${process.pid}-orphan`;
    const running = failureOf(host.run(['sh', '-c', `: ${mark}; trap "" TERM HUP; sleep 600; sleep 600`]));
    await begun(mark);
    link.close();
    expect((await running).code).toBe('E_CONNECT');
    await gone(mark);
  });

  it('refuses output over the limit and ends the program', async () => {
    const { host } = far(loginTo(start), { maxOutputBytes: 10_000 });
    const mark = `mark-${process.pid}-flood`;
    const failed = await failureOf(host.run(['sh', '-c', `: ${mark}; yes`]));
    expect([failed.code, failed.message]).toEqual(['E_OUTPUT_SIZE', 'sh printed more than 10000 bytes']);
    await host.settled();
    await gone(mark);
    expect(await host.run(['head', '-c', '10000', '/dev/zero'])).toHaveLength(10_000);
    expect((await failureOf(host.readFile(join(directory, 'large')))).message).toMatch(/is larger than 10000 bytes$/);
    expect((await failureOf(host.list(join(directory, 'thousands')))).code).toBe('E_OUTPUT_SIZE');
  });

  it('lets nothing that a program leaves behind write into the next answer', async () => {
    const { host } = far(loginTo(start));
    const mark = `mark-${process.pid}-left`;
    // In its group: ended. In a group of its own: it keeps the output, and the shell is not used again.
    expect(
      await host.run(['sh', '-c', `echo one; (: ${mark}; while :; do echo noise; sleep 0.3; done) & exit 0`]),
    ).toMatch(/^one\n(?:noise\n)?$/);
    const daemon = `echo two; setsid sh -c ': ${mark}; while :; do echo noise; echo noise >&2; sleep 0.1; done' &`;
    expect(await host.run(['sh', '-c', daemon])).toMatch(/^two\n(?:noise\n)*$/);
    for (let round = 0; round < 10; round++) {
      expect(await host.outcome(['sh', '-c', 'sleep 0.05; echo three'], [])).toEqual({
        status: 0,
        stdout: 'three\n',
        stderr: '',
      });
    }
    await host.settled();
    end(mark);
    await gone(mark);
  });

  it('gives up a read that never ends, and leaves no reader behind', async () => {
    const { host, expire } = far(loginTo(start));
    const fifo = join(directory, 'fifo');
    const reading = failureOf(host.readFile(fifo));
    await begun(`cat -- ${fifo}`);
    expire();
    expect((await reading).code).toBe('E_TIMEOUT');
    await host.settled();
    await gone(`cat -- ${fifo}`);
  });
});

// CI has it, where a lack is a failure.
describe.skipIf(!isThere('busybox') && process.env.CI === undefined)('a machine of BusyBox alone', () => {
  it('answers alike, and ends what it started', async () => {
    const applets = join(directory, 'applets');
    spawnSync('mkdir', [applets]);
    spawnSync('busybox', ['--install', '-s', applets]);
    const { host, expire } = far({
      ...loginTo(`PATH=${applets}:$PATH exec busybox sh`),
      env: { PATH: process.env.PATH },
    });
    const near = localTarget('near').open(new AbortController().signal);
    for (const [name, call] of Object.entries(callsOn(directory))) {
      // Its programs have words of their own.
      if (!/no input|locale|a keyword|of an option/.test(name)) {
        expect(await told(call(host)), name).toEqual(await told(call(near)));
      }
    }
    const mark = `mark-${process.pid}-applets`;
    const running = failureOf(host.run(['sh', '-c', `: ${mark}; trap "" TERM; sleep 600; sleep 600`]));
    await begun(mark);
    expire();
    expect((await running).code).toBe('E_TIMEOUT');
    await host.settled();
    expect(processesWith(mark).filter((line) => !line.includes('timeout'))).toEqual([]);
    // Its timeout(1) looks once a second whether there is still something to end.
    await gone(mark);
  }, 60_000);
});

describe('the login shell', () => {
  const noisy = join(directory, 'noisy');
  beforeAll(() => writeFileSync(noisy, 'echo "Welcome!"; echo warning >&2; printf "no newline"; seq 1 5000\n'));

  it('may print what it likes before the shell begins', async () => {
    const { host } = far({ login: ['/bin/bash', '-c', '. "$1"; eval "$0"'] });
    const loud = far({ login: ['/bin/bash', '-c', `. ${noisy}; eval "$0"`] });
    expect(await host.run(['echo', 'a']).catch(() => 'a\n')).toBe('a\n');
    expect(await loud.host.outcome(['echo', 'a'], [])).toEqual({ status: 0, stdout: 'a\n', stderr: '' });
  });

  it.each(['bash', 'zsh', 'mksh', 'fish', 'csh', 'tcsh'].filter(isThere))('may be %s', async (name) => {
    const { host } = far({ login: [name, '-c'] });
    expect(await host.run(['printf', '%s|', "it's", '$HOME', 'a!b', '\\'])).toBe("it's|$HOME|a!b|\\|");
    expect(await host.list(join(directory, 'dot'))).toEqual(['.only']);
  });

  it('may have set options and functions for what comes after it', async () => {
    const names = ['cd', 'echo', 'head', 'kill', 'printf', 'read', 'test', 'cat', 'stat', 'true'];
    const env = {
      ...{ PATH: process.env.PATH, HOME: '/nonexistent' },
      SHELLOPTS: 'allexport:errexit:noclobber:noglob:nounset:xtrace:verbose',
      ...Object.fromEntries(names.map((name) => [`BASH_FUNC_${name}%%`, '() { return 7; }'])),
    };
    const start = `[ "$0" = 'exec /bin/sh' ] && exec -a sh bash; exit 9`;
    const { host } = far({ login: ['/bin/bash', '-c', start], env });
    const near = localTarget('near').open(new AbortController().signal);
    for (const [name, call] of Object.entries({
      false: (on: typeof host) => on.outcome(['false'], [1]),
      list: (on: typeof host) => on.list(join(directory, 'names')),
      file: (on: typeof host) => on.readFile(join(directory, 'no-newline')),
      files: (on: typeof host) => on.readFiles([join(directory, 'large'), join(directory, 'missing')]),
      part: (on: typeof host) => on.readPart(join(directory, 'two-blocks'), 4095, 2),
      missing: (on: typeof host) => on.run(['edgestatd-no-such-program']),
    })) {
      expect(await told(call(host)), name).toEqual(await told(call(near)));
    }
  });

  const refusals: [string, ShellWireOptions['login'], string, RegExp][] = [
    ['nologin', ['/usr/sbin/nologin', '-c'], 'E_DENIED', /refuses: "This account is currently not available\."; give/],
    ['false', ['/bin/false', '-c'], 'E_DENIED', /ends at once with status 1, as \/bin\/false does/],
    [
      'a forced command',
      ['/bin/echo', 'backup done'],
      'E_PARSE',
      /ended with status 0 and printed "backup done exec.*commands: exec/,
    ],
    [
      'one that repeats what it reads',
      ['/bin/sh', '-c', 'cat'],
      'E_TIMEOUT',
      /did not start \/bin\/sh within 1 s and printed/,
    ],
    ['one that prints without end', ['/bin/sh', '-c', 'yes'], 'E_PARSE', /printed more than 65536 bytes/],
    ['one that says nothing', ['/bin/sh', '-c', 'sleep 60'], 'E_TIMEOUT', /did not start \/bin\/sh within 1 s;/],
    ['a subsystem', ['/bin/sh', '-c', 'exit 3'], 'E_PARSE', /ended with status 3;/],
  ];
  it.each(refusals)('that is none is told clearly: %s', async (_, login, code, message) => {
    const wire = shellWire(login === undefined ? {} : { login });
    const place = { who: 'edge@far', safetySeconds: 60, openMs: 1000 };
    const failed = await failureOf(openShell(wire, place));
    expect([failed.code, failed.message]).toEqual([code, expect.stringMatching(message)]);
    wire.end();
    for (const pid of wire.pids) {
      try {
        process.kill(-pid, 'SIGKILL');
      } catch {}
    }
  });
});

describe('the shells of a connection', () => {
  it('are shared in turn', async () => {
    const { host, link } = far({}, {}, { maxSessions: 4 });
    const answers = await Promise.all(Array.from({ length: 40 }, (_, index) => host.run(['echo', String(index)])));
    expect(answers).toEqual(Array.from({ length: 40 }, (_, index) => `${index}\n`));
    expect(link.current()?.pids.length).toBeLessThanOrEqual(3);
  });

  it('are as many as the server lets be', async () => {
    const { host, link } = far({ sessions: 2 });
    const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => host.run(['echo', String(index)])));
    expect(answers).toHaveLength(20);
    expect(link.current()?.pids).toHaveLength(2);
  });

  it('are waited for no longer than until the deadline', async () => {
    const { host, target, expire } = far({}, {}, { maxSessions: 2 });
    const mark = `mark-${process.pid}-busy`;
    const other = new AbortController();
    const busy = failureOf(target.open(other.signal).run(['sh', '-c', `: ${mark}; sleep 600`]));
    await begun(mark);
    const waiting = failureOf(host.readFile('/proc/version'));
    expire();
    expect((await waiting).code).toBe('E_TIMEOUT');
    other.abort(new Failure('E_ABORTED', 'over'));
    expect((await busy).code).toBe('E_ABORTED');
    await gone(mark);
  });

  it('are replaced when one is killed in the middle of an answer', async () => {
    const { host, link } = far();
    const mark = `mark-${process.pid}-cut`;
    const running = failureOf(host.run(['sh', '-c', `: ${mark}; while :; do echo x; sleep 0.05; done`]));
    await begun(mark);
    for (const pid of link.current()?.pids ?? []) process.kill(-pid, 'SIGKILL');
    const failed = await running;
    expect([failed.code, failed.message]).toEqual([
      'E_CONNECT',
      'sh: the shell of edgestatd@far.example ended before its answer was complete',
    ]);
    expect(await host.run(['echo', 'next'])).toBe('next\n');
    end(mark);
    await gone(mark);
  });

  it('are thrown away when they say what they were not asked for', async () => {
    const flag = join(directory, 'flag');
    const noise = `(while [ ! -e '${flag}' ]; do sleep 0.05; done; echo noise) &`;
    const { host, link } = far({ login: ['/bin/bash', '-c', `${noise} eval "$0"`] });
    expect(await host.run(['echo', 'one'])).toBe('one\n');
    const [pid] = link.current()?.pids ?? [];
    writeFileSync(flag, '');
    await eventually(() => (existsSync(`/proc/${pid}/fd/1`) ? undefined : true), 'the shell to end');
    rmSync(flag);
    expect(await host.run(['echo', 'two'])).toBe('two\n');
    expect(link.current()?.pids).toHaveLength(2);
    writeFileSync(flag, '');
  });

  it('are closed beyond the first when nobody needs them', async () => {
    const link = shellLink();
    const pool = createShells(link, { who: 'edge@far', most: 5, safetySeconds: 60, idleMs: 100 });
    const never = new AbortController().signal;
    const leases = await Promise.all([pool.take(never), pool.take(never), pool.take(never)]);
    for (const lease of leases) lease.release();
    await eventually(() => {
      const open = leases.filter(({ shell }) => shell.isOpen()).length;
      return open === 1 ? true : undefined;
    }, 'two shells to be closed');
    pool.close();
    link.close();
  });

  it('end with their connection, and begin with the next', async () => {
    const { host, link } = far();
    expect(await host.run(['echo', 'one'])).toBe('one\n');
    const first = link.current();
    first?.end();
    await eventually(() => (link.current() === undefined ? true : undefined), 'the connection to end');
    expect(await host.run(['echo', 'two'])).toBe('two\n');
    expect(link.current()).not.toBe(first);
    await eventually(
      () => (first?.pids.every((pid) => !existsSync(`/proc/${pid}/fd/1`)) ? true : undefined),
      'the first shell to end',
    );
  });
});

describe('a socket', () => {
  it('is told missing, not listening, and no socket', async () => {
    const { host } = far();
    const missing = await failureOf(host.connect(join(directory, 'missing')));
    expect([missing.code, missing.message]).toEqual([
      'E_NOT_FOUND',
      `socket "${join(directory, 'missing')}" does not exist; is its server running?`,
    ]);
    expect((await failureOf(host.connect(join(directory, 'refusing')))).message).toMatch(/^nothing listens on socket /);
    expect((await failureOf(host.connect(join(directory, 'plain')))).message).toMatch(/ is no socket$/);
    expect(readdirSync(directory)).toContain('socket');
  });

  it('dies with the deadline', async () => {
    const { host, expire } = far();
    const stream = await host.connect(join(directory, 'socket'));
    expire();
    await host.settled();
    expect(stream.destroyed).toBe(true);
  });
});
