/**
 * The Debian packages that the tests need, by name: installed here when something is missing and we are root, so that
 * `npm ci && npm test` is all that a fresh machine needs. Run by npm before the tests.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Program → Debian package. */
const needed: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  curl: 'curl',
  tc: 'iproute2',
  ethtool: 'ethtool',
  iperf3: 'iperf3',
  ping: 'iputils-ping',
  setpriv: 'util-linux',
  'ovs-vswitchd': 'openvswitch-switch',
  'ovs-vsctl': 'openvswitch-switch',
  'ovs-ofctl': 'openvswitch-common',
  nsenter: 'util-linux',
  mkfifo: 'coreutils',
  perl: 'perl-base',
  python3: 'python3-minimal',
  ps: 'procps',
  'systemd-notify': 'systemd',
  openssl: 'openssl',
  'mkfs.ext4': 'e2fsprogs',
  rabbitmqctl: 'rabbitmq-server',
  // Both depend on all that they need, down to a font for the labels of rendered graphs.
  'graphite-manage': 'graphite-web',
  'carbon-cache': 'graphite-carbon',
  gunicorn: 'gunicorn',
  'whisper-fetch': 'python3-whisper',
  git: 'git',
  sshd: 'openssh-server',
  'ssh-keygen': 'openssh-client',
  sudo: 'sudo',
  busybox: 'busybox',
  logrotate: 'logrotate',
  tmux: 'tmux',
  chromium: 'chromium',
  debootstrap: 'debootstrap',
  crun: 'crun',
  buildah: 'buildah',
  lintian: 'lintian',
  mandoc: 'mandoc',
  man: 'man-db',
  strip: 'binutils',
  'dpkg-deb': 'dpkg',
  flock: 'util-linux',
  zsh: 'zsh',
  fish: 'fish',
  shellcheck: 'shellcheck',
  // Its module apt needs the second, which has no program.
  'ansible-playbook': 'ansible-core python3-apt',
};

const path = `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`;
const has = (program: string): boolean =>
  spawnSync('/bin/sh', ['-c', 'command -v "$1"', 'sh', program], { env: { PATH: path } }).status === 0;

/**
 * Installing openvswitch-switch, rabbitmq-server or graphite-carbon would start a switch, a broker, Erlang's port mapper
 * and a store of series on this machine, which is not ours to do. Debian's scripts start services through two programs,
 * found in the PATH that apt gives them: here they find these, which do nothing.
 * A policy-rc.d would do the same, but it is the machine's own file, and a killed installation would leave it behind.
 */
function withoutServices<Result>(work: (dpkgPath: string) => Result): Result {
  const folder = mkdtempSync(join(tmpdir(), 'edgestatd-packages-'));
  // mkdtemp makes it root's alone, and so it must stay: dpkg runs what is in it as root.
  try {
    for (const program of ['invoke-rc.d', 'deb-systemd-invoke']) {
      writeFileSync(join(folder, program), '#!/bin/sh\nexit 0\n');
      chmodSync(join(folder, program), 0o755);
    }
    return work(`${folder}:/usr/sbin:/usr/bin:/sbin:/bin`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const missing = Object.keys(needed).filter((program) => !has(program));
if (missing.length > 0) {
  const packages = [...new Set(missing.flatMap((program) => (needed[program] ?? '').split(' ')))];
  const install = ['apt-get', 'install', '-y', '--no-install-recommends', ...packages];
  if (process.getuid?.() === 0 && has('apt-get')) {
    console.log(`The tests need ${missing.join(', ')}: ${install.join(' ')}`);
    const env = { ...process.env, PATH: path, DEBIAN_FRONTEND: 'noninteractive' };
    spawnSync('apt-get', ['update', '-qq'], { stdio: 'inherit', env });
    withoutServices((dpkgPath) =>
      spawnSync('apt-get', ['-o', `DPkg::Path=${dpkgPath}`, ...install.slice(1)], { stdio: 'inherit', env }),
    );
  }
  const still = missing.filter((program) => !has(program));
  if (still.length > 0) {
    console.error(`The tests need ${still.join(', ')}. As root: ${install.join(' ')}`);
    process.exit(1);
  }
}
