/** A small file system in memory, to be full or read-only. Needs root. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';

export interface Tmpfs {
  /** `ro`, `rw`, `size=4m`. */
  remount(options: string): void;
  unmount(): Promise<void>;
}

/** Mounts it on a directory, which is made. It is unmounted with this process at the latest, however that ends. */
export function mountTmpfs(at: string, options: string): Tmpfs {
  mkdirSync(at, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'edgestatd-test', at]);
  // Its pipe ends with us.
  const script = `trap '' INT TERM; read -r _; umount -l "$0"`;
  const keeper = spawn('sh', ['-c', script, at], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  return {
    remount: (how) => void execFileSync('mount', ['-o', `remount,${how}`, at]),
    async unmount() {
      keeper.stdin.end();
      if (keeper.exitCode === null) await once(keeper, 'exit');
    },
  };
}

export const isRoot = process.getuid?.() === 0;
