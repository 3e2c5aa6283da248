/**
 * Flows that lead to others: where a packet is put into a queue in a later table, who sent it is matched in an earlier
 * one. Pure. Only what is certain is followed: `resubmit(,N)` and `goto_table:N`, with the registers that are loaded on
 * the way.
 */
import type { Work } from './allowance.ts';
import { onwardOf } from './flow-actions.ts';
import type { Flow } from './flows.ts';

/** Comparisons for one flow, and for all of one index: a pipeline made to be walked for ever is not. */
const MAX_STEPS_EACH = 10_000;
const MAX_STEPS = 2_000_000;
/** More senders than this are nobody in particular. */
const MAX_FOUND = 64;
const AT_A_TIME = 16;

export interface FlowPaths {
  /**
   * The flows that say who sends, and from which packets come to this one; none where nobody in particular does.
   * Undefined: there are more ways than are searched, so it is not known.
   */
  sourcesOf(flow: Flow): readonly Flow[] | undefined;
}

type Conditions = ReadonlyMap<string, string>;

/** From a table to a later one. Of flows that do not say who sends, those that do the same are one. */
interface Edge {
  readonly from: number;
  /** What holds of its packets: matched, or written; empty: it cannot be told, and is not what was matched. */
  readonly known: Conditions;
  readonly source: Flow | undefined;
}

/** All that lead to one table. */
interface Entrance {
  readonly edges: Edge[];
  readonly byField: Map<string, ByValue>;
}

interface ByValue {
  readonly known: Map<string, Edge[]>;
  /** They leave it open, and who comes there may say it. A source that leaves it open is none. */
  readonly open: Edge[];
}

/** Of flows with a queue. `isSource`: it says who sends, so nothing before it is looked at. */
export function* findPaths(flows: readonly Flow[], isSource: (flow: Flow) => boolean): Work<FlowPaths> {
  let steps = 0;
  const fields = yield* fieldsAsked(flows, isSource);
  const entrances = new Map<number, Entrance>();
  const seen = new Set<string>();
  for (const [index, flow] of flows.entries()) {
    if (index % AT_A_TIME === 0) yield;
    // Nobody asks.
    if (fields === undefined) break;
    for (const { table, written } of onwardOf(flow.actions)) {
      if (table === flow.table || ++steps > MAX_STEPS) continue;
      const known = knownBy(flow, written, fields);
      const source = isSource(flow) ? flow : undefined;
      const same = source === undefined ? `${table} ${stateOf(flow.table, known)}` : undefined;
      if (same !== undefined && seen.has(same)) continue;
      if (same !== undefined) seen.add(same);
      const entrance: Entrance = entrances.get(table) ?? { edges: [], byField: new Map() };
      entrances.set(table, entrance);
      entrance.edges.push({ from: flow.table, known, source });
    }
  }

  /** The shortest list that holds every edge which may meet the conditions. */
  const candidates = (table: number, wanted: Conditions): readonly (readonly Edge[])[] => {
    const entrance = entrances.get(table);
    if (entrance === undefined) return [];
    let best: readonly (readonly Edge[])[] = [entrance.edges];
    let fewest = entrance.edges.length;
    for (const [field, value] of wanted) {
      let sorted = entrance.byField.get(field);
      if (sorted === undefined) {
        steps += entrance.edges.length;
        sorted = byValue(entrance.edges, field);
        entrance.byField.set(field, sorted);
      }
      const exact = sorted.known.get(value) ?? [];
      if (exact.length + sorted.open.length >= fewest) continue;
      best = [exact, sorted.open];
      fewest = exact.length + sorted.open.length;
    }
    return best;
  };

  const search = (table: number, wanted: Conditions): readonly Flow[] | undefined => {
    if (steps > MAX_STEPS) return undefined;
    const found = new Set<Flow>();
    const reached = new Set([stateOf(table, wanted)]);
    const ways: [table: number, wanted: Conditions][] = [[table, wanted]];
    const most = Math.min(MAX_STEPS, steps + MAX_STEPS_EACH);
    // It grows while it is gone through.
    for (const [at, open] of ways) {
      for (const edges of candidates(at, open)) {
        for (const edge of edges) {
          steps += 1 + open.size;
          if (steps > most) return undefined;
          const left = unmet(edge, open);
          if (left === undefined) continue;
          if (edge.source !== undefined) {
            // What is still wanted would have to be true of every packet that comes in.
            if (left.size === 0) found.add(edge.source);
            if (found.size > MAX_FOUND) return [];
            continue;
          }
          const state = stateOf(edge.from, left);
          if (reached.has(state)) continue;
          reached.add(state);
          ways.push([edge.from, left]);
        }
      }
    }
    return [...found];
  };

  const searched = new Map<string, readonly Flow[] | undefined>();
  return {
    sourcesOf(flow) {
      const wanted = conditionsOf(flow);
      const state = stateOf(flow.table, wanted);
      if (!searched.has(state)) searched.set(state, search(flow.table, wanted));
      return searched.get(state);
    },
  };
}

/** What flows with a queue ask that do not say themselves who sends; undefined: there are none. */
function* fieldsAsked(flows: readonly Flow[], isSource: (flow: Flow) => boolean): Work<Set<string> | undefined> {
  let fields: Set<string> | undefined;
  for (const [index, flow] of flows.entries()) {
    if (index % AT_A_TIME === 0) yield;
    if (flow.queues.length === 0 || isSource(flow)) continue;
    fields ??= new Set();
    for (const [field, value] of flow.match) if (value !== '') fields.add(field);
  }
  return fields;
}

/** What a flow asks of a packet, without the words that only say its protocol. */
function conditionsOf({ match }: Flow): Conditions {
  const conditions = new Map<string, string>();
  for (const [field, value] of match) if (value !== '') conditions.set(field, comparable(value));
  return conditions;
}

function knownBy({ match }: Flow, written: Conditions, fields: ReadonlySet<string>): Conditions {
  const known = new Map<string, string>();
  for (const [field, value] of match) if (value !== '' && fields.has(field)) known.set(field, comparable(value));
  for (const [field, value] of written) if (fields.has(field)) known.set(field, comparable(value));
  return known;
}

function byValue(edges: readonly Edge[], field: string): ByValue {
  const known = new Map<string, Edge[]>();
  const open: Edge[] = [];
  for (const edge of edges) {
    const value = edge.known.get(field);
    if (value === undefined) {
      if (edge.source === undefined) open.push(edge);
      continue;
    }
    const there = known.get(value);
    if (there === undefined) known.set(value, [edge]);
    else there.push(edge);
  }
  return { known, open };
}

/** What is still to be met by an earlier flow; undefined: this one contradicts it. */
function unmet({ known }: Edge, wanted: Conditions): Conditions | undefined {
  const left = new Map<string, string>();
  for (const [field, value] of wanted) {
    const there = known.get(field);
    if (there === undefined) left.set(field, value);
    else if (there !== value) return undefined;
  }
  return left;
}

function stateOf(table: number, conditions: Conditions): string {
  return conditions.size === 0 ? String(table) : `${table} ${JSON.stringify([...conditions])}`;
}

/** Numbers in one spelling. */
function comparable(value: string): string {
  return /^(?:0x[0-9a-f]{1,16}|[0-9]{1,20})$/.test(value) ? String(BigInt(value)) : value;
}
