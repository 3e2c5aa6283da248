/**
 * An ext4 of its own whose machine can lose its power: what was not synced is gone afterwards, as EXT4_IOC_SHUTDOWN
 * without a flush of the journal leaves it. Needs root, a loop device, mkfs.ext4 and python3.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface BreakingDisk {
  /** Where it is mounted. */
  readonly path: string;
  /** Nothing more is written, and nothing that was not synced is kept. */
  losePower(): void;
  /** The machine is on again: what the journal holds is replayed. */
  restorePower(): void;
  close(): Promise<void>;
}

/** `_IOR('X', 125, __u32)` with EXT4_GOING_FLAGS_NOLOGFLUSH: fs/ext4/ext4.h of the kernel. */
const SHUTDOWN =
  'import fcntl,os,struct,sys; fcntl.ioctl(os.open(sys.argv[1],os.O_RDONLY),0x8004587D,struct.pack("I",2))';

export function makeBreakingDisk(): BreakingDisk {
  const directory = mkdtempSync(join(tmpdir(), 'edgestatd-disk-'));
  const [image, path] = [join(directory, 'image'), join(directory, 'mounted')];
  mkdirSync(path);
  const run = (program: string, ...argv: string[]): void => void execFileSync(program, argv, { stdio: 'pipe' });
  // Its pipe ends with us, however that comes about.
  const script = `trap '' INT TERM; read -r _; umount -l "$1"; rm -rf "$0"`;
  const keeper = spawn('sh', ['-c', script, directory, path], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  const mount = (): void => run('mount', '-o', 'loop', image, path);
  try {
    run('truncate', '-s', '32M', image);
    run('mkfs.ext4', '-q', image);
    mount();
  } catch (error) {
    keeper.stdin.end();
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
  return {
    path,
    losePower: () => run('/usr/bin/python3', '-c', SHUTDOWN, path),
    restorePower() {
      run('umount', path);
      mount();
    },
    async close() {
      keeper.stdin.end();
      if (keeper.exitCode === null) await once(keeper, 'exit');
    },
  };
}
