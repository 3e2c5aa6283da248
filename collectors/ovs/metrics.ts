/** The catalogue: bridges, flows, controllers, the datapath and the daemons. Interfaces are in metrics-links.ts. */
import { counter, duration, gauge, type Metric, ratio } from '../../src/metric.ts';
import { linkMetrics, portMetrics } from './metrics-links.ts';
import { statisticMetrics } from './statistics.ts';

const bridge = ['bridge'] as const;
const controller = ['bridge', 'controller'] as const;
const manager = ['manager'] as const;
const datapath = ['datapath'] as const;
const daemon = ['daemon'] as const;
const table = ['bridge', 'table'] as const;
const match = ['bridge', 'match'] as const;

export const bridgeMetrics = {
  flows: gauge('flows', {
    ...{ unit: 'flows', labels: bridge, source: 'ovs-ofctl dump-tables: active' },
    help: 'Flows in all tables of the bridge.',
  }),
  packets: counter('packets', {
    ...{ unit: 'packets', labels: bridge, source: 'ovs-ofctl dump-aggregate BRIDGE table=0: packet_count' },
    help: 'Packets that flows of table 0 matched: each packet once. Begins again when a flow that counted is removed.',
  }),
  bytes: counter('bytes', {
    ...{ unit: 'bytes', labels: bridge, source: 'ovs-ofctl dump-aggregate BRIDGE table=0: byte_count' },
    help: 'Bytes of those packets.',
  }),
  sumsSkipped: gauge('sums_skipped', {
    ...{ unit: 'boolean', labels: bridge, source: 'ovs-ofctl dump-tables: active, and the option aggregateLimit' },
    help: '1: `packets` and `bytes` are not read, as table 0 has more flows than `aggregateLimit`.',
  }),
  failSecure: gauge('fail_secure', {
    ...{ unit: 'boolean', labels: bridge, source: 'OVSDB: Bridge.fail_mode' },
    help: '1: without its controller the bridge changes no flow (secure); 0: it then learns by itself (standalone).',
  }),
  tableFlows: gauge('table_flows', {
    ...{ unit: 'flows', labels: table, source: 'ovs-ofctl dump-tables: active' },
    help: 'Flows in a table. With `tables`, for tables that have flows or were looked up.',
  }),
  tableLookups: counter('table_lookups', {
    ...{ unit: 'packets', labels: table, source: 'ovs-ofctl dump-tables: lookup' },
    help: 'Packets looked up in a table. With `tables`.',
  }),
  tableMatched: counter('table_matched', {
    ...{ unit: 'packets', labels: table, source: 'ovs-ofctl dump-tables: matched' },
    help: 'Packets that a flow of a table matched. With `tables`.',
  }),
  matchedFlows: gauge('matched_flows', {
    ...{ unit: 'flows', labels: match, source: 'ovs-ofctl dump-aggregate BRIDGE MATCH: flow_count' },
    help: 'Flows of a group of `flows`.',
  }),
  matchedPackets: counter('matched_packets', {
    ...{ unit: 'packets', labels: match, source: 'ovs-ofctl dump-aggregate BRIDGE MATCH: packet_count' },
    help: 'Packets that they matched; a packet that is resubmitted counts once for each flow.',
  }),
  matchedBytes: counter('matched_bytes', {
    ...{ unit: 'bytes', labels: match, source: 'ovs-ofctl dump-aggregate BRIDGE MATCH: byte_count' },
    help: 'Bytes of those packets.',
  }),
};

/** What Controller and Manager rows tell alike. */
function connection<const Name extends string>(prefix: string, labels: readonly Name[], row: string, peer: string) {
  const about = { labels, unit: 'seconds' };
  return {
    connected: gauge(`${prefix}_connected`, {
      ...{ unit: 'boolean', labels, source: `OVSDB: ${row}.is_connected` },
      help: `1: ${peer} is connected.`,
    }),
    sinceConnect: gauge(`${prefix}_since_connect_seconds`, {
      ...{ ...about, source: `OVSDB: ${row}.status:sec_since_connect` },
      help: `Time since ${peer} connected last.`,
    }),
    sinceDisconnect: gauge(`${prefix}_since_disconnect_seconds`, {
      ...{ ...about, source: `OVSDB: ${row}.status:sec_since_disconnect` },
      help: `Time since ${peer} was lost last.`,
    }),
    lastError: gauge(`${prefix}_last_error`, {
      ...{ unit: 'boolean', labels: [...labels, 'error'] as const, source: `OVSDB: ${row}.status:last_error` },
      help: `1: this ended the last connection or attempt: refused, timed_out, unreachable, reset, closed, denied, protocol or other.`,
    }),
  };
}

export const controllerMetrics = {
  ...connection('controller', controller, 'Controller', 'the controller'),
  role: gauge('controller_role', {
    ...{ unit: 'boolean', labels: [...controller, 'role'] as const, source: 'OVSDB: Controller.role' },
    help: '1 for the role that the controller has: other, master or slave.',
  }),
};

export const managerMetrics = {
  ...connection('manager', manager, 'Manager', 'a manager (the client of the database)'),
  connections: gauge('manager_connections', {
    ...{ unit: 'connections', labels: manager, source: 'OVSDB: Manager.status:n_connections' },
    help: 'Clients that are connected, where Open vSwitch listens for them and there is more than one.',
  }),
};

const dpctl = 'ovs-appctl dpctl/show';
const upcall = 'ovs-appctl upcall/show';
const hit = counter('hit', {
  ...{ unit: 'packets', labels: datapath, source: `${dpctl}: lookups hit` },
  help: 'Packets that a flow of the datapath matched.',
});
const missed = counter('missed', {
  ...{ unit: 'packets', labels: datapath, source: `${dpctl}: lookups missed` },
  help: 'Packets without a flow in the datapath: vswitchd was asked.',
});

export const datapathMetrics = {
  hit,
  missed,
  lost: counter('lost', {
    ...{ unit: 'packets', labels: datapath, source: `${dpctl}: lookups lost` },
    help: 'Packets dropped because vswitchd could not be asked: it is too slow.',
  }),
  missRatio: ratio('miss_ratio', {
    ...{ numerator: missed, denominator: [hit, missed] },
    help: 'Packets that vswitchd was asked about, as a share of all.',
  }),
  flows: gauge('datapath_flows', {
    ...{ unit: 'flows', labels: datapath, source: `${dpctl}: flows` },
    help: 'Flows in the datapath: the cache of those of the bridges.',
  }),
  masks: gauge('masks', {
    ...{ unit: 'masks', labels: datapath, source: `${dpctl}: masks total` },
    help: 'Different masks of these flows (kernel): each is one more look-up.',
  }),
  maskHit: counter('mask_hit', {
    ...{ unit: 'lookups', labels: datapath, source: `${dpctl}: masks hit` },
    help: 'Masks tried for all packets (kernel).',
  }),
  cacheHit: counter('cache_hit', {
    ...{ unit: 'packets', labels: datapath, source: `${dpctl}: cache hit` },
    help: 'Packets whose mask was found in the cache of masks (kernel).',
  }),
  upcallFlows: gauge('upcall_flows', {
    ...{ unit: 'flows', labels: datapath, source: `${upcall}: flows current` },
    help: 'Flows in the datapath as vswitchd keeps them.',
  }),
  upcallFlowsAverage: gauge('upcall_flows_average', {
    ...{ unit: 'flows', labels: datapath, source: `${upcall}: flows avg` },
    help: 'Their moving average.',
  }),
  upcallFlowsMax: gauge('upcall_flows_max', {
    ...{ unit: 'flows', labels: datapath, source: `${upcall}: flows max` },
    help: 'The most that there were.',
  }),
  upcallFlowsLimit: gauge('upcall_flows_limit', {
    ...{ unit: 'flows', labels: datapath, source: `${upcall}: flows limit` },
    help: 'The most that vswitchd allows now: it lowers this when it is too slow to look after them.',
  }),
  upcallOffloaded: gauge('upcall_flows_offloaded', {
    ...{ unit: 'flows', labels: datapath, source: `${upcall}: offloaded flows` },
    help: 'Flows that the hardware carries out.',
  }),
  upcallDump: gauge('upcall_dump_seconds', {
    ...{ unit: 'seconds', labels: datapath, source: `${upcall}: dump duration` },
    help: 'How long vswitchd takes to look at all flows of the datapath.',
  }),
  coverage: counter('coverage_events', {
    ...{ unit: 'events', labels: ['event'], source: 'ovs-appctl coverage/show: total' },
    help: 'How often an event of vswitchd happened; `coverage` says which are sent.',
  }),
};

export const daemonMetrics = {
  running: gauge('running', {
    ...{ unit: 'boolean', labels: daemon, source: '<rundir>/<daemon>.pid and its process' },
    help: '1: the daemon (ovs-vswitchd, ovsdb-server) runs.',
  }),
  cpuSeconds: counter('cpu_seconds', {
    ...{ unit: 'seconds', labels: daemon, source: '/proc/<pid>/stat: utime + stime, proc(5)' },
    help: 'Processor time of all its threads. It goes on when the daemon is started again.',
  }),
  residentBytes: gauge('resident_bytes', {
    ...{ unit: 'bytes', labels: daemon, source: '/proc/<pid>/status: VmRSS, proc(5)' },
    help: 'Its memory.',
  }),
  threads: gauge('threads', {
    ...{ unit: 'threads', labels: daemon, source: '/proc/<pid>/stat: num_threads, proc(5)' },
    help: 'Its threads.',
  }),
  uptimeSeconds: gauge('uptime_seconds', {
    ...{ unit: 'seconds', labels: daemon, source: '/proc/uptime and /proc/<pid>/stat: starttime, proc(5)' },
    help: 'How long it has run.',
  }),
  restarts: counter('restarts', {
    ...{ unit: 'events', labels: daemon, source: 'another process behind the pid file' },
    help: 'How often it was started again since edgestatd watches it.',
  }),
  memory: gauge('memory_objects', {
    ...{ unit: 'objects', labels: [...daemon, 'facility'] as const, source: 'ovs-appctl memory/show' },
    help: 'How many of these objects the daemon keeps: rules, ports, udpif keys, cells and so on.',
  }),
  version: gauge('version_info', {
    ...{ unit: 'boolean', labels: [...daemon, 'version'] as const, source: 'ovs-appctl version' },
    help: '1, with the version that runs.',
  }),
  schema: gauge('schema_info', {
    ...{ unit: 'boolean', labels: ['version'], source: 'OVSDB: Open_vSwitch.db_version' },
    help: '1, with the version of the database’s schema.',
  }),
  reply: duration('ovsdb_reply_seconds', {
    source: 'RFC 7047, 4.1.11: echo',
    help: 'How long the database’s server took to answer.',
  }),
  resyncs: counter('ovsdb_resyncs', {
    ...{ unit: 'events', source: 'the connection to the database' },
    help: 'How often the connection to the database was lost and made again.',
  }),
  statisticsInterval: gauge('statistics_interval_seconds', {
    ...{ unit: 'seconds', source: 'OVSDB: Open_vSwitch.other_config:stats-update-interval' },
    help: 'How often vswitchd writes the statistics of interfaces into the database.',
  }),
  oversampled: gauge('statistics_oversampled', {
    ...{ unit: 'boolean', source: 'the interval of the job' },
    help: '1: the job runs more often than that, so some readings of an interface show nothing new.',
  }),
};

export const metrics: Readonly<Record<string, Metric>> = Object.fromEntries(
  [
    ...statisticMetrics,
    ...[
      linkMetrics,
      portMetrics,
      bridgeMetrics,
      controllerMetrics,
      managerMetrics,
      datapathMetrics,
      daemonMetrics,
    ].flatMap((group): Metric[] => Object.values(group)),
  ].map((metric) => [metric.name, metric]),
);
