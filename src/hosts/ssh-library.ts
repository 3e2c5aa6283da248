/** The parts of ssh2 that are used, as its README documents them. Its types are for an older Node.js. Only types. */
import type { EventEmitter } from 'node:events';
import type { Duplex, Readable } from 'node:stream';

export interface PrivateKey {
  /** `ssh-ed25519`. */
  readonly type: string;
  isPrivateKey(): boolean;
  /** The public key as it travels: what `.pub` has in base64. */
  getPublicSSH(): Buffer;
}

/** Some formats hold several keys. An error has no part of the key or of the passphrase in its message. */
export type ParseKey = (text: string, passphrase?: string) => PrivateKey | readonly PrivateKey[] | Error;

/**
 * Events: `exit` (code or null, signal), `close`. Without a guard it is dangerous: it throws on use after the end of the
 * connection, and calls nobody back whose write came too late.
 */
export interface SshChannel extends Duplex {
  readonly stderr: Readable;
  /** What the other side takes; not documented. */
  readonly outgoing?: { readonly packetSize?: number; readonly id?: number; readonly state?: string };
  /** Not documented: `signal` of a channel does nothing when its standard input has ended. */
  readonly _client?: { readonly _protocol?: { signal(channel: number, name: string): void } };
  close(): void;
}

export type Opened = (error: Error | undefined, channel: SshChannel) => void;

export type LoginAttempt =
  | { readonly type: 'publickey'; readonly username: string; readonly key: PrivateKey }
  | { readonly type: 'agent'; readonly username: string; readonly agent: string };

export interface ConnectOptions {
  /** Already connected. */
  readonly sock: Duplex;
  readonly username: string;
  readonly algorithms: { readonly serverHostKey: readonly string[]; readonly compress: readonly string[] };
  /** Must return exactly `false` to refuse. */
  readonly hostVerifier: (key: Buffer) => boolean;
  /** The next way to log in, by return or later by `next`; `false`: there is no other. `left` is null at first. */
  readonly authHandler: (
    left: readonly string[] | null,
    isPartial: boolean | null,
    next: (attempt: LoginAttempt | false) => void,
  ) => LoginAttempt | false | undefined;
  readonly keepaliveInterval: number;
  readonly keepaliveCountMax: number;
  readonly readyTimeout: number;
  readonly strictVendor: boolean;
}

/** Events: `handshake`, `banner` (text), `ready`, `error`, `end`, `close`. All opening calls may also throw. */
export interface SshClient extends EventEmitter {
  connect(options: ConnectOptions): void;
  exec(command: string, opened: Opened): void;
  openssh_forwardOutStreamLocal(path: string, opened: Opened): void;
  forwardOut(fromHost: string, fromPort: number, toHost: string, toPort: number, opened: Opened): void;
  end(): void;
}

export interface SshLibrary {
  readonly Client: new () => SshClient;
  readonly utils: { readonly parseKey: ParseKey };
}
