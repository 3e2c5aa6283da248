/**
 * The Debian packages that the tests need, by name: installed here when something is missing and we are root, so that
 * `npm ci && npm test` is all that a fresh machine needs. Run by npm before the tests.
 */
import { spawnSync } from 'node:child_process';

/** Program → Debian package. */
const needed: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  nsenter: 'util-linux',
  mkfifo: 'coreutils',
  perl: 'perl-base',
  python3: 'python3-minimal',
  ps: 'procps',
  'systemd-notify': 'systemd',
  openssl: 'openssl',
};

const path = `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`;
const has = (program: string): boolean =>
  spawnSync('/bin/sh', ['-c', 'command -v "$1"', 'sh', program], { env: { PATH: path } }).status === 0;

const missing = Object.keys(needed).filter((program) => !has(program));
if (missing.length > 0) {
  const packages = [...new Set(missing.map((program) => needed[program] ?? ''))];
  const install = ['apt-get', 'install', '-y', '--no-install-recommends', ...packages];
  if (process.getuid?.() === 0 && has('apt-get')) {
    console.log(`The tests need ${missing.join(', ')}: ${install.join(' ')}`);
    const env = { ...process.env, PATH: path, DEBIAN_FRONTEND: 'noninteractive' };
    spawnSync('apt-get', ['update', '-qq'], { stdio: 'inherit', env });
    spawnSync('apt-get', install.slice(1), { stdio: 'inherit', env });
  }
  const still = missing.filter((program) => !has(program));
  if (still.length > 0) {
    console.error(`The tests need ${still.join(', ')}. As root: ${install.join(' ')}`);
    process.exit(1);
  }
}
