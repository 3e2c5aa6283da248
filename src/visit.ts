/** One piece of work on a target outside of the schedule: `edgestatd check` and `edgestatd trace`. */
import type { Clock } from './clock.ts';
import type { Host } from './collector.ts';
import { Failure } from './errors.ts';
import { type Target, within } from './hosts/target.ts';

/** Opens a host for the work, and ends at the deadline (`E_TIMEOUT`) what the work has begun. */
export async function visit<Value>(
  target: Target,
  timeoutMs: number,
  clock: Clock,
  work: (host: Host) => Promise<Value>,
): Promise<Value> {
  const controller = new AbortController();
  const cancel = clock.after(timeoutMs, () => {
    controller.abort(new Failure('E_TIMEOUT', `the deadline of ${timeoutMs / 1000} s passed`));
  });
  const host = target.open(controller.signal);
  try {
    return await within(
      controller.signal,
      Promise.resolve().then(async () => {
        await target.reach?.(controller.signal);
        return work(host);
      }),
    );
  } finally {
    cancel();
    controller.abort(new Failure('E_ABORTED', 'the work is over'));
    await host.settled();
  }
}
