/**
 * A live replica of Open vSwitch's database, kept by the target: one connection and one copy for all of its jobs.
 * Whatever goes wrong ends the connection; the next that asks makes a new one and reads everything anew.
 */
import type { Host, Kept, Lasting } from '../collector.ts';
import { asFailure, Failure } from '../errors.ts';
import { quoted } from '../text.ts';
import type { Row, Tables } from './database.ts';
import { openSession, type Session } from './ovsdb-session.ts';

export interface Snapshot {
  /** Never changed afterwards; another map as soon as a row has changed, while rows that have not stay the same. */
  readonly tables: Tables;
  /** Grows with every change of a watched row, and with every resynchronisation. */
  readonly revision: number;
  /** Names of the wanted tables and columns that this server's schema lacks, as `Interface.bfd_status`. */
  readonly missing: readonly string[];
  /** Seconds that the server took to answer an echo in this run; undefined when stale. */
  readonly replySeconds: number | undefined;
  /** Why these rows are those of before the connection was lost; undefined: they are live. */
  readonly stale: Failure | undefined;
  /** How often the connection was lost and made again since the first. */
  readonly resyncs: number;
}

export interface Ovsdb {
  /**
   * The rows, with everything that was committed before the call; or the last known ones, with `stale`.
   * Rejects when nothing was ever known: `E_NOT_FOUND E_DENIED E_CONNECT E_TIMEOUT E_PARSE E_OUTPUT_SIZE`; with the
   * deadline's reason; and with `E_ABORTED` after the end of the target.
   */
  snapshot(deadline?: AbortSignal): Promise<Snapshot>;
  /**
   * All rows of a table, with these columns; those that the server's schema lacks are left out.
   * Rejects as `snapshot` does, and with `E_NOT_FOUND` when there is no such table.
   */
  select(table: string, columns: readonly string[], deadline?: AbortSignal): Promise<readonly Row[]>;
}

/**
 * A server that has not sent all rows of a new connection by then, or has not answered on one that is there, hangs:
 * the connection is dropped, whatever deadline the run has.
 */
const WAIT_MS = 5000;
/** A run waits no longer than this for anything, so that a server that hangs leaves one of five seconds its time. */
const ANSWER_MS = 3000;
/** While a server is known to hang, each run waits no longer than this; the attempt to reach it goes on beside. */
const HUNG_MS = 250;

type Question<Answer> = (live: Session, until: AbortSignal) => Promise<Answer>;

/** Where the database's socket is: `database` is its path, or its name in the run directory. */
export function databaseSocket({ database, rundir }: { readonly database: string; readonly rundir: string }): string {
  return database.startsWith('/') ? database : `${rundir}/${database}`;
}

/** The replica of the target, made at first use. */
export function ovsdb(host: Host, socketPath: string): Ovsdb {
  return host.keep(`ovsdb ${socketPath}`, (lasting) => createReplica(lasting, socketPath));
}

export function createReplica(lasting: Lasting, socketPath: string, waitMs = WAIT_MS): Ovsdb & Kept {
  /** The last one that had all rows; it may have ended. */
  let session: Session | undefined;
  /** Of the latest connection, from the attempt to make it on. */
  let life = new AbortController();
  let opening: Promise<Session> | undefined;
  let resyncs = -1;
  /** Revisions of the sessions before. */
  let before = 0;
  let closed: Failure | undefined;
  /** Why the last attempt was given up; until one succeeds. */
  let hung: Failure | undefined;

  const late = (ms: number): Failure => {
    const found = `did not answer within ${ms / 1000} s; is it stopped or overloaded?`;
    return new Failure('E_TIMEOUT', `the OVSDB server at ${quoted(socketPath)} ${found}`, { path: socketPath });
  };
  const revision = (): number => before + (session?.changes() ?? 0);

  const synchronise = async (): Promise<Session> => {
    const attempt = new AbortController();
    life = attempt;
    const cancel = afterAnswers(waitMs, () => {
      hung = late(waitMs);
      attempt.abort(hung);
    });
    try {
      const fresh = await openSession(lasting, socketPath, attempt.signal);
      before = revision() + 1;
      resyncs += 1;
      session = fresh;
      hung = undefined;
      return fresh;
    } finally {
      cancel();
    }
  };
  const connected = async (): Promise<Session> => {
    if (closed !== undefined) throw closed;
    if (session !== undefined && session.ended() === undefined) return session;
    opening ??= synchronise().finally(() => {
      opening = undefined;
    });
    return opening;
  };

  /** A server that does not answer loses its connection: nothing says when it will, nor what it has not told. */
  const timed = async <Answer>(live: Session, question: Question<Answer>): Promise<Answer> => {
    const wait = new AbortController();
    const ms = Math.min(waitMs, ANSWER_MS);
    const cancel = afterAnswers(ms, () => {
      hung = late(ms);
      wait.abort(hung);
    });
    try {
      return await question(live, wait.signal);
    } catch (thrown) {
      if (wait.signal.aborted) live.end(wait.signal.reason);
      throw thrown;
    } finally {
      cancel();
    }
  };
  /** A connection that was idle may have died unseen: what fails with it is tried once more, on a new one. */
  const retried = async <Answer>(question: Question<Answer>): Promise<Answer> => {
    const known = session;
    const live = await connected();
    try {
      return await timed(live, question);
    } catch (thrown) {
      if (live !== known || live.ended() === undefined || asFailure(thrown).code === 'E_TIMEOUT') throw thrown;
      return timed(await connected(), question);
    }
  };
  /** Nobody waits for as long as an attempt may take: it goes on beside, for the next one who asks. */
  const ask = async <Answer>(question: Question<Answer>): Promise<Answer> => {
    const answer = retried(question);
    // Behind the time of a question on a connection that stands, which ends that connection.
    const ms = hung === undefined ? Math.min(waitMs, ANSWER_MS) + HUNG_MS : HUNG_MS;
    const reason = hung ?? late(ms);
    const giveUp = Promise.withResolvers<never>();
    const cancel = afterAnswers(ms, () => giveUp.reject(reason));
    try {
      return await Promise.race([answer, giveUp.promise]);
    } finally {
      cancel();
      answer.catch(() => {});
    }
  };
  const view = (of: Session, replySeconds: number | undefined, stale: Failure | undefined): Snapshot => {
    return { tables: of.tables(), revision: revision(), missing: of.missing, replySeconds, stale, resyncs };
  };

  return {
    async snapshot(deadline) {
      try {
        return await within(
          deadline,
          ask(async (live, until) => view(live, await live.echo(until), undefined)),
        );
      } catch (thrown) {
        if (deadline?.aborted === true || closed !== undefined || session === undefined) throw closed ?? thrown;
        return view(session, undefined, asFailure(thrown));
      }
    },
    async select(table, columns, deadline) {
      return within(
        deadline,
        ask((live, until) => live.select(table, columns, until)),
      );
    },
    close() {
      closed ??= new Failure('E_ABORTED', `the OVSDB connection to ${quoted(socketPath)} was closed with its target`);
      life.abort(closed);
    },
  };
}

/** Rejects with the deadline's reason as soon as it passes; the work then ends by its own bounds. */
async function within<Value>(deadline: AbortSignal | undefined, work: Promise<Value>): Promise<Value> {
  if (deadline === undefined) return work;
  const passed = Promise.withResolvers<never>();
  const onDeadline = (): void => passed.reject(deadline.reason);
  deadline.addEventListener('abort', onDeadline, { once: true });
  if (deadline.aborted) onDeadline();
  try {
    return await Promise.race([passed.promise, work]);
  } finally {
    deadline.removeEventListener('abort', onDeadline);
  }
}

/** As setTimeout, but what had already arrived while this process was busy is read first. Returns what cancels it. */
function afterAnswers(delayMs: number, call: () => void): () => void {
  let isCancelled = false;
  const timer = setTimeout(() => setImmediate(() => isCancelled || call()), delayMs);
  return () => {
    isCancelled = true;
    clearTimeout(timer);
  };
}
