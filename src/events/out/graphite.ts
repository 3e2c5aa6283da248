/** Events in graphite-web (webapp/graphite/events/views.py): posted one by one, found again by second and tags. */
import type { Exchange } from '../../hosts/http-exchange.ts';
import { withoutSecrets } from '../../hosts/http-failures.ts';
import type { Event } from '../event.ts';
import type { DestinationOptions } from '../options.ts';
import { answerOf } from './answer.ts';
import { MAX_ANSWER_BYTES, type Rows, rowsOf, sameForm } from './answer-alike.ts';
import type { Destination } from './delivery-destination.ts';

type Options = Extract<DestinationOptions, { type: 'graphite' }> & { readonly name: string };

export function createGraphite(options: Options, exchange: Exchange, wallMs: () => number): Destination {
  const { post: postUrl, ask: askUrl } = urlsOf(options.url);
  const to = withoutSecrets(postUrl);

  const rows = async (query: Readonly<Record<string, string>>, until: AbortSignal): Promise<Rows> => {
    const url = new URL(askUrl);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const question = { url: url.href, accept: 'application/json', maxBytes: MAX_ANSWER_BYTES };
    return rowsOf(await exchange.ask(question, until), withoutSecrets(askUrl), wallMs());
  };

  return {
    name: options.name,
    to,
    async post(event, until) {
      const body = JSON.stringify(bodyOf(event, options.tags));
      const exchanged = await exchange.ask({ url: postUrl, accept: '*/*', body, maxBytes: 65_536 }, until);
      return answerOf(exchanged, to, wallMs(), () => true);
    },
    async find(event, known, until) {
      const second = Math.floor(event.whenUs / 1e6);
      const around = { from: secondsOf(Math.max(0, second - 1)), until: secondsOf(second + 1) };
      const count = (all: readonly object[]): number => all.filter((row) => isLike(row, event, second)).length;
      // Tags are written one after the other, in this order: what is found by the last is found by all.
      const last = event.tags.toSorted().at(-1);
      const found = await rows({ ...around, ...(last !== undefined && { tags: last, set: 'intersection' }) }, until);
      if (found.kind === 'failed') return found;
      const whole = count(found.rows);
      if (whole > known || last === undefined) return { kind: 'found', whole, halves: 0 };
      const all = await rows(around, until);
      return all.kind === 'failed' ? all : { kind: 'found', whole, halves: Math.max(0, count(all.rows) - whole) };
    },
    async probe(until) {
      const found = await rows({ from: secondsOf(0), until: secondsOf(1) }, until);
      const text = `${options.name}: ${found.kind === 'failed' ? found.failure.message : `${to} answers`}`;
      return { level: found.kind === 'failed' ? 'fail' : 'ok', text };
    },
    close: exchange.close,
  };
}

/** With or without `/events/` at its end. */
function urlsOf(text: string): { readonly post: string; readonly ask: string } {
  const url = new URL(text);
  url.hash = '';
  url.pathname = `${url.pathname.replace(/\/+$/, '').replace(/\/events$/, '')}/events/`;
  const ask = new URL(url);
  ask.pathname += 'get_data';
  return { post: url.href, ask: ask.href };
}

function bodyOf({ what, tags, data, whenUs }: Event, form: 'list' | 'string'): object {
  // The number nearest to so many microseconds, which JSON carries exactly.
  return { what, tags: form === 'list' ? tags : tags.join(' '), data, when: whenUs / 1e6 };
}

/** Ten digits: eight could be a date (19700820), which graphite-web would take it for. */
function secondsOf(seconds: number): string {
  return String(seconds).padStart(10, '0');
}

/** `get_data` tells whole seconds; what was put there by others may have any form. */
function isLike(row: object, event: Event, second: number): boolean {
  const { what, tags, data, when } = row as Readonly<Record<string, unknown>>;
  const isThen = (typeof when === 'number' || typeof when === 'string') && Math.floor(Number(when)) === second;
  return isThen && what === event.what && (data ?? '') === event.data && sameForm(tags) === sameForm(event.tags);
}
