import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as readAll } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Failure } from '../src/errors.ts';
import { localTarget } from '../src/hosts/local.ts';
import { programEnvironment } from '../src/hosts/program.ts';
import { eventually } from './support/statsd.ts';

const directory = mkdtempSync(join(tmpdir(), 'edgestatd-hosts-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function host(limits: Parameters<typeof localTarget>[1] = {}) {
  const controller = new AbortController();
  const open = localTarget('here', { killAfterMs: 300, ...limits }).open(controller.signal);
  const expire = (): void => controller.abort(new Failure('E_TIMEOUT', 'the deadline of 1 s passed'));
  return { open, expire };
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
  return stdout.split('\n').filter((line) => line.includes(mark) && !line.includes('ps -eo'));
}

describe('run', () => {
  it('gives stdout, with the C locale and without a shell', async () => {
    const { open } = host();
    expect(await open.run(['printf', '%s', '$HOME `id` *'])).toBe('$HOME `id` *');
    expect(await open.run(['sh', '-c', 'echo $LC_ALL $LANG'])).toBe('C\n');
  });

  it('keeps the daemon’s own variables and secrets from programs', () => {
    const env = programEnvironment(
      {
        PATH: '/opt/bin:relative',
        NODE_OPTIONS: '-r x',
        NOTIFY_SOCKET: '/run/n',
        TOKEN: 's3cret',
        OVS_RUNDIR: '/r',
        LANG: 'de',
      },
      ['TOKEN'],
    );
    expect(env).toEqual({
      PATH: '/opt/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      OVS_RUNDIR: '/r',
      LC_ALL: 'C',
    });
  });

  it('tells a missing program, one that may not be run, one that fails and one that is killed apart', async () => {
    const { open } = host();
    const plain = join(directory, 'not-executable');
    writeFileSync(plain, '#!/bin/sh\n');
    chmodSync(plain, 0o644);
    const missing = await failureOf(open.run(['edgestatd-no-such-program', '--x']));
    expect([missing.code, missing.message]).toEqual([
      'E_NOT_FOUND',
      'program "edgestatd-no-such-program" was not found in PATH; install it or correct the option',
    ]);
    expect((await failureOf(open.run([plain]))).code).toBe('E_DENIED');
    const failed = await failureOf(open.run(['sh', '-c', 'echo out; echo "bad thing" >&2; exit 3']));
    expect(failed.code).toBe('E_EXIT');
    expect(failed.message).toBe('sh ended with status 3: "bad thing"');
    expect(failed.evidence).toMatchObject({ exitCode: 3, stderr: 'bad thing', argv: ['sh', '-c', expect.any(String)] });
    const killed = await failureOf(open.run(['sh', '-c', 'kill -9 $$']));
    expect([killed.code, killed.evidence.signal]).toEqual(['E_EXIT', 'SIGKILL']);
    expect((await failureOf(open.run(['echo', 'a\0b']))).code).toBe('E_BUG');
  });

  it('keeps only the first 500 bytes of stderr', async () => {
    const { open } = host();
    const failed = await failureOf(open.run(['sh', '-c', 'head -c 100000 /dev/zero | tr "\\0" e >&2; exit 1']));
    expect(failed.evidence.stderr).toBe('e'.repeat(500));
  });

  it('refuses output over the limit and ends the program', async () => {
    const { open } = host({ maxOutputBytes: 10_000 });
    const failed = await failureOf(open.run(['sh', '-c', ': mark-flood; exec yes']));
    expect(failed.code).toBe('E_OUTPUT_SIZE');
    await open.settled();
    expect(processesWith('mark-flood')).toEqual([]);
    expect(await host({ maxOutputBytes: 10_000 }).open.run(['head', '-c', '10000', '/dev/zero'])).toHaveLength(10_000);
  });

  it('ends the whole process group at the deadline, also when SIGTERM is ignored; the first reason wins', async () => {
    const { open, expire } = host();
    const mark = `mark-${process.pid}-stubborn`;
    const script = `: ${mark}; trap "" TERM; sh -c ': ${mark}; trap "" TERM; sleep 600' & sleep 600`;
    const running = failureOf(open.run(['sh', '-c', script]));
    await eventually(() => (processesWith(mark).length >= 2 ? true : undefined), 'the program to start');
    expire();
    const failed = await running;
    expect(failed.code).toBe('E_TIMEOUT');
    expect(failed.evidence.argv?.[0]).toBe('sh');
    await open.settled();
    expect(processesWith(mark)).toEqual([]);
  });

  it('does not wait for a process left behind that holds the output open, and ends it', async () => {
    const { open } = host();
    const mark = `mark-${process.pid}-left`;
    expect(await open.run(['sh', '-c', `echo done; sh -c ': ${mark}; sleep 600' &`])).toBe('done\n');
    await open.settled();
    await eventually(() => (processesWith(mark).length === 0 ? true : undefined), 'the leftover to end');
  });

  it('starts nothing after the deadline', async () => {
    const { open, expire } = host();
    expire();
    expect((await failureOf(open.run(['touch', join(directory, 'late')]))).code).toBe('E_TIMEOUT');
    expect(readdirSync(directory)).not.toContain('late');
  });
});

describe('readFile', () => {
  const openFiles = (): string[] =>
    readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/self/fd/${fd}`)];
      } catch {
        return [];
      }
    });

  it('reads files of /proc, which have no size, and files larger than one chunk', async () => {
    const { open } = host();
    expect(await open.readFile('/proc/self/status')).toContain('Pid:');
    const large = join(directory, 'large');
    writeFileSync(large, 'äx'.repeat(100_000));
    expect(await open.readFile(large)).toBe('äx'.repeat(100_000));
  });

  it('tells what is missing, no file, too large or denied', async () => {
    const { open } = host({ maxOutputBytes: 1000 });
    const large = join(directory, 'larger');
    writeFileSync(large, 'x'.repeat(1001));
    mkdirSync(join(directory, 'folder'));
    symlinkSync('loop', join(directory, 'loop'));
    expect((await failureOf(open.readFile(join(directory, 'nothing')))).code).toBe('E_NOT_FOUND');
    expect((await failureOf(open.readFile('/etc/passwd/x'))).code).toBe('E_NOT_FOUND');
    expect((await failureOf(open.readFile(join(directory, 'folder')))).message).toContain('is a directory');
    expect((await failureOf(open.readFile('/dev/zero'))).message).toContain('no regular file');
    expect((await failureOf(open.readFile(large))).code).toBe('E_OUTPUT_SIZE');
    expect((await failureOf(open.readFile(join(directory, 'loop')))).code).toBe('E_CONNECT');
  });

  it('tells what this user may not read or run', () => {
    const secret = join(directory, 'secret');
    writeFileSync(secret, 'x', { mode: 0o000 });
    const source = `
      const { localTarget } = await import(${JSON.stringify(new URL('../src/hosts/local.ts', import.meta.url).href)});
      if (process.getuid() === 0) process.setuid(65534);
      const open = localTarget('here').open(new AbortController().signal);
      await open.readFile(${JSON.stringify(secret)}).catch((error) => console.log(error.code));
    `;
    chmodSync(directory, 0o755);
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', source], { encoding: 'utf8' });
    expect({ stdout, stderr }).toEqual({ stdout: 'E_DENIED\n', stderr: '' });
  });

  it('gives up a read that hangs, and leaves no descriptor behind', async () => {
    const fifo = join(directory, 'hung');
    expect(spawnSync('mkfifo', [fifo]).status).toBe(0);
    for (let round = 0; round < 6; round++) {
      const { open, expire } = host();
      const reading = failureOf(open.readFile(fifo));
      await eventually(() => (openFiles().includes(fifo) ? true : undefined), 'the file to be open');
      expire();
      expect((await reading).code).toBe('E_TIMEOUT');
      await open.settled();
    }
    await eventually(() => (openFiles().includes(fifo) ? undefined : true), 'the descriptor to be closed');
    const { open } = host();
    const reading = open.readFile(fifo);
    spawn('sh', ['-c', 'printf late > "$1"', 'sh', fifo], { stdio: 'ignore' });
    expect(await reading).toBe('late');
  });
});

describe('connect', () => {
  const path = join(directory, 'echo.sock');
  let server: Server;
  beforeAll(async () => {
    server = createServer((socket) => socket.pipe(socket));
    await new Promise<void>((resolve) => server.listen(path, resolve));
  });
  afterAll(() => server.close());

  it('gives a stream that the deadline destroys', async () => {
    const { open, expire } = host();
    const stream = await open.connect(path);
    stream.write('hello');
    expect(await new Promise((resolve) => stream.once('data', (data: Buffer) => resolve(data.toString())))).toBe(
      'hello',
    );
    const ended = readAll(stream).catch((error) => (error as Failure).code);
    expire();
    expect(await ended).toBe('E_TIMEOUT');
    await open.settled();
    expect(stream.destroyed).toBe(true);
  });

  it('tells no socket, nobody listening and too late apart', async () => {
    const { open, expire } = host();
    expect((await failureOf(open.connect(join(directory, 'none.sock')))).code).toBe('E_NOT_FOUND');
    const dead = join(directory, 'dead.sock');
    const script = 'use Socket; socket(S, AF_UNIX, SOCK_STREAM, 0); bind(S, sockaddr_un(shift))';
    expect(spawnSync('perl', ['-e', script, dead]).status).toBe(0);
    expect((await failureOf(open.connect(dead))).code).toBe('E_CONNECT');
    expire();
    expect((await failureOf(open.connect(path))).code).toBe('E_TIMEOUT');
  });
});

describe('what outlives a run', () => {
  const make = (closed: string[], name: string) => () => ({ name, close: () => void closed.push(name) });

  it('is made once for a key, and closed with the target', async () => {
    const target = localTarget('hv01');
    const closed: string[] = [];
    const [one, two] = [1, 2].map(() => target.open(new AbortController().signal));
    const first = one?.keep('a', make(closed, 'a'));
    expect(two?.keep('a', make(closed, 'again'))).toBe(first);
    await target.close();
    expect(closed).toEqual(['a']);
  });

  it('cannot be changed by a run that is over', async () => {
    const target = localTarget('hv01');
    const deadline = new AbortController();
    const host = target.open(deadline.signal);
    deadline.abort(new Failure('E_TIMEOUT', 'too late'));
    expect(() => host.keep('late', make([], 'late'))).toThrow('too late');
    await target.close();
  });

  it('is closed when no job asks for it any more after they have changed', async () => {
    const target = localTarget('hv01');
    const closed: string[] = [];
    const host = target.open(new AbortController().signal);
    for (const key of ['kept', 'gone']) host.keep(key, make(closed, key));
    const superseded = target.renew();
    const sweep = target.renew();
    host.keep('kept', make(closed, 'never made'));
    superseded();
    expect(closed).toEqual([]);
    sweep();
    expect(closed).toEqual(['gone']);
    host.keep('gone', make(closed, 'made anew'));
    await target.close();
    expect(closed).toEqual(['gone', 'kept', 'made anew']);
  });
});
