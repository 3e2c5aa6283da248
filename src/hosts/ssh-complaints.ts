/** What a shell, cat(1) or dd(1) of another machine says of a file, as the failures that local files have. Pure. */
import { Failure } from '../errors.ts';
import { quoted } from '../text.ts';
import { directoryFailure, fileFailure, irregularFailure } from './file.ts';

/** What a kind that is not one of these means for who wanted to read. */
export function kindFailure(path: string, kind: string, good: string): Failure | undefined {
  if (kind !== '' && good.includes(kind)) return undefined;
  switch (kind) {
    case 'd':
      return directoryFailure(path);
    case 'n':
    // A socket cannot be opened (ENXIO).
    case 's':
      return missing(path);
    case 'x':
      return fileFailure(path, systemError('EACCES', 'Permission denied'));
    case 'p':
    case 'o':
      return good === '' ? missing(path) : irregularFailure(path);
    default:
      return good === '' ? missing(path) : new Failure('E_PARSE', `${quoted(path)}: the shell told no kind`, { path });
  }
}

export const missing = (path: string): Failure => fileFailure(path, systemError('ENOENT', 'No such file or directory'));

/** As glibc, musl and BusyBox word them in the C locale (strerror(3)). */
const ERRORS: Readonly<Record<string, string>> = {
  'No such file or directory': 'ENOENT',
  'No such file': 'ENOENT',
  'Not a directory': 'ENOTDIR',
  // A process that ends between the open and the read of a file of its own.
  'No such process': 'ENOENT',
  'No such device': 'ENODEV',
  'No such device or address': 'ENXIO',
  'Invalid argument': 'EINVAL',
  'Permission denied': 'EACCES',
  'Operation not permitted': 'EPERM',
  'Input/output error': 'EIO',
  'I/O error': 'EIO',
  'Stale file handle': 'ESTALE',
  'No data available': 'ENODATA',
  'Connection timed out': 'ETIMEDOUT',
  'Operation timed out': 'ETIMEDOUT',
  'Operation not supported': 'EOPNOTSUPP',
  'Not supported': 'EOPNOTSUPP',
  'Network is down': 'ENETDOWN',
  'Device or resource busy': 'EBUSY',
  'Resource busy': 'EBUSY',
  'Resource temporarily unavailable': 'EAGAIN',
  'Too many levels of symbolic links': 'ELOOP',
  'Symbolic link loop': 'ELOOP',
  'Value too large for defined data type': 'EOVERFLOW',
};

/**
 * What a program said of a file that it could not read: the reason is what follows the last colon. `isKnown`: else it is
 * none, but may be what the file holds.
 */
export function complaint(path: string, heard: string, isKnown = false): Failure | undefined {
  if (heard === '') return undefined;
  const [, reason = heard] = /: ([^:\n]+)$/.exec(heard) ?? [];
  if (isKnown && ERRORS[reason] === undefined) return undefined;
  return fileFailure(path, systemError(ERRORS[reason] ?? 'EIO', reason.slice(0, 200)));
}

export function systemError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

/** Says which file a failure was about. */
export function located(thrown: unknown, path: string): unknown {
  if (!(thrown instanceof Failure) || thrown.evidence.path !== undefined) return thrown;
  const { code, evidence, message } = thrown;
  return new Failure(code, `${quoted(path)}: ${message}`, { ...evidence, path, cause: thrown });
}
