/** Connections to a real sshd: who logs in and how, whose host key is accepted, ways through other machines, its ends. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { asFailure, type Failure } from '../../src/errors.ts';
import { dial } from '../../src/hosts/ssh.ts';
import { createLink } from '../../src/hosts/ssh-link.ts';
import { createLinks } from '../../src/hosts/ssh-links.ts';
import type { SshSettings } from '../../src/hosts/ssh-options.ts';
import type { Wire } from '../../src/hosts/ssh-wire.ts';
import { canRunSshd, makeKey, publicKey, type Sshd, startSshd } from '../support/sshd.ts';
import { eventually } from '../support/statsd.ts';

const soon = (): AbortSignal => AbortSignal.timeout(20_000);
const open: Wire[] = [];

async function dialled(settings: SshSettings, through?: Wire): Promise<Wire> {
  const wire = await dial(settings, soon(), through);
  open.push(wire);
  return wire;
}

async function failureOf(settings: SshSettings): Promise<Failure> {
  try {
    await dialled(settings);
  } catch (error) {
    return asFailure(error);
  }
  throw new Error('it was let in');
}

async function run(wire: Wire, command: string) {
  const session = await wire.exec(command);
  session.stdin.end();
  const [stdout, stderr, ending] = await Promise.all([text(session.stdout), text(session.stderr), session.ended]);
  return { stdout, stderr, ...ending };
}

const loginsOf = (sshd: Sshd, user = 'edge'): number =>
  sshd.processes().filter(({ argv }) => argv.startsWith(`sshd: ${user}`) && !argv.includes('[priv]')).length;

afterEach(() => {
  for (const wire of open.splice(0)) wire.end();
});

describe.skipIf(!canRunSshd())('a real sshd', () => {
  let sshd: Sshd;
  const file = (name: string): string => join(sshd.directory, name);
  /** A known_hosts of its own for one test. */
  const knowing = (name: string, content: string): string => {
    writeFileSync(file(name), content);
    return file(name);
  };
  const connections = (): number => sshd.log().split('Connection from').length;
  const place = (): string => `[127.0.0.1]:${sshd.port}`;

  beforeAll(async () => {
    sshd = await startSshd({
      users: { gone: { expired: true }, picky: {}, worded: {} },
      config: [
        'MaxSessions 10',
        'MaxAuthTries 4',
        'Match User picky',
        '  AuthenticationMethods publickey,password',
        '  PasswordAuthentication yes',
        'Match User worded',
        '  PubkeyAuthentication no',
        '  Banner /etc/group',
        '  PasswordAuthentication yes',
      ],
    });
  });
  afterAll(async () => {
    await sshd?.stop();
  });

  describe('lets in', () => {
    it.each([
      ['ed25519', []],
      ['ecdsa', []],
      ['rsa', []],
      ['rsa', ['-m', 'PEM']],
      ['ed25519', ['-N', 'öpen sesame']],
      ['rsa', ['-m', 'PEM', '-N', 'öpen sesame']],
    ])('by a key of type %s %j', async (type, words) => {
      const path = file(`key-${type}${words.length}`);
      rmSync(path, { force: true });
      rmSync(`${path}.pub`, { force: true });
      const passphrase = words.includes('-N') ? 'öpen sesame' : '';
      const others = words.slice(0, words.includes('-N') ? -2 : undefined);
      const bits = type === 'rsa' ? ['-b', '2048'] : [];
      execFileSync('ssh-keygen', ['-q', '-t', type, ...bits, ...others, '-N', passphrase, '-f', path]);
      appendFileSync(sshd.authorizedKeys, readFileSync(`${path}.pub`));
      const wire = await dialled(sshd.settings({ keyFile: path, ...(passphrase === '' ? {} : { passphrase }) }));
      expect(await run(wire, 'id -un')).toEqual({ stdout: 'edge\n', stderr: '', code: 0, signal: undefined });
    });

    it('by a key whose passphrase is in a file, with a newline at its end', async () => {
      makeKey(file('locked'), 'ed25519', 'open sesame');
      appendFileSync(sshd.authorizedKeys, readFileSync(file('locked.pub')));
      writeFileSync(file('passphrase'), 'open sesame\n');
      const settings = sshd.settings({ keyFile: file('locked'), passphraseFile: file('passphrase') });
      await dialled(settings);

      for (const [more, said] of [
        [{ passphraseFile: undefined }, 'is encrypted, and no passphrase is configured'],
        [{ passphraseFile: undefined, passphrase: 'not sesame' }, 'is not opened by the passphrase that is configured'],
        [{ passphraseFile: sshd.authorizedKeys }, 'is not opened by the passphrase of'],
      ] as const) {
        const failure = await failureOf({ ...settings, ...more });
        expect([failure.code, failure.message]).toEqual(['E_CONFIG', expect.stringContaining(said)]);
        expect(JSON.stringify([failure, failure.message, failure.cause])).not.toContain('sesame');
      }
      expect(await failureOf({ ...settings, passphraseFile: file('none') })).toMatchObject({
        code: 'E_NOT_FOUND',
        evidence: { path: file('none') },
      });
    });

    it('by an agent, after its key was added', async () => {
      const socket = file('agent.sock');
      const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
      const { keyFile, ...others } = sshd.settings({ agent: socket });
      try {
        await eventually(() => (existsSync(socket) ? true : undefined), 'the agent');
        const empty = await failureOf(others);
        expect([empty.code, empty.message]).toEqual(['E_AUTH', expect.stringContaining('the keys that the agent')]);
        const env = { ...process.env, SSH_AUTH_SOCK: socket };
        execFileSync('ssh-add', ['-q', keyFile ?? ''], { env, stdio: 'ignore' });
        expect((await run(await dialled(others), 'id -un')).stdout).toBe('edge\n');

        for (let number = 0; number < 6; number++) {
          makeKey(file(`agent-${number}`));
          execFileSync('ssh-add', ['-q', file(`agent-${number}`)], { env, stdio: 'ignore' });
        }
        execFileSync('ssh-add', ['-q', '-d', keyFile ?? ''], { env, stdio: 'ignore' });
        const many = await failureOf(others);
        expect([many.code, many.message]).toEqual(['E_AUTH', expect.stringContaining('MaxAuthTries')]);
        // A key that is named is tried before those.
        await dialled({ ...others, keyFile });
      } finally {
        agent.kill('SIGKILL');
        await once(agent, 'exit');
      }
      const dead = await failureOf(others);
      expect([dead.code, dead.message]).toEqual(['E_CONNECT', expect.stringContaining('nothing listens on socket')]);
      expect(await failureOf({ ...others, agent: file('no.sock') })).toMatchObject({ code: 'E_NOT_FOUND' });
    });
  });

  describe('does not let in', () => {
    it('with another key, and the key and what to do are told', async () => {
      makeKey(file('foreign'));
      const failure = await failureOf(sshd.settings({ keyFile: file('foreign') }));
      const [, fingerprint] = execFileSync('ssh-keygen', ['-lf', file('foreign')], { encoding: 'utf8' }).split(' ');
      expect(failure.code).toBe('E_AUTH');
      expect(failure.message).toContain(`ssh edge@127.0.0.1:${sshd.port} does not accept the key of`);
      expect(failure.message).toContain(fingerprint);
      expect(failure.message).toContain('authorized_keys');
    });

    it.each([
      ['nobody-of-that-name', 'neither locked nor expired'],
      ['gone', 'neither locked nor expired'],
      ['picky', 'wants "password" too; see AuthenticationMethods'],
      ['worded', /lets nobody log in by key, only by "password"; .* it says "root:x:0:/],
    ])('the user %s', async (user, said) => {
      const failure = await failureOf(sshd.settings({ user }));
      const message = typeof said === 'string' ? expect.stringContaining(said) : expect.stringMatching(said);
      expect([failure.code, failure.message]).toEqual(['E_AUTH', message]);
    });

    it.each([
      ['that does not exist', 'none', undefined, 'E_NOT_FOUND', 'does not exist'],
      ['that is no key', 'text', 'no key', 'E_CONFIG', 'could not be read'],
      ['that is empty', 'empty', '', 'E_CONFIG', 'could not be read'],
      ['that is a public key', 'client_key.pub', undefined, 'E_CONFIG', 'is a public key'],
    ] as const)('with a key file %s, and nobody is disturbed', async (_, name, content, code, said) => {
      if (content !== undefined) writeFileSync(file(name), content);
      if (existsSync(file(name))) chmodSync(file(name), 0o600);
      const before = connections();
      const failure = await failureOf(sshd.settings({ keyFile: file(name) }));
      expect([failure.code, failure.message]).toEqual([code, expect.stringContaining(said)]);
      expect(connections()).toBe(before);
    });

    it('with a key that others may read, as ssh(1)', async () => {
      makeKey(file('open'));
      chmodSync(file('open'), 0o640);
      const failure = await failureOf(sshd.settings({ keyFile: file('open') }));
      expect([failure.code, failure.message]).toEqual(['E_DENIED', expect.stringContaining('mode 0640')]);
    });

    it('without any', async () => {
      const { keyFile, ...others } = sshd.settings();
      const failure = await failureOf(others);
      expect([failure.code, failure.message]).toEqual(['E_CONFIG', expect.stringContaining('set keyFile, or agent')]);
    });
  });

  it('is full, which it says itself', async () => {
    const full = await startSshd({ config: ['MaxStartups 1:100:1'], hostKeys: ['ed25519'] });
    let first: Socket | undefined;
    try {
      // The one that asked whether it listens may not be gone yet.
      first = await eventually(async () => {
        const socket = connect(full.port, full.address);
        const [said] = await once(socket, 'data');
        return String(said).startsWith('SSH-') ? socket : undefined;
      }, 'the only place');
      const failure = await failureOf(full.settings());
      expect([failure.code, failure.message]).toEqual(['E_CONNECT', expect.stringContaining('MaxStartups')]);
    } finally {
      first?.destroy();
      await full.stop();
    }
  });

  describe('whose host key', () => {
    it.each(['ed25519', 'ecdsa', 'rsa'])('of type %s alone is known shows that one', async (type) => {
      const knownHostsFile = knowing('one', `${place()} ${sshd.hostKey(type)}\n`);
      await dialled(sshd.settings({ knownHostsFile }));
    });

    it('is known by a hashed name, as ssh-keyscan -H writes it', async () => {
      const scanned = execFileSync('ssh-keyscan', ['-H', '-p', String(sshd.port), '127.0.0.1'], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      expect(scanned).toMatch(/^\|1\|/m);
      await dialled(sshd.settings({ knownHostsFile: knowing('scanned', scanned) }));
    });

    it('is not known is not accepted, and is told with its fingerprint', async () => {
      const [, fingerprint = ''] = execFileSync('ssh-keygen', ['-lf', file('host_ed25519')], {
        encoding: 'utf8',
      }).split(' ');
      const file1 = knowing(
        'others',
        `hv01 ${sshd.hostKey('rsa')}\nbroken\n@cert-authority * ${sshd.hostKey('rsa')}\n`,
      );
      const failure = await failureOf(sshd.settings({ knownHostsFile: file1 }));
      expect(failure.code).toBe('E_AUTH');
      for (const part of ['host key not known', fingerprint, file1, place(), 'line 2', 'line 3 is a certificate']) {
        expect(failure.message).toContain(part);
      }
      const none = await failureOf(sshd.settings({ knownHostsFile: file('no_known_hosts') }));
      expect([none.code, none.message]).toEqual(['E_AUTH', expect.stringContaining('does not exist')]);
      expect(existsSync(file('no_known_hosts'))).toBe(false);
    });

    it('has changed is refused aloud, and with acceptNew too', async () => {
      makeKey(file('stranger'));
      const line = `${place()} ${publicKey(file('stranger'))}\n`;
      const knownHostsFile = knowing('changed', `# a comment\n${line}`);
      for (const hostKeys of ['strict', 'acceptNew'] as const) {
        const before = sshd.log().split('Accepted').length;
        const failure = await failureOf(sshd.settings({ knownHostsFile, hostKeys }));
        expect(failure.code).toBe('E_AUTH');
        expect(failure.message).toContain('HOST KEY CHANGED');
        expect(failure.message).toContain(`${knownHostsFile}:2`);
        expect(failure.evidence).toMatchObject({ path: knownHostsFile, line: 2 });
        // Nothing was said to whoever that is.
        expect(sshd.log().split('Accepted').length).toBe(before);
      }
      expect(readFileSync(knownHostsFile, 'utf8')).toBe(`# a comment\n${line}`);
    });

    it('is revoked is refused', async () => {
      const key = sshd.hostKey('ed25519');
      const failure = await failureOf(
        sshd.settings({ knownHostsFile: knowing('revoked', `${place()} ${key}\n@revoked * ${key}\n`) }),
      );
      expect([failure.code, failure.message]).toEqual(['E_AUTH', expect.stringContaining('HOST KEY REVOKED')]);
    });

    it('is new is written by acceptNew, once, and is the known one from then on', async () => {
      const knownHostsFile = file('accepted');
      const settings = sshd.settings({ knownHostsFile, hostKeys: 'acceptNew' });
      await Promise.all(Array.from({ length: 8 }, () => dialled(settings)));
      expect(readFileSync(knownHostsFile, 'utf8')).toBe(`${place()} ${sshd.hostKey('ed25519')}\n`);
      await dialled(sshd.settings({ knownHostsFile }));
      const nowhere = await failureOf({ ...settings, knownHostsFile: file('none/known_hosts') });
      expect([nowhere.code, nowhere.message]).toEqual(['E_NOT_FOUND', expect.stringContaining('make it')]);
    });

    it('is of a type that this side does not know, or the server no longer has', async () => {
      const other = await startSshd({ hostKeys: ['ed25519'] });
      try {
        const name = `[127.0.0.1]:${other.port}`;
        const rsa = knowing('rsa-only', `${name} ${sshd.hostKey('rsa')}\n`);
        const failure = await failureOf(other.settings({ knownHostsFile: rsa }));
        expect([failure.code, failure.message]).toEqual(['E_AUTH', expect.stringContaining('no host key of a type')]);
      } finally {
        await other.stop();
      }
    });
  });

  describe('through another machine', () => {
    it('and another one is reached, and what is between is shared', async () => {
      const links = createLinks(systemClock);
      const first = sshd.settings({ user: 'root' });
      const second = sshd.settings({ user: 'root', maxSessions: 7, through: first });
      const ends = [3, 4, 5, 6].map((maxSessions) => links.take(sshd.settings({ maxSessions, through: second })));
      const jump = links.take(second);
      try {
        const wires = await Promise.all(ends.map(({ link }) => link.wire(soon())));
        const said = await Promise.all(wires.map((wire) => run(wire, 'id -un')));
        expect(said.map(({ stdout }) => stdout)).toEqual(Array(4).fill('edge\n'));
        expect([loginsOf(sshd, 'root'), loginsOf(sshd)]).toEqual([2, 4]);
        // That it is on the way does not keep it from being a target.
        expect((await run(await jump.link.wire(soon()), 'id -un')).stdout).toBe('root\n');
        expect(loginsOf(sshd, 'root')).toBe(2);
      } finally {
        for (const { release } of [...ends, jump]) release();
      }
      await eventually(() => (loginsOf(sshd, 'root') + loginsOf(sshd) === 0 ? true : undefined), 'all to be closed');
    });

    it('the ends are told at once when what is between breaks', async () => {
      const jump = await dialled(sshd.settings({ user: 'root' }));
      const wire = await dialled(sshd.settings({ through: sshd.settings({ user: 'root' }) }), jump);
      const session = await wire.exec('exec sleep 1000');
      session.stdout.resume();
      const asked = wire.exec('exec sleep 1000').catch(asFailure);
      for (const { pid, argv } of sshd.processes()) if (/^sshd: root\b/.test(argv)) process.kill(pid, 'SIGKILL');
      expect((await jump.ended).code).toBe('E_CONNECT');
      expect((await wire.ended).code).toBe('E_CONNECT');
      expect(await session.ended).toEqual({ code: undefined, signal: undefined });
      await asked;
      expect(await wire.exec('true').catch(asFailure)).toMatchObject({ code: 'E_CONNECT' });
    });

    it('nobody listens', async () => {
      const jump = await dialled(sshd.settings());
      const through = sshd.settings();
      const failure = await dial(sshd.settings({ port: 1, through }), soon(), jump).catch(asFailure);
      expect(failure).toMatchObject({ code: 'E_CONNECT', message: expect.stringContaining('Connection refused') });
    });
  });

  describe('with forwarding forbidden', () => {
    let closed: Sshd;
    beforeAll(async () => {
      closed = await startSshd({ config: ['AllowTcpForwarding no', 'AllowStreamLocalForwarding no'] });
    });
    afterAll(async () => {
      await closed?.stop();
    });

    it('says which option of sshd does so', async () => {
      const wire = await dialled(closed.settings());
      expect(await wire.connectTcp('127.0.0.1', closed.port).catch(asFailure)).toMatchObject({
        code: 'E_DENIED',
        message: expect.stringContaining('AllowTcpForwarding'),
      });
      // Other than for TCP, sshd does not say that it is forbidden.
      expect(await wire.connectUnix('/run/x.sock').catch(asFailure)).toMatchObject({
        code: 'E_CONNECT',
        message: expect.stringContaining('AllowStreamLocalForwarding'),
        evidence: { path: '/run/x.sock' },
      });
      expect((await run(wire, 'echo still here')).stdout).toBe('still here\n');
    });
  });

  describe('once connected', () => {
    let echo: Server;
    beforeAll(async () => {
      echo = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket)).listen(file('echo.sock'));
      await once(echo, 'listening');
      chmodSync(file('echo.sock'), 0o777);
    });
    afterAll(() => void echo.close());

    it('tells how commands end', async () => {
      const wire = await dialled(sshd.settings());
      expect(await run(wire, 'echo out; echo err >&2; exit 3')).toEqual({
        stdout: 'out\n',
        stderr: 'err\n',
        code: 3,
        signal: undefined,
      });
      expect(await run(wire, 'kill -TERM $$')).toMatchObject({ code: undefined, signal: 'TERM' });
      expect((await run(wire, 'head -c 20000000 /dev/zero')).stdout).toHaveLength(20_000_000);
    });

    it('connects to sockets and ports there, which end as sockets do', async () => {
      const wire = await dialled(sshd.settings());
      const socket = await wire.connectUnix(file('echo.sock'));
      const big = 'x'.repeat(3_000_000);
      socket.end(big);
      expect(await text(socket)).toBe(big);
      const port = await wire.connectTcp('127.0.0.1', sshd.port);
      const [greeting] = await once(port, 'data');
      expect(String(greeting)).toMatch(/^SSH-2\.0-/);
      const gone = once(port, 'close');
      port.destroy();
      await gone;
    });

    it('is not slowed by small writes', async () => {
      const wire = await dialled(sshd.settings());
      const socket = await wire.connectUnix(file('echo.sock'));
      const times: number[] = [];
      for (let turn = 0; turn < 40; turn++) {
        const began = performance.now();
        const answer = once(socket, 'data');
        socket.write('x');
        await answer;
        times.push(performance.now() - began);
      }
      socket.destroy();
      // With Nagle's algorithm each takes 40 ms.
      expect(times.toSorted((a, b) => a - b)[10]).toBeLessThan(35);
    });

    it('opens ten sessions and not eleven, and others stay usable', async () => {
      const wire = await dialled(sshd.settings());
      const all = await Promise.allSettled(Array.from({ length: 11 }, () => wire.exec('cat')));
      const failed = all.flatMap((one) => (one.status === 'rejected' ? [asFailure(one.reason)] : []));
      expect(failed).toMatchObject([{ code: 'E_CONNECT', message: expect.stringContaining('MaxSessions') }]);
      // Forwarded sockets do not count.
      (await wire.connectUnix(file('echo.sock'))).destroy();
      for (const one of all) if (one.status === 'fulfilled') one.value.stdout.resume();
      const sessions = all.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      for (const { stdin } of sessions) stdin.end();
      expect(await Promise.all(sessions.map(({ ended }) => ended))).toEqual(
        Array(10).fill({ code: 0, signal: undefined }),
      );
      expect((await run(wire, 'echo yes')).stdout).toBe('yes\n');
    });

    it('lets go of a session that is destroyed, whatever runs in it', async () => {
      const wire = await dialled(sshd.settings());
      const session = await wire.exec('echo $$; exec sleep 1000');
      await once(session.stdout, 'data');
      session.destroy();
      expect(await session.ended).toEqual({ code: undefined, signal: undefined });
      expect((await run(wire, 'pkill -x sleep; echo yes')).stdout).toBe('yes\n');
    });

    it('notices a frozen peer, in the middle of its output', async () => {
      const pace = { probeMs: 100, silences: 2, channelMs: 60_000 };
      const wire = await dial(sshd.settings(), soon(), undefined, pace);
      open.push(wire);
      const session = await wire.exec('cat /dev/zero');
      await once(session.stdout, 'data');
      for (const { pid, argv } of sshd.processes()) if (argv.startsWith('sshd: edge')) process.kill(pid, 'SIGSTOP');
      session.stdout.resume();
      const asked = wire.exec('true').catch(asFailure);
      const failure = await wire.ended;
      expect([failure.code, failure.message]).toEqual(['E_CONNECT', expect.stringContaining('has not answered')]);
      expect(await asked).toBe(failure);
      expect(await session.ended).toEqual({ code: undefined, signal: undefined });
      for (const { pid, argv } of sshd.processes()) if (argv.startsWith('sshd: edge')) process.kill(pid, 'SIGKILL');
    });

    it('is connected anew after sshd was started anew', async () => {
      const link = createLink(sshd.settings(), { clock: systemClock });
      const wire = await link.wire(soon());
      expect(await link.wire(soon())).toBe(wire);
      await sshd.kill();
      expect(await wire.ended).toMatchObject({ code: 'E_CONNECT' });
      expect(await link.wire(soon()).catch(asFailure)).toMatchObject({ code: 'E_CONNECT' });
      await sshd.start();
      const again = await eventually(() => link.wire(soon()).catch(() => undefined), 'the connection');
      expect((await run(again, 'echo yes')).stdout).toBe('yes\n');
      link.close();
      expect(await again.ended).toMatchObject({ code: 'E_ABORTED' });
      expect(await link.wire(soon()).catch(asFailure)).toMatchObject({ code: 'E_ABORTED' });
    });
  });
});
