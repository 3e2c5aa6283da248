/** A wire without SSH: sessions are child processes of this one, started by a login shell as sshd does. */
import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { Failure } from '../../src/errors.ts';
import type { Ending, Link, Wire } from '../../src/hosts/ssh-wire.ts';

export interface ShellWire extends Wire {
  /** Process ids of the login shells that were started. */
  readonly pids: readonly number[];
}

export interface ShellWireOptions {
  /** Program and words before the command; default `/bin/sh -c`. */
  readonly login?: readonly [program: string, ...words: string[]];
  readonly env?: NodeJS.ProcessEnv;
  /** As MaxSessions. */
  readonly sessions?: number;
}

export function shellWire({ login = ['/bin/sh', '-c'], env, sessions = 100 }: ShellWireOptions = {}): ShellWire {
  const over = Promise.withResolvers<Failure>();
  const pids: number[] = [];
  const ends = new Set<() => void>();
  let open = 0;
  return {
    pids,
    async exec(command) {
      if (open >= sessions) throw new Failure('E_CONNECT', 'the server opens no session');
      open++;
      const [program, ...words] = login;
      const child = spawn(program, [...words, command], {
        detached: true,
        stdio: ['pipe', 'pipe', 'pipe'],
        env: env ?? { PATH: process.env.PATH, HOME: '/nonexistent' },
      });
      if (child.pid !== undefined) pids.push(child.pid);
      const ended = Promise.withResolvers<Ending>();
      let isDestroyed = false;
      const end = (ending: Ending): void => {
        if (ends.delete(destroy)) open--;
        ended.resolve(ending);
      };
      const destroy = (): void => {
        isDestroyed = true;
        for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
        end({ code: undefined, signal: undefined });
      };
      ends.add(destroy);
      child.stdin.on('error', () => {});
      child.once('error', destroy);
      child.once('close', (code, signal) => {
        if (!isDestroyed) end({ code: code ?? undefined, signal: signal?.slice(3) });
      });
      const signal = (name: 'TERM' | 'KILL'): void => void child.kill(`SIG${name}`);
      return { stdin: child.stdin, stdout: child.stdout, stderr: child.stderr, ended: ended.promise, signal, destroy };
    },
    connectUnix: (path) => connected(() => connect({ path })),
    connectTcp: (host, port) => connected(() => connect({ host, port })),
    ended: over.promise,
    end() {
      over.resolve(new Failure('E_CONNECT', 'the connection was closed'));
      for (const destroy of [...ends]) destroy();
    },
  };
}

async function connected(open: () => Duplex): Promise<Duplex> {
  const stream = open();
  return new Promise((resolve, reject) => {
    stream.on('error', (error) => reject(new Failure('E_CONNECT', 'the server opens no channel', { cause: error })));
    stream.once('connect', () => resolve(stream));
  });
}

/** A link that always has this wire, or a new one when it was ended. */
export function shellLink(options: ShellWireOptions = {}): Link & { current(): ShellWire | undefined } {
  let wire: ShellWire | undefined;
  return {
    current: () => wire,
    async wire() {
      if (wire === undefined) {
        const made = shellWire(options);
        wire = made;
        made.ended.then(() => {
          if (wire === made) wire = undefined;
        });
      }
      return wire;
    },
    close: () => wire?.end(),
  };
}
