/**
 * Events in Grafana as annotations of the organisation (pkg/api/annotations.go, xorm_store.go): its API takes whole
 * seconds alone, makes one text of `what` and `data`, and writes tags after the annotation.
 */

import { Failure } from '../../errors.ts';
import type { Exchange } from '../../hosts/http-exchange.ts';
import { withoutSecrets } from '../../hosts/http-failures.ts';
import type { Event } from '../event.ts';
import type { DestinationOptions } from '../options.ts';
import { answerOf } from './answer.ts';
import { MAX_ANSWER_BYTES, type Rows, rowsOf, sameForm } from './answer-alike.ts';
import type { Destination } from './delivery-destination.ts';

type Options = Extract<DestinationOptions, { type: 'grafana' }> & { readonly name: string };

/** Where it tells fewer than there are, the latest alone: so many of one second are not counted. */
const LIMIT = 5000;

export function createGrafana(options: Options, exchange: Exchange, wallMs: () => number): Destination {
  const base = new URL(options.url);
  base.hash = '';
  base.pathname = `${base.pathname.replace(/\/+$/, '')}/api/annotations`;
  const postUrl = new URL(base);
  postUrl.pathname += '/graphite';
  const to = withoutSecrets(postUrl.href);

  const rows = async (query: readonly (readonly [string, string])[], until: AbortSignal): Promise<Rows> => {
    const url = new URL(base);
    for (const [name, value] of [['type', 'annotation'], ['limit', String(LIMIT)], ...query] as const) {
      url.searchParams.append(name, value);
    }
    const question = { url: url.href, accept: 'application/json', maxBytes: MAX_ANSWER_BYTES };
    const shown = withoutSecrets(base.href);
    const found = rowsOf(await exchange.ask(question, until), shown, wallMs());
    if (found.kind === 'failed' || found.rows.length < LIMIT) return found;
    const message = `${shown} has ${LIMIT} annotations or more in one second, of which it tells no more`;
    return { kind: 'failed', failure: new Failure('E_OUTPUT_SIZE', message, { url: shown }) };
  };

  return {
    name: options.name,
    to,
    async post(event, until) {
      const body = JSON.stringify(bodyOf(event));
      const exchanged = await exchange.ask(
        { url: postUrl.href, accept: 'application/json', body, maxBytes: 65_536 },
        until,
      );
      return answerOf(exchanged, to, wallMs(), isReceipt);
    },
    async find(event, known, until) {
      const ms = String(Math.floor(event.whenUs / 1e6) * 1000);
      const around = [
        ['from', ms],
        ['to', ms],
      ] as const;
      const count = (all: readonly object[]): number => all.filter((row) => isLike(row, event, Number(ms))).length;
      const found = await rows([...around, ...event.tags.map((tag) => ['tags', tag] as const)], until);
      if (found.kind === 'failed') return found;
      const whole = count(found.rows);
      if (whole > known || event.tags.length === 0) return { kind: 'found', whole, halves: 0 };
      const all = await rows(around, until);
      return all.kind === 'failed' ? all : { kind: 'found', whole, halves: Math.max(0, count(all.rows) - whole) };
    },
    async probe(until) {
      const found = await rows(
        [
          ['from', '1000'],
          ['to', '1000'],
        ],
        until,
      );
      const text = `${options.name}: ${found.kind === 'failed' ? found.failure.message : `${to.replace(/\/graphite$/, '')} answers, and accepts who asks`}`;
      return { level: found.kind === 'failed' ? 'fail' : 'ok', text };
    },
    close: exchange.close,
  };
}

/** `when` is an integer there: a fraction would be refused. */
function bodyOf({ what, tags, data, whenUs }: Event): object {
  return { what, tags, data, when: Math.floor(whenUs / 1e6) };
}

/** `{"message":"Graphite annotation added","id":1}` */
function isReceipt(text: string): boolean {
  try {
    const receipt: unknown = JSON.parse(text);
    return typeof receipt === 'object' && receipt !== null && ('id' in receipt || 'message' in receipt);
  } catch {
    return false;
  }
}

function isLike(row: object, { what, data, tags }: Event, ms: number): boolean {
  const { text, time, tags: its } = row as Readonly<Record<string, unknown>>;
  const isThen = time === ms && text === (data === '' ? what : `${what}\n${data}`);
  return isThen && sameForm(pairs(its)) === sameForm(pairs(tags));
}

/** A tag is a pair there, `key:value`; without a value, the colon goes. */
function pairs(tags: unknown): string[] {
  return Array.isArray(tags) ? tags.map((tag) => String(tag).replace(/^([^:]+):$/, '$1')) : [];
}
