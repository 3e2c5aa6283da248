/** /proc/net/bonding/NAME → what a bond and its slaves are. Pure. The form is that of drivers/net/bonding/bond_procfs.c. */
import { lines } from '../../src/text.ts';
import { flagsOf, naturalOf } from './parse.ts';

export interface Slave {
  readonly name: string;
  /** up, going down, down, going back */
  readonly mii: string | undefined;
  readonly failures: number | undefined;
  /** null: it is in none. */
  readonly aggregator: number | null | undefined;
  readonly churn: string | undefined;
  readonly partnerChurn: string | undefined;
  /** This end's LACP state, and the partner's: the bits of one octet (IEEE 802.1AX, 6.4.2.3). */
  readonly state: number | undefined;
  readonly partnerState: number | undefined;
  readonly partner: string | undefined;
}

export interface Bond {
  readonly name: string;
  /** 0 to 6 */
  readonly mode: number | undefined;
  readonly mii: string | undefined;
  /** null: there is none. undefined: not told. */
  readonly active: string | null | undefined;
  readonly aggregator: number | undefined;
  readonly ports: number | undefined;
  readonly partner: string | undefined;
  readonly slaves: readonly Slave[];
}

/** In the order of their numbers (bonding.rst). */
const MODES = [
  'load balancing (round-robin)',
  'fault-tolerance (active-backup)',
  'load balancing (xor)',
  'fault-tolerance (broadcast)',
  'IEEE 802.3ad Dynamic link aggregation',
  'transmit load balancing',
  'adaptive load balancing',
];
export const LACP_MODE = 4;
/** active-backup, and the two that balance by addresses: one slave receives for all. */
export const MODES_WITH_ACTIVE: readonly number[] = [1, 5, 6];

type Writable<Record> = { -readonly [Key in keyof Record]: Record[Key] };

const newSlave = (name: string): Writable<Slave> => ({
  ...{ name, mii: undefined, failures: undefined, aggregator: undefined, churn: undefined, partnerChurn: undefined },
  ...{ state: undefined, partnerState: undefined, partner: undefined },
});

/** Undefined: this is no such text, or one that was cut off: what is missing may be a slave. */
export function parseBonding(name: string, text: string): Bond | undefined {
  const bond = {
    ...{ name, mode: undefined, mii: undefined, active: undefined, aggregator: undefined, ports: undefined },
    ...{ partner: undefined, slaves: [] as Writable<Slave>[] },
  } as Writable<Omit<Bond, 'slaves'>> & { slaves: Writable<Slave>[] };
  /** In which of the blocks of LACP's details of a slave a line stands. */
  let end: 'actor' | 'partner' | undefined;
  for (const line of lines(text)) {
    const [, key = '', value = ''] = /^\s*([^:]+): ?(.*?)\s*$/.exec(line) ?? [];
    const slave = bond.slaves.at(-1);
    if (key === 'Slave Interface') {
      bond.slaves.push(newSlave(value));
      end = undefined;
    } else if (key === 'details actor lacp pdu') end = 'actor';
    else if (key === 'details partner lacp pdu') end = 'partner';
    else if (slave === undefined && key === '' && line.endsWith(' has no active aggregator')) bond.ports = 0;
    else if (slave === undefined) readBond(bond, key, value);
    else readSlave(slave, key, value, end);
  }
  const isWhole = text.endsWith('\n') && (bond.mode !== undefined || bond.slaves.length > 0);
  return isWhole ? bond : undefined;
}

function readBond(bond: Writable<Omit<Bond, 'slaves'>>, key: string, value: string): void {
  if (key === 'Bonding Mode') bond.mode = modeOf(value);
  else if (key === 'MII Status') bond.mii = value;
  else if (key === 'Currently Active Slave') bond.active = value === 'None' ? null : value;
  else if (key === 'Aggregator ID') bond.aggregator = naturalOf(value);
  else if (key === 'Number of ports') bond.ports = naturalOf(value);
  else if (key === 'Partner Mac Address') bond.partner = value;
}

function readSlave(slave: Writable<Slave>, key: string, value: string, end: 'actor' | 'partner' | undefined): void {
  if (end === 'actor' && key === 'port state') slave.state = naturalOf(value);
  else if (end === 'partner' && key === 'port state') slave.partnerState = naturalOf(value);
  else if (end === 'partner' && key === 'system mac address') slave.partner = value;
  else if (end !== undefined) return;
  else if (key === 'MII Status') slave.mii = value;
  else if (key === 'Link Failure Count') slave.failures = naturalOf(value);
  else if (key === 'Aggregator ID') slave.aggregator = aggregatorOf(value);
  else if (key === 'Actor Churn State') slave.churn = value;
  else if (key === 'Partner Churn State') slave.partnerChurn = value;
}

/** `N/A`: in none. */
const aggregatorOf = (text: string): number | null | undefined => (text.trim() === 'N/A' ? null : naturalOf(text));

/** `fault-tolerance (active-backup) (fail_over_mac active)`; in sysfs `active-backup 1`. */
function modeOf(value: string): number | undefined {
  const mode = MODES.findIndex((one) => value === one || value.startsWith(`${one} (`));
  return mode < 0 ? undefined : mode;
}

/** What /sys/class/net/NAME/bonding says, by attribute. It lacks what a slave's partner is called. */
export function bondOfSysfs(name: string, attributes: Attributes, slaves: ReadonlyMap<string, Attributes>): Bond {
  const { mode = '', active_slave: active, mii_status: mii, ...lacp } = attributes;
  const number = naturalOf(mode.trim().split(' ').at(-1) ?? '');
  return {
    ...{ name, mode: number, mii: mii?.trim(), active: active === undefined ? undefined : active.trim() || null },
    aggregator: natural(lacp.ad_aggregator),
    ports: natural(lacp.ad_num_ports),
    partner: lacp.ad_partner_mac?.trim() || undefined,
    slaves: [...slaves].map(([slave, own]) => ({
      ...newSlave(slave),
      mii: own.mii_status?.trim(),
      failures: natural(own.link_failure_count),
      aggregator: own.ad_aggregator_id === undefined ? undefined : aggregatorOf(own.ad_aggregator_id),
      state: octet(own.ad_actor_oper_port_state),
      partnerState: octet(own.ad_partner_oper_port_state),
    })),
  };
}

export type Attributes = Readonly<Record<string, string | undefined>>;

const natural = (text: string | undefined): number | undefined => (text === undefined ? undefined : naturalOf(text));
const octet = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : (naturalOf(text) ?? flagsOf(text));
