/** The file of a database before SQLite sees it: made for who is to use it, and for nobody else. */
import { accessSync, closeSync, constants, existsSync, fchownSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { told } from './database-failures.ts';

/** A file that only we may read: what it holds may be told to nobody else. */
export function make(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    // Never of one that exists: closing it would end every lock that this process has on it (fcntl(2)).
    if (!existsSync(path)) begin(path);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw told(thrown, path);
  }
}

/** Root makes it for whom the directory belongs to: a command may come before the daemon, which has a user of its own. */
function begin(path: string): void {
  const file = openSync(path, 'ax', 0o600);
  try {
    const { uid, gid } = statSync(dirname(path));
    if (process.getuid?.() === 0 && uid !== 0) fchownSync(file, uid, gid);
  } catch {
    // Of a file system without owners it is whoever's it can be.
  } finally {
    closeSync(file);
  }
}

/** What the file system says against writing there. */
export function refusal(path: string): unknown {
  try {
    accessSync(`${dirname(path)}/.`, constants.W_OK);
    if (existsSync(path)) accessSync(path, constants.R_OK | constants.W_OK);
    return undefined;
  } catch (thrown) {
    return thrown;
  }
}
