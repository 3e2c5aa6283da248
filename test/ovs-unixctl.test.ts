import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { Failure } from '../src/errors.ts';
import { localTarget } from '../src/hosts/local.ts';
import { type Unixctl, unixctl } from '../src/ovs/unixctl.ts';
import { type OvsServer, type Script, startOvsServer } from './support/ovs-server.ts';

const ends: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function rundir(pidFile?: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'edgestatd-unixctl-'));
  ends.push(() => rmSync(directory, { recursive: true, force: true }));
  if (pidFile !== undefined) writeFileSync(join(directory, 'ovs-vswitchd.pid'), pidFile);
  return directory;
}

function open() {
  const deadline = new AbortController();
  const target = localTarget('here');
  ends.push(() => target.close());
  return { host: target.open(deadline.signal), deadline };
}

async function connected(script: Script): Promise<{ daemon: Unixctl; server: OvsServer; deadline: AbortController }> {
  const server = await startOvsServer();
  ends.push(() => server.close());
  server.script(script);
  const directory = rundir('4711\n');
  renameSync(server.path, join(directory, 'ovs-vswitchd.4711.ctl'));
  const { host, deadline } = open();
  const daemon = await unixctl(host, directory, 'ovs-vswitchd');
  ends.push(() => daemon.close());
  return { daemon, server, deadline };
}

async function failureOf(promise: Promise<unknown>): Promise<Failure> {
  const thrown = await promise.then(
    () => undefined,
    (error) => error,
  );
  expect(thrown).toBeInstanceOf(Failure);
  return thrown as Failure;
}

const find = (directory: string): Promise<Failure> => failureOf(unixctl(open().host, directory, 'ovs-vswitchd'));

describe('the daemon', () => {
  it.each([
    '',
    '\n',
    '0\n',
    '-1\n',
    '12 \n',
    ' 12\n',
    '12\n\n',
    '1e3\n',
    '0x10\n',
    '12\n34\n',
    '../../x',
    '12345678\n',
    '٣\n',
    '1/../2\n',
  ])('is not looked for where its pid file holds %j', async (text) => {
    const failure = await find(rundir(text));
    expect(failure.code).toBe('E_PARSE');
    expect(failure.message).toMatch(/ovs-vswitchd\.pid" holds ".*", not the number of a process$/);
  });

  it('that has no pid file does not run', async () => {
    const directory = rundir();
    const failure = await find(directory);
    expect(failure.code).toBe('E_NOT_FOUND');
    expect(failure.message).toBe(
      `ovs-vswitchd does not run, or its run directory is another one: "${directory}/ovs-vswitchd.pid" does not exist`,
    );
  });

  it('that left a stale pid file, with or without its socket, does not run', async () => {
    const directory = rundir('4711\n');
    const gone = await find(directory);
    expect(gone.code).toBe('E_NOT_FOUND');
    expect(gone.message).toContain('ovs-vswitchd does not run: its pid file names process 4711, but socket');
    const server = await startOvsServer();
    renameSync(server.path, join(directory, 'ovs-vswitchd.4711.ctl'));
    await server.close();
    const dead = await find(directory);
    expect(dead.code).toBe('E_CONNECT');
    expect(dead.message).toContain('ovs-vswitchd does not run: its pid file names process 4711, but nothing listens');
  });
});

describe('commands', () => {
  it('go over one connection, one at a time, in order', async () => {
    let waiting = 0;
    let most = 0;
    const { daemon, server } = await connected(({ id, method, params }, _, socket) => {
      most = Math.max(most, ++waiting);
      setImmediate(() => {
        waiting -= 1;
        socket.write(JSON.stringify({ id, result: `${method} ${params.join(' ')}\n`, error: null }));
      });
      return undefined;
    });
    expect(daemon.pid).toBe(4711);
    const texts = Promise.all([daemon.call('dpctl/show', '-s'), daemon.call('version'), daemon.call('coverage/show')]);
    expect(await texts).toEqual(['dpctl/show -s\n', 'version \n', 'coverage/show \n']);
    expect([most, server.sockets.length]).toEqual([1, 1]);
  });

  it.each([
    ['{"id":1,"result":null,"error":"\\"x\\" is not a valid command"}', 'E_NOT_FOUND'],
    [
      '{"id":1,"error":"\\"x\\" is not a valid command (use \\"list-commands\\" to see a list of valid commands)\\n"}',
      'E_NOT_FOUND',
    ],
    ['{"id":1,"result":null,"error":"no such bridge\\n"}', 'E_EXIT'],
    ['{"id":1,"result":null,"error":"\\"x\\" command requires at least 1 arguments"}', 'E_EXIT'],
    ['{"id":1,"result":{"a":1},"error":null}', 'E_PARSE'],
    ['{"id":1,"result":null,"error":null}', 'E_PARSE'],
    ['nonsense', 'E_PARSE'],
  ])('answered by %s', async (reply, code) => {
    const { daemon } = await connected(() => reply);
    const failure = await failureOf(daemon.call('x'));
    expect(failure.code).toBe(code);
    expect(failure.message).toContain('ovs-vswitchd (pid 4711)');
  });

  it('that fail do not stop those behind them', async () => {
    const { daemon } = await connected(({ id, method }) =>
      JSON.stringify(
        method === 'x' ? { id, result: null, error: 'no such bridge' } : { id, result: 'fine', error: null },
      ),
    );
    const [bad, good] = [failureOf(daemon.call('x')), daemon.call('y')];
    expect([(await bad).code, await good]).toEqual(['E_EXIT', 'fine']);
  });

  it('end with the run, and with a daemon that goes away', async () => {
    const { daemon, server, deadline } = await connected(() => undefined);
    const pending = [failureOf(daemon.call('a')), failureOf(daemon.call('b'))];
    await server.message(({ method }) => method === 'a');
    const reason = new Failure('E_TIMEOUT', 'the deadline of 1 s passed');
    deadline.abort(reason);
    expect(await Promise.all(pending)).toEqual([reason, reason]);
    const other = await connected((_, __, socket) => void socket.destroy());
    expect((await failureOf(other.daemon.call('a'))).code).toBe('E_CONNECT');
    expect((await failureOf(other.daemon.call('a'))).code).toBe('E_CONNECT');
  });
});
