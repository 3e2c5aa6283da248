/** The `status` section of the configuration. */
import { isIP } from 'node:net';
import { z } from 'zod';
import { MAX_SOCKET_BYTES } from './place.ts';

/** Where the status page is. */
export interface PageAddress {
  readonly address: string;
  readonly port: number;
}

const FORM = 'expected HOST:PORT with a loopback address: 127.0.0.1:8127 or "[::1]:8127"';

const listen = z
  .string({ error: FORM })
  .refine((text) => addressOf(text) !== undefined, `${FORM}; others reach it by ssh -L, or by a proxy before it`)
  .transform((text): PageAddress => addressOf(text) ?? { address: '127.0.0.1', port: 0 })
  .optional()
  .describe('The status page: HOST:PORT of a loopback address, such as 127.0.0.1:8127; default: none.');

const SOCKET_FORM = `expected an absolute path, or false for none (at most ${MAX_SOCKET_BYTES} bytes)`;

const path = z
  .string()
  .regex(/^\/[^\0]*$/, SOCKET_FORM)
  .refine((text) => Buffer.byteLength(text) <= MAX_SOCKET_BYTES, SOCKET_FORM);

const socket = z
  .union([path, z.literal(false)], { error: SOCKET_FORM })
  .optional()
  .describe('The unix socket that status and top ask; default: one in $RUNTIME_DIRECTORY, $XDG_RUNTIME_DIR or /run.');

export const statusShape = { socket, listen };
export const statusOptions = z.strictObject(statusShape);
export type StatusOptions = z.infer<typeof statusOptions>;

function addressOf(text: string): PageAddress | undefined {
  const [, bracketed, plain = bracketed ?? '', digits = ''] = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (port < 1 || port > 65535) return undefined;
  if (bracketed !== undefined) return bracketed === '::1' ? { address: '::1', port } : undefined;
  const address = plain === 'localhost' ? '127.0.0.1' : plain;
  return isIP(address) === 4 && address.startsWith('127.') ? { address, port } : undefined;
}
