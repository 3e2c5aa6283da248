/** Answers to the question for an event → how many are like it. Pure. */
import { Failure } from '../../errors.ts';
import type { Exchanged } from '../../hosts/http-exchange.ts';
import { quoted } from '../../text.ts';
import { statusFailure, waitOf } from './answer.ts';
import { reasonIn } from './answer-reason.ts';
import type { Found } from './delivery-destination.ts';

/** The answer is read in one go, which holds up everything else. */
export const MAX_ANSWER_BYTES = 8 * 1024 * 1024;

export type Rows = { readonly kind: 'rows'; readonly rows: readonly object[] } | Extract<Found, { kind: 'failed' }>;

/** The list of maps that a 2xx answer is; anything else says nothing about any event. */
export function rowsOf(exchanged: Exchanged, url: string, nowMs: number): Rows {
  if (exchanged.kind === 'failed') return { kind: 'failed', failure: exchanged.failure };
  const { status, text, secrets } = exchanged;
  if (status < 200 || status > 299) {
    return { kind: 'failed', failure: statusFailure(exchanged, url), ...waitOf(exchanged, nowMs) };
  }
  const rows = listIn(text);
  if (rows !== undefined) return { kind: 'rows', rows };
  const found = quoted(reasonIn(text, secrets), 80);
  const failure = new Failure('E_PARSE', `${url} answered with ${found}; expected a list of events; check the URL`, {
    url,
  });
  return { kind: 'failed', failure };
}

function listIn(text: string): object[] | undefined {
  try {
    const list: unknown = JSON.parse(text);
    if (!Array.isArray(list) || !list.every((one) => typeof one === 'object' && one !== null)) return undefined;
    return list;
  } catch {
    return undefined;
  }
}

/** Tags as servers tell them, a list or one text, in one form for those that are the same. */
export function sameForm(tags: unknown): string {
  const all = typeof tags === 'string' ? tags.split(/\s+/) : Array.isArray(tags) ? tags.map(String) : [];
  return [...new Set(all.filter((tag) => tag !== ''))].sort().join(' ');
}
