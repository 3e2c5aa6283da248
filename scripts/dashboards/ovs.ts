/** OVS health: its daemons, controllers, datapath, upcalls and links, and whether the kernel module fits. */
import type { Catalogue } from './catalogue.ts';
import { everAbove, times, top, type Wrap } from './graphite-functions.ts';
import { type Dashboard, line } from './model.ts';

export function openVswitch(catalogue: Catalogue): Dashboard {
  const [ovs, module] = [catalogue.of('ovs'), catalogue.of('ovs_kmod')];
  const ofPort = ['target', 'bridge', 'interface'];
  // A port that is one interface of the same name is left out of the path: only bonds have the label.
  const single = { bridge: '*', interface: '*' };
  const bonded = { ...single, port: '*' };
  const each = (name: string, more: { wrap?: Wrap; called?: string } = {}) =>
    [single, bonded].map((places) => line(ovs(name), places, ofPort, more));
  const ofBonds = (name: string) => line(ovs(name), bonded, ofPort);
  const tenIn = { called: 'in', wrap: top(10) };
  const tenOut = { called: 'out', wrap: top(10) };
  const datapath = (name: string, called?: string) =>
    line(ovs(name), { datapath: '*' }, ['target', 'datapath'], called === undefined ? {} : { called });
  const daemon = (name: string, more: { wrap?: Wrap; unit?: string } = {}) =>
    line(ovs(name), { daemon: '*' }, ['target', 'daemon'], more);
  const loaded = (name: string) => line(module(name), {}, ['target']);
  return {
    id: 'edgestatd-ovs',
    title: 'OVS health',
    question: 'Does Open vSwitch run, is it controlled, does it keep up, and will it after the next boot?',
    variables: [],
    rows: [
      {
        title: 'Control',
        panels: [
          { title: 'Daemons that run', kind: 'states', lines: [daemon('running')] },
          {
            title: 'Controllers that are connected',
            kind: 'states',
            lines: [
              line(ovs('controller_connected'), { bridge: '*', controller: '*' }, ['target', 'bridge', 'controller']),
            ],
          },
          {
            title: 'Managers that are connected',
            kind: 'states',
            lines: [line(ovs('manager_connected'), { manager: '*' }, ['target', 'manager'])],
          },
          {
            title: 'Flows of the bridges',
            about: 'A bridge that loses them all has lost its controller, or was emptied by it.',
            lines: [line(ovs('flows'), { bridge: '*' }, ['target', 'bridge'])],
          },
          {
            title: 'Restarts',
            lines: [daemon('restarts', { wrap: times(60), unit: 'events_per_minute' })],
            warnAbove: 0,
          },
          { title: 'Answer of the database', lines: [line(ovs('ovsdb_reply_seconds'), {}, ['target'])] },
        ],
      },
      {
        title: 'Datapath',
        panels: [
          {
            title: 'Packets that vswitchd was asked about',
            lines: [datapath('miss_ratio')],
          },
          {
            title: 'Packets lost, since vswitchd was too slow',
            lines: [datapath('lost')],
            warnAbove: 0,
          },
          {
            title: 'Flows in the datapath, and how many are allowed',
            about: 'A limit that falls says that vswitchd does not keep up.',
            lines: [datapath('upcall_flows', 'flows'), datapath('upcall_flows_limit', 'limit')],
          },
          {
            title: 'Time that vswitchd needs to look at all flows',
            about: 'Above one second it begins to lower the limit.',
            lines: [datapath('upcall_dump_seconds')],
            warnAbove: 1,
          },
          { title: 'CPU', lines: [daemon('cpu_seconds')] },
          { title: 'Memory', lines: [daemon('resident_bytes')] },
        ],
      },
      {
        title: 'Ports and tunnels',
        panels: [
          {
            title: 'Interfaces in error',
            kind: 'states',
            good: 0,
            lines: each('interface_error', { wrap: everAbove(0) }),
          },
          {
            title: 'Drops, the ten highest',
            lines: [...each('rx_dropped', tenIn), ...each('tx_dropped', tenOut)],
          },
          {
            title: 'Errors, the ten highest',
            lines: [...each('rx_errors', tenIn), ...each('tx_errors', tenOut)],
          },
          {
            title: 'Tunnels whose way out has a carrier',
            kind: 'states',
            lines: each('tunnel_carrier_up'),
          },
          { title: 'Bond members that carry traffic', kind: 'states', lines: [ofBonds('bond_member_enabled')] },
          { title: 'Faults by CFM', kind: 'states', good: 0, lines: each('cfm_fault') },
          { title: 'Forwarding by BFD', kind: 'states', lines: each('bfd_forwarding') },
        ],
      },
      {
        title: 'Kernel module',
        panels: [
          { title: 'Fits the running kernel', kind: 'states', width: 8, lines: [loaded('match_running')] },
          {
            title: 'Fits the kernel of the next boot',
            about: '0: do not reboot.',
            ...{ kind: 'states', width: 8, lines: [loaded('match_pending')] },
          },
          { title: 'A new kernel waits', kind: 'states', good: 0, width: 8, lines: [loaded('kernel_pending')] },
        ],
      },
    ],
  };
}
