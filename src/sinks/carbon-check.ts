/** `edgestatd check` of a carbon sink: whether its destinations read, and whether its spool can be written. */
import { randomInt } from 'node:crypto';
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock } from '../clock.ts';
import type { Verdict } from '../collector.ts';
import { asFailure, systemCode } from '../errors.ts';
import { openConnection, tryConnection } from './carbon-connection.ts';
import { type CarbonSinkOptions, type Endpoint, endpointOf, spoolPath } from './carbon-options.ts';

const READ_MS = 5000;

/**
 * Connects to each destination (with TLS verified) and sees whether a process reads there. `write`: sends one test point
 * below `base` too, with a value that can be told from others. Nothing is made on this machine.
 */
export async function checkCarbon(
  options: CarbonSinkOptions & { readonly name: string },
  base: string,
  clock: Clock,
  write: boolean,
): Promise<Verdict[]> {
  const endpoints = options.destinations.flatMap((text) => endpointOf(text) ?? []);
  const verdicts = await Promise.all(
    endpoints.map((endpoint) => (write ? written(endpoint, options, base, clock) : reached(endpoint, options, clock))),
  );
  return [...verdicts, spoolVerdict(options), CREATES];
}

const CREATES: Verdict = {
  level: 'warn',
  text:
    'Carbon drops the points of new series without a word above MAX_CREATES_PER_MINUTE (50 in Debian’s carbon.conf); ' +
    'raise it there if series are missing, and see carbon.agents.*.droppedCreates',
};

async function reached(endpoint: Endpoint, options: CarbonSinkOptions, clock: Clock): Promise<Verdict> {
  try {
    await tryConnection(endpoint, options, clock);
    return { level: 'ok', text: `${endpoint.to} takes connections${options.tls ? ' over TLS' : ''}, and reads` };
  } catch (thrown) {
    return { level: 'fail', text: asFailure(thrown).message };
  }
}

async function written(endpoint: Endpoint, options: CarbonSinkOptions, base: string, clock: Clock): Promise<Verdict> {
  const { to } = endpoint;
  const series = `${base}.check_canary`;
  const value = randomInt(1e6, 1e9);
  try {
    let cancel = (): void => {};
    const isRead = await new Promise<boolean>((resolve, reject) => {
      const ended = (failure: Error | undefined): void => (failure === undefined ? resolve(true) : reject(failure));
      openConnection(endpoint, options, clock, { ended, drained() {} }).then((connection) => {
        connection.write(Buffer.from(`${series} ${value} ${Math.floor(clock.wallMs() / 1000)}\n`));
        connection.finish();
        cancel = clock.after(READ_MS, () => {
          connection.destroy();
          resolve(false);
        });
      }, reject);
    }).finally(() => cancel());
    if (isRead)
      return { level: 'ok', text: `${to} has read the test point ${series} = ${value}; look whether it is stored` };
    const text = `${to} accepts connections, and reads nothing within ${READ_MS / 1000} s; is its process stopped?`;
    return { level: 'fail', text };
  } catch (thrown) {
    return { level: 'fail', text: asFailure(thrown).message };
  }
}

/** Looks, and makes nothing: who checks may be another user than who runs. */
function spoolVerdict(options: CarbonSinkOptions & { readonly name: string }): Verdict {
  const path = spoolPath(options);
  let place = path;
  while (!existsSync(place) && dirname(place) !== place) place = dirname(place);
  try {
    if (statSync(place).isDirectory() === (place === path)) {
      const what = place === path ? 'that is a directory' : `${place} is no directory`;
      return { level: 'fail', text: `spool ${path} cannot be a file: ${what}; name another "spool"` };
    }
    accessSync(place, constants.W_OK);
    // SQLite has files beside it.
    if (place === path) accessSync(dirname(path), constants.W_OK);
    return { level: 'ok', text: `spool ${path} can be written${place === path ? '' : ' (it is made at the start)'}` };
  } catch (thrown) {
    const why = systemCode(thrown) === 'EROFS' ? 'its file system is read-only' : `${place} may not be written`;
    const advice =
      'give this user the directory, or name another "spool"; without it an outage is bridged in memory alone';
    return { level: 'fail', text: `spool ${path} cannot be written: ${why} by this user; ${advice}` };
  }
}
