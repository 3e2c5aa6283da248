/** Another machine over SSH: to its callers the same as this one, by one connection that outlives the runs. */
import type { HttpOptions, Verdict } from '../collector.ts';
import { Failure } from '../errors.ts';
import type { Argv, Outcome } from '../host.ts';
import { type Agents, getJson, getText } from './http.ts';
import { callsOver } from './ssh-calls.ts';
import { checkThere } from './ssh-check.ts';
import { agentsThrough } from './ssh-http.ts';
import type { SshSettings } from './ssh-options.ts';
import { connectUnixThere, type Look } from './ssh-sockets.ts';
import { outcomeWithSudo } from './ssh-sudo.ts';
import type { Link } from './ssh-wire.ts';
import { keeper, type Target } from './target.ts';

export interface SshLimits {
  /** Largest output of a program, file or reply, in bytes. */
  readonly maxOutputBytes: number;
  /** How long a program may take to end after SIGTERM, before SIGKILL, in milliseconds. */
  readonly killAfterMs: number;
  /** A program that has lost its connection ends at the latest after so many seconds; longer than every deadline. */
  readonly safetySeconds: number;
}

export const sshLimits: SshLimits = { maxOutputBytes: 64 * 1024 * 1024, killAfterMs: 1000, safetySeconds: 3600 };

/** The link stays open at `close`: others may use it. */
export function sshTarget(name: string, settings: SshSettings, link: Link, limits: Partial<SshLimits> = {}): Target {
  const bounds = { ...sshLimits, ...limits };
  const calls = callsOver(link, settings, bounds);
  const bounded = (options: HttpOptions = {}) => ({ ...options, maxBytes: options.maxBytes ?? bounds.maxOutputBytes });
  const lookUntil =
    (until: AbortSignal): Look =>
    (argv, statuses) =>
      calls.outcome(argv, until, statuses).answer;
  const connect = (path: string, until: AbortSignal) =>
    connectUnixThere(link, path, until, { look: lookUntil(until), user: settings.user });
  const kept = keeper({ connect: (path, until) => connect(path, until).answer });
  return {
    name,
    open(deadline) {
      const pending = new Set<Promise<unknown>>();
      /** `ended` resolves when nothing of the call is left, which may be after the call itself was answered. */
      const follow = <Value>(answer: Promise<Value>, ended: Promise<unknown> = answer): Promise<Value> => {
        const rest = ended.finally(() => pending.delete(rest)).catch(() => {});
        pending.add(rest);
        return answer;
      };
      const outcome = (argv: Argv, statuses: readonly number[]): Promise<Outcome> => {
        const { answer, ended } = outcomeWithSudo(calls, settings, argv, deadline, statuses);
        return follow(answer, ended);
      };
      let made: Agents | undefined;
      const there = (options: HttpOptions | undefined) => {
        made ??= agentsThrough(link, deadline);
        return { ...bounded(options), agents: made };
      };
      return {
        name,
        run: async (argv) => (await outcome(argv, [0])).stdout,
        outcome: (argv, statuses) => outcome(argv, [0, ...statuses]),
        readFile: (path) => follow(calls.readFile(path, deadline)),
        readFiles: (paths) => follow(calls.readFiles(paths, deadline)),
        readPart: (path, offset, maxBytes) => follow(calls.readPart(path, deadline, offset, maxBytes)),
        list: (path) => follow(calls.list(path, deadline)),
        connect(path) {
          const { answer, ended } = connect(path, deadline);
          return follow(answer, ended);
        },
        getJson: (url, options) => getJson(url, there(options), deadline),
        getText: (url, options) => getText(url, there(options), deadline),
        async netlink() {
          throw new Failure('E_NOT_FOUND', 'netlink reaches this machine alone');
        },
        keep(key, make) {
          // What goes on in a run that is over must not change what the next one knows.
          deadline.throwIfAborted();
          return kept.keep(key, make);
        },
        async settled() {
          await Promise.allSettled([...pending]);
        },
      };
    },
    async reach(deadline) {
      await link.wire(deadline);
    },
    check: (deadline): Promise<readonly Verdict[]> => checkThere(link, calls, settings, deadline),
    renew: kept.renew,
    async close() {
      kept.close();
      calls.close();
    },
  };
}
