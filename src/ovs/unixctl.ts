/** Commands to a running daemon of Open vSwitch over its control socket, as ovs-appctl(8) gives them. */
import type { Host } from '../collector.ts';
import { asFailure, Failure, systemCode } from '../errors.ts';
import { quoted } from '../text.ts';
import { jsonRpc } from './jsonrpc.ts';

export interface Unixctl {
  /** The daemon's process, as its pid file says. */
  readonly pid: number;
  /**
   * Resolves with what the command prints; several wait for each other.
   * `E_NOT_FOUND`: this version has no such command. `E_EXIT`: the command failed. `E_CONNECT E_TIMEOUT E_PARSE`.
   */
  call(command: string, ...args: string[]): Promise<string>;
  close(): void;
}

/** Text that commands print is far below this. */
const MAX_REPLY_BYTES = 64 * 1024 * 1024;

/**
 * Connects to a daemon (`ovs-vswitchd`, `ovsdb-server`) for this run: `<rundir>/<daemon>.pid` names its process and so
 * its socket. `E_NOT_FOUND`, and `E_CONNECT` beside a stale pid file: it does not run. `E_DENIED E_PARSE E_TIMEOUT`.
 */
export async function unixctl(host: Host, rundir: string, daemon: string): Promise<Unixctl> {
  const pid = await pidOf(host, `${rundir}/${daemon}.pid`, daemon);
  const path = `${rundir}/${daemon}.${pid}.ctl`;
  const peer = `${daemon} (pid ${pid})`;
  const stream = await host.connect(path).catch((thrown) => {
    const { code, message, cause } = asFailure(thrown);
    if (code !== 'E_NOT_FOUND' && code !== 'E_CONNECT') throw thrown;
    // The queue of connections is full, so there is a process that takes none.
    const state = systemCode(cause) === 'EAGAIN' ? 'hangs' : 'does not run';
    const found = `its pid file names process ${pid}, but ${message}`;
    throw new Failure(code, `${daemon} ${state}: ${found}`, { path, cause: thrown });
  });
  const rpc = jsonRpc(stream, { peer, maxBytes: MAX_REPLY_BYTES });
  let previous: Promise<unknown> = Promise.resolve();
  return {
    pid,
    call(command, ...args) {
      const read = (result: unknown): string => {
        if (typeof result === 'string') return result;
        throw new Failure('E_PARSE', `the result of ${quoted(command)} is no text`);
      };
      const next = previous.then(() => rpc.call(command, args, { read }));
      previous = next.catch(() => {});
      return next;
    },
    close: () => rpc.close(new Failure('E_ABORTED', `the connection to ${peer} was closed`)),
  };
}

async function pidOf(host: Host, path: string, daemon: string): Promise<number> {
  const text = await host.readFile(path).catch((thrown) => {
    const { code, message } = asFailure(thrown);
    if (code !== 'E_NOT_FOUND') throw thrown;
    const advice = 'or its run directory is another one';
    throw new Failure(code, `${daemon} does not run, ${advice}: ${message}`, { path, cause: thrown });
  });
  const pid = pidIn(text);
  if (pid !== undefined) return pid;
  throw new Failure('E_PARSE', `${quoted(path)} holds ${quoted(text)}, not the number of a process`, { path });
}

/** What a pid file says. Part of a path, so nothing else will do; Linux has no pid of more than seven digits. */
export function pidIn(text: string): number | undefined {
  const pid = /^([1-9][0-9]{0,6})\n?$/.exec(text)?.[1];
  return pid === undefined ? undefined : Number(pid);
}
