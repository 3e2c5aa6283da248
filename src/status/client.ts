/** Asks a running daemon by its socket: for `status` and `top`. */
import type { StatusDocument, TableDocument, TablesDocument } from './document.ts';

/**
 * The socket of the daemon that this configuration is of. Reads only `status.socket` of the file: references to secrets
 * that are the service's alone are no reason to fail. `E_CONFIG` where the file cannot be read.
 */
export type SocketOf = (flags: { readonly config?: string; readonly socket?: string }) => string;

/**
 * Each of these rejects: `E_CONNECT` nobody answers there, `E_DENIED` not this user's, `E_TIMEOUT`, `E_HTTP_STATUS` an
 * error that the daemon said, or one of a daemon that is older than this command and does not know the question;
 * `E_PARSE` no JSON of ours. The message says which socket, and what to do.
 */
export interface Client {
  status(): Promise<StatusDocument>;
  tables(): Promise<TablesDocument>;
  table(name: string, question: URLSearchParams): Promise<TableDocument>;
  close(): void;
}
