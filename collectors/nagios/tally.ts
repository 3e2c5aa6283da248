/** Lines of the log → totals, known states and events, in the order in which they were written. Pure. */
import type { Offer } from '../../src/collector.ts';
import { lines, matcher } from '../../src/text.ts';
import { keyOf, type Learnt, type Memory, type Own, type Totals } from './memory.ts';
import { type NagiosOptions, SERIES_OF_ONE } from './options.ts';
import { type FlapRecord, isFine, parseLine, type State, type StateRecord, type Subject } from './parse.ts';

/** Of one run; what is more is counted and not offered. */
export const MAX_OFFERS = 500;
/** Characters of the names of all hosts and services with hard problems. */
const MAX_NAMES = 1_000_000;

/** What is worth a word at the end of a run. */
export interface Told {
  /** The first line that could not be read, and how many there were. */
  firstUnreadable: { readonly text: string; readonly why: string } | undefined;
  unreadable: number;
  leftOut: number;
  /** Hard problems that found no room. */
  forgotten: number;
}

export interface Tally {
  /** Lines with their ends. `counted`: written since counting began. */
  take(text: string, counted: boolean): void;
  /** A line that is too long to be read. */
  skip(text: string, counted: boolean): void;
  readonly offers: readonly Offer[];
  readonly told: Told;
}

const typeOf = ({ service }: Subject): 'host' | 'service' => (service === undefined ? 'host' : 'service');

function add(totals: Totals, key: string): void {
  totals[key] = (totals[key] ?? 0) + 1;
}

/** Whether a host or service gets series of its own. */
export function selection({ hosts, services }: NagiosOptions): (subject: Subject) => boolean {
  const isHost = matcher(hosts);
  const isService = matcher(services);
  return ({ host, service }) => (service === undefined ? isHost(host) : isService(`${host}/${service}`));
}

/** The memory is changed in place. */
export function createTally(memory: Memory, options: NagiosOptions): Tally {
  const { problems, own } = memory;
  const isSelected = selection(options);
  const wanted = new Map<string, boolean>();
  const offers: Offer[] = [];
  const told: Told = { firstUnreadable: undefined, unreadable: 0, leftOut: 0, forgotten: 0 };
  let names = 0;
  for (const key of problems.keys()) names += key.length;

  const ownOf = (subject: Subject, key: string): Own | undefined => {
    const there = own.get(key);
    if (there !== undefined) return there;
    let isWanted = wanted.get(key);
    if (isWanted === undefined) {
      isWanted = isSelected(subject);
      wanted.set(key, isWanted);
    }
    if (!isWanted) return undefined;
    if ((own.size + 1) * SERIES_OF_ONE > options.maxSeries) {
      memory.isCrowded = true;
      return undefined;
    }
    const { host, service } = subject;
    const made: Own = { host, service, problem: undefined, unconfirmed: false, alerts: {}, flaps: {} };
    own.set(key, made);
    return made;
  };

  const learn = (type: 'host' | 'service', what: Learnt): void => {
    const field = type === 'host' ? 'hostsLearnt' : 'servicesLearnt';
    if (what === 'all' || memory[field] === 'nothing') memory[field] = what;
  };

  const forget = (key: string): void => {
    if (problems.delete(key)) names -= key.length;
  };

  /** What was known before, and is known now; a SOFT problem says nothing of what is HARD. */
  const settle = (
    record: StateRecord,
    key: string,
  ): { readonly before: State | undefined; readonly known: boolean } => {
    const known = problems.get(key);
    const before = known?.state;
    const mine = ownOf(record, key);
    if (mine !== undefined) mine.unconfirmed = false;
    if (known !== undefined) known.unconfirmed = false;
    const type = typeOf(record);
    const isKnown = memory[type === 'host' ? 'hostsLearnt' : 'servicesLearnt'] === 'all' || mine?.problem !== undefined;
    learn(type, 'some');
    if (isFine(record.state)) {
      forget(key);
      if (mine !== undefined) mine.problem = false;
    } else if (record.isHard) {
      if (mine !== undefined) mine.problem = true;
      if (known !== undefined) known.state = record.state;
      else if (names + key.length > MAX_NAMES) {
        told.forgotten += 1;
        if (type === 'host') memory.hostsLearnt = 'some';
        else memory.servicesLearnt = 'some';
      } else {
        const { host, service, state } = record;
        problems.set(key, { host, service, state, unconfirmed: false });
        names += key.length;
      }
    }
    return { before, known: isKnown };
  };

  const offer = ({ host, service, state, atSeconds, output }: StateRecord): void => {
    if (offers.length >= MAX_OFFERS) {
      told.leftOut += 1;
      memory.counts.leftOut += 1;
      return;
    }
    const name = service === undefined ? host : `${host}/${service}`;
    const id = JSON.stringify([host, service ?? null, state, atSeconds]);
    const tags = ['nagios', state.toLowerCase(), host, ...(service === undefined ? [] : [service])];
    offers.push({ id, what: `nagios: ${state} ${name}`, tags, data: output, atMs: atSeconds * 1000 });
  };

  /** An alert is an event when it changed what is HARD: volatile and stalked services repeat themselves. */
  const isEvent = (record: StateRecord, before: State | undefined, known: boolean): boolean => {
    const { state, isHard } = record;
    const listed: readonly State[] = options.eventStates;
    if (!options.events || !listed.includes(state)) return false;
    if (!isFine(state)) return isHard && before !== state;
    if (before !== undefined) return listed.includes(before);
    return isHard && !known;
  };

  const takeAlert = (record: StateRecord, counted: boolean): void => {
    const key = keyOf(record);
    const { before, known } = settle(record, key);
    if (!counted) return;
    const level = record.isHard ? 'hard' : 'soft';
    const whole = `${typeOf(record)} ${record.state} ${level}`;
    add(memory.alerts, whole);
    const mine = ownOf(record, key);
    if (mine === undefined) add(memory.otherAlerts, whole);
    else add(mine.alerts, `${record.state} ${level}`);
    if (isEvent(record, before, known)) offer(record);
  };

  const takeFlap = (record: FlapRecord, counted: boolean): void => {
    if (!counted) return;
    const whole = `${typeOf(record)} ${record.change}`;
    add(memory.flaps, whole);
    const mine = ownOf(record, keyOf(record));
    if (mine === undefined) add(memory.otherFlaps, whole);
    else add(mine.flaps, record.change);
  };

  const takeState = (record: StateRecord): void => {
    const type = record.service === undefined ? 'hosts' : 'services';
    const { list } = memory;
    if (list === 'expected') {
      for (const one of problems.values()) one.unconfirmed = true;
      for (const one of own.values()) one.unconfirmed = true;
      memory.list = type;
    } else if (list !== undefined && list !== type) memory.list = 'both';
    settle(record, keyOf(record));
  };

  /** What a list of all states did not name is there no more. */
  const endList = (): void => {
    const { list } = memory;
    if (list === undefined || list === 'expected') return;
    memory.list = undefined;
    const isListed = (type: 'host' | 'service'): boolean => list === 'both' || list === `${type}s`;
    for (const [key, one] of problems) if (one.unconfirmed && isListed(typeOf(one))) forget(key);
    for (const [key, one] of own) if (one.unconfirmed && isListed(typeOf(one))) own.delete(key);
    // Where not all problems found room the list is not all known.
    for (const type of ['host', 'service'] as const) if (isListed(type) && told.forgotten === 0) learn(type, 'all');
  };

  const unreadable = (text: string, why: string, counted: boolean): void => {
    if (!counted) return;
    memory.counts.unreadable += 1;
    told.unreadable += 1;
    told.firstUnreadable ??= { text: text.slice(0, 200), why };
  };

  /** After a gap, what is older than the last line was read before; it still says what is so. */
  const isNew = (atSeconds: number): boolean => {
    memory.lastSeconds = atSeconds;
    if (memory.sinceSeconds === undefined) return true;
    if (atSeconds < memory.sinceSeconds) return false;
    memory.sinceSeconds = undefined;
    return true;
  };

  const takeLine = (text: string, counted: boolean): void => {
    const line = parseLine(text);
    if (line.kind === 'unreadable') {
      if (counted) memory.counts.lines += 1;
      unreadable(text, line.why, counted);
      return;
    }
    const isCounted = isNew(line.atSeconds) && counted;
    if (isCounted) memory.counts.lines += 1;
    if (line.kind === 'state') takeState(line);
    else endList();
    if (line.kind === 'begin') memory.list = 'expected';
    if (line.kind === 'alert') takeAlert(line, isCounted);
    if (line.kind === 'flap') takeFlap(line, isCounted);
  };

  return {
    take(text, counted) {
      for (const line of lines(text)) if (line !== '') takeLine(line, counted);
    },
    skip(text, counted) {
      if (counted) memory.counts.lines += 1;
      unreadable(text, 'the line is longer than 1 MiB', counted);
    },
    offers,
    told,
  };
}
