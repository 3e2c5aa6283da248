/** The spool and the loss of power, on an ext4 that is shut down without a flush. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';
import { openSpool } from '../../src/events/spool.ts';
import { type BreakingDisk, makeBreakingDisk } from '../support/breaking-disk.ts';
import { endWithParent } from '../support/statsd.ts';

const program = new URL('../support/accepting-loop.ts', import.meta.url).pathname;
const missing = ['/usr/sbin/mkfs.ext4', '/usr/bin/python3', '/dev/loop-control'].filter((path) => !existsSync(path));
const reason = process.getuid?.() === 0 ? missing.join(', ') : 'needs root';
if (reason !== '' && process.env.CI !== undefined) throw new Error(`no disk to break: ${reason}`);

describe.skipIf(reason !== '')(`the loss of power${reason === '' ? '' : ` (${reason})`}`, () => {
  let disk: BreakingDisk | undefined;
  afterEach(async () => {
    await disk?.close();
    disk = undefined;
  });

  /** Runs the loop until so many are acknowledged; then the power goes. Answers the last acknowledged number. */
  async function loop(path: string, sync: 'full' | 'normal', count: number): Promise<number> {
    const argv = [...endWithParent, program, path, sync];
    const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    let last = -1;
    let complaint = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      complaint += chunk;
    });
    const reached = new Promise<void>((resolve, reject) => {
      if (child.stdout === null) throw new Error('no pipe');
      createInterface({ input: child.stdout }).on('line', (line) => {
        last = Number(line);
        if (last >= count) resolve();
      });
      child.once('exit', () => reject(new Error(`the loop ended: ${complaint}`)));
    });
    await reached;
    disk?.losePower();
    const acknowledged = last;
    child.kill('SIGKILL');
    await once(child, 'close');
    disk?.restorePower();
    return acknowledged;
  }

  const kept = (path: string): Set<string> => {
    const spool = openSpool(
      { path, maxBytes: 2 ** 24, maxAgeMs: 1e12, whenFull: 'refuse' },
      { mayMoveAside: false, nowMs: 0 },
    );
    try {
      return new Set(
        spool.database
          .prepare('SELECT what FROM event')
          .all()
          .map(({ what }) => String(what)),
      );
    } finally {
      spool.close();
    }
  };

  it('takes no event that was acknowledged', async () => {
    for (const count of [1, 7, 60, 333]) {
      disk = makeBreakingDisk();
      const path = join(disk.path, 'spool.db');
      const last = await loop(path, 'full', count);
      const there = kept(path);
      const lost = Array.from({ length: last + 1 }, (_, number) => `event ${number}`).filter(
        (what) => !there.has(what),
      );
      expect(lost).toEqual([]);
      expect(readdirSync(disk.path).filter((name) => name.includes('corrupt'))).toEqual([]);
      await disk.close();
    }
  });

  it('takes some where nothing is synced, so that this test would see it', async () => {
    disk = makeBreakingDisk();
    const path = join(disk.path, 'spool.db');
    const last = await loop(path, 'normal', 200);
    expect(kept(path).size).toBeLessThan(last);
  });
});
