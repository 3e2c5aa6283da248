/** Programs in a Debian root, in mount and process namespaces of their own: what they start ends with them. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface How {
  /** The root may not be written to, except for these folders, which are memory. */
  readonly readOnlyBut?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

const ENV: NodeJS.ProcessEnv = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  LC_ALL: 'C.UTF-8',
  DEBIAN_FRONTEND: 'noninteractive',
};

function argvIn(root: string, argv: readonly string[], { readOnlyBut }: How): string[] {
  const enter =
    readOnlyBut === undefined
      ? 'root=$1; shift; exec chroot "$root" "$@"'
      : [
          'root=$1; shift; mount --bind "$root" "$root"; mount --bind /proc "$root/proc"',
          ...readOnlyBut.map((folder) => `mount -t tmpfs -o mode=1777 tmpfs "$root${folder}"`),
          'mount -o remount,ro,bind "$root"',
          // The working directory is still what lies below the bind.
          'cd "$root"; exec chroot "$root" "$@"',
        ].join('; ');
  const unshare = ['unshare', '--mount', '--pid', '--fork', '--kill-child', `--mount-proc=${root}/proc`];
  return [...unshare, 'sh', '-ec', enter, 'sh', root, ...argv];
}

/** Runs a program to its end, which is no error whatever its code is. */
export function inRoot(root: string, argv: readonly string[], how: How = {}): Promise<Outcome> {
  const [program = '', ...args] = argvIn(root, argv, how);
  const env = { ...ENV, ...how.env };
  return new Promise((resolve) => {
    execFile(program, args, { env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, stdout, stderr });
    });
  });
}

/** Starts one that goes on. Killing it kills all that runs there. */
export function startInRoot(root: string, argv: readonly string[], how: How = {}): ChildProcess {
  const [program = '', ...args] = argvIn(root, argv, how);
  return spawn(program, args, { env: { ...ENV, ...how.env }, stdio: ['ignore', 'pipe', 'pipe'] });
}
