/** The model of an event: something that happened at a time, such as a deploy. Pure. */
import { createHash } from 'node:crypto';
import { Failure } from '../errors.ts';
import { nearest, quoted } from '../text.ts';
import { type Moment, whenFault, whenOf } from './when.ts';

export interface Event {
  /** Stable: one id is one event, however often it comes in. At most 128 printable characters. */
  readonly id: string;
  /** 1 to 255 characters on one line. */
  readonly what: string;
  /** Each `[A-Za-z0-9_.:-]`, 1 to 50 characters, none twice; joined by blanks at most 255. */
  readonly tags: readonly string[];
  /** Free text, also of several lines; may be empty. */
  readonly data: string;
  /** When it happened, in whole microseconds since the epoch. */
  readonly whenUs: number;
  /** The time is that of its acceptance, or was told as one before it: the same event that comes again has another. */
  readonly isRelative?: boolean;
}

export interface Surroundings {
  /** Now, in microseconds; each acceptance has a later one than the one before. */
  readonly nowUs: number;
  /** What is not known is refused; else it is let pass, as graphite-web does. */
  readonly strict: boolean;
  /**
   * Where the same text may come in again, and must then be the same event: without an id, `when` must be there, and no
   * time that is relative to now.
   */
  readonly repeatable: boolean;
}

/** Limits: those of graphite-web's columns on PostgreSQL and MySQL (events/models.py, django-tagging), and ours. */
export const MAX_WHAT = 255;
export const MAX_TAG = 50;
export const MAX_TAGS = 255;
export const MAX_DATA_BYTES = 256 * 1024;
const MAX_ID = 128;
const TAG = /^[A-Za-z0-9_.:-]+$/;
const KEYS = ['id', 'what', 'tags', 'data', 'when'];
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/**
 * An event from a body as graphite-web's `POST /events/` takes it: `what`, `tags` (a list, or a text with blanks
 * between), `data`, `when`; and an `id`. `E_PARSE` says what is wrong with which field.
 */
export function eventOf(body: unknown, around: Surroundings): Event {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw fault(`an event is a map with "what"; found ${kindOf(body)}`);
  }
  // Own properties alone: what a body calls __proto__ is one of its keys, and nothing else.
  const field = (name: string): unknown =>
    Object.hasOwn(body, name) ? (body as Record<string, unknown>)[name] : undefined;
  if (around.strict) refuseUnknown(body);
  const what = whatOf(field('what'));
  const tags = tagsOf(field('tags'));
  const data = dataOf(field('data'));
  const moment = momentOf(field('when'), around.nowUs);
  const id = idOf(field('id'));
  if (id === undefined && around.repeatable && moment.isRelative) {
    const advice = 'give "when" as a time of its own (seconds since the epoch, or ISO 8601 with a zone), or an "id"';
    throw fault(`"when" is relative to now, so that this would be another event when it comes again; ${advice}`);
  }
  const { whenUs, isRelative } = moment;
  return { id: id ?? hashOf({ what, tags, data, whenUs }), what, tags, data, whenUs, isRelative };
}

/** The id of an event that was given none. */
export function hashOf({ what, tags, data, whenUs }: Omit<Event, 'id'>): string {
  const text = JSON.stringify([what, tags.toSorted(), whenUs, data]);
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

/** Equal for events that Graphite cannot tell apart: it finds them by the whole second (get_data truncates). */
export function likenessOf({ what, tags, data, whenUs }: Omit<Event, 'id'>): string {
  const text = JSON.stringify([what, tags.toSorted(), Math.floor(whenUs / 1e6), data]);
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

/** A text as a tag: what a tag cannot hold becomes `_`. */
export function tagOf(text: string): string {
  return text.replace(/[^A-Za-z0-9_.:-]/g, '_').slice(0, MAX_TAG) || '_';
}

function refuseUnknown(body: object): void {
  const unknown = Object.keys(body).find((key) => !KEYS.includes(key));
  if (unknown === undefined) return;
  const meant = nearest(unknown, KEYS);
  const advice = meant === undefined ? `expected ${KEYS.join(', ')}` : `did you mean "${meant}"?`;
  throw fault(`unknown field ${quoted(unknown, 60)}; ${advice}`);
}

function whatOf(value: unknown): string {
  if (value === undefined) throw fault('"what" is missing; expected a text that says what happened');
  if (typeof value !== 'string') throw fault(`"what" is ${kindOf(value)}; expected a text`);
  if (value.trim() === '') throw fault('"what" is empty; expected a text that says what happened');
  const { length } = [...value];
  if (length > MAX_WHAT)
    throw fault(`"what" has ${length} characters; expected at most ${MAX_WHAT}, the rest as "data"`);
  if (CONTROL.test(value)) {
    throw fault(`"what" is ${quoted(value, 60)}; expected one line without control characters, the rest as "data"`);
  }
  wellFormed('what', value);
  return value;
}

function tagsOf(value: unknown): string[] {
  if (value === undefined) return [];
  if (typeof value !== 'string' && !Array.isArray(value)) {
    throw fault(`"tags" is ${kindOf(value)}; expected a list of texts, or one text with blanks between them`);
  }
  // A list of very many is not looked at one by one.
  const count = value.length;
  if (count > MAX_TAGS)
    throw fault(`"tags" has ${count} ${typeof value === 'string' ? 'characters' : 'entries'}; ${ROOM}`);
  const all: unknown[] = typeof value === 'string' ? value.split(/\s+/).filter((tag) => tag !== '') : value;
  const tags = [...new Set(all.map(oneTag))];
  const { length } = tags.join(' ');
  if (length > MAX_TAGS) throw fault(`"tags" has ${length} characters with the blanks between; ${ROOM}`);
  return tags;
}

const ROOM = `expected at most ${MAX_TAGS} characters, which is all that Graphite keeps`;

function oneTag(value: unknown): string {
  if (typeof value !== 'string') throw fault(`"tags" has ${kindOf(value)} in it; expected texts`);
  if (value === '') throw fault('"tags" has an empty text in it; leave it out');
  if (value.length > MAX_TAG) {
    throw fault(`the tag ${quoted(value, 60)} has ${value.length} characters; expected at most ${MAX_TAG}`);
  }
  if (!TAG.test(value)) {
    const advice = `expected letters, digits, "_", ".", ":" and "-", such as ${quoted(tagOf(value))}`;
    throw fault(`Graphite could not find the tag ${quoted(value, 60)} again; ${advice}`);
  }
  return value;
}

function dataOf(value: unknown): string {
  if (value === undefined) return '';
  if (typeof value !== 'string') throw fault(`"data" is ${kindOf(value)}; expected a text`);
  const bytes = Buffer.byteLength(value);
  if (bytes > MAX_DATA_BYTES) throw fault(`"data" has ${bytes} bytes; expected at most ${MAX_DATA_BYTES}`);
  if (value.includes('\0')) throw fault('"data" has a NUL character in it, which databases do not take; leave it out');
  wellFormed('data', value);
  return value;
}

function idOf(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string') throw fault(`"id" is ${kindOf(value)}; expected a text`);
  if (value.trim() === '') throw fault('"id" is empty; leave it out, or give one that is this event’s alone');
  if (value.length > MAX_ID) throw fault(`"id" has ${value.length} characters; expected at most ${MAX_ID}`);
  if (CONTROL.test(value)) throw fault(`"id" is ${quoted(value, 60)}; expected no control characters`);
  wellFormed('id', value);
  return value;
}

function momentOf(value: unknown, nowUs: number): Moment {
  if (value === undefined) return { whenUs: nowUs, isRelative: true };
  if (typeof value !== 'number' && typeof value !== 'string') throw fault(`"when" is ${kindOf(value)}; ${WHEN_FORM}`);
  const moment = whenOf(value, nowUs);
  if (typeof moment === 'string') throw fault(`"when" ${moment}`);
  const wrong = whenFault(moment.whenUs, nowUs);
  if (wrong !== undefined) throw fault(`"when" ${wrong}`);
  return moment;
}

const WHEN_FORM =
  'expected seconds since the epoch, ISO 8601 with a zone, or a time ago such as -90m; leave it out for now';

/** Half of a surrogate pair has no UTF-8, so that no server could be given it. */
function wellFormed(name: string, value: string): void {
  if (!value.isWellFormed())
    throw fault(`"${name}" has half of a character in it (a lone surrogate); expected Unicode`);
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  return typeof value === 'string'
    ? `the text ${quoted(value, 60)}`
    : `the ${typeof value} ${String(value).slice(0, 40)}`;
}

function fault(message: string): Failure {
  return new Failure('E_PARSE', message);
}
