/** Peers that do what no SSH server does: each call ends, with the right code, and nothing is left or grows. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineCollector } from '../src/collector.ts';
import { asFailure, Failure } from '../src/errors.ts';
import { dial, type Pace } from '../src/hosts/ssh.ts';
import { createLink } from '../src/hosts/ssh-link.ts';
import type { SshSettings } from '../src/hosts/ssh-options.ts';
import { sshTarget } from '../src/hosts/ssh-target.ts';
import type { Wire } from '../src/hosts/ssh-wire.ts';
import { gauge } from '../src/metric.ts';
import { run } from '../src/run.ts';
import { fakeClock } from './support/fake-clock.ts';
import { type Behaviour, endWith, type SshServer, startSshServer } from './support/ssh-server.ts';

const servers: SshServer[] = [];
const wires: Wire[] = [];
const pace: Pace = { probeMs: 60_000, silences: 2, channelMs: 20_000 };

afterEach(async () => {
  for (const wire of wires.splice(0)) wire.end();
  for (const server of servers.splice(0)) await server.stop();
});

async function started(behaviour?: Behaviour): Promise<SshServer> {
  const server = await startSshServer(behaviour);
  servers.push(server);
  return server;
}

async function dialled(settings: SshSettings, more: Partial<Pace> = {}): Promise<Wire> {
  const wire = await dial(settings, AbortSignal.timeout(20_000), undefined, { ...pace, ...more });
  wires.push(wire);
  return wire;
}

const failureOf = (server: SshServer, more: Partial<SshSettings> = {}): Promise<Failure> =>
  dialled(server.settings(more)).then(() => {
    throw new Error('it was let in');
  }, asFailure);

/** What an attempt says whose time is over as soon as the server has been reached so far. */
async function lateAt(server: SshServer, reached: Promise<unknown>): Promise<Failure> {
  const control = new AbortController();
  const asked = dial(server.settings(), control.signal).catch(asFailure);
  await reached;
  // The client is in this process: it has seen by then what the server has.
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  control.abort(new Failure('E_TIMEOUT', 'the limit of the attempt'));
  return (await asked) as Failure;
}

/** In front of a server: `pass` gets what the server says, and what brings it to the client. */
function relay(to: SshServer, pass: (chunk: Buffer, client: Socket, server: Socket) => void): Promise<SshServer> {
  return started({
    raw(client) {
      const server = connect(to.port, '127.0.0.1');
      server.on('error', () => {});
      client.on('data', (chunk) => server.write(chunk)).on('close', () => server.destroy());
      server.on('data', (chunk: Buffer) => pass(chunk, client, server)).on('end', () => client.end());
    },
  });
}

/** Its key is the other one's. */
const asIf = (relayed: SshServer, to: SshServer): SshSettings =>
  relayed.settings({ keyFile: to.settings().keyFile, knownHostsFile: to.knownHostsFile });

describe('a server that is none', () => {
  it.each([
    ['closes at once', (socket: Socket) => socket.end(), 'before it said a word'],
    ['resets', (socket: Socket) => socket.resetAndDestroy(), /ECONNRESET|before it said a word/],
    ['says why it closes', (socket: Socket) => socket.end('Exceeded MaxStartups\r\n'), 'says "Exceeded MaxStartups"'],
    ['speaks HTTP', (socket: Socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'), 'HTTP/1.1 400'],
    ['drives a terminal', (socket: Socket) => socket.end('\u001b[2J\u001b]0;x\u0007\n'), '\\u001b'],
    ['speaks SSH 1', (socket: Socket) => socket.write('SSH-1.5-old\n'), 'does not speak SSH as it should'],
    ['greets and closes', (socket: Socket) => socket.end('SSH-2.0-x\r\n'), 'during the handshake'],
    ['greets and talks on', (socket: Socket) => socket.write(`SSH-2.0-x\r\n${'x'.repeat(100_000)}`), 'does not speak'],
  ])('and %s', async (_, raw, said) => {
    const server = await started({ raw });
    const failure = await failureOf(server);
    expect([failure.code, failure.message]).toEqual([
      'E_CONNECT',
      typeof said === 'string' ? expect.stringContaining(said) : expect.stringMatching(said),
    ]);
    expect(failure.message).toMatch(/^ssh edgestatd@127\.0\.0\.1:\d+ /);
    expect(failure.message).not.toMatch(/[\u0000-\u001f]/);
  });

  it.each([
    ['in lines', Buffer.from('Welcome\r\n'.repeat(1000))],
    ['without a line', Buffer.alloc(10_000, 'x')],
    ['in bytes', randomBytes(10_000)],
  ])('and greets without end, %s, is left after 64 KiB', async (_, chunk) => {
    let sent = 0;
    const server = await started({
      raw(socket) {
        const send = (): void => {
          while (!socket.destroyed) {
            sent += chunk.length;
            if (!socket.write(chunk)) return void socket.once('drain', send);
          }
        };
        send();
      },
    });
    const failure = await failureOf(server);
    expect([failure.code, failure.message]).toEqual(['E_CONNECT', expect.stringContaining('does not greet')]);
    // What the kernel's buffers took.
    expect(sent).toBeLessThan(32 * 1024 * 1024);
  });

  it('and says any bytes at all', async () => {
    let said = Buffer.alloc(0);
    const server = await started({ raw: (socket) => void socket.end(said) });
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.boolean(), async (bytes, greets) => {
        said = Buffer.concat([Buffer.from(greets ? 'SSH-2.0-x\r\n' : ''), bytes]);
        expect((await failureOf(server)).code).toBe('E_CONNECT');
      }),
      { numRuns: 60 },
    );
  });
});

describe('a greeting', () => {
  it('may come in pieces, and after other lines', async () => {
    const inner = await started();
    const relayed = await relay(inner, async (chunk, client) => {
      const end = chunk.indexOf('\n') + 1;
      const isGreeting = chunk.toString('latin1').startsWith('SSH-');
      if (isGreeting)
        for (const byte of `Authorised use only.\r\nSSH, that is.\r\n${chunk.subarray(0, end)}`) {
          client.write(byte);
          await new Promise(setImmediate);
        }
      client.write(isGreeting ? chunk.subarray(end) : chunk);
    });
    const wire = await dialled(asIf(relayed, inner));
    const session = await wire.exec('true');
    session.stdout.resume();
    expect(await session.ended).toEqual({ code: 0, signal: undefined });
  });
});

describe('a connection that is cut', () => {
  it('is told, wherever that happens', async () => {
    const inner = await started();
    let left = 0;
    let wasCut = true;
    const relayed = await relay(inner, (chunk, client) => {
      client.write(chunk.subarray(0, left));
      left -= chunk.length;
      wasCut = left <= 0;
      if (wasCut) client.end();
    });
    let at = 1;
    for (; ; at = Math.ceil(at * 1.4)) {
      left = at;
      const answer = await dialled(asIf(relayed, inner)).catch(asFailure);
      if (!(answer instanceof Failure)) break;
      expect([at, answer.code]).toEqual([at, 'E_CONNECT']);
    }
    expect(at).toBeGreaterThan(1000);
  });

  it('in the middle of output ends the session without a status', async () => {
    const server = await started({
      exec(channel, _, socket) {
        channel.write('half a li');
        setImmediate(() => socket.destroy());
      },
    });
    const wire = await dialled(server.settings());
    const session = await wire.exec('cat');
    expect(await text(session.stdout)).toBe('half a li');
    expect(await session.ended).toEqual({ code: undefined, signal: undefined });
    expect((await wire.ended).code).toBe('E_CONNECT');
    // ssh2 itself throws here, and in writes that come too late.
    for (const call of [wire.exec('x'), wire.connectUnix('/x'), wire.connectTcp('x', 1)]) {
      expect(await call.catch(asFailure)).toBe(await wire.ended);
    }
    session.stdin.write('x');
    session.stdin.end();
    session.destroy();
    wire.end();
  });

  it('by the server says what the server says', async () => {
    const server = await started({ exec: (_, __, socket) => void socket.end() });
    const wire = await dialled(server.settings());
    wire.exec('x').catch(() => {});
    expect((await wire.ended).message).toContain('closed the connection');
  });
});

describe('a server that stops answering', () => {
  it('is told by what it was to answer', async () => {
    const accepted = Promise.withResolvers<void>();
    const silent = await started({ raw: () => accepted.resolve() });
    expect(await lateAt(silent, accepted.promise)).toMatchObject({
      code: 'E_TIMEOUT',
      message: expect.stringContaining('takes the connection and does not greet'),
    });

    const greeted = Promise.withResolvers<void>();
    const handshake = await started({
      raw(socket) {
        socket.write('SSH-2.0-x\r\n');
        // The client's own greeting and what follows it.
        socket.once('data', () => greeted.resolve());
      },
    });
    expect(await lateAt(handshake, greeted.promise)).toMatchObject({
      code: 'E_TIMEOUT',
      message: expect.stringContaining('did not finish the handshake'),
    });

    const asked = Promise.withResolvers<void>();
    const login = await started({ login: () => asked.resolve() });
    expect(await lateAt(login, asked.promise)).toMatchObject({
      code: 'E_TIMEOUT',
      message: expect.stringContaining('did not answer the login'),
    });
    for (const { sockets } of [silent, handshake, login]) {
      await Promise.all([...sockets].map((socket) => socket.closed || once(socket.resume(), 'close')));
    }
  });

  it('is told by a run whose deadline passes meanwhile, with machine and stage', async () => {
    const accepted = Promise.withResolvers<void>();
    const server = await started({ raw: () => accepted.resolve() });
    const clock = fakeClock();
    const link = createLink(server.settings(), { clock });
    const target = sshTarget('far', server.settings(), link);
    const collector = defineCollector({
      name: 'never',
      options: z.strictObject({}),
      metrics: { none: gauge('none', { unit: 'count', labels: [], help: 'Nothing.', source: 'nowhere' }) },
      collect: () => Promise.reject(new Error('it was connected')),
    });
    const running = run({ job: 'never', collector, options: {}, target, timeoutMs: 2000 }, clock);
    await accepted.promise;
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    await clock.advance(2000);
    const { failure } = await running;
    expect([failure?.code, failure?.message]).toEqual([
      'E_TIMEOUT',
      `the deadline of 2 s passed before there was a connection: ssh edgestatd@127.0.0.1:${server.port} takes the ` +
        'connection and does not greet in time; its sshd hangs, or something else listens there',
    ]);
    await target.close();
    link.close();
  });

  it('ends with what its owner says, where that is another reason', async () => {
    const accepted = Promise.withResolvers<void>();
    const server = await started({ raw: () => accepted.resolve() });
    const control = new AbortController();
    const asked = dial(server.settings(), control.signal).catch(asFailure);
    await accepted.promise;
    const reason = new Failure('E_ABORTED', 'over');
    control.abort(reason);
    expect(await asked).toBe(reason);
    expect(await dial(server.settings(), control.signal).catch((error) => error)).toBe(reason);
  });

  it('is noticed by its silence, and what waits is told', async () => {
    const server = await started({
      exec(channel, _, socket) {
        channel.write('x');
        socket.pause();
      },
    });
    const wire = await dialled(server.settings(), { probeMs: 50 });
    const session = await wire.exec('cat');
    session.stdout.resume();
    const waiting = wire.exec('another').catch(asFailure);
    const failure = await wire.ended;
    expect([failure.code, failure.message]).toEqual(['E_CONNECT', expect.stringContaining('has not answered')]);
    expect(await waiting).toBe(failure);
    expect((await session.ended).code).toBeUndefined();
  });

  it('is not taken for dead while it is only busy', async () => {
    const server = await started({ exec: (channel) => void setTimeout(() => endWith(channel, 0), 500) });
    const wire = await dialled(server.settings(), { probeMs: 50 });
    const session = await wire.exec('true');
    session.stdout.resume();
    expect(await session.ended).toEqual({ code: 0, signal: undefined });
  });

  it('and opens no channel does not hold who asks, nor what it opens later', async () => {
    let isLate = false;
    const server = await started({ session: () => isLate });
    const wire = await dialled(server.settings(), { channelMs: 100 });
    expect(await wire.exec('true').catch(asFailure)).toMatchObject({
      code: 'E_TIMEOUT',
      message: expect.stringContaining('opened no channel in time'),
    });
    isLate = true;
    const session = await wire.exec('true');
    session.stdout.resume();
    expect(await session.ended).toEqual({ code: 0, signal: undefined });
  });
});

describe('a server that sends too much', () => {
  it('waits while nobody reads', async () => {
    let written = 0;
    const server = await started({
      exec(channel) {
        const chunk = Buffer.alloc(64 * 1024);
        const send = (): void => {
          do written += chunk.length;
          while (channel.write(chunk));
          channel.once('drain', send);
        };
        send();
      },
    });
    const wire = await dialled(server.settings());
    const session = await wire.exec('cat /dev/zero');
    const other = wire.connectTcp('x', 1).catch(asFailure);
    expect(await other).toMatchObject({ code: 'E_DENIED' });
    // Two windows of 2 MiB, and what is on the way.
    expect(written).toBeLessThan(16 * 1024 * 1024);
    session.destroy();
    expect(await session.ended).toEqual({ code: undefined, signal: undefined });
  });

  it('and does not wait loses its connection', async () => {
    const server = await started({
      exec(channel) {
        // It takes leave to send as much as it likes.
        (channel as unknown as { outgoing: { window: number } }).outgoing.window = 2 ** 40;
        channel.on('error', () => {});
        // No divisor of the window: ssh2 drops what comes when nothing of it is left.
        const chunk = Buffer.alloc(30_001);
        const send = (): void => {
          if (!channel.destroyed && channel.writable) channel.write(chunk, () => setImmediate(send));
        };
        send();
      },
    });
    const wire = await dialled(server.settings());
    await wire.exec('cat /dev/zero');
    expect(await wire.ended).toMatchObject({ code: 'E_CONNECT', message: expect.stringContaining('more than it may') });
  });
});

describe('a server that takes nothing', () => {
  it('does not hold this process', async () => {
    const server = await started({
      connection(connection) {
        const { _protocol: protocol } = connection as unknown as {
          _protocol: { channelOpenConfirm(...numbers: number[]): void };
        };
        const confirm = protocol.channelOpenConfirm.bind(protocol);
        protocol.channelOpenConfirm = (remote, local, window) => confirm(remote ?? 0, local ?? 0, window ?? 0, 0);
      },
    });
    const wire = await dialled(server.settings());
    expect(await wire.exec('cat').catch(asFailure)).toMatchObject({ code: 'E_CONNECT' });
    expect(await wire.exec('cat').catch(asFailure)).toMatchObject({ code: 'E_CONNECT' });
  });
});

describe('what is closed on this side', () => {
  it('says goodbye and leaves nothing', async () => {
    const server = await started();
    const wire = await dialled(server.settings());
    const [socket] = server.sockets;
    const closed = once(socket as Socket, 'close');
    wire.end();
    wire.end();
    expect((await wire.ended).code).toBe('E_ABORTED');
    await closed;
    expect(await wire.exec('true').catch(asFailure)).toMatchObject({ code: 'E_ABORTED' });
  });

  it('is gone also when the other side is frozen', async () => {
    const server = await started({ exec: (_, __, socket) => void socket.pause() });
    const wire = await dialled(server.settings());
    await wire.exec('true').catch(() => {});
    wire.end();
    const [socket] = server.sockets;
    // The goodbye was not read; the end of the socket is seen all the same.
    const closed = once(socket as Socket, 'close');
    socket?.resume();
    await closed;
  });
});
