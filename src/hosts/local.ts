/** This machine: programs, files, unix sockets and HTTP, each ended by the run's deadline. */
import type { HttpOptions } from '../collector.ts';
import { readWhole } from './file.ts';
import { listDirectory, readMany, readSlice } from './file-many.ts';
import { getJson, getText } from './http.ts';
import { createRtnetlink } from './netlink.ts';
import { runProgram } from './program.ts';
import { connectUnix } from './socket.ts';
import { keeper, type Target, within } from './target.ts';

export interface LocalLimits {
  /** Largest output of a program, file or reply, in bytes. */
  readonly maxOutputBytes: number;
  /** How long a program may take to end after SIGTERM, before SIGKILL, in milliseconds. */
  readonly killAfterMs: number;
  /** Environment variables that programs must not see (they hold secrets). */
  readonly withheld: () => readonly string[];
}

export const localLimits: LocalLimits = { maxOutputBytes: 64 * 1024 * 1024, killAfterMs: 1000, withheld: () => [] };

export function localTarget(name: string, limits: Partial<LocalLimits> = {}): Target {
  const bounds = { ...localLimits, ...limits };
  const rtnetlink = createRtnetlink();
  const bounded = (options: HttpOptions = {}) => ({ ...options, maxBytes: options.maxBytes ?? bounds.maxOutputBytes });
  const kept = keeper({ connect: (path, until) => connectUnix(path, until).answer });
  return {
    name,
    open(deadline) {
      const pending = new Set<Promise<unknown>>();
      /** `ended` resolves when nothing of the call is left, which may be after the call itself was answered. */
      const follow = <Value>({
        answer,
        ended,
      }: {
        answer: Promise<Value>;
        ended: Promise<unknown>;
      }): Promise<Value> => {
        const rest = ended.finally(() => pending.delete(rest)).catch(() => {});
        pending.add(rest);
        return answer;
      };
      return {
        name,
        run: async (argv) => (await follow(runProgram(argv, deadline, bounds))).stdout,
        outcome: (argv, statuses) => follow(runProgram(argv, deadline, bounds, [0, ...statuses])),
        readFile: (path) => follow(readWhole(path, deadline, bounds.maxOutputBytes)),
        readFiles: (paths) => follow(readMany(paths, deadline)),
        readPart: (path, offset, maxBytes) => follow(readSlice(path, deadline, { offset, maxBytes })),
        list: (path) => follow(listDirectory(path, deadline)),
        connect: (path) => follow(connectUnix(path, deadline)),
        getJson: (url, options) => getJson(url, bounded(options), deadline),
        getText: (url, options) => getText(url, bounded(options), deadline),
        netlink: (request) => within(deadline, rtnetlink.dump(request)),
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
    renew: kept.renew,
    async close() {
      kept.close();
      rtnetlink.close();
    },
  };
}
