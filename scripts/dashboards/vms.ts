/** Which VM is rate-limited, whether that hurts it, and whether the kernel does what is configured. */
import type { Catalogue } from './catalogue.ts';
import { call, chain, everAbove, text, times, top, type Wrap } from './graphite-functions.ts';
import { type Dashboard, line } from './model.ts';

const bits = times(8);
const bitRate = { unit: 'bits_per_second' } as const;
/** Above this share of its ceiling, a class that is measured over seconds is held back by it. */
export const CEILING = 0.9;

/** Without what stands for many of them: inner classes, and the default class. */
export const onlyVifs: Wrap = (series) => call('exclude', series, text('[.](inner|default)_'));
/** An inner class is a whole link, and has a graph of its own. */
const noInner: Wrap = (series) => call('exclude', series, text('[.]inner_'));

export function vms(catalogue: Catalogue): Dashboard {
  const htb = catalogue.of('htb');
  // These stand at the place of a VIF: of the device, and of a tree that is the device's root.
  const besideVifs = catalogue
    .all('htb')
    .filter(({ labels }) => labels.length === 1 || labels.includes('qdisc'))
    .map(({ name }) => name)
    .concat('inner_.*');
  const vif = { device: '$device', name: '$vif' };
  const whose = ['target', 'name'];
  const tree = { device: '$device' };
  const ofTree = ['target', 'device'];
  const each = (name: string, wrap: Wrap = top(10)) => line(htb(name), vif, whose, { wrap: chain(noInner, wrap) });
  return {
    id: 'edgestatd-vms',
    title: 'Which VM is rate-limited',
    question: 'Which VM is held back by its limit, since when, and does it lose packets by that?',
    variables: [
      { name: 'device', label: 'Device', query: 'htb.*' },
      { name: 'vif', label: 'VIF', query: 'htb.$device.*', except: besideVifs },
    ],
    rows: [
      {
        title: 'Who is at the ceiling',
        panels: [
          {
            title: 'Use of the ceiling, the ten highest',
            about: 'Near 1: the VM gets all that it may have, and wants more.',
            lines: [each('utilisation_ratio')],
            ...{ width: 24, warnAbove: CEILING },
          },
          {
            title: 'Now',
            kind: 'bars',
            lines: [each('utilisation_ratio', (series) => call('highestCurrent', series, 20))],
            warnAbove: CEILING,
          },
          {
            title: 'Dropped packets',
            about: 'A limit need not drop: TCP slows down before, and the backlog shows the wait.',
            lines: [each('dropped_packets')],
          },
          { title: 'Share of packets dropped', lines: [each('drop_ratio')], warnAbove: 0.01 },
          { title: 'Packets that wait', lines: [each('backlog_packets')] },
          { title: 'Times over the limit', lines: [each('overlimits')] },
          {
            title: 'Sent, beside guarantee and ceiling',
            about: 'Of the VIFs chosen above; choose one to see its limits.',
            lines: [
              line(htb('sent_bytes'), vif, whose, { called: 'sent', wrap: chain(noInner, bits, top(5)), ...bitRate }),
              line(htb('ceil_bits_per_second'), vif, whose, {
                called: 'ceiling',
                wrap: chain(noInner, top(5)),
                ...bitRate,
              }),
              line(htb('rate_bits_per_second'), vif, whose, {
                called: 'guarantee',
                wrap: chain(noInner, top(5)),
                ...bitRate,
              }),
            ],
          },
        ],
      },
      {
        title: 'Who lives on what others spare',
        panels: [
          {
            title: 'Packets on borrowed rate',
            about: 'Many near 1 on a link that is nearly full are the first to suffer.',
            lines: [each('borrowed_ratio')],
          },
          {
            title: 'Use of the guarantee',
            about: 'Below 1 while packets wait: the others leave it too little.',
            lines: [each('guarantee_ratio')],
          },
          {
            title: 'Use of the whole link',
            about: 'Near 1 no single limit is what limits.',
            lines: [
              line(htb('utilisation_ratio'), { device: '$device', name: 'inner_*' }, ['target', 'device', 'name']),
            ],
            warnAbove: CEILING,
          },
          {
            title: 'Sent without any limit',
            about: 'Above 0: the default class does not exist.',
            lines: [line(htb('direct_packets'), tree, ofTree)],
          },
        ],
      },
      {
        title: 'Does the kernel do what is configured',
        panels: [
          {
            title: 'Queues that drifted, and queues without class',
            lines: [
              line(htb('drifted_queues'), tree, ofTree, { called: 'drifted' }),
              line(htb('queues_without_class'), tree, ofTree, { called: 'without class' }),
            ],
            warnAbove: 0,
          },
          {
            title: 'Drift, by its reason',
            kind: 'states',
            good: 0,
            lines: [line(htb('drift'), { ...vif, reason: '*' }, ['target', 'name', 'reason'], { wrap: everAbove(0) })],
          },
          {
            title: 'Classes that nobody uses',
            lines: [line(htb('unused_classes'), tree, ofTree)],
          },
          { title: 'Dropped in the whole tree', lines: [line(htb('qdisc_dropped_packets'), tree, ofTree)] },
        ],
      },
    ],
  };
}
