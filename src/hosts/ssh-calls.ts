/** What is asked of another machine, in one of the two ways: of a shell that stays, or each by an exec of its own. */
import type { Failure } from '../errors.ts';
import type { Argv, FilePart, Outcome } from '../host.ts';
import { listByExec, readByExec, readManyByExec, readPartByExec, runByExec } from './ssh-exec.ts';
import { listThere, readPartThere, readWholeThere } from './ssh-files.ts';
import { readManyThere } from './ssh-files-many.ts';
import type { SshSettings } from './ssh-options.ts';
import { type RemoteLimits, type Running, runInShell } from './ssh-program.ts';
import { createSeats } from './ssh-seats.ts';
import { createShells } from './ssh-shells.ts';
import type { Link } from './ssh-wire.ts';

/** As the host's calls of the same names, with the deadline. */
export interface Calls {
  outcome(argv: Argv, deadline: AbortSignal, statuses: readonly number[]): Running<Outcome>;
  readFile(path: string, deadline: AbortSignal): Promise<string>;
  readFiles(paths: readonly string[], deadline: AbortSignal): Promise<(string | Failure)[]>;
  readPart(path: string, deadline: AbortSignal, offset: number, maxBytes: number): Promise<FilePart>;
  list(path: string, deadline: AbortSignal): Promise<string[]>;
  close(): void;
}

export interface CallLimits extends RemoteLimits {
  /** A program that has lost its connection is ended after so long. */
  readonly safetySeconds: number;
}

export function callsOver(link: Link, settings: SshSettings, limits: CallLimits): Calls {
  return settings.commands === 'exec' ? callsByExec(link, settings, limits) : callsInShells(link, settings, limits);
}

function callsInShells(link: Link, settings: SshSettings, limits: CallLimits): Calls {
  const { maxOutputBytes, safetySeconds } = limits;
  const who = `${settings.user}@${settings.host}`;
  // One session is left free: one that was just closed may still count there.
  const shells = createShells(link, { who, safetySeconds, most: settings.maxSessions - 1 });
  return {
    outcome: (argv, deadline, statuses) => runInShell(shells, argv, deadline, limits, statuses),
    readFile: (path, deadline) => readWholeThere(shells, path, deadline, maxOutputBytes),
    readFiles: (paths, deadline) => readManyThere(shells, paths, deadline),
    readPart: (path, deadline, offset, maxBytes) => readPartThere(shells, path, deadline, { offset, maxBytes }),
    list: (path, deadline) => listThere(shells, path, deadline, maxOutputBytes),
    close: shells.close,
  };
}

function callsByExec(link: Link, settings: SshSettings, limits: CallLimits): Calls {
  const { maxOutputBytes } = limits;
  const execs = { link, seats: createSeats(settings.maxSessions) };
  return {
    outcome: (argv, deadline, statuses) => runByExec(execs, argv, deadline, limits, statuses),
    readFile: (path, deadline) => readByExec(execs, path, deadline, maxOutputBytes),
    readFiles: (paths, deadline) => readManyByExec(execs, paths, deadline),
    readPart: (path, deadline, offset, maxBytes) => readPartByExec(execs, path, deadline, { offset, maxBytes }),
    list: (path, deadline) => listByExec(execs, path, deadline, maxOutputBytes),
    close() {},
  };
}
