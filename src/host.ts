/** The part of the contract through which collectors reach a machine; `src/hosts/` fulfils it. */
import type { Duplex } from 'node:stream';
import type { Failure } from './errors.ts';

export interface HttpOptions {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** PEM text of the certificate authorities to trust instead of the system's. */
  readonly certificateAuthority?: string | undefined;
  /**
   * Files of the machine on which edgestatd runs, read at each request, so that what is renewed is used at once
   * (`E_NOT_FOUND E_DENIED`). One newline at the end of the password is none of it; the others are PEM.
   */
  readonly passwordFile?: string | undefined;
  readonly certificateAuthorityFile?: string | undefined;
  /** Certificate of this side, for a server that asks for one, and its key. */
  readonly certificateFile?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Refuse a longer body (`E_OUTPUT_SIZE`); default 64 MiB. */
  readonly maxBytes?: number | undefined;
  /** For this one request (`E_TIMEOUT`), so that another endpoint can be tried within the run. */
  readonly timeoutMs?: number | undefined;
  /** Statuses beside 2xx whose body is an answer too, as the 503 of a health check is. */
  readonly statuses?: readonly number[] | undefined;
}

/** One dump over rtnetlink(7): the message type (`RTM_GETTCLASS`) and the message's body, without its header. */
export interface NetlinkRequest {
  readonly type: number;
  readonly body: Uint8Array;
}

/** What something that outlives a run can reach; `until` ends the call, and what it opened. */
export interface Lasting {
  /** As the host's `connect`, but the connection lives until the signal, not until the run's deadline. */
  connect(socketPath: string, until: AbortSignal): Promise<Duplex>;
}

/** Something that outlives a run: a live replica, what was learnt before. Closed with its target. */
export interface Kept {
  close(): void;
}

/** A program and its arguments, word by word. */
export type Argv = readonly [program: string, ...args: string[]];

/** How a program ended. */
export interface Outcome {
  readonly status: number;
  /** UTF-8. */
  readonly stdout: string;
  /** The first 500 bytes. */
  readonly stderr: string;
}

export interface FilePart {
  readonly bytes: Uint8Array;
  /** Of the whole file, when it was read. */
  readonly size: number;
  /** Device and inode (stat(2)): the same for one file under whatever name, until it is deleted. */
  readonly identity: string;
}

/** One measured machine during one run; every call dies with the run's deadline and rejects with a Failure. */
export interface Host {
  /** The target's name as it stands in the series, for example `hv01`. */
  readonly name: string;
  /**
   * Runs a program without a shell, with `LC_ALL=C` and no standard input; resolves with its stdout as UTF-8.
   * `E_NOT_FOUND E_DENIED E_EXIT E_TIMEOUT E_OUTPUT_SIZE`.
   */
  run(argv: Argv): Promise<string>;
  /** As `run`, but these statuses are answers beside 0, as those of a check are. */
  outcome(argv: Argv, statuses: readonly number[]): Promise<Outcome>;
  /** Reads a whole file as UTF-8. `E_NOT_FOUND E_DENIED E_CONNECT E_TIMEOUT E_OUTPUT_SIZE`. */
  readFile(path: string): Promise<string>;
  /**
   * Reads many small files (attributes of sysfs) in one go, each at most 64 KiB: its text as UTF-8, or why there is none
   * (`E_NOT_FOUND E_DENIED E_CONNECT E_OUTPUT_SIZE`), in the order of the paths. Rejects only where none can be read.
   */
  readFiles(paths: readonly string[]): Promise<readonly (string | Failure)[]>;
  /**
   * At most `maxBytes` of a regular file from an offset on; beyond its end there are none.
   * `E_NOT_FOUND E_DENIED E_CONNECT E_TIMEOUT`.
   */
  readPart(path: string, offset: number, maxBytes: number): Promise<FilePart>;
  /** The names in a directory, sorted, without `.` and `..`. `E_NOT_FOUND E_DENIED E_CONNECT E_TIMEOUT E_OUTPUT_SIZE`. */
  list(path: string): Promise<readonly string[]>;
  /** Connects to a unix stream socket on that machine. `E_NOT_FOUND E_DENIED E_CONNECT E_TIMEOUT`. */
  connect(socketPath: string): Promise<Duplex>;
  /**
   * GETs JSON from an endpoint as that machine sees it, following no redirect; validate it before use.
   * `E_CONNECT E_AUTH E_DENIED E_NOT_FOUND E_HTTP_STATUS E_PARSE E_TIMEOUT E_OUTPUT_SIZE`.
   */
  getJson(url: string, options?: HttpOptions): Promise<unknown>;
  /** As `getJson`, but UTF-8 text as it was sent. An HTML page is `E_PARSE` here too: it is a login page, or a proxy's. */
  getText(url: string, options?: HttpOptions): Promise<string>;
  /**
   * Dumps over a NETLINK_ROUTE socket in the network namespace of that machine; resolves with the messages as they were
   * received, several in each buffer, without the final `NLMSG_DONE`.
   * `E_NOT_FOUND` where there is no way to do so (not this machine, no koffi). `E_DENIED E_EXIT E_CONNECT E_TIMEOUT`.
   */
  netlink(request: NetlinkRequest): Promise<readonly Uint8Array[]>;
  /**
   * What outlives the run, by a key that says all that it depends on: made at first use, the same for every run and
   * job of the target afterwards. It must recover by itself, since nothing makes it again.
   */
  keep<Value extends Kept>(key: string, make: (lasting: Lasting) => Value): Value;
}
