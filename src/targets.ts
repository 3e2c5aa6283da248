/** Configured machines → what is needed to reach each: the way through other machines, and a series segment of its own. */

import type { SshOptions, SshSettings } from './hosts/ssh-options.ts';
import { segment } from './naming.ts';
import { nearest } from './text.ts';

export interface LocalTargetConfig {
  readonly type: 'local';
  readonly name?: string | undefined;
}

export interface SshTargetConfig {
  readonly type: 'ssh';
  readonly name?: string | undefined;
  readonly groups: readonly string[];
  readonly settings: SshSettings;
}

export type TargetConfig = LocalTargetConfig | SshTargetConfig;

/** What is wrong with one target; `option`: of its options, where it is one. */
export interface TargetFault {
  readonly key: string;
  readonly option?: string;
  readonly message: string;
}

export interface Resolved {
  /** `local` first, then those of the file, then those of inventories. Those with a fault are left out. */
  readonly targets: ReadonlyMap<string, TargetConfig>;
  /** Of the configuration file itself. */
  readonly faults: readonly TargetFault[];
  /** Of inventories: the others live. */
  readonly left: readonly TargetFault[];
}

type Configured = LocalTargetConfig | SshOptions;

/** A target of the file stands before one of the same name in an inventory. */
export function resolveTargets(
  written: Readonly<Record<string, Configured>>,
  inventory: ReadonlyMap<string, SshOptions>,
  segmentOf: (key: string, name: string | undefined) => string,
): Resolved {
  const all = new Map<string, Configured>([
    ...inventory,
    ...(Object.hasOwn(written, 'local') ? [] : [['local', { type: 'local' }] as const]),
    ...Object.entries(written),
  ]);
  const targets = new Map<string, TargetConfig>();
  const firsts = new Map<string, string>();
  const faults: TargetFault[] = [];
  const left: TargetFault[] = [];
  const ways = createWays(all);
  const order = ['local', ...Object.keys(written), ...inventory.keys()];
  for (const key of new Set(order)) {
    const one = all.get(key);
    if (one === undefined) continue;
    const tell = Object.hasOwn(written, key) ? faults : left;
    const place = segment(segmentOf(key, one.name));
    const first = firsts.get(place);
    if (first !== undefined) {
      const message = `its series are called ${JSON.stringify(place)}, as those of the target ${JSON.stringify(first)} are; give one of the two another "name"`;
      tell.push({ key, message });
      continue;
    }
    firsts.set(place, key);
    if (one.type === 'local') {
      targets.set(key, one);
      continue;
    }
    const way = ways(key);
    if ('message' in way) tell.push({ key, ...way });
    else targets.set(key, { type: 'ssh', name: one.name, groups: one.groups, settings: way });
  }
  return { targets, faults, left };
}

type Way = SshSettings | { readonly option: string; readonly message: string };

/** Through which machines a target is reached, each worked out once. */
function createWays(all: ReadonlyMap<string, Configured>): (key: string) => Way {
  const known = new Map<string, Way>();
  const names = [...all].filter(([, { type }]) => type === 'ssh').map(([key]) => key);

  const wayOf = (key: string, options: SshOptions, above: readonly string[]): Way => {
    const { type: _, name: __, groups: ___, jump, host = key, ...rest } = options;
    if (rest.keyFile === undefined && rest.agent === undefined) {
      return { option: 'keyFile', message: 'is missing; expected the private key to log in with, or an "agent"' };
    }
    if (rest.passphrase !== undefined && rest.passphraseFile !== undefined) {
      return { option: 'passphrase', message: 'expected one of "passphrase" and "passphraseFile"' };
    }
    if (jump === undefined) return { ...rest, host };
    const next = all.get(jump);
    if (next?.type !== 'ssh') {
      const meant = next === undefined ? nearest(jump, names.slice(0, 1000)) : undefined;
      const found = next === undefined ? 'unknown target' : 'is no target of type ssh:';
      const advice = meant === undefined ? '' : `; did you mean ${JSON.stringify(meant)}?`;
      return { option: 'jump', message: `${found} ${JSON.stringify(jump)}${advice}` };
    }
    if (above.includes(jump)) {
      const round = [...above.slice(above.indexOf(jump)), jump].join(' → ');
      return { option: 'jump', message: `the way goes round in a circle: ${round}` };
    }
    const through = find(jump, [...above, jump]);
    if ('message' in through) {
      return { option: 'jump', message: `through ${JSON.stringify(jump)}: ${through.option} ${through.message}` };
    }
    return { ...rest, host, through };
  };
  const find = (key: string, above: readonly string[]): Way => {
    const before = known.get(key);
    if (before !== undefined) return before;
    const options = all.get(key);
    if (options?.type !== 'ssh') return { option: 'type', message: 'expected a target of type ssh' };
    const way = wayOf(key, options, above);
    known.set(key, way);
    return way;
  };
  return (key) => find(key, [key]);
}
