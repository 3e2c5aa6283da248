/** The Debian packages, in a clean Debian 12: what they hold, and installing, running, upgrading and removing them. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { inRoot, type Outcome, startInRoot } from '../support/chroot.ts';
import { type DebPackages, debPackages } from '../support/deb-packages.ts';
import { type DebianRoot, debianRoot } from '../support/debian-root.ts';
import { type RecordedSystemctl, recordSystemctl } from '../support/recorded-systemctl.ts';
import { listenUdp } from '../support/udp-listener.ts';

// dpkg waits for the disk, which other tests share.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 300_000 });

let debs: DebPackages;
let plain = '';
let bundle = '';

beforeAll(async () => {
  debs = await debPackages();
  plain = debs.build('edgestatd', '0.1.0-1', 'xz');
  bundle = debs.build('edgestatd-bundle', '0.1.0-1');
});
afterAll(() => debs?.end());

const sha256 = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');
const told = (file: string, ...argv: string[]): string =>
  execFileSync('dpkg-deb', [...argv, file], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });

describe('a package', () => {
  it('is the same bytes when it is built again', () => {
    expect(sha256(debs.build('edgestatd', '0.1.0-1', 'xz'))).toBe(sha256(plain));
    expect(sha256(debs.build('edgestatd-bundle', '0.1.0-1'))).toBe(sha256(bundle));
  });

  it('belongs to root, and nobody else may write in it', () => {
    const rows = told(bundle, '--contents').trim().split('\n');
    expect(rows.length).toBeGreaterThan(100);
    for (const row of rows) expect(row).toMatch(/^(?:drwxr-xr-x|-rw-r--r--|-rwxr-xr-x) root\/root /);
  });

  it('holds what an operator looks for, and nothing for developers', () => {
    const files = told(plain, '--contents')
      .split('\n')
      .map((row) => row.replace(/^.* \.\//, '/'));
    for (const file of [
      '/etc/edgestatd/edgestatd.yaml',
      '/usr/bin/edgestatd',
      '/usr/lib/edgestatd/dist/src/bin.js',
      '/usr/lib/systemd/system/edgestatd.service',
      '/usr/lib/sysusers.d/edgestatd.conf',
      '/usr/lib/tmpfiles.d/edgestatd.conf',
      '/usr/share/bash-completion/completions/edgestatd',
      '/usr/share/doc/edgestatd/changelog.Debian.gz',
      '/usr/share/doc/edgestatd/copyright',
      '/usr/share/fish/vendor_completions.d/edgestatd.fish',
      '/usr/share/man/man1/edgestatd.1.gz',
      '/usr/share/man/man5/edgestatd.yaml.5.gz',
      '/usr/share/zsh/vendor-completions/_edgestatd',
    ])
      expect(files).toContain(file);
    const idle = files.filter((file) =>
      /\.d\.[cm]?ts$|\.map$|\.test\.js$|\/testdata\/|\/node_modules\/(?:typescript|vitest|node)\//.test(file),
    );
    expect(idle).toEqual([]);
    expect(told(plain, '--field').match(/^Depends: .*$/m)?.[0]).toContain('nodejs (>= 22.13)');
    expect(told(bundle, '--field').match(/^Depends: .*$/m)?.[0]).not.toContain('nodejs');
    expect(told(bundle, '--field').match(/^Depends: .*$/m)?.[0]).toMatch(/libc6 \(>= 2\.28\).*libstdc\+\+6/);
  });

  it('has no error for lintian', () => {
    const { stdout } = lintian(plain);
    expect(stdout.split('\n').filter((line) => line.startsWith('E: '))).toEqual([]);
  });

  it('every module of ours finds what it imports', () => {
    // What a browser runs is no module of ours.
    const script = `
      import { readdirSync } from 'node:fs';
      const idle = ['src/bin.js', 'src/status/script.js'];
      const files = readdirSync('.', { recursive: true }).filter((file) => file.endsWith('.js') && !idle.includes(file));
      const modules = ['ssh2/lib/index.js', 'koffi/index.js'];
      for (const file of [...files, ...modules.map((module) => '../node_modules/' + module)])
        await import(process.cwd() + '/' + file);
      console.log(files.length);
      process.exit(0);`;
    const argv = ['--input-type=module', '--eval', script];
    const count = execFileSync(process.execPath, argv, { cwd: join(debs.content, 'dist'), encoding: 'utf8' });
    expect(Number(count)).toBeGreaterThan(10);
  });

  it('knows the same metrics as the sources, and what needs the modules that are loaded late: SSH, HTTP, plugins', () => {
    const folder = mkdtempSync(join(tmpdir(), 'edgestatd-package-late-'));
    try {
      const file = join(folder, 'edgestatd.yaml');
      const plugin = join(folder, 'plugin.mjs');
      writeFileSync(
        plugin,
        `import { defineCollector, gauge, sample, z } from 'edgestatd';
        const level = gauge('level', { unit: 'units', source: 'here', help: 'A number.' });
        export const collector = defineCollector({
          name: 'own', options: z.strictObject({}), metrics: { level },
          collect: async () => ({ samples: [sample(level, 7)] }),
        });`,
      );
      writeFileSync(
        file,
        `prefix: edge
plugins: [${plugin}]
sinks: [{ type: stdout }]
targets: { far: { type: ssh, host: 127.0.0.1, port: 1, user: nobody, keyFile: ${folder}/none, knownHostsFile: ${folder}/none } }
jobs:
  - { collector: own, every: 10s }
  - { collector: tcp, every: 10s, targets: [far] }
  - { collector: rabbitmq, every: 30s, options: { urls: ["http://127.0.0.1:1"], user: a, passwordFile: ${plugin} } }
`,
      );
      const run = (entry: string, ...words: string[]) => {
        const { stdout, stderr } = spawnSync(process.execPath, [entry, ...words], { encoding: 'utf8' });
        return { stdout, stderr };
      };
      const packaged = join(debs.content, 'dist/src/bin.js');
      const source = resolve(import.meta.dirname, '../../src/bin.js');
      expect(run(packaged, 'metrics').stdout).toBe(run(source, 'metrics').stdout);
      const { stdout, stderr } = run(packaged, 'once', '--config', file);
      expect(stdout).toMatch(/\.own\.level 7 gauge/);
      expect(stderr).toMatch(/tcp@far.*E_[A-Z_]+/);
      expect(stderr).toMatch(/rabbitmq.*E_CONNECT/);
      expect(stderr).not.toMatch(/E_BUG|is not defined|Cannot find/);
      expect(run(packaged, 'once', '--config', file).stderr).toBe(run(source, 'once', '--config', file).stderr);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

function lintian(file: string): { stdout: string } {
  try {
    return { stdout: execFileSync('lintian', ['--allow-root', '--fail-on=none', file], { encoding: 'utf8' }) };
  } catch (error) {
    return { stdout: `E: lintian failed: ${String(error)}` };
  }
}

/** One Debian for the tests of a block, in their order. */
function inDebian() {
  let root: DebianRoot;
  beforeAll(async () => {
    root = await debianRoot();
  });
  afterAll(() => root?.end());
  return {
    path: (...parts: string[]): string => join(root.path, ...parts),
    run: (...argv: string[]): Promise<Outcome> => inRoot(root.path, argv),
    /** Copies a package in and installs it. */
    install: (file: string, ...options: string[]): Promise<Outcome> => {
      copyFileSync(file, join(root.path, 'root', basename(file)));
      return inRoot(root.path, ['dpkg', ...options, '--install', `/root/${basename(file)}`]);
    },
  };
}

const asUser = ['setpriv', '--reuid=edgestatd', '--regid=edgestatd', '--init-groups', '--no-new-privs', '--'];
const configFor = (port: number): string =>
  `# Changed by an administrator.
sinks: [ { type: statsd, port: ${port} } ]
jobs: [ { collector: tcp, every: 1s } ]
events: { spool: /var/lib/edgestatd/spool.db, graphite: { url: "http://127.0.0.1:9/events/" } }
`;

describe('edgestatd-bundle in Debian 12', () => {
  const debian = inDebian();
  const config = '/etc/edgestatd/edgestatd.yaml';

  it('is installed where systemd does not run: user, directory, programs', async () => {
    const installed = await debian.install(bundle);
    expect(installed.stderr).toBe('');
    expect(installed.code).toBe(0);
    expect((await debian.run('getent', 'passwd', 'edgestatd')).stdout).toMatch(
      /^edgestatd:x:\d{3}:\d{3}:.*:\/var\/lib\/edgestatd:\/usr\/sbin\/nologin$/m,
    );
    const { stdout } = await debian.run('stat', '-c', '%U:%G %a', '/var/lib/edgestatd');
    expect(stdout.trim()).toBe('edgestatd:edgestatd 750');
    expect((await debian.run('edgestatd', '--version')).stdout.trim()).toMatch(/^\d+\.\d+\.\d+/);
    const check = await debian.run(...asUser, 'edgestatd', 'check', '--offline');
    expect(check.stdout).toContain('ok   configuration /etc/edgestatd/edgestatd.yaml');
    const verified = await debian.run('dpkg', '--verify', 'edgestatd-bundle');
    expect(verified.stdout).toBe('');
  });

  it('configures again without a word', async () => {
    const again = await debian.run(
      'sh',
      '-c',
      'export DPKG_MAINTSCRIPT_PACKAGE=edgestatd-bundle; for i in 1 2; do /var/lib/dpkg/info/edgestatd-bundle.postinst configure 0.1.0-1; done',
    );
    expect(again).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  it('runs as its own user, sends the first datagram, and ends with 0', async () => {
    const udp = await listenUdp();
    writeFileSync(debian.path(config), configFor(udp.port));
    const child = startInRoot(debian.path(), [...asUser, 'edgestatd', 'run']);
    try {
      await udp.until(
        (lines) => lines.some((line) => /\.edgestatd\.tcp\.up:1\|g$/.test(line)),
        'the first run',
        50_000,
      );
    } finally {
      const ended = once(child, 'exit');
      endInner(child.pid);
      expect(await ended).toEqual([0, null]);
      await udp.close();
    }
  });

  it('an upgrade keeps the changed configuration and what waits in the spool', async () => {
    const posted = await debian.run(...asUser, 'edgestatd', 'event', 'post', '--what', 'deploy 1', '--id', 'one');
    expect(posted.code).toBe(0);
    const before = readFileSync(debian.path(config), 'utf8');
    const upgraded = await debian.install(debs.build('edgestatd-bundle', '0.2.0-1'));
    expect(upgraded.code).toBe(0);
    const { stdout } = await debian.run('dpkg-query', '-W', '-f', `\${Version} \${Status}`, 'edgestatd-bundle');
    expect(stdout).toBe('0.2.0-1 install ok installed');
    expect(readFileSync(debian.path(config), 'utf8')).toBe(before);
    const spool = await debian.run(...asUser, 'edgestatd', 'event', 'spool', '--json');
    expect(JSON.parse(spool.stdout).destinations).toMatchObject([{ destination: 'graphite', pending: 1, dead: 0 }]);
  });

  it('removal keeps configuration and spool; a purge leaves nothing but the user', async () => {
    expect((await debian.run('dpkg', '--remove', 'edgestatd-bundle')).code).toBe(0);
    expect(existsSync(debian.path('/usr/lib/edgestatd'))).toBe(false);
    expect(existsSync(debian.path(config))).toBe(true);
    expect(existsSync(debian.path('/var/lib/edgestatd/spool.db'))).toBe(true);
    const purged = await debian.run('dpkg', '--purge', 'edgestatd-bundle');
    expect(purged.stderr).toBe('');
    const { stdout } = await debian.run(
      'sh',
      '-c',
      'rm -f /root/*.deb; find / -xdev -name "*edgestatd*" -not -path "/proc/*"',
    );
    expect(stdout).toBe('');
    expect((await debian.run('getent', 'passwd', 'edgestatd')).code).toBe(0);
  });
});

/** SIGTERM to the daemon, which is the first process of its namespace, and not to unshare, which would kill it. */
function endInner(unshare: number | undefined): void {
  const inner = readdirSync('/proc').find((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return new RegExp(`^PPid:\\s+${unshare}$`, 'm').test(readFileSync(`/proc/${pid}/status`, 'utf8'));
    } catch {
      return false;
    }
  });
  if (inner !== undefined) process.kill(Number(inner), 'SIGTERM');
}

describe('edgestatd where Node.js is missing or old', () => {
  const debian = inDebian();

  it('dpkg says which dependency is missing, and the program says what to install', async () => {
    const installed = await debian.install(plain);
    expect(installed.code).not.toBe(0);
    expect(installed.stderr).toMatch(/edgestatd depends on nodejs \(>= 22\.13\)/);
    const started = await debian.run('edgestatd', '--version');
    expect(started.code).toBe(1);
    expect(started.stderr).toMatch(
      /needs Node\.js 22\.13 or newer; found none .*install edgestatd-bundle, which brings its own, or nodejs 22\.13/,
    );
  });

  it('with Debian’s Node.js 18, forced, it names what it found', async () => {
    const options = ['-o', 'APT::Cmd::Disable-Script-Warning=true', '-qq', '--no-install-recommends'];
    await debian.run('dpkg', '--purge', 'edgestatd');
    const node = await debian.run('apt-get', ...options, 'install', '-y', 'nodejs');
    expect(node.code, node.stderr).toBe(0);
    expect((await debian.install(plain, '--force-depends')).code).toBe(0);
    const started = await debian.run('edgestatd', 'check');
    expect(started.code).toBe(1);
    expect(started.stderr).toMatch(/found \/usr\/bin\/node \(18\.\d+\.\d+\).*install edgestatd-bundle/);
    expect(started.stderr.trim().split('\n')).toHaveLength(1);
  });

  it('the bundle takes its place, and purging the old one leaves the new one’s files alone', async () => {
    writeFileSync(debian.path('/var/lib/edgestatd/kept'), '');
    const taken = await debian.install(bundle);
    expect(taken.code, taken.stderr).toBe(0);
    expect((await debian.run('edgestatd', '--version')).code).toBe(0);
    await debian.run('dpkg', '--purge', 'edgestatd');
    expect(existsSync(debian.path('/var/lib/edgestatd/kept'))).toBe(true);
    expect(existsSync(debian.path('/etc/edgestatd/edgestatd.yaml'))).toBe(true);
  });

  it('on a read-only root dpkg refuses, and the daemon runs with /var/lib/edgestatd and /run writable', async () => {
    const deb = `/root/${basename(bundle)}`;
    const refused = await inRoot(debian.path(), ['dpkg', '--install', deb], { readOnlyBut: [] });
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/[Rr]ead-only file system/);

    const udp = await listenUdp();
    writeFileSync(debian.path('/etc/edgestatd/edgestatd.yaml'), configFor(udp.port));
    const readOnlyBut = ['/var/lib/edgestatd', '/run'];
    const child = startInRoot(debian.path(), [...asUser, 'edgestatd', 'run'], { readOnlyBut });
    const ended = once(child, 'exit');
    try {
      await udp.until(
        (lines) => lines.some((line) => /\.edgestatd\.tcp\.up:1\|g$/.test(line)),
        'the first run',
        50_000,
      );
    } finally {
      endInner(child.pid);
      expect(await ended).toEqual([0, null]);
      await udp.close();
    }
  });

  it('where /var/lib/edgestatd is read-only too, it says what cannot be written', async () => {
    const posted = await inRoot(debian.path(), [...asUser, 'edgestatd', 'event', 'post', '--what', 'x'], {
      readOnlyBut: [],
    });
    expect(posted.code).toBe(1);
    expect(posted.stderr).toMatch(/\/var\/lib\/edgestatd\/spool\.db/);
    expect(posted.stderr).toMatch(/read-only|may not be written|cannot be written/i);
  });
});

describe('what dpkg does, in what order', () => {
  const debian = inDebian();
  const config = '/etc/edgestatd/edgestatd.yaml';
  let systemctl: RecordedSystemctl;
  beforeAll(() => {
    systemctl = recordSystemctl(debian.path());
  });
  const installed = async (file: string, ...options: string[]): Promise<string[]> => {
    const { code, stderr } = await debian.install(file, ...options);
    expect(code, stderr).toBe(0);
    expect(existsSync(debian.path('/run/edgestatd-installed'))).toBe(false);
    return systemctl.asked();
  };

  it('an installation starts the daemon, an upgrade restarts it, and one that was stopped stays so', async () => {
    expect(await installed(bundle)).toEqual(['start']);
    const newer = debs.build('edgestatd-bundle', '0.2.0-1');
    expect(await installed(newer)).toEqual(['restart']);
    systemctl.stop();
    expect(await installed(newer)).toEqual([]);
    const script = '/var/lib/dpkg/info/edgestatd-bundle.postinst';
    expect((await debian.run('sh', script, 'abort-upgrade', '0.3.0-1')).code).toBe(0);
    expect(systemctl.asked()).toEqual([]);
  });

  it('an installation after a removal starts it again, and so does the other package that takes over, and back', async () => {
    await debian.run('dpkg', '--remove', 'edgestatd-bundle');
    expect(systemctl.asked()).toEqual(['stop']);
    expect(await installed(bundle)).toEqual(['start']);
    await debian.run('sh', '-c', `echo '# mine' >>${config}`);
    expect(await installed(plain, '--force-depends')).toEqual(['stop', 'start']);
    expect(await installed(bundle)).toEqual(['stop', 'start']);
    expect(readFileSync(debian.path(config), 'utf8')).toMatch(/^# mine$/m);
  });

  it('the drop-ins and examples are where documents say, whichever of the two is there', () => {
    for (const file of ['systemd/nagios.conf', 'example.yaml', 'security.md', 'ansible/site.yml', 'alerts/check.sh'])
      expect(existsSync(debian.path('/usr/share/doc/edgestatd', file)), file).toBe(true);
  });

  it('a purge of one leaves alone what the other was removed with, until that is purged too', async () => {
    await debian.run('dpkg', '--remove', 'edgestatd-bundle');
    await debian.run('dpkg', '--purge', 'edgestatd');
    expect(existsSync(debian.path(config))).toBe(true);
    expect(existsSync(debian.path('/var/lib/edgestatd'))).toBe(true);
    expect((await debian.run('dpkg', '--purge', 'edgestatd-bundle')).stderr).toBe('');
    expect(existsSync(debian.path(config))).toBe(false);
    expect(existsSync(debian.path('/var/lib/edgestatd'))).toBe(false);
  });

  it('a purge keeps what lies on another disk, says so, and is done', async () => {
    const script = `
      mkdir -p /data/etc && ln -s /data /var/lib/edgestatd && dpkg --install /root/${basename(bundle)} && touch /data/kept
      mkdir -p /etc/edgestatd/keys && mount -t tmpfs keys /etc/edgestatd/keys && touch /etc/edgestatd/keys/kept
      dpkg --purge edgestatd-bundle && ls /data/kept /etc/edgestatd/keys/kept && ! test -L /var/lib/edgestatd`;
    const { code, stderr } = await debian.run('sh', '-ec', script);
    expect(stderr).toContain('/var/lib/edgestatd was a symbolic link; what it leads to is kept: /data\n');
    expect(stderr).toContain('edgestatd: not all of /etc/edgestatd was removed; remove the rest by hand\n');
    expect(code, stderr).toBe(0);
    expect((await debian.run('dpkg-query', '--show', 'edgestatd-bundle')).code).toBe(1);
  });
});

it('the sizes of the packages are in proportion', () => {
  expect(statSync(plain).size).toBeLessThan(2 * 1024 * 1024);
});
