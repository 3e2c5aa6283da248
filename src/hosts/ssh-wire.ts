/** One SSH connection as the rest of `src/hosts/` sees it: what ssh2 does, without ssh2. Only types. */
import type { Duplex, Readable, Writable } from 'node:stream';
import type { Failure } from '../errors.ts';

/** How a remote command ended; neither: the connection broke before that was told. */
export interface Ending {
  readonly code: number | undefined;
  /** Without `SIG`, as the protocol names them (RFC 4254, section 6.10): `KILL`. */
  readonly signal: string | undefined;
}

/** A session channel with one command in it. */
export interface WireSession {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /**
   * Resolves when the channel is closed, by whichever side, also when the connection broke; after `destroy` within a
   * second. The end of a command is told only when its stdout was read to the end. Never rejects.
   */
  readonly ended: Promise<Ending>;
  /**
   * Asks the server to signal what runs there (RFC 4254, section 6.9); nothing is answered. OpenSSH does so since 7.9, and
   * not where a command is forced.
   */
  signal(name: 'TERM' | 'KILL'): void;
  /**
   * Closes the channel at once; what runs there is not told, beyond the end of its streams, and keeps its place among the
   * sessions of the server until it ends.
   */
  destroy(): void;
}

/**
 * Calls reject with a Failure: `E_CONNECT` where the connection is over (`E_ABORTED` where this side ended it),
 * `E_DENIED` where the server forbids it, `E_TIMEOUT` where it does not answer for ten seconds.
 */
export interface Wire {
  /** Starts a command through the user's login shell: quote it. `E_CONNECT` also when there is no free session. */
  exec(command: string): Promise<WireSession>;
  /** A unix stream socket of that machine. `E_CONNECT`: ours does not learn whether it is missing or forbidden. */
  connectUnix(path: string): Promise<Duplex>;
  /** A TCP connection from that machine. */
  connectTcp(host: string, port: number): Promise<Duplex>;
  /** Resolves with the reason when the connection is over. */
  readonly ended: Promise<Failure>;
  end(): void;
}

/** The connection of one machine, which outlives runs: opened at first use, kept, and opened again after an end. */
export interface Link {
  /**
   * The connection that is open, or a new one, of which there is never more than one attempt at a time. While attempts
   * are held back (back-off) it rejects at once with the Failure of the last one. The deadline ends the wait, not the
   * attempt.
   */
  wire(deadline: AbortSignal): Promise<Wire>;
  close(): void;
}
