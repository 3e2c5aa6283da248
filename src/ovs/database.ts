/**
 * The rows of Open vSwitch's database (ovs-vswitchd.conf.db(5)) that edgestatd looks at, with the names that the
 * columns have there. Pure: JSON of RFC 7047, section 5.1, → rows.
 */

/** What a column holds: an atom, a set (an absent optional value is an empty one) or a map. UUIDs are text. */
export type Atom = string | number | bigint | boolean;
export type Value = Atom | readonly Atom[] | ReadonlyMap<string, Atom>;
export type Row = Readonly<Record<string, Value>>;

/** Table → row's UUID → row. */
export type Tables = ReadonlyMap<string, ReadonlyMap<string, Row>>;

/** The columns that the live replica follows. `Interface.statistics` is not one: it is asked for when it is wanted. */
export const watchedColumns = {
  Open_vSwitch: [
    ...['bridges', 'manager_options', 'ovs_version', 'db_version', 'other_config', 'external_ids', 'system_type'],
    ...['system_version', 'datapath_types', 'dpdk_initialized'],
  ],
  Bridge: [
    ...['name', 'ports', 'controller', 'fail_mode', 'protocols', 'datapath_type', 'datapath_id', 'external_ids'],
    ...['other_config', 'status', 'rstp_enable', 'stp_enable'],
  ],
  Port: [
    ...['name', 'interfaces', 'qos', 'tag', 'trunks', 'bond_mode', 'bond_active_slave', 'lacp', 'external_ids'],
    ...['other_config', 'status', 'rstp_status'],
  ],
  Interface: [
    ...['name', 'type', 'ofport', 'admin_state', 'link_state', 'link_resets', 'link_speed', 'duplex', 'mtu', 'error'],
    ...['external_ids', 'options', 'status', 'mac_in_use', 'ingress_policing_rate', 'ingress_policing_burst'],
    ...['lacp_current', 'cfm_fault', 'cfm_flap_count', 'cfm_health', 'cfm_remote_opstate', 'bfd_status', 'ifindex'],
  ],
  QoS: ['type', 'queues', 'other_config', 'external_ids'],
  Queue: ['other_config', 'external_ids', 'dscp'],
  Controller: ['target', 'is_connected', 'role', 'status', 'connection_mode', 'type'],
  Manager: ['target', 'is_connected', 'status', 'connection_mode'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type TableName = keyof typeof watchedColumns;

/** One column's value from its JSON (RFC 7047, 5.1), or undefined where it is none. */
export function columnValue(json: unknown): Value | undefined {
  const atom = atomOf(json);
  if (atom !== undefined) return atom;
  if (!Array.isArray(json) || json.length !== 2 || !Array.isArray(json[1])) return undefined;
  const [kind, parts] = json as [unknown, unknown[]];
  if (kind === 'set') {
    if (parts.length === 0) return noAtoms;
    const atoms = parts.map(atomOf);
    return atoms.includes(undefined) ? undefined : (atoms as Atom[]);
  }
  if (kind !== 'map') return undefined;
  // Most columns of most rows are empty: they share one.
  if (parts.length === 0) return none;
  const map = new Map<string, Atom>();
  for (const part of parts) {
    const [key, value] = Array.isArray(part) ? part.map(atomOf) : [];
    if (key === undefined || value === undefined) return undefined;
    map.set(String(key), value);
  }
  return map;
}

function atomOf(json: unknown): Atom | undefined {
  switch (typeof json) {
    case 'string':
    case 'number':
    case 'bigint':
    case 'boolean':
      return json;
    default: {
      if (!Array.isArray(json) || json.length !== 2) return undefined;
      const [kind, text] = json as unknown[];
      return (kind === 'uuid' || kind === 'named-uuid') && typeof text === 'string' ? text : undefined;
    }
  }
}

/** The only atom of an atom or a set with one; undefined of an empty set, a larger one or a map. */
export function one(value: Value | undefined): Atom | undefined {
  if (Array.isArray(value)) return value.length === 1 ? (value[0] as Atom) : undefined;
  return value instanceof Map ? undefined : (value as Atom | undefined);
}

export function textIn(value: Value | undefined): string | undefined {
  const atom = one(value);
  return typeof atom === 'string' ? atom : undefined;
}

export function numberIn(value: Value | undefined): number | undefined {
  const atom = one(value);
  if (typeof atom === 'bigint') return Number(atom);
  return typeof atom === 'number' ? atom : undefined;
}

/** The atoms of a set; an atom is a set with one (the wire does not tell them apart). */
export function allIn(value: Value | undefined): readonly Atom[] {
  if (value === undefined || value instanceof Map) return [];
  return Array.isArray(value) ? value : [value as Atom];
}

export function textsIn(value: Value | undefined): string[] {
  return allIn(value).filter((atom) => typeof atom === 'string');
}

export function mapIn(value: Value | undefined): ReadonlyMap<string, Atom> {
  return value instanceof Map ? value : none;
}

const none: ReadonlyMap<string, Atom> = new Map();
const noAtoms: readonly Atom[] = Object.freeze([]);
