/** The rows of the database → samples. Pure. A column without a value, or of an older schema, is not sent. */
import type { Labels, Metric, Sample } from '../../src/metric.ts';
import { mapIn, numberIn, one, type Row, type Tables, textIn, textsIn, type Value } from '../../src/ovs/database.ts';
import { integer } from '../../src/text.ts';
import type { Interface, Layout } from './layout.ts';
import { bridgeMetrics, controllerMetrics, daemonMetrics, managerMetrics } from './metrics.ts';
import { linkMetrics } from './metrics-links.ts';

/** One sample, or none of what is unknown. A truth is 1 or 0. */
export function known<Label extends string>(
  metric: Metric<Label>,
  value: number | bigint | boolean | undefined,
  labels: Labels<NoInfer<Label>>,
): Sample[] {
  if (value === undefined) return [];
  return [{ metric, labels, value: typeof value === 'boolean' ? Number(value) : value }];
}

/** A total of the database, exact; one that cannot be (below 0) is none. */
export function totalIn(value: Value | undefined): number | bigint | undefined {
  const atom = typeof value === 'string' ? integer(value) : one(value);
  return (typeof atom === 'number' || typeof atom === 'bigint') && atom >= 0 ? atom : undefined;
}

/** `up` and `down`. */
function upIn(value: Value | undefined): boolean | undefined {
  const text = textIn(value);
  return text === 'up' ? true : text === 'down' ? false : undefined;
}

function truthIn(value: Value | undefined): boolean | undefined {
  const atom = one(value);
  return typeof atom === 'boolean' ? atom : atom === 'true' ? true : atom === 'false' ? false : undefined;
}

const TUNNELS = new Set([
  ...['geneve', 'gre', 'gre64', 'ip6gre', 'ipsec_gre', 'vxlan', 'lisp', 'stt', 'gtpu', 'erspan', 'ip6erspan'],
  ...['bareudp', 'srv6'],
]);
const BFD_STATES = ['admin_down', 'down', 'init', 'up'];
const ROLES = ['other', 'master', 'slave'];

/** 1 for the one of a closed list that it is, 0 for the others; nothing where it is none of them. */
function states<Label extends string>(
  metric: Metric<Label>,
  state: string | undefined,
  all: readonly string[],
  labels: (state: string) => Labels<NoInfer<Label>>,
): Sample[] {
  if (state === undefined || !all.includes(state)) return [];
  return all.flatMap((one) => known(metric, one === state, labels(one)));
}

/** What stands in an interface's row beside its statistics. */
export function interfaceSamples({ row, labels }: Interface): Sample[] {
  const status = mapIn(row.status);
  const bfd = mapIn(row.bfd_status);
  const health = numberIn(row.cfm_health);
  const own = { ...labels, state: undefined };
  const isTunnel = TUNNELS.has(textIn(row.type) ?? '');
  const bfdState = (metric: typeof linkMetrics.bfdState, key: string): Sample[] =>
    states(metric, textIn(bfd.get(key)), BFD_STATES, (state) => ({ ...labels, state }));
  return [
    ...known(linkMetrics.linkUp, upIn(row.link_state), labels),
    ...known(linkMetrics.adminUp, upIn(row.admin_state), labels),
    ...known(linkMetrics.error, row.error === undefined ? undefined : textIn(row.error) !== undefined, labels),
    ...known(linkMetrics.linkResets, totalIn(row.link_resets), own),
    ...known(linkMetrics.mtu, totalIn(row.mtu), labels),
    ...known(linkMetrics.speed, totalIn(row.link_speed), labels),
    ...known(linkMetrics.cfmFault, truthIn(row.cfm_fault), labels),
    ...known(linkMetrics.cfmFlaps, totalIn(row.cfm_flap_count), own),
    // -1 stands for unknown, as with "no frame yet".
    ...known(linkMetrics.cfmHealth, health === undefined || health < 0 ? undefined : health / 100, labels),
    ...known(linkMetrics.cfmRemoteUp, upIn(row.cfm_remote_opstate), labels),
    ...known(linkMetrics.bfdForwarding, truthIn(bfd.get('forwarding')), labels),
    ...known(linkMetrics.bfdFlaps, totalIn(bfd.get('flap_count')), own),
    ...bfdState(linkMetrics.bfdState, 'state'),
    ...bfdState(linkMetrics.bfdRemoteState, 'remote_state'),
    ...(isTunnel ? known(linkMetrics.tunnelCarrier, upIn(status.get('tunnel_egress_iface_carrier')), labels) : []),
  ];
}

/** How many tunnels of each type there are, of those types that there are. */
export function tunnelSamples({ interfaces }: Layout): Sample[] {
  const counts = new Map<string, number>();
  for (const { row } of interfaces.values()) {
    const type = textIn(row.type) ?? '';
    if (TUNNELS.has(type)) counts.set(type, (counts.get(type) ?? 0) + 1);
  }
  return [...counts].flatMap(([type, count]) => known(linkMetrics.tunnels, count, { type }));
}

export function bridgeSamples({ bridges }: Layout): Sample[] {
  return bridges.flatMap(({ name, row }) => {
    const isSecure = row.fail_mode === undefined ? undefined : textIn(row.fail_mode) === 'secure';
    return known(bridgeMetrics.failSecure, isSecure, { bridge: name });
  });
}

const ERRORS: readonly (readonly [RegExp, string])[] = [
  [/refused/i, 'refused'],
  [/timed out|timeout/i, 'timed_out'],
  [/unreachable|no route/i, 'unreachable'],
  [/reset|broken pipe|aborted/i, 'reset'],
  [/end of file/i, 'closed'],
  [/denied|not permitted/i, 'denied'],
  [/protocol|version|certificate|ssl|tls/i, 'protocol'],
];

/** What the C library and Open vSwitch call it → one of a closed list. */
export function errorKind(text: string): string {
  return ERRORS.find(([pattern]) => pattern.test(text))?.[1] ?? 'other';
}

export function controllerSamples({ bridges }: Layout, tables: Tables): Sample[] {
  return bridges.flatMap(({ name, row }) =>
    textsIn(row.controller).flatMap((uuid) => {
      const about = tables.get('Controller')?.get(uuid);
      const target = textIn(about?.target);
      if (about === undefined || target === undefined) return [];
      const labels = { bridge: name, controller: target };
      return [
        ...connectionSamples(controllerMetrics, about, labels),
        ...errorSample(controllerMetrics.lastError, about, (error) => ({ ...labels, error })),
        ...states(controllerMetrics.role, textIn(about.role), ROLES, (role) => ({ ...labels, role })),
      ];
    }),
  );
}

export function managerSamples(tables: Tables): Sample[] {
  const referenced = [...(tables.get('Open_vSwitch')?.values() ?? [])].flatMap((row) => textsIn(row.manager_options));
  return [...new Set(referenced)].flatMap((uuid) => {
    const about = tables.get('Manager')?.get(uuid);
    const manager = textIn(about?.target);
    if (about === undefined || manager === undefined) return [];
    return [
      ...connectionSamples(managerMetrics, about, { manager }),
      ...errorSample(managerMetrics.lastError, about, (error) => ({ manager, error })),
      ...known(managerMetrics.connections, totalIn(mapIn(about.status).get('n_connections')), { manager }),
    ];
  });
}

interface ConnectionMetrics<Label extends string> {
  readonly connected: Metric<Label>;
  readonly sinceConnect: Metric<Label>;
  readonly sinceDisconnect: Metric<Label>;
}

function connectionSamples<Label extends string>(
  metrics: ConnectionMetrics<Label>,
  row: Row,
  labels: Labels<NoInfer<Label>>,
): Sample[] {
  const status = mapIn(row.status);
  return [
    ...known(metrics.connected, truthIn(row.is_connected), labels),
    ...known(metrics.sinceConnect, totalIn(status.get('sec_since_connect')), labels),
    ...known(metrics.sinceDisconnect, totalIn(status.get('sec_since_disconnect')), labels),
  ];
}

function errorSample<Label extends string>(
  metric: Metric<Label>,
  row: Row,
  labels: (error: string) => Labels<NoInfer<Label>>,
): Sample[] {
  const text = textIn(mapIn(row.status).get('last_error'));
  return text === undefined ? [] : known(metric, true, labels(errorKind(text)));
}

/** vswitchd writes statistics every 5 s, and never more often (ovs-vswitchd.conf.db(5)). */
const USUAL_INTERVAL = 5;

/** In seconds. */
export function statisticsInterval(tables: Tables): number {
  const [row] = tables.get('Open_vSwitch')?.values() ?? [];
  const set = totalIn(mapIn(row?.other_config).get('stats-update-interval'));
  return set === undefined ? USUAL_INTERVAL : Math.max(USUAL_INTERVAL, Number(set) / 1000);
}

export function schemaSamples(tables: Tables): Sample[] {
  const [row] = tables.get('Open_vSwitch')?.values() ?? [];
  const version = textIn(row?.db_version);
  return version === undefined ? [] : known(daemonMetrics.schema, true, { version });
}
