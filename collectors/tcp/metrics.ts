/** The catalogue: one metric for each column, and the ratios between them. */
import { counter, gauge, type Metric, ratio } from '../../src/metric.ts';
import { ipExtFields, ipFields, tcpExtFields, tcpFields, udpFields } from './fields.ts';
import { ip6Fields, mptcpFields } from './fields-asked.ts';
import type { Group } from './parse.ts';

type TcpMetric = Metric<'namespace'>;

const labels = ['namespace'] as const;

interface GroupInfo {
  readonly fields: string;
  readonly file: string;
  /** What the kernel puts in front of the columns' own names. */
  readonly strip: RegExp;
  readonly prefix: string;
  /** `default`: selected by globs; the others only as a whole, when their option is set. */
  readonly asked: 'default' | 'mptcp' | 'snmp6';
}

export const groups: Readonly<Record<Group, GroupInfo>> = {
  Tcp: { fields: tcpFields, file: 'snmp', strip: /^/, prefix: '', asked: 'default' },
  TcpExt: { fields: tcpExtFields, file: 'netstat', strip: /^(?:TCP|Tcp)(?=[A-Z])/, prefix: '', asked: 'default' },
  Ip: { fields: ipFields, file: 'snmp', strip: /^/, prefix: 'ip_', asked: 'default' },
  IpExt: { fields: ipExtFields, file: 'netstat', strip: /^/, prefix: 'ip_', asked: 'default' },
  Udp: { fields: udpFields, file: 'snmp', strip: /^/, prefix: 'udp_', asked: 'default' },
  MPTcpExt: { fields: mptcpFields, file: 'netstat', strip: /^MP(?:TCP)?(?=[A-Z])/, prefix: 'mptcp_', asked: 'mptcp' },
  Ip6: { fields: ip6Fields, file: 'snmp6', strip: /^/, prefix: 'ip6_', asked: 'snmp6' },
  Udp6: { fields: udpFields, file: 'snmp6', strip: /^/, prefix: 'udp6_', asked: 'snmp6' },
};

/** All others only grow. MaxConn is signed: -1 stands for "no limit". */
const GAUGES = new Set([
  'RtoAlgorithm',
  'RtoMin',
  'RtoMax',
  'MaxConn',
  'CurrEstab',
  'Forwarding',
  'DefaultTTL',
  'MPCurrEstab',
]);

const UNITS: readonly (readonly [RegExp, string])[] = [
  [/^(?:RtoMin|RtoMax|TCPMemoryPressuresChrono)$/, 'milliseconds'],
  [/^(?:RtoAlgorithm|Forwarding)$/, 'code'],
  [/^DefaultTTL$/, 'hops'],
  [/Octets$|^TCPDirectCopy/, 'octets'],
  [/Segs$|Retrans$|Cwnd$|^TCPOrigDataSent$|^TCPDelivered/, 'segments'],
  [/Pkts$|Packets$|^In(?:Receives|Delivers|Discards)$|^Out(?:Requests|Transmits|Discards|NoRoutes)$/, 'packets'],
  [/Datagrams$/, 'datagrams'],
  [/^CurrEstab$|^MPCurrEstab$|Opens$|^MaxConn$/, 'connections'],
];

/** Capitals that run into the next word: `SYNACKRX`, `HMac`. */
const RUN_TOGETHER = /SYN(?=ACK|[RT]X)|ACK(?=[RT]X)|HMac/g;

/**
 * `RetransSegs` → `retrans_segs`, `DSACKOldSent` → `dsack_old_sent`, `SpuriousRTOs` (a plural) → `spurious_rtos`,
 * `CapableSYNACKRX` → `capable_syn_ack_rx`.
 */
function snake(name: string): string {
  return name
    .replace(RUN_TOGETHER, (word) => word.slice(0, 1) + word.slice(1).toLowerCase())
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/([A-Z]+)([A-Z](?!s(?:_|$))[a-z])/g, '$1_$2')
    .toLowerCase();
}

const made = new Map<string, TcpMetric>();

/** The metric of a column. One that is newer than this catalogue is a counter, as all columns since 2.6 were. */
export function metricOf(group: Group, column: string): TcpMetric {
  const key = `${group}.${column}`;
  let metric = made.get(key);
  if (metric === undefined) {
    metric = make(group, column, 'A column newer than this catalogue.');
    // What a hostile or broken file makes up is not remembered without end.
    if (made.size < 2000) made.set(key, metric);
  }
  return metric;
}

function make(group: Group, column: string, help: string): TcpMetric {
  const { strip, prefix, file } = groups[group];
  const unit = UNITS.find(([pattern]) => pattern.test(column))?.[1] ?? 'events';
  // The kernel's words carry most units (segs, octets, pkts); a time without one would be read as seconds.
  const suffix = unit === 'milliseconds' ? '_milliseconds' : '';
  const name = prefix + snake(column.replace(strip, '')) + suffix;
  const shown = group === 'Ip6' || group === 'Udp6' ? `${group}${column}` : `${group}: ${column}`;
  const about = { unit, labels, help, source: `/proc/net/${file} ${shown}` };
  return GAUGES.has(column) ? gauge(name, about) : counter(name, about);
}

for (const [group, { fields }] of Object.entries(groups) as [Group, GroupInfo][]) {
  for (const line of fields.trim().split('\n')) {
    const blank = line.indexOf(' ');
    const column = line.slice(0, blank);
    made.set(`${group}.${column}`, make(group, column, line.slice(blank + 1)));
  }
}

/** Every column that the catalogue knows, by group. */
export function knownMetrics(group: Group): TcpMetric[] {
  return [...made].filter(([key]) => key.startsWith(`${group}.`)).map(([, metric]) => metric);
}

export const ratios = {
  retransmitRatio: ratio('retransmit_ratio', {
    numerator: metricOf('Tcp', 'RetransSegs'),
    denominator: [metricOf('Tcp', 'OutSegs')],
    help: 'Segments retransmitted, as a share of segments sent. Above 1 only when nearly nothing else is sent.',
  }),
  synRetransmitRatio: ratio('syn_retransmit_ratio', {
    numerator: metricOf('TcpExt', 'TCPSynRetrans'),
    denominator: [metricOf('Tcp', 'ActiveOpens'), metricOf('Tcp', 'PassiveOpens'), metricOf('TcpExt', 'TCPSynRetrans')],
    help: 'SYNs and SYN-ACKs that had to be sent again, as a share of all of them: peers that do not answer.',
  }),
  listenDropRatio: ratio('listen_drop_ratio', {
    numerator: metricOf('TcpExt', 'ListenDrops'),
    denominator: [metricOf('Tcp', 'PassiveOpens'), metricOf('TcpExt', 'ListenDrops')],
    help: 'Connections that listening sockets dropped, as a share of those that came.',
  }),
};

export const ratioMetrics: readonly TcpMetric[] = Object.values(ratios);

export const metrics: Readonly<Record<string, Metric>> = Object.fromEntries(
  [...made.values(), ...ratioMetrics].map((metric) => [metric.name, metric]),
);

/** What an operator watches, by metric name: the default of `include`. */
export const watched: readonly string[] = [
  ...['active_opens', 'passive_opens', 'attempt_fails', 'estab_resets', 'curr_estab', 'in_segs', 'out_segs'],
  ...['retrans_segs', 'in_errs', 'out_rsts', 'in_csum_errors', 'listen_overflows', 'listen_drops', 'req_q_full_*'],
  ...['syncookies_*', 'timeouts', 'syn_retrans', 'lost_retransmit', 'fast_retrans', 'slow_start_retrans'],
  ...['retrans_fail', 'spurious_rtos', 'abort_on_memory', 'abort_on_timeout', 'memory_pressures', 'backlog_drop'],
  ...['rcv_q_drop', 'zero_window_drop', 'ofo_queue', 'ofo_drop', 'time_wait_overflow', 'ip_reverse_path_filter'],
  ...['ip_in_octets', 'ip_out_octets', 'ip_in_discards', 'ip_out_no_routes', 'udp_in_datagrams', 'udp_out_datagrams'],
  ...['udp_no_ports', 'udp_rcvbuf_errors', 'udp_sndbuf_errors', '*_ratio'],
];
