/**
 * Every way in which something can fail, as one closed table.
 * A code is a log field and a metric label, so nothing may add one at run time. `docs/errors.md` is tested against it.
 */
export const codes = {
  E_CONFIG: 'The configuration, an option or a plugin is not valid.',
  E_CONNECT: 'A machine, socket, device or server could not be reached, or the connection broke.',
  E_AUTH: 'The other side does not accept who we are (or we do not accept who it is).',
  E_NOT_FOUND: 'A program, file, socket or object does not exist.',
  E_DENIED: 'It exists, but this user may not use it.',
  E_EXIT: 'A program ended with a status other than 0, or by a signal.',
  E_TIMEOUT: 'The deadline of the run passed before the work was done.',
  E_OUTPUT_SIZE: 'A program, file or reply was larger than the limit.',
  E_HTTP_STATUS: 'A server answered with a status that is not success.',
  E_PARSE: 'A text or reply does not have the form that its source documents.',
  E_SAMPLE: 'A number cannot be sent: not finite, out of range, or two samples claim one series.',
  E_SEND: 'A sink could not deliver.',
  E_SPOOL: 'The spool could not be read or written.',
  E_ABORTED: 'The work was stopped because the daemon is stopping or reloading.',
  E_BUG: 'A fault of edgestatd or of a plugin: please report it.',
} as const;

export type Code = keyof typeof codes;

/**
 * What is known about a failure, for people and for log fields; never a secret.
 * `labels` says which entities are now unknown: those whose labels agree with all of these (undefined: without that
 * label); `{}` or absent means all of the reading's.
 */
export interface Evidence {
  readonly argv?: readonly string[];
  readonly exitCode?: number;
  readonly signal?: string;
  /** The first 500 bytes of what a program wrote to stderr. */
  readonly stderr?: string;
  readonly path?: string;
  readonly url?: string;
  readonly status?: number;
  readonly line?: number;
  readonly text?: string;
  readonly series?: string;
  readonly count?: number;
  readonly labels?: Readonly<Record<string, string | undefined>>;
}

/** A named error. The message is one sentence: what was done, what was found, and what to do where that is known. */
export class Failure extends Error {
  readonly code: Code;
  readonly evidence: Evidence;

  constructor(code: Code, message: string, details: Evidence & { readonly cause?: unknown } = {}) {
    const { cause, ...evidence } = details;
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'Failure';
    this.code = code;
    this.evidence = evidence;
  }
}

/** Anything thrown, as a Failure; what is not one already is a fault of ours (or of a plugin), hence `E_BUG`. */
export function asFailure(thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown;
  return new Failure('E_BUG', textOf(thrown), { cause: thrown });
}

function textOf(thrown: unknown): string {
  try {
    return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : `thrown: ${String(thrown)}`;
  } catch {
    // An object without a prototype, or with a toString() that throws itself.
    return `thrown: something that has no text (${typeof thrown})`;
  }
}

/** The `code` of a Node.js system error (`ENOENT`), or undefined. */
export function systemCode(thrown: unknown): string | undefined {
  if (typeof thrown !== 'object' || thrown === null || !('code' in thrown)) return undefined;
  return typeof thrown.code === 'string' ? thrown.code : undefined;
}
