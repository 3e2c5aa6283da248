/** What it means that a request to the management plugin failed. Pure. */
import type { Failure } from '../../src/errors.ts';

/** The server says that there is no such thing. A file of ours that is not there has the same code, and no status. */
export function isMissing({ evidence }: Failure): boolean {
  return evidence.status === 404;
}

/** 401, whoever asks: unknown, or known and without permission. A certificate that is not trusted has no status. */
export function isRefused({ code, evidence }: Failure): boolean {
  return code === 'E_AUTH' && evidence.status === 401;
}

/** A password's or certificate's file is not there, or not for us: nothing was asked, and so nothing is known. */
export function isOurs({ code, evidence }: Failure): boolean {
  return (code === 'E_NOT_FOUND' || code === 'E_DENIED') && evidence.status === undefined;
}

/** The endpoint is gone or hangs: whatever else it is asked now will fail too. */
export function isBroken({ code }: Failure): boolean {
  return code === 'E_CONNECT' || code === 'E_TIMEOUT';
}

/**
 * The endpoint is away, as opposed to one that answers and does not let us, or cannot answer one question. The probe is
 * one that every endpoint can answer at once.
 */
export function isAway({ code, evidence: { status = 0 } }: Failure, isProbe: boolean): boolean {
  if (code === 'E_CONNECT' || (isProbe && code === 'E_TIMEOUT')) return true;
  return code === 'E_HTTP_STATUS' && (isProbe ? status >= 500 : status >= 502 && status <= 504);
}

export function isSame(one: Failure, other: Failure): boolean {
  return one.code === other.code && one.evidence.status === other.evidence.status;
}
