/** A target keeps what outlives a run; a run sees it through a host that dies with the run's deadline. */
import type { Host, Kept, Lasting, Verdict } from '../collector.ts';

/** A host for one run. */
export interface OpenHost extends Host {
  /** Resolves when everything that the run started has ended: no process, socket or read is left behind. */
  settled(): Promise<void>;
}

export interface Target {
  /** As it stands in the series. */
  readonly name: string;
  /** `deadline` aborts with the Failure that says why; every call of the host then rejects with it. */
  open(deadline: AbortSignal): OpenHost;
  /**
   * What a run would have to wait for first: a connection. Resolves when it is there, and rejects with the Failure that
   * says why it is not. Undefined: there is nothing to wait for, as on this machine.
   */
  reach?(deadline: AbortSignal): Promise<void>;
  /** For `edgestatd check`: tries what all work on this machine needs. */
  check?(deadline: AbortSignal): Promise<readonly Verdict[]>;
  /** The jobs have changed: the function that is returned closes what none of them has asked for in between. */
  renew(): () => void;
  close(): Promise<void>;
}

/** Rejects as soon as the deadline passes, whatever `work` does then; the first reason wins. */
export async function within<Value>(deadline: AbortSignal, work: Promise<Value>): Promise<Value> {
  if (deadline.aborted) {
    work.catch(() => {});
    throw deadline.reason;
  }
  let stop = (): void => {};
  const passed = new Promise<never>((_, reject) => {
    stop = () => reject(deadline.reason);
    deadline.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, passed]);
  } finally {
    deadline.removeEventListener('abort', stop);
  }
}

/** What the runs of one target share, made at first use. */
export function keeper(lasting: Lasting): Pick<Target, 'renew'> & { readonly keep: Host['keep']; close(): void } {
  const kept = new Map<string, Kept>();
  let asked = new Set<string>();
  return {
    renew() {
      const since = new Set<string>();
      asked = since;
      return () => {
        // A later change of the jobs looks after it.
        if (asked !== since) return;
        for (const [key, one] of kept) {
          if (since.has(key)) continue;
          kept.delete(key);
          one.close();
        }
      };
    },
    keep<Value extends Kept>(key: string, make: (lasting: Lasting) => Value): Value {
      asked.add(key);
      const before = kept.get(key);
      // The key says what it is, so its type is that of whoever made it.
      if (before !== undefined) return before as Value;
      const made = make(lasting);
      kept.set(key, made);
      return made;
    },
    close() {
      for (const one of kept.values()) one.close();
      kept.clear();
    },
  };
}
