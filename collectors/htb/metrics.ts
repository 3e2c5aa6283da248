/** The catalogue: of each class, of each HTB qdisc, of each device, and how far the kernel is from what is configured. */
import { counter, gauge, type Metric, ratio } from '../../src/metric.ts';

/** How a class differs from its queue: a closed list, since it is a segment of the series. */
export const driftReasons = [
  'none',
  'clipped_to_qos_max',
  'raised_to_mtu',
  'ceil_differs',
  'rate_differs',
  'truncated_to_32_bits',
  'missing_class',
  'missing_queue',
] as const;
export type DriftReason = (typeof driftReasons)[number];

const perClass = {
  labels: ['device', 'name'],
  tags: ['class', 'role', 'bridge', 'queue', 'vif', 'ip', 'port', 'mac', 'vm'],
} as const;
const perQdisc = { labels: ['device', 'qdisc'] } as const;
const perDevice = { labels: ['device'] } as const;

const basic = 'tc(8) Sent; struct gnet_stats_basic, TCA_STATS_BASIC';
const queue = 'tc(8); struct gnet_stats_queue, TCA_STATS_QUEUE';
const xstats = 'tc(8); struct tc_htb_xstats';
const parms = 'tc-htb(8); struct tc_htb_opt, TCA_HTB_RATE64, TCA_HTB_CEIL64';
const psched = `${xstats}; its ticks by /proc/net/psched`;

const packets = { ...perClass, unit: 'packets', help: 'Packets sent.' } as const;
const sentBytes = counter('sent_bytes', { ...perClass, unit: 'bytes', source: basic, help: 'Bytes sent.' });
/** 32 bits wide, except where the kernel (5.5) gives the wide one beside it. */
const sentPackets = counter('sent_packets', { ...packets, source: basic, bits: 32 });
export const sentPackets64 = counter('sent_packets', { ...packets, source: `${basic}, TCA_STATS_PKT64` });
const dropped = counter('dropped_packets', {
  ...{ ...perClass, unit: 'packets', source: queue, bits: 32 },
  help: 'Packets dropped, of leaf classes alone: their queue was full.',
});
const lended = counter('lended', {
  ...{ ...perClass, unit: 'packets', source: xstats, bits: 32 },
  help: 'Packets sent within the class’s own rate; of an inner class, those that its children borrowed from it.',
});
const borrowed = counter('borrowed', {
  ...{ ...perClass, unit: 'packets', source: xstats, bits: 32 },
  help: 'Packets sent above the class’s own rate, with what its parent had to spare.',
});
const rate = gauge('rate_bits_per_second', {
  ...{ ...perClass, unit: 'bits per second', source: parms },
  help: 'What the class is guaranteed.',
});
const ceil = gauge('ceil_bits_per_second', {
  ...{ ...perClass, unit: 'bits per second', source: parms },
  help: 'What the class may use at most.',
});

export const classMetrics = {
  sentBytes,
  sentPackets,
  dropped,
  overlimits: counter('overlimits', {
    ...{ ...perClass, unit: 'events', source: queue, bits: 32 },
    help: 'Times that a packet had to wait because the class was over its limit.',
  }),
  requeues: counter('requeues', {
    ...{ ...perClass, unit: 'packets', source: queue, bits: 32 },
    help: 'Packets put back because the device could not take them.',
  }),
  lended,
  borrowed,
  giants: counter('giants', {
    ...{ ...perClass, unit: 'packets', source: xstats, bits: 32 },
    help: 'Packets larger than the MTU of the class’s rate table (kernels before 2.6.33 or so; 0 since).',
  }),
  backlogBytes: gauge('backlog_bytes', {
    ...{ ...perClass, unit: 'bytes', source: queue },
    help: 'Bytes that wait in the class now.',
  }),
  backlogPackets: gauge('backlog_packets', {
    ...{ ...perClass, unit: 'packets', source: queue },
    help: 'Packets that wait in the class now.',
  }),
  tokens: gauge('tokens_seconds', {
    ...{ ...perClass, unit: 'seconds', source: psched },
    help: 'Time that the class may send at its rate; negative while it has used more.',
  }),
  ctokens: gauge('ctokens_seconds', {
    ...{ ...perClass, unit: 'seconds', source: psched },
    help: 'Time that the class may send at its ceiling; negative while it must wait.',
  }),
  rate,
  ceil,
} as const;

export const ratios = {
  utilisation: ratio('utilisation_ratio', {
    ...{ numerator: sentBytes, denominator: [ceil], factor: 8 },
    help: 'What was sent, as a share of the ceiling: at 1 the class is being limited.',
  }),
  guarantee: ratio('guarantee_ratio', {
    ...{ numerator: sentBytes, denominator: [rate], factor: 8 },
    help: 'What was sent, as a share of the guaranteed rate; above 1 it borrows.',
  }),
  drop: ratio('drop_ratio', {
    ...{ numerator: dropped, denominator: [dropped, sentPackets] },
    help: 'Packets dropped, as a share of those that came.',
  }),
  borrowed: ratio('borrowed_ratio', {
    ...{ numerator: borrowed, denominator: [lended, borrowed] },
    help: 'Packets sent on borrowed rate, as a share of all.',
  }),
};

export const qdiscMetrics = {
  sentBytes: counter('qdisc_sent_bytes', {
    ...{ ...perQdisc, unit: 'bytes', source: basic },
    help: 'Bytes sent by the whole tree, with those of no class.',
  }),
  sentPackets: counter('qdisc_sent_packets', {
    ...{ ...perQdisc, unit: 'packets', source: basic, bits: 32 },
    help: 'Packets sent by the whole tree, with those of no class.',
  }),
  dropped: counter('qdisc_dropped_packets', {
    ...{ ...perQdisc, unit: 'packets', source: queue, bits: 32 },
    help: 'Packets dropped anywhere in the tree.',
  }),
  overlimits: counter('qdisc_overlimits', {
    ...{ ...perQdisc, unit: 'events', source: queue, bits: 32 },
    help: 'Times that the tree had packets and none of them might be sent.',
  }),
  requeues: counter('qdisc_requeues', {
    ...{ ...perQdisc, unit: 'packets', source: queue, bits: 32 },
    help: 'Packets put back because the device could not take them.',
  }),
  backlogBytes: gauge('qdisc_backlog_bytes', {
    ...{ ...perQdisc, unit: 'bytes', source: queue },
    help: 'Bytes that wait in the tree now.',
  }),
  backlogPackets: gauge('qdisc_backlog_packets', {
    ...{ ...perQdisc, unit: 'packets', source: queue },
    help: 'Packets that wait in the tree now.',
  }),
  directPackets: counter('direct_packets', {
    ...{ ...perQdisc, unit: 'packets', source: 'tc(8) direct_packets_stat; struct tc_htb_glob', bits: 32 },
    help: 'Packets that no class took: they went out without any limit.',
  }),
  defaultClass: gauge('default_class', {
    ...{ ...perQdisc, unit: 'class id', source: 'tc-htb(8) default; struct tc_htb_glob' },
    help: 'Minor number of the class for packets that no filter matches (decimal; tc prints it in hex).',
  }),
} as const;

export const deviceMetrics = {
  classes: gauge('classes', { ...perDevice, unit: 'classes', source: 'tc(8)', help: 'Classes of the device.' }),
  unusedClasses: gauge('unused_classes', {
    ...{ ...perDevice, unit: 'classes', source: 'tc(8), ovs-ofctl(8) dump-flows, ovs-vswitchd.conf.db(5) Queue' },
    help: 'Classes of queues that no flow and no Neutron port uses. Absent while the flows are not known.',
  }),
  queuesWithoutClass: gauge('queues_without_class', {
    ...{ ...perDevice, unit: 'queues', source: 'ovs-vswitchd.conf.db(5) QoS, tc(8)' },
    help: 'Queues that are configured and have no class in the kernel.',
  }),
  driftedQueues: gauge('drifted_queues', {
    ...{ ...perDevice, unit: 'queues', source: 'ovs-vswitchd.conf.db(5) QoS and Queue, tc(8)' },
    help: 'Queues and classes whose drift is 1.',
  }),
} as const;

export const drift = gauge('drift', {
  labels: ['device', 'name', 'reason'],
  tags: perClass.tags,
  unit: 'boolean',
  source: 'ovs-vswitchd.conf.db(5) QoS and Queue, tc(8)',
  help: `1 where the kernel differs from the queue without an explanation. The reason: ${driftReasons.join(', ')}.`,
});

const all: readonly Metric[] = [
  ...Object.values(classMetrics),
  ...Object.values(ratios),
  ...Object.values(qdiscMetrics),
  ...Object.values(deviceMetrics),
  drift,
];

export const metrics: Readonly<Record<string, Metric>> = Object.fromEntries(all.map((metric) => [metric.name, metric]));
