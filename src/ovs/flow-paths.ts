/**
 * Flows that lead to others: where a packet is put into a queue in a later table, who sent it is matched in an earlier
 * one. Pure. Only what is certain is followed: `resubmit(,N)` and `goto_table:N`, with the registers that are loaded on
 * the way.
 */
import type { Flow } from './flows.ts';

/** Steps of all searches of one index; a pipeline made to be walked for ever is not. */
const MAX_STEPS = 100_000;
const MAX_DEPTH = 16;
/** More senders than this are nobody in particular. */
const MAX_FOUND = 64;

export interface FlowPaths {
  /** The flows from which packets come to this one, and which say who sends: `isSource` tells. */
  sourcesOf(flow: Flow, isSource: (flow: Flow) => boolean): readonly Flow[];
}

export function flowPaths(flows: readonly Flow[]): FlowPaths {
  const leadingTo = new Map<number, Flow[]>();
  for (const flow of flows) {
    for (const table of new Set(tablesAfter(flow))) {
      const there = leadingTo.get(table);
      if (there === undefined) leadingTo.set(table, [flow]);
      else there.push(flow);
    }
  }
  let steps = 0;

  return {
    sourcesOf(flow, isSource) {
      const found = new Set<Flow>();
      const walk = (table: number, wanted: ReadonlyMap<string, string>, depth: number): void => {
        for (const before of leadingTo.get(table) ?? []) {
          if (++steps > MAX_STEPS || found.size > MAX_FOUND) return;
          const left = unmet(before, wanted);
          if (left === undefined) continue;
          if (isSource(before)) {
            // What is still wanted would have to be true of every packet that comes in.
            if (left.size === 0) found.add(before);
          } else if (depth < MAX_DEPTH && before.table !== table) walk(before.table, left, depth + 1);
        }
      };
      walk(flow.table, conditionsOf(flow), 0);
      return found.size > MAX_FOUND ? [] : [...found];
    },
  };
}

const NEXT_TABLE = /(?:resubmit\([^(),]*,([0-9]+)(?:,ct)?\)|goto_table:([0-9]+))/g;

function* tablesAfter({ actions, table }: Flow): Generator<number> {
  for (const [, resubmitted, gone] of actions.matchAll(NEXT_TABLE)) {
    const next = Number(resubmitted ?? gone);
    if (next !== table) yield next;
  }
}

/** What a flow asks of a packet, without the words that only say its protocol. */
function conditionsOf({ match }: Flow): ReadonlyMap<string, string> {
  return new Map([...match].filter(([, value]) => value !== ''));
}

/** What is still to be met by an earlier flow; undefined: this one contradicts it. */
function unmet(flow: Flow, wanted: ReadonlyMap<string, string>): ReadonlyMap<string, string> | undefined {
  if (wanted.size === 0) return wanted;
  const left = new Map<string, string>();
  for (const [field, value] of wanted) {
    const loaded = loadedBy(flow, field);
    const matched = flow.match.get(field);
    const known = loaded ?? matched;
    if (known === undefined) left.set(field, value);
    else if (!same(known, value)) return undefined;
  }
  return left;
}

/** The value that an action writes into a register or the metadata: the last one counts. */
function loadedBy({ actions }: Flow, field: string): string | undefined {
  if (!/^(?:reg[0-9]{1,2}|metadata|tun_id)$/.test(field)) return undefined;
  const forms = [`set_field:([0-9a-fx]+)->${field}(?![0-9a-z_])`];
  if (field.startsWith('reg')) forms.push(`load:([0-9a-fx]+)->NXM_NX_REG${field.slice(3)}\\[\\]`);
  if (field === 'metadata')
    forms.push('write_metadata:([0-9a-fx]+)(?![0-9a-fx/])', 'load:([0-9a-fx]+)->OXM_OF_METADATA\\[\\]');
  if (field === 'tun_id') forms.push('set_tunnel(?:64)?:([0-9a-fx]+)', 'load:([0-9a-fx]+)->NXM_NX_TUN_ID\\[\\]');
  const all = [...actions.matchAll(new RegExp(forms.join('|'), 'g'))];
  return all
    .at(-1)
    ?.slice(1)
    .find((value) => value !== undefined);
}

function same(a: string, b: string): boolean {
  if (a === b) return true;
  const number = /^(?:0x[0-9a-f]{1,16}|[0-9]{1,20})$/;
  return number.test(a) && number.test(b) && BigInt(a) === BigInt(b);
}
