/** How a session ended, when also the last of what it said is read. */
import type { Ending, WireSession } from './ssh-wire.ts';

/** For the rest of stderr, which may still be on its way through this process. */
const REST_MS = 100;

/** `stderr` must be read by somebody. */
export async function endingWithWords({ stderr, ended }: WireSession): Promise<Ending> {
  const read = new Promise<void>((resolve) => {
    stderr.once('end', resolve).once('close', resolve);
  });
  const ending = await ended;
  if (stderr.readableEnded || stderr.destroyed) return ending;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, REST_MS);
  });
  await Promise.race([read, late]);
  clearTimeout(timer);
  return ending;
}
