/** Where the status socket of a daemon is, so that its commands find it. */
import { createHash } from 'node:crypto';
import { lstatSync, realpathSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';

/** As the unit of systemd says: `RuntimeDirectory=edgestatd`. */
const SYSTEM_SOCKET = '/run/edgestatd/status.sock';
/** unix(7): `sun_path`, without the zero at its end. */
export const MAX_SOCKET_BYTES = 107;

export interface PlaceSurroundings {
  readonly env: NodeJS.ProcessEnv;
  readonly uid: number | undefined;
}

export const ownSurroundings = (): PlaceSurroundings => ({ env: process.env, uid: process.geteuid?.() });

/**
 * The socket that the daemon of a configuration makes where the file names none; undefined: this user has no place for it.
 * One for each file, so that two daemons never meet.
 */
export function defaultSocket(file: string, { env, uid }: PlaceSurroundings): string | undefined {
  const [runtime = ''] = (env.RUNTIME_DIRECTORY ?? '').split(':');
  if (isAbsolute(runtime)) return join(runtime, 'status.sock');
  const { XDG_RUNTIME_DIR: own = '' } = env;
  if (isAbsolute(own)) return socketIn(own, file);
  return uid === 0 ? socketIn('/run', file) : undefined;
}

/** Where a command looks, which may have another environment than the daemon: the first that is there, else the first. */
export function socketToAsk(file: string, isSystemFile: boolean, around: PlaceSurroundings): string {
  const own = defaultSocket(file, around);
  const all = [...(isSystemFile ? [SYSTEM_SOCKET] : []), ...(own === undefined ? [] : [own]), socketIn('/run', file)];
  return all.find(isThere) ?? all[0] ?? SYSTEM_SOCKET;
}

function socketIn(directory: string, file: string): string {
  return join(directory, 'edgestatd', `status-${hashOf(file)}.sock`);
}

function hashOf(file: string): string {
  return createHash('sha256').update(realPath(file)).digest('hex').slice(0, 8);
}

export function realPath(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return file;
  }
}

/** What may not be looked at may be there. */
function isThere(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch (error) {
    return !['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
  }
}
