/** The catalogue: links, their counters, bonds and LACP. */
import { counter, gauge, ratio } from '../../src/metric.ts';
import { bondMetrics } from './metrics-bonds.ts';

export const perInterface = { labels: ['interface'], tags: ['kind', 'master'] } as const;

const sys = (name: string): string => `/sys/class/net: ${name}`;
const yes = (name: string, attribute: string, help: string) =>
  gauge(name, { ...perInterface, unit: 'boolean', source: sys(attribute), help });
const code = (name: string, unit: string, source: string, help: string) =>
  gauge(name, { ...perInterface, unit, source, help });
const flaps = (name: string, attribute: string, help: string) =>
  counter(name, { ...perInterface, unit: 'events', source: sys(attribute), help, bits: 32 });
const counted = (name: string, column: string, help: string, unit: 'packets' | 'events' = 'packets') =>
  counter(name, { ...perInterface, unit, source: `/proc/net/dev: ${column}`, help });
/**
 * On a 32-bit kernel before 2.6.36, and with some drivers later, all are 32 bits wide. Bytes wrap first by far: that
 * they fell while packets rose is a wrap. Where they are wider they never fall by so much while packets rise.
 */
const bytes = (name: string, column: string, help: string) =>
  counter(name, { ...perInterface, unit: 'bytes', source: `/proc/net/dev: ${column}`, help, bits: 32 });

export const linkMetrics = {
  linkUp: yes('link_up', 'carrier, flags', '1: the interface is switched on and has a carrier.'),
  adminUp: yes('admin_up', 'flags', '1: the interface is switched on (IFF_UP).'),
  operstate: code(
    'operstate',
    'code',
    `${sys('operstate')}; IF_OPER_ of if.h`,
    'State by RFC 2863: 0 unknown (its driver does not say), 1 not present, 2 down, 3 lower layer down, 4 testing, 5 dormant, 6 up.',
  ),
  halfDuplex: yes('half_duplex', 'duplex', '1: one direction at a time, mostly because negotiation failed.'),
  speed: code('link_bits_per_second', 'bits_per_second', sys('speed'), 'The speed of the link.'),
  mtu: code('mtu_bytes', 'bytes', sys('mtu'), 'The largest packet.'),
  vlan: code('vlan_id', 'number', '/proc/net/vlan/config', 'Which VLAN it is.'),
  changes: flaps('carrier_changes', 'carrier_changes', 'How often the carrier came or went (kernel 3.15).'),
  ups: flaps('carrier_ups', 'carrier_up_count', 'How often the carrier came (kernel 4.16).'),
  downs: flaps('carrier_downs', 'carrier_down_count', 'How often the carrier went (kernel 4.16).'),
};

const rxPackets = counted('rx_packets', 'Receive packets', 'Packets received without an error.');
const rxBytes = bytes('rx_bytes', 'Receive bytes', 'Bytes received.');
const rxErrors = counted('rx_errors', 'Receive errs', 'Packets received with an error, of whatever kind.');
const txPackets = counted('tx_packets', 'Transmit packets', 'Packets sent.');
const txBytes = bytes('tx_bytes', 'Transmit bytes', 'Bytes sent.');
const txErrors = counted('tx_errors', 'Transmit errs', 'Packets that could not be sent, for whatever fault.');

export const counterMetrics = {
  rxBytes,
  rxPackets,
  rxErrors,
  rxDropped: counted(
    'rx_dropped',
    'Receive drop',
    'Packets received and dropped: no buffer, or nobody here speaks their protocol.',
  ),
  rxFifo: counted('rx_fifo_errors', 'Receive fifo', 'Packets that overran the device: the machine did not keep up.'),
  rxFrame: counted('rx_frame_errors', 'Receive frame', 'Of the errors: bad checksum, length or alignment. A cable.'),
  rxCompressed: counted('rx_compressed_packets', 'Receive compressed', 'Compressed packets received (PPP, SLIP).'),
  rxMulticast: counted('rx_multicast_packets', 'Receive multicast', 'Multicast packets received.'),
  txBytes,
  txPackets,
  txErrors,
  txDropped: counted('tx_dropped', 'Transmit drop', 'Packets dropped on their way out: a queue was full.'),
  txFifo: counted('tx_fifo_errors', 'Transmit fifo', 'Of the errors: the device ran out of data.'),
  txCollisions: counted('tx_collisions', 'Transmit colls', 'Collisions while sending (half duplex).', 'events'),
  txCarrier: counted('tx_carrier_errors', 'Transmit carrier', 'Of the errors: the carrier was lost while sending.'),
  txCompressed: counted('tx_compressed_packets', 'Transmit compressed', 'Compressed packets sent (PPP, SLIP).'),
};

export const ratios = {
  rxErrorRatio: ratio('rx_error_ratio', {
    numerator: rxErrors,
    denominator: [rxPackets, rxErrors],
    help: 'Packets received with an error, as a share of all received.',
  }),
  txErrorRatio: ratio('tx_error_ratio', {
    numerator: txErrors,
    denominator: [txPackets, txErrors],
    help: 'Packets that could not be sent, as a share of all that were to be.',
  }),
  rxUtilisation: ratio('rx_utilisation_ratio', {
    ...{ numerator: rxBytes, denominator: [linkMetrics.speed], factor: 8 },
    help: 'What is received, as a share of the speed. Absent where the speed is unknown.',
  }),
  txUtilisation: ratio('tx_utilisation_ratio', {
    ...{ numerator: txBytes, denominator: [linkMetrics.speed], factor: 8 },
    help: 'What is sent, as a share of the speed. Absent where the speed is unknown.',
  }),
};

export const metrics = { ...linkMetrics, ...counterMetrics, ...ratios, ...bondMetrics };
