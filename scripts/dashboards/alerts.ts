/** The alert rules. Each is written so that a value above its threshold is bad: a series without points never is. */
import type { Alert } from './alert.ts';
import type { Catalogue } from './catalogue.ts';
import { call, chain, everAbove, not, text, unusual, type Wrap } from './graphite-functions.ts';
import { RETRANSMITS } from './uplinks.ts';
import { CEILING, onlyVifs } from './vms.ts';

/** Above all of this time; a gap is filled by what was before it, and what begins within it has not been above yet. */
const throughout =
  (time: string): Wrap =>
  (series) =>
    call('movingMin', call('transformNull', call('keepLastValue', series), 0), text(time));

/** 1 while it was 0 for all of this time. */
const neverIn = (time: string): Wrap => chain((series) => call('movingMax', series, text(time)), not);
const nowNot: Wrap = (series) => not(call('keepLastValue', series));
/** Half of the way between 0 and 1. */
const TRUE = 0.5;
const DAY_MINUTES = 24 * 60;

export function alertsOf(catalogue: Catalogue): Alert[] {
  const [htb, ovs, module] = [catalogue.of('htb'), catalogue.of('ovs'), catalogue.of('ovs_kmod')];
  const [rabbitmq, tcp, self] = [catalogue.of('rabbitmq'), catalogue.of('tcp'), catalogue.of('edgestatd')];
  const queue = { scope: 'queue', vhost: '*', queue: '*' };
  return [
    {
      ...{ id: 'vm-rate-limited', title: 'A VM is rate-limited', severity: 'warning' },
      instrument: htb('utilisation_ratio'),
      places: { device: '*', name: '*' },
      judge: chain(onlyVifs, throughout('5min')),
      ...{ above: CEILING, lookBackMinutes: 5, shows: ['target', 'device', 'name'] },
      condition: `a VIF sent more than ${CEILING} of its ceiling in every interval of 5 minutes`,
      meaning: 'The VM gets all that its limit lets through, and wants more. Its users wait, or lose packets.',
      action:
        'Look at the dropped and waiting packets of the VIF. Either the limit is right, and the tenant is told, or it is raised in the QoS policy. `edgestatd trace VIF` shows where the limit comes from.',
    },
    {
      ...{ id: 'queue-growing', title: 'A queue grows', severity: 'warning' },
      instrument: rabbitmq('growth_rate'),
      ...{ places: queue, maybe: 'cluster' },
      judge: (series) => call('movingAverage', series, text('10min')),
      ...{ above: 1, lookBackMinutes: 5, shows: ['vhost', 'queue'] },
      condition: 'a queue grew by more than 1 message a second, on average over 10 minutes',
      meaning: 'More is published than consumed. What waits in it is late already, and the broker fills up.',
      action:
        'Compare `publish_rate` with what is usual: more publishers, or slower consumers? Look at `consumers` and `consumer_utilisation`; restart or add consumers of that service.',
    },
    {
      ...{ id: 'compute-queue-stuck', title: 'The queue of a compute host is stuck', severity: 'critical' },
      instrument: rabbitmq('stuck'),
      ...{ places: { ...queue, queue: 'compute_*' }, maybe: 'cluster' },
      judge: (series) => call('keepLastValue', series),
      ...{ above: TRUE, lookBackMinutes: 5, shows: ['vhost', 'queue'] },
      condition: 'messages wait in `compute.HOST`, and nobody takes them for longer than `stuckAfter` (2 minutes)',
      meaning: 'nova-compute of that host does not listen, or does not answer: no VM there starts, stops or moves.',
      action:
        'Log in to the host: does nova-compute run, does it reach the broker? Many hosts of one cabinet at once are a network fault. `stuck_reason` says `no_consumer` or `not_acked`.',
    },
    {
      ...{ id: 'controller-lost', title: 'A bridge has lost its controller', severity: 'critical' },
      instrument: ovs('controller_connected'),
      places: { bridge: '*', controller: '*' },
      judge: neverIn('2min'),
      ...{ above: TRUE, lookBackMinutes: 5, shows: ['target', 'bridge', 'controller'] },
      condition: 'a controller was connected in no interval of 2 minutes',
      meaning:
        'The bridge keeps the flows that it has (`fail_secure` 1) or learns by itself (0). New VMs get no network.',
      action:
        'Does the agent or controller run, and is its port reachable from the host? `controller_last_error` says how the last attempt ended.',
    },
    {
      ...{ id: 'module-mismatch', title: 'The Open vSwitch module does not fit', severity: 'critical' },
      ...{ instrument: module('match_running'), places: {}, judge: nowNot },
      ...{ above: TRUE, lookBackMinutes: 30, shows: ['target'] },
      condition: 'the running kernel has no module that fits vswitchd',
      meaning:
        'Open vSwitch runs without its module, or with one of another version: it fails at the next restart, if not now.',
      action:
        'See `running_reason`; install the module that belongs to the kernel, and move the VMs away before it is loaded.',
    },
    {
      ...{ id: 'module-mismatch-next-boot', title: 'The Open vSwitch module will not fit', severity: 'warning' },
      ...{ instrument: module('match_pending'), places: {}, judge: nowNot },
      ...{ above: TRUE, lookBackMinutes: 30, shows: ['target'] },
      condition: 'the kernel of the next boot has no module that fits the vswitchd that is installed',
      meaning: 'After the next reboot the host comes up without network.',
      action: 'Do not reboot. See `pending_reason`; install the module for that kernel first.',
    },
    {
      ...{ id: 'retransmits', title: 'More retransmits than usual', severity: 'warning' },
      ...{ instrument: tcp('retransmit_ratio'), places: {}, judge: unusual },
      ...{ above: RETRANSMITS, lookBackMinutes: 20, shows: ['target'] },
      condition: `in the last whole 10 minutes the share of retransmits was more than ${RETRANSMITS} above what the week before makes usual`,
      meaning: 'Packets of this host get lost on a way on which they did not before.',
      action:
        'Many hosts at once: a switch or an uplink; look at errors, drops and bonds. One host: its own link, or a VM at its ceiling. Look for a deploy at the time at which it began.',
    },
    {
      ...{ id: 'job-failing', title: 'A job fails', severity: 'warning' },
      ...{ instrument: self('up'), places: { job: '*' } },
      judge: chain((series) => call('keepLastValue', series), neverIn('5min')),
      ...{ above: TRUE, lookBackMinutes: 10, shows: ['target', 'job'] },
      condition: 'no run of a job succeeded within 5 minutes',
      meaning: 'edgestatd runs, and cannot read what the job is about: of that nothing is known.',
      action:
        '`edgestatd check` on that machine says what is missing. The series `problems` and the log name the error code.',
    },
    {
      ...{ id: 'edgestatd-silent', title: 'edgestatd is silent', severity: 'critical' },
      ...{ instrument: self('sent_metrics'), places: { sink: '*' } },
      // A counter that nobody feeds is 0 in StatsD until it is started anew: what was so all the time was taken away.
      judge: chain(
        everAbove(0),
        (series) => call('isNonNull', call('removeBelowValue', series, 0.001)),
        neverIn('5min'),
      ),
      ...{ above: TRUE, lookBackMinutes: DAY_MINUTES, shows: ['target', 'sink'], nothingIsBad: true },
      condition: 'nothing came from an edgestatd for 5 minutes',
      meaning:
        'The daemon, its machine, or the way from there is gone. StatsD repeats gauges for ever, so all others still look well: `up` too.',
      action:
        'Does the machine answer? `systemctl status edgestatd`, its log. A machine that was taken away falls silent too: after a day it is forgotten; delete its series to be quiet at once.',
    },
  ];
}
