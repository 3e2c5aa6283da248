/** A target over the real sshd: what it answers is what this machine answers, and nothing of it stays behind. */
import { spawnSync } from 'node:child_process';
import { appendFileSync, chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttp, type Server as HttpServer } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { createServer as createTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as readAll } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { Failure } from '../../src/errors.ts';
import { localTarget } from '../../src/hosts/local.ts';
import { createLinks } from '../../src/hosts/ssh-links.ts';
import type { SshSettings } from '../../src/hosts/ssh-options.ts';
import { type SshLimits, sshTarget } from '../../src/hosts/ssh-target.ts';
import { callsOn, type Ground, makeGround, told } from '../support/host-cases.ts';
import { makeCertificates } from '../support/rabbitmq-certificates.ts';
import { canRunSshd, makeKey, publicKey, type Sshd, startSshd } from '../support/sshd.ts';
import { eventually } from '../support/statsd.ts';

const SUDOERS = [
  'Defaults env_reset, !mail_badpass',
  'edge ALL=(root) NOPASSWD: /usr/bin/id, /usr/bin/sleep, /usr/bin/env',
  'edge ALL=(root) PASSWD: /usr/bin/head',
];

describe.skipIf(!canRunSshd())('a target over SSH', () => {
  let sshd: Sshd;
  let ground: Ground;
  let directory: string;
  const servers: HttpServer[] = [];
  const closers: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'edgestatd-target-'));
    chmodSync(directory, 0o755);
    const sudoers = join(directory, 'sudoers');
    writeFileSync(sudoers, `${SUDOERS.join('\n')}\n`, { mode: 0o440 });
    sshd = await startSshd({
      config: ['MaxSessions 10', 'Match User caged', 'AllowTcpForwarding no', 'AllowStreamLocalForwarding no'],
      users: {
        noisy: { shell: '/bin/bash' },
        nologin: { shell: '/usr/sbin/nologin' },
        false: { shell: '/bin/false' },
        caged: {},
      },
      prepare: [`mount --bind ${sudoers} /etc/sudoers`],
    });
    ground = await makeGround(directory);
  });
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });
  afterAll(async () => {
    for (const server of servers) server.close().closeAllConnections();
    await ground?.close();
    await sshd?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  function far(more: Partial<SshSettings> = {}, limits: Partial<SshLimits> = {}) {
    const settings = sshd.settings(more);
    const { link, release } = createLinks(systemClock).take(settings);
    const target = sshTarget('far', settings, link, { killAfterMs: 300, ...limits });
    const controller = new AbortController();
    const host = target.open(controller.signal);
    const expire = (): void => controller.abort(new Failure('E_TIMEOUT', 'the deadline of 1 s passed'));
    closers.push(async () => {
      expire();
      await host.settled();
      await target.close();
      release();
    });
    return { target, host, link, expire };
  }

  const running = (mark: string) => sshd.processes().filter(({ argv }) => argv.includes(mark));
  const begun = (mark: string) => eventually(() => (running(mark).length > 0 ? true : undefined), `${mark} to start`);
  const gone = (mark: string) => eventually(() => (running(mark).length === 0 ? true : undefined), `${mark} to end`);

  it('answers all that this machine answers', async () => {
    const { host } = far({ user: 'root' });
    const near = localTarget('near').open(new AbortController().signal);
    for (const [name, call] of Object.entries(callsOn(directory))) {
      expect(await told(call(host)), name).toEqual(await told(call(near)));
    }
  }, 120_000);

  it('answers files, directories and programs alike by an exec for each', async () => {
    const { host } = far({ user: 'root', commands: 'exec' });
    const near = localTarget('near').open(new AbortController().signal);
    // What a shell tells apart and an exec does not: see ssh-exec.ts.
    const apart =
      /fifo|\/socket"|\/dev\/null|list: "names"|much on|locale|above-limit|list: "plain"|SIG[A-Z]|of an option|^readFiles$|of a builtin|a keyword|dangling/;
    for (const [name, call] of Object.entries(callsOn(directory))) {
      if (!apart.test(name)) expect(await told(call(host)), name).toEqual(await told(call(near)));
    }
  }, 120_000);

  it('does forty things at once with the ten sessions of the server', async () => {
    const { host } = far();
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        index % 2 === 0 ? host.run(['echo', String(index)]) : host.readFile('/proc/version'),
      ),
    );
    expect(answers[38]).toBe('38\n');
    expect(new Set(answers.filter((_, index) => index % 2 === 1)).size).toBe(1);
    const greedy = far({ maxSessions: 20 });
    expect(await Promise.all(Array.from({ length: 40 }, () => greedy.host.run(['echo', 'x'])))).toHaveLength(40);
    const each = far({ commands: 'exec', maxSessions: 5 });
    expect(await Promise.all(Array.from({ length: 40 }, () => each.host.run(['echo', 'x'])))).toHaveLength(40);
  });

  it('ends a program that ignores SIGTERM, and what it has started', async () => {
    const { host, expire } = far();
    const mark = 'mark-stubborn';
    const script = `: ${mark}; trap "" TERM; sh -c ': ${mark}; trap "" TERM; sleep 600; :' & sleep 600; :`;
    const failed = host.run(['sh', '-c', script]).catch((thrown) => thrown);
    await begun(mark);
    expire();
    expect((await failed).code).toBe('E_TIMEOUT');
    await host.settled();
    expect(running(mark)).toEqual([]);
  });

  it('ends a program that was an exec of its own, and asks no forced command in vain for long', async () => {
    const { host, expire } = far({ commands: 'exec' });
    const asleep = host.run(['sleep', '615']).catch((thrown) => thrown);
    const script = ': mark-exec; trap "" TERM; while :; do sleep 616; done';
    const stubborn = host.run(['sh', '-c', script]).catch((thrown) => thrown);
    const forcedKey = join(directory, 'forced-key');
    makeKey(forcedKey);
    appendFileSync(sshd.authorizedKeys, `restrict,command="/bin/sleep 617" ${publicKey(forcedKey)}\n`);
    const forced = far({ commands: 'exec', keyFile: forcedKey });
    const waiting = forced.host.run(['sleep', '617']).catch((thrown) => thrown);
    await Promise.all(['sleep 615', 'mark-exec', 'sleep 617'].map(begun));
    expire();
    forced.expire();
    for (const one of [asleep, stubborn, waiting]) expect((await one).code).toBe('E_TIMEOUT');
    await Promise.all([host.settled(), forced.host.settled()]);
    await Promise.all(['sleep 615', 'mark-exec', 'sleep 616'].map(gone));
    for (const { pid } of running('sleep 617')) process.kill(pid, 'SIGKILL');
  });

  it('ends a program that prints ten gigabytes', async () => {
    const { host } = far({}, { maxOutputBytes: 1_000_000 });
    const failed = await host.run(['head', '-c', '10000000000', '/dev/zero']).catch((thrown) => thrown);
    expect([failed.code, failed.message]).toEqual(['E_OUTPUT_SIZE', 'head printed more than 1000000 bytes']);
    await host.settled();
    await gone('10000000000');
    const silent = await host.run(['sh', '-c', 'head -c 30000000 /dev/zero >&2; echo done']);
    expect(silent).toBe('done\n');
  });

  it('ends a program when the connection breaks', async () => {
    const { host } = far();
    const failed = host
      .run(['sh', '-c', ': mark-broken; trap "" TERM HUP; while :; do sleep 1; done'])
      .catch((one) => one);
    await begun('mark-broken');
    for (const { pid, argv } of sshd.processes()) if (argv === 'sshd: edge@notty') process.kill(pid, 'SIGKILL');
    expect((await failed).code).toBe('E_CONNECT');
    await gone('mark-broken');
    const back = () => host.run(['echo', 'back']).catch(() => undefined);
    expect(await eventually(back, 'the connection to come back')).toBe('back\n');
  });

  it('lives with rc files that print', async () => {
    writeFileSync(join(sshd.home('noisy'), '.bashrc'), 'echo "Welcome to $(hostname)"; echo oops >&2; printf "~~"\n');
    const { host } = far({ user: 'noisy' });
    expect(await host.outcome(['echo', 'clean'], [])).toEqual({ status: 0, stdout: 'clean\n', stderr: '' });
    expect(await host.readFile('/proc/version')).toBe(readFileSync('/proc/version', 'utf8'));
  });

  it('says which login is none', async () => {
    const failures = [];
    for (const user of ['nologin', 'false'])
      failures.push(
        await far({ user })
          .host.run(['id'])
          .catch((one) => one),
      );
    expect(failures.map(({ code, message }) => `${code} ${message}`)).toEqual([
      expect.stringMatching(
        /^E_DENIED the login shell of nologin@127.0.0.1 refuses: "This account is currently not available\."; give/,
      ),
      expect.stringMatching(
        /^E_DENIED the login shell of false@127.0.0.1 ends at once with status 1, as \/bin\/false does; give/,
      ),
    ]);
  });

  it('works with keys that have a forced command', async () => {
    const [shellKey, filterKey] = [join(directory, 'shell-key'), join(directory, 'filter-key')];
    makeKey(shellKey);
    makeKey(filterKey);
    const filter = join(directory, 'filter.sh');
    const cases =
      '"cat -- /proc/version"|"date +%s") exec $SSH_ORIGINAL_COMMAND ;; *) echo "refused: $SSH_ORIGINAL_COMMAND" >&2; exit 1';
    writeFileSync(filter, `case $SSH_ORIGINAL_COMMAND in ${cases} ;; esac\n`);
    appendFileSync(sshd.authorizedKeys, `restrict,command="/bin/sh" ${publicKey(shellKey)}\n`);
    appendFileSync(sshd.authorizedKeys, `restrict,command="/bin/sh ${filter}" ${publicKey(filterKey)}\n`);
    const version = readFileSync('/proc/version', 'utf8');
    expect(await far({ keyFile: shellKey }).host.readFile('/proc/version')).toBe(version);
    const filtered = far({ keyFile: filterKey, commands: 'exec' });
    expect(await filtered.host.readFile('/proc/version')).toBe(version);
    const refused = await filtered.host.run(['ls', "it's"]).catch((one) => one);
    expect(refused.message).toBe(`ls ended with status 1: "refused: ls 'it'\\''s'"`);
    const wrong = await far({ keyFile: filterKey })
      .host.readFile('/proc/version')
      .catch((one) => one);
    expect([wrong.code, wrong.message]).toEqual([
      'E_PARSE',
      expect.stringMatching(/refused: exec \/bin\/sh.*set "commands: exec"/),
    ]);
  });

  it('runs programs by sudo, and says which line is missing', async () => {
    const { host, target, expire } = far({ sudo: ['id', 'head', 'no-such-program', 'sleep', 'env', 'cat'] });
    expect(await host.run(['id', '-u'])).toBe('0\n');
    expect(await host.run(['/usr/bin/id', '-u'])).toBe('0\n');
    expect((await host.run(['id', '--nonsense']).catch((one) => one)).message).toMatch(
      /^id ended with status 1: "id: unrec/,
    );
    const denied = await host.run(['head', '-n', '1', '/etc/shadow']).catch((one) => one);
    expect([denied.code, denied.message]).toEqual([
      'E_DENIED',
      'sudo does not let edge run "head" without a password; add this line to /etc/sudoers.d/edgestatd there: ' +
        'edge ALL=(root) NOPASSWD: /usr/bin/head',
    ]);
    const verdicts = (await target.check?.(new AbortController().signal)) ?? [];
    expect(verdicts.map(({ level, text }) => `${level} ${text}`)).toEqual([
      expect.stringMatching(/^ok connected to 127.0.0.1:\d+ as edge; \/bin\/sh is "/),
      'ok its clock agrees with ours',
      'ok sudo runs id as root',
      'ok sudo runs head as root',
      'fail sudo: program "no-such-program" was not found there',
      'ok sudo runs sleep as root',
      'ok sudo runs env as root',
      'fail sudo does not run cat; add this line to /etc/sudoers.d/edgestatd there: edge ALL=(root) NOPASSWD: /usr/bin/cat',
    ]);
    // The first is ended by the SIGTERM that sudo passes on, the second ignores it until sudo kills it.
    const asleep = host.run(['sleep', '613']).catch((one) => one);
    const stubborn = host.run(['env', 'sh', '-c', 'trap "" TERM HUP; exec sleep 614']).catch((one) => one);
    const asRoot = () => sshd.processes().filter(({ argv }) => /^sleep 61[34]$/.test(argv));
    await eventually(() => (asRoot().length === 2 ? true : undefined), 'both to sleep');
    expire();
    expect([(await asleep).code, (await stubborn).code]).toEqual(['E_TIMEOUT', 'E_TIMEOUT']);
    await host.settled();
    await gone('sleep 613');
    await gone('sleep 614');
  });

  it('connects to unix sockets, and says why not', async () => {
    const [open, closed, refusing] = ['socket', 'closed', 'refusing'].map((name) => join(directory, name)) as [
      string,
      string,
      string,
    ];
    chmodSync(open, 0o777);
    const server = createTcp((socket) => socket.end()).listen(closed);
    await new Promise((resolve) => server.once('listening', resolve));
    chmodSync(closed, 0o770);
    const { host, expire } = far();
    try {
      expect(await readAll(await host.connect(open))).toBe('hello');
      const failures = [];
      for (const path of [closed, refusing, join(directory, 'missing'), '/root/none']) {
        failures.push(await host.connect(path).catch((one) => one));
      }
      expect(failures.map(({ code, message }) => `${code} ${message}`)).toEqual([
        expect.stringMatching(
          /^E_DENIED socket ".*closed" may not be used by this user: it is srwxrwx--- of "root" and group "root"; add edge to the group "root" there/,
        ),
        expect.stringMatching(/^E_(?:DENIED|CONNECT) /),
        expect.stringMatching(/^E_NOT_FOUND socket ".*missing" does not exist; is its server running\?$/),
        expect.stringMatching(/^E_DENIED socket "\/root\/none" may not be used by this user: a directory above it/),
      ]);
      const root = far({ user: 'root' });
      expect((await root.host.connect(refusing).catch((one) => one)).message).toMatch(/^nothing listens on socket/);
      const caged = await far({ user: 'caged' })
        .host.connect(open)
        .catch((one) => one);
      // It says the same of what it forbids as of what nobody listens to.
      expect([caged.code, caged.message]).toEqual(['E_CONNECT', expect.stringMatching(/AllowStreamLocalForwarding/)]);
      const kept = host.keep('key', (lasting) => ({ lasting, close() {} }));
      expect(await readAll(await kept.lasting.connect(open, new AbortController().signal))).toBe('hello');
      const stream = await host.connect(open);
      expire();
      await host.settled();
      expect(stream.destroyed).toBe(true);
    } finally {
      server.close();
    }
  });

  it('asks HTTP servers as that machine sees them', async () => {
    const listen = async (server: HttpServer): Promise<number> => {
      servers.push(server);
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return (server.address() as { port: number }).port;
    };
    const certificates = await makeCertificates(join(directory, 'tls'));
    const { certFile, keyFile } = certificates.server;
    const plain = await listen(
      createHttp((request, answer) => {
        if (request.url === '/slow') return;
        if (request.url === '/large') answer.end('x'.repeat(3_000_000));
        else answer.end(JSON.stringify({ host: request.headers.host, user: request.headers.authorization ?? null }));
      }),
    );
    const options = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
    const secure = await listen(
      createHttps(
        { ...options, ca: readFileSync(certificates.caFile), requestCert: true, rejectUnauthorized: true },
        (_, answer) => answer.end('{"ok":true}'),
      ),
    );
    const { host, expire } = far({}, { maxOutputBytes: 1_000_000 });
    const near = localTarget('near', { maxOutputBytes: 1_000_000 }).open(new AbortController().signal);
    const files = {
      certificateAuthorityFile: certificates.caFile,
      certificateFile: certificates.client.certFile,
      keyFile: certificates.client.keyFile,
    };
    for (const [url, more] of [
      [`http://localhost:${plain}/`, { username: 'u', password: 'p' }],
      [`http://127.0.0.1:${plain}/large`, {}],
      [`http://127.0.0.1:${plain}/slow`, { timeoutMs: 300 }],
      [`https://localhost:${secure}/`, files],
      [`https://127.0.0.1:${secure}/`, files],
      [`https://127.0.0.1:${secure}/`, { certificateAuthorityFile: certificates.caFile }],
      [`https://127.0.0.1:${secure}/`, {}],
      [`https://127.0.0.1:${plain}/`, {}],
      [`http://127.0.0.1:${secure}/`, {}],
    ] as const) {
      expect(await told(host.getJson(url, more)), url).toEqual(await told(near.getJson(url, more)));
    }
    const refused = await host.getText('http://127.0.0.1:1/').catch((one) => one);
    expect([refused.code, refused.message]).toEqual([
      'E_CONNECT',
      expect.stringMatching(/^http:\/\/127.0.0.1:1\/: .*refused/i),
    ]);
    const caged = await far({ user: 'caged' })
      .host.getText(`http://127.0.0.1:${plain}/`)
      .catch((one) => one);
    expect([caged.code, caged.message]).toEqual(['E_DENIED', expect.stringMatching(/AllowTcpForwarding/)]);
    const slow = host.getText(`http://127.0.0.1:${plain}/slow`).catch((one) => one);
    expire();
    expect((await slow).code).toBe('E_TIMEOUT');
  });

  it('may be denied what another user owns', async () => {
    const path = join(directory, 'owned');
    writeFileSync(path, 'secret', { mode: 0o600 });
    chownSync(path, 0, 0);
    spawnSync('mkdir', ['-m', '700', join(directory, 'shut')]);
    const inside = join(directory, 'shut/file');
    const { host } = far();
    const denied = (one: string) => `E_DENIED "${one}" may not be read by this user`;
    const say = (promise: Promise<unknown>) => promise.catch((one) => `${one.code} ${one.message}`);
    expect(await say(host.readFile(path))).toBe(denied(path));
    expect(await say(host.readFile(inside))).toBe(denied(inside));
    expect(await say(host.readPart(path, 0, 5))).toBe(denied(path));
    expect(await say(host.readPart(inside, 0, 5))).toBe(denied(inside));
    expect(await say(host.list(join(directory, 'shut')))).toBe(denied(join(directory, 'shut')));
    const many = await host.readFiles([path, inside, '/proc/version']);
    expect(many.slice(0, 2).map((one) => (one instanceof Failure ? one.message : one))).toEqual([
      `"${path}" may not be read by this user`,
      `"${inside}" may not be read by this user`,
    ]);
    expect(many[2]).toBe(readFileSync('/proc/version', 'utf8'));
    expect((await host.run(['/root/program']).catch((one) => one)).code).toBe('E_NOT_FOUND');
    expect((await host.netlink({ type: 18, body: new Uint8Array(0) }).catch((one) => one)).code).toBe('E_NOT_FOUND');
  });
});
