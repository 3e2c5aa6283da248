/**
 * The keys of `Interface.statistics` (ovs-vswitchd.conf.db(5); with DPDK those of its port types too). A line is the
 * key and its help. A key that is not among them becomes a counter by its own name.
 */
import { counter, type Metric } from '../../src/metric.ts';

const KEYS = `
rx_packets Packets received.
rx_bytes Bytes received.
rx_dropped Packets received and dropped before Open vSwitch saw them.
rx_errors Packets received with an error.
rx_frame_err Packets received with a bad alignment.
rx_over_err Packets received that overran the device.
rx_crc_err Packets received with a bad checksum.
rx_missed_errors Packets that the device missed.
rx_multicast_packets Multicast packets received.
rx_broadcast_packets Broadcast packets received.
tx_packets Packets sent.
tx_bytes Bytes sent.
tx_dropped Packets that were to be sent, and were dropped.
tx_errors Packets that could not be sent.
tx_multicast_packets Multicast packets sent.
tx_broadcast_packets Broadcast packets sent.
collisions Collisions while sending.
upcall_packets Packets that the kernel's datapath asked vswitchd about (kernel 6.3).
upcall_errors Packets that it could not ask about (kernel 6.3).
rx_undersized_errors Packets received that were too short.
rx_oversize_errors Packets received that were too long.
rx_fragmented_errors Fragments received that were too short.
rx_jabber_errors Packets received that were too long and broken.
rx_1_to_64_packets Packets received of up to 64 bytes.
rx_65_to_127_packets Packets received of 65 to 127 bytes.
rx_128_to_255_packets Packets received of 128 to 255 bytes.
rx_256_to_511_packets Packets received of 256 to 511 bytes.
rx_512_to_1023_packets Packets received of 512 to 1023 bytes.
rx_1024_to_1522_packets Packets received of 1024 to 1522 bytes.
rx_1523_to_max_packets Packets received of more than 1522 bytes.
tx_1_to_64_packets Packets sent of up to 64 bytes.
tx_65_to_127_packets Packets sent of 65 to 127 bytes.
tx_128_to_255_packets Packets sent of 128 to 255 bytes.
tx_256_to_511_packets Packets sent of 256 to 511 bytes.
tx_512_to_1023_packets Packets sent of 512 to 1023 bytes.
tx_1024_to_1522_packets Packets sent of 1024 to 1522 bytes.
tx_1523_to_max_packets Packets sent of more than 1522 bytes.
rx_error_bytes DPDK: bytes of packets received with an error.
rx_good_packets DPDK: packets received without an error.
rx_good_bytes DPDK: bytes received without an error.
tx_good_packets DPDK: packets sent without an error.
tx_good_bytes DPDK: bytes sent without an error.
rx_mbuf_allocation_errors DPDK: packets lost because there was no buffer for them.
rx_l3_l4_xsum_error DPDK: packets received with a bad checksum of layer 3 or 4.
rx_management_packets DPDK: management packets received.
tx_management_packets DPDK: management packets sent.
rx_management_dropped DPDK: management packets dropped.
rx_qos_drops DPDK: packets dropped by the ingress policer (until 2.12).
tx_qos_drops DPDK: packets dropped by the egress policer (until 2.12).
ovs_rx_qos_drops DPDK: packets dropped by the ingress policer.
ovs_tx_qos_drops DPDK: packets dropped by the egress policer.
ovs_tx_failure_drops DPDK: packets dropped because the queue to the device or the guest was full.
ovs_tx_mtu_exceeded_drops DPDK: packets dropped because they were longer than the MTU.
ovs_tx_invalid_hwol_drops DPDK: packets dropped because of an invalid offload request.
ovs_tx_retries DPDK: times that sending to a guest was tried again.
ovs_rx_bursts DPDK: bursts received.
ovs_tx_bursts DPDK: bursts sent.`;

const labels = ['bridge', 'port', 'interface'] as const;
export type InterfaceMetric = Metric<(typeof labels)[number]>;

const known = new Map<string, InterfaceMetric>();
for (const line of KEYS.trim().split('\n')) {
  const blank = line.indexOf(' ');
  known.set(line.slice(0, blank), make(line.slice(0, blank), line.slice(0, blank), line.slice(blank + 1)));
}

export const statisticMetrics: readonly InterfaceMetric[] = [...known.values()];

function make(key: string, name: string, help: string): InterfaceMetric {
  const unit = /bytes$/.test(key) ? 'bytes' : /packets$|drop/.test(key) ? 'packets' : 'events';
  return counter(name, { unit, labels, help, source: `OVSDB: Interface.statistics:${key.replace(/[^!-~]/g, '_')}` });
}

/** What a hostile or broken driver makes up is not remembered without end. */
const MAX_LEARNT = 1000;
const learnt = new Map<string, InterfaceMetric>();

/** The metric of a key, which `taken` keeps from the name of another one; undefined: there were too many. */
export function statisticMetric(key: string, taken: (name: string) => boolean): InterfaceMetric | undefined {
  const before = known.get(key) ?? learnt.get(key);
  if (before !== undefined || learnt.size >= MAX_LEARNT) return before;
  const name = nameOf(key);
  const isSound = /^[a-z]/.test(name) && !taken(name);
  const metric = make(key, isSound ? name : `statistic_${name}`.slice(0, 63), 'A statistic newer than this catalogue.');
  learnt.set(key, metric);
  return metric;
}

/** Metric names are `[a-z][a-z0-9_]*`, at most 63 characters, and no `…_total`. */
function nameOf(key: string): string {
  const clean = key
    .toLowerCase()
    .replace(/[^a-z0-9_]/g, '_')
    .slice(0, 50);
  return clean.replace(/_total$/, '_sum');
}
