/** Bonds: from /proc/net/bonding and, where that cannot be read, from sysfs. */
import type { Host } from '../../src/collector.ts';
import { asFailure, Failure } from '../../src/errors.ts';
import { quoted, words } from '../../src/text.ts';
import type { LinkOptions } from './options.ts';
import { type Attributes, type Bond, bondOfSysfs, parseBonding } from './parse-bonding.ts';

export interface Bonds {
  readonly bonds: readonly Bond[];
  readonly problems: readonly Failure[];
}

/** Names in /proc/net/bonding; none where the kernel has no bonding. */
export async function listBonds(host: Host, { proc }: LinkOptions): Promise<Set<string>> {
  try {
    return new Set(await host.list(`${proc}/bonding`));
  } catch (thrown) {
    const failure = asFailure(thrown);
    if (failure.code === 'E_TIMEOUT' || failure.code === 'E_ABORTED') throw failure;
    // sysfs tells of them then.
    return new Set();
  }
}

/** The texts are those of `${proc}/bonding/NAME`. One that does not exist any more is left out. */
export function bondsOf(proc: string, names: readonly string[], texts: readonly (string | Failure)[]): Bonds {
  const bonds: Bond[] = [];
  const problems: Failure[] = [];
  for (const [index, name] of names.entries()) {
    const text = texts[index];
    const labels = { interface: name };
    if (typeof text === 'string') {
      const bond = parseBonding(name, text);
      const path = `${proc}/bonding/${name}`;
      if (bond !== undefined) bonds.push(bond);
      else
        problems.push(
          new Failure('E_PARSE', `${quoted(path)} is not what the bonding driver prints, or is cut off`, {
            path,
            labels,
          }),
        );
    } else if (text !== undefined && text.code !== 'E_NOT_FOUND')
      problems.push(new Failure(text.code, text.message, { ...text.evidence, labels, cause: text }));
  }
  return { bonds, problems };
}

const OF_BOND = ['mode', 'mii_status', 'active_slave', 'slaves', 'ad_aggregator', 'ad_num_ports', 'ad_partner_mac'];
/** Since kernel 3.14; the last two since 4.11. */
const OF_SLAVE = [
  ...['mii_status', 'link_failure_count', 'ad_aggregator_id', 'ad_actor_oper_port_state'],
  'ad_partner_oper_port_state',
];

/** Two batches: the bonds, then their slaves. */
export async function bondsInSysfs(host: Host, { sys }: LinkOptions, names: readonly string[]): Promise<Bond[]> {
  const bonds = await attributesIn(host, names, OF_BOND, (name) => `${sys}/${name}/bonding`);
  const slavesOf = (name: string): string[] => words((bonds.get(name)?.slaves ?? '').trim());
  const slaves = [...new Set(names.flatMap(slavesOf))];
  const own = await attributesIn(host, slaves, OF_SLAVE, (name) => `${sys}/${name}/bonding_slave`);
  return [...bonds]
    .filter(([, { mode }]) => mode !== undefined)
    .map(([name, attributes]) =>
      bondOfSysfs(name, attributes, new Map(slavesOf(name).map((slave) => [slave, own.get(slave) ?? {}]))),
    );
}

async function attributesIn(
  host: Host,
  names: readonly string[],
  attributes: readonly string[],
  folderOf: (name: string) => string,
): Promise<Map<string, Attributes>> {
  const paths = names.flatMap((name) => attributes.map((attribute) => `${folderOf(name)}/${attribute}`));
  const texts = paths.length === 0 ? [] : await host.readFiles(paths);
  const found = names.map((name, index): [string, Attributes] => {
    const own = attributes.map((attribute, offset) => {
      const text = texts[index * attributes.length + offset];
      return [attribute, typeof text === 'string' ? text : undefined];
    });
    return [name, Object.fromEntries(own)];
  });
  return new Map(found);
}
