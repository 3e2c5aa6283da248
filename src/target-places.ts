/** All targets of a configuration, those of its inventories included, and which of them are this process's to measure. */
import { nameOf } from './config-faults.ts';
import type { Complaint, ConfigFile } from './config-file.ts';
import { asFailure } from './errors.ts';
import { readInventories } from './inventory/inventory.ts';
import type { FileConfig } from './schema.ts';
import { keepsTarget } from './shard.ts';
import { type PatternFault, selectTargets } from './target-selection.ts';
import { resolveTargets, type TargetConfig, type TargetFault } from './targets.ts';

export interface Placed {
  /** Those of this process's shard; `local` is in each. */
  readonly targets: ReadonlyMap<string, TargetConfig>;
  readonly complaints: readonly Complaint[];
  /** What was left out, while the rest lives. */
  readonly problems: readonly string[];
  /** The targets of a job, by its patterns. */
  select(patterns: readonly string[]): {
    readonly names: readonly string[];
    readonly faults: readonly PatternFault[];
    /** Of patterns that fit no target now. */
    readonly empty: readonly PatternFault[];
  };
}

/** `withheld`: the variables that programs which list targets must not see. */
export async function placeTargets(data: FileConfig, read: ConfigFile, withheld: readonly string[]): Promise<Placed> {
  const taken = Object.entries(data.targets).map(([key, { name }]) => nameOf(key, name));
  const broken: Complaint[] = [];
  const inventory = await readInventories(data.inventory, { withheld, taken }).catch((thrown) => {
    broken.push(
      ...asFailure(thrown)
        .message.split('\n')
        .map((line) => read.complain(['inventory'], line)),
    );
    return { targets: new Map(), problems: [] };
  });
  const { targets: all, faults, left } = resolveTargets(data.targets, inventory.targets, nameOf);
  const told = ({ key, option, message }: TargetFault): string =>
    `inventory: ${JSON.stringify(key)}${option === undefined ? '' : ` ${option}:`} ${message}`;
  const known = new Map([...all].map(([key, one]) => [key, { groups: one.type === 'ssh' ? one.groups : [] }]));
  const { shard } = data;
  const isOurs = (key: string): boolean => key === 'local' || shard === undefined || keepsTarget(key, shard);
  return {
    targets: new Map([...all].filter(([key]) => isOurs(key))),
    complaints: [
      ...broken,
      ...faults.map(({ key, option, message }) =>
        read.complain(option === undefined ? ['targets', key] : ['targets', key, option], message),
      ),
    ],
    problems: [...inventory.problems.map(({ where, message }) => `${where}: ${message}`), ...left.map(told)],
    select(patterns) {
      const { names, unknown, empty } = selectTargets(patterns, known);
      return { names: names.filter(isOurs), faults: unknown, empty };
    },
  };
}
