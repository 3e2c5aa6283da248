/** The shells of one connection: opened on demand, shared in turn, closed when they are not needed. */
import { asFailure, Failure } from '../errors.ts';
import { openShell, type Shell, type ShellPlace } from './ssh-shell.ts';
import type { Link, Wire } from './ssh-wire.ts';

export interface Lease {
  readonly shell: Shell;
  /** To be called once, when the shell has answered; one that has not is ended. */
  release(): void;
}

export interface Shells {
  /** A shell for the caller alone, in the order of asking; the deadline ends the wait. */
  take(deadline: AbortSignal): Promise<Lease>;
  close(): void;
}

export interface ShellsPlace extends ShellPlace {
  /** Shells at once. */
  readonly most: number;
  /** How long a shell beside the first is kept that nobody needs; default 30 s. */
  readonly idleMs?: number;
}

const IDLE_MS = 30_000;
/** A session that was just closed may still count there. */
const RETRIES_MS = [100, 300, 900];
/** After so long it is tried again whether the server lets more sessions be. */
const LEARNT_MS = 60_000;

export function createShells(link: Link, place: ShellsPlace): Shells {
  let current: Pool | undefined;
  return {
    async take(deadline) {
      const wire = await link.wire(deadline);
      if (current?.wire !== wire) {
        current?.close();
        current = createPool(wire, place);
      }
      return current.take(deadline);
    },
    close() {
      current?.close();
      current = undefined;
    },
  };
}

interface Pool extends Shells {
  readonly wire: Wire;
}

interface Waiting {
  give(shell: Shell): void;
  refuse(why: Failure): void;
}

function createPool(wire: Wire, place: ShellsPlace): Pool {
  const { most, idleMs = IDLE_MS } = place;
  const shells = new Set<Shell>();
  /** The last one is the one that was used last. */
  const idle: Shell[] = [];
  const queue = new Set<Waiting>();
  let opening = 0;
  /** What the server lets be, if that is less. */
  let learnt = { most, untilMs: 0 };
  let surplus: NodeJS.Timeout | undefined;
  let over: Failure | undefined;

  const room = (): number => {
    const allowed = performance.now() < learnt.untilMs ? learnt.most : most;
    return Math.max(1, allowed) - shells.size - opening;
  };

  const serve = (): void => {
    while (idle.length > 0 && queue.size > 0) {
      const shell = idle.pop();
      const [first] = queue;
      if (shell === undefined || first === undefined || !shell.isOpen()) continue;
      queue.delete(first);
      first.give(shell);
    }
    while (queue.size > opening && room() > 0) {
      opening++;
      open().then(
        (shell) => {
          opening--;
          add(shell);
        },
        (thrown) => {
          opening--;
          refused(asFailure(thrown));
        },
      );
    }
  };

  const open = async (): Promise<Shell> => {
    for (const pauseMs of [...RETRIES_MS, undefined]) {
      try {
        return await openShell(wire, place);
      } catch (thrown) {
        const isFull = asFailure(thrown).code === 'E_CONNECT' && shells.size === 0 && over === undefined;
        if (!isFull || pauseMs === undefined) throw thrown;
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    }
    throw new Failure('E_BUG', 'no attempt to open a shell was the last');
  };

  const add = (shell: Shell): void => {
    if (over !== undefined) {
      shell.destroy(over);
      return;
    }
    shells.add(shell);
    shell.ended.then(() => {
      shells.delete(shell);
      const at = idle.indexOf(shell);
      if (at >= 0) idle.splice(at, 1);
      serve();
    });
    idle.push(shell);
    serve();
    trim();
  };

  const refused = (why: Failure): void => {
    // Others are there, so it is their number that is too much: who waits gets one of them.
    if (shells.size > 0 && why.code === 'E_CONNECT') {
      learnt = { most: shells.size, untilMs: performance.now() + LEARNT_MS };
      serve();
      return;
    }
    const waiting = [...queue];
    queue.clear();
    for (const one of waiting) one.refuse(why);
  };

  const trim = (): void => {
    clearTimeout(surplus);
    if (idle.length < 2) return;
    surplus = setTimeout(() => {
      for (const shell of idle.splice(0, idle.length - 1)) shell.destroy(new Failure('E_ABORTED', 'not needed'));
    }, idleMs);
    surplus.unref();
  };

  const end = (why: Failure): void => {
    if (over !== undefined) return;
    over = why;
    clearTimeout(surplus);
    for (const one of queue) one.refuse(why);
    queue.clear();
    for (const shell of shells) shell.destroy(why);
    idle.length = 0;
  };
  wire.ended.then(end);

  return {
    wire,
    take(deadline) {
      if (over !== undefined) return Promise.reject(over);
      const { promise, resolve, reject } = Promise.withResolvers<Lease>();
      const waiting: Waiting = {
        give: (shell) => resolve({ shell, release: () => release(shell) }),
        refuse: reject,
      };
      const leave = (): void => {
        if (queue.delete(waiting)) reject(deadline.reason);
      };
      deadline.addEventListener('abort', leave, { once: true });
      queue.add(waiting);
      if (deadline.aborted) leave();
      serve();
      return promise.finally(() => deadline.removeEventListener('abort', leave));
    },
    close: () => end(new Failure('E_ABORTED', 'the target was closed')),
  };

  function release(shell: Shell): void {
    if (shell.isBusy()) shell.destroy(new Failure('E_ABORTED', 'its answer is not waited for any more'));
    if (!shell.isOpen() || !shells.has(shell)) return;
    idle.push(shell);
    serve();
    trim();
  }
}
