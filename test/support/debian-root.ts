/**
 * A private, writable root of a small Debian 12, to install packages in and to chroot into. debootstrap makes it once;
 * what it made is kept for a day as a tarball below the temporary directory, and unpacked for each caller. Needs root.
 */
import { execFile } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const SUITE = 'bookworm';
const ANYWHERE = 'http://deb.debian.org/debian';
const MAX_AGE_MS = 24 * 3600 * 1000;
/** Below what debootstrap leaves; a file this short was cut off. */
const LEAST_BYTES = 30_000_000;
/** All that is printed by debootstrap and apt. */
const maxBuffer = 64 * 1024 * 1024;

export interface DebianRoot {
  /** An absolute path; nothing is mounted below it. /etc/resolv.conf is this machine's, and apt's lists are there. */
  readonly path: string;
  /** Ends every process that runs in it, unmounts what was mounted below it, and removes it. May be called twice. */
  end(): Promise<void>;
}

/** A root of the caller's own. The first call of a day takes a minute, others a few seconds. */
export async function debianRoot(): Promise<DebianRoot> {
  if (process.getuid?.() !== 0) throw new Error('a Debian root needs root; found another user');
  const tarball = await baseTarball();
  // Others may look into a root, as its own users must, but not into the folder around it.
  const folder = mkdtempSync(join(tmpdir(), 'edgestatd-root-'));
  const path = join(folder, 'root');
  const end = async (): Promise<void> => {
    endProcessesIn(path);
    for (const mount of mountsBelow(path)) await run('umount', ['--lazy', mount]);
    // What is mounted in spite of that is not ours to remove.
    await run('rm', ['-rf', '--one-file-system', folder]);
  };
  try {
    mkdirSync(path);
    await run('tar', ['--extract', '--file', tarball, '--directory', path, '--numeric-owner', '--same-permissions']);
    chmodSync(path, 0o755);
    copyFileSync('/etc/resolv.conf', join(path, 'etc/resolv.conf'));
    // Nobody needs it after a power cut, and most of what dpkg takes is to wait for the disk.
    writeFileSync(join(path, 'etc/dpkg/dpkg.cfg.d/tests'), 'force-unsafe-io\n');
  } catch (error) {
    await end();
    throw error;
  }
  return { path, end };
}

/** The tarball; made where there is none, by one process at a time. */
async function baseTarball(): Promise<string> {
  const folder = join(tmpdir(), `edgestatd-debian-root-${process.getuid?.()}`);
  const tarball = join(folder, `${SUITE}.tar`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { uid, mode } = lstatSync(folder);
  // Others may write in the temporary directory, and what is unpacked here runs as root.
  if (uid !== process.getuid?.() || (mode & 0o170022) !== 0o040000)
    throw new Error(`${folder}: belongs to another user, or others may write there; remove it`);
  // The lock is the kernel's, on a file that stays: it ends with the process that holds it.
  if (!isFresh(tarball))
    await run('flock', [join(folder, 'lock'), process.execPath, import.meta.filename, tarball], { maxBuffer });
  return tarball;
}

function isFresh(tarball: string): boolean {
  const found = lstatSync(tarball, { throwIfNoEntry: false });
  return found?.isFile() === true && found.size >= LEAST_BYTES && Date.now() - found.mtimeMs < MAX_AGE_MS;
}

/** Where this machine's own apt finds the suite. */
async function mirror(): Promise<string> {
  const { stdout } = await run('apt-get', ['indextargets', '--format', '$(REPO_URI) $(CODENAME) $(COMPONENT)']).catch(
    () => ({ stdout: '' }),
  );
  const line = stdout.split('\n').find((one) => one.endsWith(` ${SUITE} main`));
  return line?.split(' ')[0] ?? ANYWHERE;
}

/** Under the lock: another process may have made it while this one waited. */
async function makeTarball(tarball: string): Promise<void> {
  if (isFresh(tarball)) return;
  const path = mkdtempSync(join(tmpdir(), 'edgestatd-root-'));
  const part = `${tarball}.part`;
  const env = {
    ...process.env,
    LC_ALL: 'C',
    PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
    DEBIAN_FRONTEND: 'noninteractive',
  };
  try {
    await run('debootstrap', ['--variant=minbase', SUITE, path, await mirror()], { env, maxBuffer });
    await run('chroot', [path, 'apt-get', '-o', 'Acquire::GzipIndexes=true', 'update'], { env, maxBuffer });
    await run('chroot', [path, 'apt-get', 'clean'], { env, maxBuffer });
    await run('tar', ['--create', '--file', part, '--directory', path, '--numeric-owner', '--one-file-system', '.']);
    await run('mv', [part, tarball]);
  } finally {
    for (const mount of mountsBelow(path)) await run('umount', ['--lazy', mount]);
    await run('rm', ['-rf', '--one-file-system', path, part]);
  }
}

/** Mount points at or below a path, innermost first. */
function mountsBelow(path: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => (line.split(' ')[4] ?? '').replaceAll('\\040', ' '))
    .filter((mount) => mount === path || mount.startsWith(`${path}/`))
    .toReversed();
}

function endProcessesIn(path: string): void {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const root = readlinkSync(`/proc/${pid}/root`);
      if (root === path || root.startsWith(`${path}/`)) process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  }
}

const [, program, wanted] = process.argv;
if (program === import.meta.filename && wanted !== undefined) await makeTarball(wanted);
