/** What delivery needs of a server that takes events. */
import type { Verdict } from '../../collector.ts';
import type { Failure } from '../../errors.ts';
import type { Event } from '../event.ts';
import type { Answer } from './answer.ts';

/** How often an event stands there, or why that could not be had. */
export type Found =
  | {
      readonly kind: 'found';
      /** So many of the same what, tags, data and second, each found by its tags. */
      readonly whole: number;
      /**
       * So many more that are not: servers write the event first and its tags afterwards, and failed in between. No
       * dashboard that asks for tags shows these. Not looked for, and 0, where enough are whole.
       */
      readonly halves: number;
    }
  | { readonly kind: 'failed'; readonly failure: Failure; readonly waitMs?: number };

export interface Destination {
  readonly name: string;
  /** Its address, without secrets. */
  readonly to: string;
  /** One request; never rejects. */
  post(event: Event, until: AbortSignal): Promise<Answer>;
  /** Asks for events like this one, of which so many are known to be there; never rejects. */
  find(event: Event, known: number, until: AbortSignal): Promise<Found>;
  /** Asks whether it answers, and accepts who asks; posts nothing. */
  probe(until: AbortSignal): Promise<Verdict>;
  close(): void;
}
