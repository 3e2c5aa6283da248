/** Uplinks and TCP: whether the wire carries what it is given, and whether peers get what is sent. */
import type { Catalogue } from './catalogue.ts';
import { chain, shifted, times, top, usual, type Wrap } from './graphite-functions.ts';
import { type Dashboard, line } from './model.ts';

const bits = chain(times(8), top(10));
const bitRate = { unit: 'bits_per_second' } as const;
const perMinute = { wrap: times(60), unit: 'events_per_minute' } as const;
/** Above this share of retransmits a user notices. */
export const RETRANSMITS = 0.01;

export function uplinks(catalogue: Catalogue): Dashboard {
  const [link, tcp] = [catalogue.of('link'), catalogue.of('tcp')];
  const places = { interface: '$interface' };
  const whose = ['target', 'interface'];
  const slave = { ...places, slave: '*' };
  const each = (name: string, more: { wrap?: Wrap; called?: string; unit?: string } = { wrap: top(10) }) =>
    line(link(name), places, whose, more);
  const host = (name: string, more: { wrap?: Wrap; called?: string } = {}) => line(tcp(name), {}, ['target'], more);
  return {
    id: 'edgestatd-uplinks',
    title: 'Uplinks and TCP',
    question: 'Which uplink is down, full or broken, and do peers get what is sent to them?',
    variables: [{ name: 'interface', label: 'Interface', query: 'link.*' }],
    rows: [
      {
        title: 'TCP',
        panels: [
          {
            title: 'Retransmits',
            about: 'Of all segments that were sent. The first thing that a loss anywhere on the way shows.',
            lines: [host('retransmit_ratio', { wrap: top(10) })],
            ...{ width: 24, warnAbove: RETRANSMITS },
          },
          {
            title: 'Retransmits, beside what is usual',
            about: 'The bands are made of the week before: Graphite must keep a week, and the host must be a week old.',
            lines: [
              host('retransmit_ratio', { wrap: usual, called: 'usual' }),
              host('retransmit_ratio', { called: 'now' }),
              host('retransmit_ratio', { wrap: shifted('7d'), called: 'a week ago' }),
            ],
          },
          {
            title: 'Retransmits of network namespaces',
            lines: [line(tcp('retransmit_ratio'), { namespace: '*' }, ['target', 'namespace'], { wrap: top(10) })],
            warnAbove: RETRANSMITS,
          },
          {
            title: 'Connections that were not answered, or not taken',
            lines: [
              host('syn_retransmit_ratio', { called: 'SYN again' }),
              host('listen_drop_ratio', { called: 'not taken' }),
            ],
          },
          { title: 'Open connections', lines: [host('curr_estab')] },
          {
            title: 'Reset, failed, timed out',
            lines: [
              host('estab_resets', { called: 'reset' }),
              host('attempt_fails', { called: 'failed' }),
              host('timeouts', { called: 'timeout' }),
            ],
          },
          {
            title: 'UDP that was lost here',
            lines: [
              host('udp_rcvbuf_errors', { called: 'receive buffer full' }),
              host('udp_sndbuf_errors', { called: 'send buffer full' }),
            ],
          },
        ],
      },
      {
        title: 'Uplinks',
        panels: [
          {
            title: 'Up or down',
            kind: 'states',
            lines: [each('link_up', {})],
            width: 24,
          },
          {
            title: 'Use of the speed',
            about: 'Absent where the speed is not known.',
            lines: [
              each('rx_utilisation_ratio', { called: 'in', wrap: top(10) }),
              each('tx_utilisation_ratio', { called: 'out', wrap: top(10) }),
            ],
            warnAbove: 0.9,
          },
          {
            title: 'Traffic',
            lines: [
              each('rx_bytes', { called: 'in', wrap: bits, ...bitRate }),
              each('tx_bytes', { called: 'out', wrap: bits, ...bitRate }),
            ],
          },
          {
            title: 'Errors',
            about: 'Frame errors are a cable or a module; fifo errors are a machine that does not keep up.',
            lines: [
              each('rx_errors', { called: 'in', wrap: top(10) }),
              each('tx_errors', { called: 'out', wrap: top(10) }),
              each('rx_frame_errors', { called: 'frame', wrap: top(10) }),
              each('rx_fifo_errors', { called: 'fifo', wrap: top(10) }),
            ],
          },
          {
            title: 'Drops',
            lines: [
              each('rx_dropped', { called: 'in', wrap: top(10) }),
              each('tx_dropped', { called: 'out', wrap: top(10) }),
            ],
          },
          { title: 'Flaps of the carrier', lines: [each('carrier_changes', perMinute)], warnAbove: 0 },
          {
            title: 'Degraded bonds',
            kind: 'states',
            good: 0,
            lines: [each('bond_degraded', {})],
          },
          {
            title: 'Slaves that are up',
            lines: [each('bond_slaves_up', { called: 'up' }), each('bond_slaves', { called: 'of' })],
          },
          {
            title: 'LACP frames of the partner in time',
            kind: 'states',
            lines: [line(link('slave_lacp_current'), slave, ['target', 'slave'])],
          },
        ],
      },
    ],
  };
}
