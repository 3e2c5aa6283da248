/** A target keeps what outlives a run; a run sees it through a host that dies with the run's deadline. */
import type { Host } from '../collector.ts';

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
