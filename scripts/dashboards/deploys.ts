/** Deploys: what was changed when, beside what users feel. */
import type { Catalogue } from './catalogue.ts';
import { call, chain, top } from './graphite-functions.ts';
import { type Dashboard, line, scoped } from './model.ts';
import { RETRANSMITS } from './uplinks.ts';
import { CEILING, onlyVifs } from './vms.ts';

export function deploys(catalogue: Catalogue): Dashboard {
  const [tcp, htb, link] = [catalogue.of('tcp'), catalogue.of('htb'), catalogue.of('link')];
  const [rabbitmq, ovs, self] = [catalogue.of('rabbitmq'), catalogue.of('ovs'), catalogue.of('edgestatd')];
  const broker = { scope: scoped('broker') };
  const queue = { scope: scoped('queue'), vhost: '*', queue: '*' };
  const target = ['target'];
  return {
    id: 'edgestatd-deploys',
    title: 'Deploys',
    question: 'What was changed before it began?',
    hasCluster: true,
    showsDeploys: true,
    variables: [],
    rows: [
      {
        title: 'Each line down is a deploy',
        panels: [
          {
            title: 'Retransmits',
            lines: [line(tcp('retransmit_ratio'), {}, target, { wrap: top(10) })],
            ...{ width: 24, warnAbove: RETRANSMITS },
          },
          {
            title: 'Published against consumed',
            lines: [
              line(rabbitmq('publish_rate'), broker, target, { called: 'published' }),
              line(rabbitmq('consume_rate'), broker, target, { called: 'consumed' }),
            ],
          },
          { title: 'Messages ready', lines: [line(rabbitmq('ready'), broker, target)] },
          {
            title: 'Queues that are stuck',
            lines: [
              line(rabbitmq('stuck'), queue, ['vhost', 'queue'], { wrap: (series) => call('highestMax', series, 10) }),
            ],
          },
          {
            title: 'VIFs at their ceiling',
            lines: [
              line(htb('utilisation_ratio'), { device: '*', name: '*' }, ['target', 'name'], {
                wrap: chain(onlyVifs, top(10)),
              }),
            ],
            warnAbove: CEILING,
          },
          {
            title: 'Controllers that are connected',
            kind: 'states',
            lines: [
              line(ovs('controller_connected'), { bridge: '*', controller: '*' }, ['target', 'bridge', 'controller']),
            ],
          },
          {
            title: 'Flaps of carriers',
            lines: [
              line(link('carrier_changes'), { interface: '*' }, ['target', 'interface'], {
                wrap: (series) => call('scale', top(10)(series), 60),
                unit: 'events_per_minute',
              }),
            ],
          },
          { title: 'Jobs that fail', kind: 'states', lines: [line(self('up'), { job: '*' }, ['target', 'job'])] },
          {
            title: 'Events that came in, and that were delivered',
            lines: [
              line(self('events_accepted'), { way: '*' }, ['target', 'way'], { called: 'by' }),
              line(self('events_delivered'), { destination: '*' }, ['target', 'destination'], { called: 'to' }),
            ],
          },
        ],
      },
    ],
  };
}
