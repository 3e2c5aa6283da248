/**
 * Owns what a broker leaves on a machine: makes its directory, and removes that and every process of the broker as soon
 * as standard input ends. That happens when its starter closes it, and also when its starter is killed. Prints the
 * directory when it is made.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

// What ends a test runner must not end what cleans up behind it.
for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
// Nobody may be reading any more.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

/** Erlang's daemons leave sessions and parents behind, but each carries on the environment that it was started with. */
function processesOf(directory: string): number[] {
  const mark = `\0EDGESTATD_TEST_BROKER=${directory}\0`;
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => {
      try {
        return `\0${readFileSync(`/proc/${pid}/environ`, 'latin1')}\0`.includes(mark);
      } catch {
        // It ended, or is somebody else's.
        return false;
      }
    })
    .map(Number);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended in between.
  }
}

const directory = mkdtempSync(join(tmpdir(), 'edgestatd-rabbitmq-'));
process.stdout.write(`${directory}\n`);
process.stdin.resume();
process.stdin.on('error', () => process.stdin.destroy());
await new Promise((resolve) => process.stdin.once('close', resolve));

// Two looks in a row must find nothing: one process may have been starting another.
let quiet = 0;
for (let look = 0; look < 100 && quiet < 2; look++) {
  const pids = processesOf(directory);
  quiet = pids.length === 0 ? quiet + 1 : 0;
  for (const pid of pids) kill(pid);
  await sleep(30);
}
rmSync(directory, { recursive: true, force: true });
if (quiet < 2) console.error(`still running: ${processesOf(directory).join(' ')}`);
process.exit(quiet < 2 ? 1 : 0);
