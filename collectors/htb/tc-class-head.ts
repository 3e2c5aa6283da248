/** The first line of a class in tc(8)'s text: `class htb 1:367c parent 1:fffe leaf 10: prio 0 rate …`. Pure. */
import { rateOf } from './rates.ts';
import { type ClassRecord, handleOf, handleText, normalised, type Rate } from './record.ts';
import { narrow } from './tc-stats.ts';

export type ClassHead = Pick<
  ClassRecord,
  'kind' | 'handle' | 'major' | 'minor' | 'parent' | 'leaf' | 'level' | 'prio' | 'quantum' | 'rate' | 'ceil'
>;

type Wrong = (what: string) => void;

const NUMBER = /^[0-9]{1,10}$/;
/** 6.2.0 lost what stands between the leaf and `prio`. */
const LEAF = /^([0-9a-f]{1,4})(:|(prio)|)$/;

/** Undefined: of another kind, or it cannot be read, which `wrong` is told. */
export function classHead(line: string, wrong: Wrong): ClassHead | undefined {
  // A blank at a time: tc prints one between words, and this is the hottest line of the parser.
  const all = line.trimEnd().split(' ');
  const kind = all[1];
  if (kind !== 'htb' && kind !== 'hfsc') return undefined;
  const handle = handleOf(all[2]);
  const found = handle === undefined ? undefined : place(all);
  if (handle === undefined || found === undefined) {
    wrong(`expected "class ${kind} HANDLE", then "root" or "parent HANDLE"`);
    return undefined;
  }
  const rest = {
    ...found,
    major: handle >>> 16,
    minor: handle & 0xffff,
    handle: handleText(handle >>> 16, handle & 0xffff),
  };
  return kind === 'htb' ? htbHead(all, rest, wrong) : hfscHead(all, rest, wrong);
}

type Placed = Pick<ClassHead, 'handle' | 'major' | 'minor' | 'parent'> & { readonly from: number };

/** Where the class hangs, and where the words about it begin. A device's name may be any word. */
function place(all: readonly string[]): Pick<Placed, 'parent' | 'from'> | undefined {
  const at = all[3] === 'dev' ? 5 : 3;
  if (all[at] === 'root') return { parent: undefined, from: at + 1 };
  const parent = all[at] === 'parent' ? normalised(all[at + 1]) : undefined;
  return parent === undefined ? undefined : { parent, from: at + 2 };
}

function htbHead(all: readonly string[], { from, ...placed }: Placed, wrong: Wrong): ClassHead | undefined {
  let leaf: string | undefined;
  let level: number | undefined;
  let prio: number | undefined;
  let quantum: number | undefined;
  let rate: string | undefined;
  let ceil: string | undefined;
  for (let at = from; at < all.length; at++) {
    let word = all[at] ?? '';
    if (word === 'leaf') {
      const match = LEAF.exec(all[++at] ?? '');
      if (match === null) {
        wrong('expected a handle after "leaf"');
        return undefined;
      }
      leaf = handleText(Number.parseInt(match[1] ?? '', 16), 0);
      if (match[3] === undefined) continue;
      word = 'prio';
    }
    const next = all[at + 1];
    // 4.15 to 4.17 print `prio` and `quantum` without their values.
    if (word === 'prio' && NUMBER.test(next ?? '')) prio = narrow(all[++at]);
    else if (word === 'quantum' && NUMBER.test(next ?? '')) quantum = narrow(all[++at]);
    else if (word === 'level' && NUMBER.test(next ?? '')) level = narrow(all[++at]);
    else if (word === 'rate' || word === 'ceil') {
      if ((word === 'rate' ? rate : ceil) !== undefined) {
        // Two lines in one: which of them is this class's cannot be told.
        wrong(`expected one "${word}"`);
        return undefined;
      }
      if (word === 'rate') rate = next;
      else ceil = next;
      at += 1;
    }
  }
  const rates = { rate: rateOf(rate), ceil: rateOf(ceil) };
  if (rates.rate === undefined || rates.ceil === undefined) wrong('expected "rate R … ceil R"');
  return { kind: 'htb', ...placed, leaf, level, prio, quantum, ...rates };
}

/** `leaf 10: rt m1 0bit d 0us m2 1Mbit ls … ul …`; `sc` stands for `rt` and `ls` that are the same. */
function hfscHead(all: readonly string[], { from, ...placed }: Placed, wrong: Wrong): ClassHead | undefined {
  let leaf: string | undefined;
  let curve = '';
  let rate: Rate | undefined;
  let ceil: Rate | undefined;
  for (let at = from; at < all.length; at++) {
    const word = all[at] ?? '';
    if (word === 'leaf') leaf = normalised(all[++at]);
    else if (word === 'rt' || word === 'ls' || word === 'sc' || word === 'ul') curve = word;
    else if (word === 'm2') {
      const slope = rateOf(all[++at]);
      if (slope === undefined) wrong(`expected a rate after "${curve} … m2"`);
      if (curve === 'ul') ceil = slope;
      else if (curve !== 'ls') rate = slope;
    }
  }
  return { kind: 'hfsc', ...placed, leaf, level: undefined, prio: undefined, quantum: undefined, rate, ceil };
}
