/** The catalogue, continued: interfaces, bonds, LACP, CFM, BFD, tunnels and OpenFlow ports. */
import { counter, gauge } from '../../src/metric.ts';

const labels = ['bridge', 'port', 'interface'] as const;
const port = ['bridge', 'port'] as const;
const state = [...labels, 'state'] as const;
/**
 * What vswitchd itself counts falls to 0 when it restarts, and the device's own counters do not: with a label more, that
 * has no value, it is another entity under the same path.
 */
const ofVswitchd = state;

const yes = (name: string, source: string, help: string) => gauge(name, { unit: 'boolean', labels, source, help });
const flag = (name: string, column: string, help: string) => yes(name, `OVSDB: Interface.${column}`, help);
const lacp = (name: string, what: string, help: string) => yes(name, `ovs-appctl lacp/show: ${what}`, help);
const openflow = (name: string, unit: string, what: string, help: string) =>
  counter(`openflow_${name}`, {
    unit,
    labels,
    source: `ovs-ofctl dump-ports: ${what}`,
    help: `${help} With \`ports\`.`,
  });

export const linkMetrics = {
  linkUp: flag('link_up', 'link_state', '1: the interface has a carrier.'),
  adminUp: flag('admin_up', 'admin_state', '1: the interface is switched on.'),
  error: flag('interface_error', 'error', '1: Open vSwitch could not set the interface up (no such device and so on).'),
  linkResets: counter('link_resets', {
    ...{ unit: 'events', labels: ofVswitchd, source: 'OVSDB: Interface.link_resets' },
    help: 'How often the carrier came or went.',
  }),
  mtu: gauge('mtu_bytes', { unit: 'bytes', labels, source: 'OVSDB: Interface.mtu', help: 'The largest packet.' }),
  speed: gauge('link_bits_per_second', {
    ...{ unit: 'bits_per_second', labels, source: 'OVSDB: Interface.link_speed' },
    help: 'The speed of the link.',
  }),
  cfmFault: flag('cfm_fault', 'cfm_fault', '1: connectivity fault management (802.1ag) has found a fault.'),
  cfmFlaps: counter('cfm_flaps', {
    ...{ unit: 'events', labels: ofVswitchd, source: 'OVSDB: Interface.cfm_flap_count' },
    help: 'How often the CFM fault came or went.',
  }),
  cfmHealth: gauge('cfm_health_ratio', {
    ...{ unit: 'ratio', labels, source: 'OVSDB: Interface.cfm_health' },
    help: 'The share of CFM frames that arrived.',
  }),
  cfmRemoteUp: flag('cfm_remote_up', 'cfm_remote_opstate', '1: the other end says that it is up.'),
  bfdForwarding: flag('bfd_forwarding', 'bfd_status:forwarding', '1: BFD believes that packets arrive.'),
  bfdFlaps: counter('bfd_flaps', {
    ...{ unit: 'events', labels: ofVswitchd, source: 'OVSDB: Interface.bfd_status:flap_count' },
    help: 'How often bfd_forwarding changed.',
  }),
  bfdState: gauge('bfd_state', {
    ...{ unit: 'boolean', labels: state, source: 'OVSDB: Interface.bfd_status:state' },
    help: '1 for the state of the session: admin_down, down, init or up.',
  }),
  bfdRemoteState: gauge('bfd_remote_state', {
    ...{ unit: 'boolean', labels: state, source: 'OVSDB: Interface.bfd_status:remote_state' },
    help: '1 for the state that the other end tells.',
  }),
  tunnels: gauge('tunnels', {
    ...{ unit: 'interfaces', labels: ['type'], source: 'OVSDB: Interface.type' },
    help: 'Tunnels of one type: geneve, gre, vxlan and so on.',
  }),
  tunnelCarrier: flag(
    'tunnel_carrier_up',
    'status:tunnel_egress_iface_carrier',
    '1: the interface that the tunnel leaves by has a carrier.',
  ),
  bondMembers: gauge('bond_members', {
    ...{ unit: 'interfaces', labels: port, source: 'ovs-appctl bond/show' },
    help: 'Members of the bond.',
  }),
  bondEnabled: gauge('bond_members_enabled', {
    ...{ unit: 'interfaces', labels: port, source: 'ovs-appctl bond/show' },
    help: 'Members that carry traffic.',
  }),
  bondHasActive: gauge('bond_has_active_member', {
    ...{ unit: 'boolean', labels: port, source: 'ovs-appctl bond/show' },
    help: '1: the bond has an active member; 0: it is down.',
  }),
  memberEnabled: yes('bond_member_enabled', 'ovs-appctl bond/show: enabled', '1: the member carries traffic.'),
  memberActive: yes('bond_member_active', 'ovs-appctl bond/show: active member', '1: the member is the active one.'),
  memberMayEnable: yes('bond_member_may_enable', 'ovs-appctl bond/show: may_enable', '1: the member could be enabled.'),
  lacpNegotiated: gauge('lacp_negotiated', {
    ...{ unit: 'boolean', labels: port, source: 'ovs-appctl lacp/show: status' },
    help: '1: the other end speaks LACP too.',
  }),
  lacpCurrent: lacp(
    'lacp_current',
    'current',
    '1: LACP frames of the partner arrive in time (not expired, not defaulted).',
  ),
  lacpAttached: lacp('lacp_attached', 'attached', '1: the member is part of the aggregate.'),
  lacpSynchronized: lacp('lacp_synchronized', 'actor state', '1: this end agrees to use the member.'),
  lacpCollecting: lacp('lacp_collecting', 'actor state', '1: this end receives by it.'),
  lacpDistributing: lacp('lacp_distributing', 'actor state', '1: this end sends by it.'),
  lacpPartnerKnown: lacp('lacp_partner_known', 'partner sys_id', '1: a partner was heard.'),
  lacpPartnerSynchronized: lacp(
    'lacp_partner_synchronized',
    'partner state',
    '1: the partner agrees to use the member.',
  ),
  lacpPartnerCollecting: lacp('lacp_partner_collecting', 'partner state', '1: the partner receives by it.'),
  lacpPartnerDistributing: lacp('lacp_partner_distributing', 'partner state', '1: the partner sends by it.'),
};

export const portMetrics = {
  rxPkts: openflow('rx_packets', 'packets', 'rx pkts', 'Packets received.'),
  rxBytes: openflow('rx_bytes', 'bytes', 'rx bytes', 'Bytes received.'),
  rxDrop: openflow('rx_dropped', 'packets', 'rx drop', 'Packets received and dropped.'),
  rxErrs: openflow('rx_errors', 'packets', 'rx errs', 'Packets received with an error.'),
  rxFrame: openflow('rx_frame_errors', 'packets', 'rx frame', 'Packets received with a bad alignment.'),
  rxOver: openflow('rx_over_errors', 'packets', 'rx over', 'Packets received that overran the device.'),
  rxCrc: openflow('rx_crc_errors', 'packets', 'rx crc', 'Packets received with a bad checksum.'),
  txPkts: openflow('tx_packets', 'packets', 'tx pkts', 'Packets sent.'),
  txBytes: openflow('tx_bytes', 'bytes', 'tx bytes', 'Bytes sent.'),
  txDrop: openflow('tx_dropped', 'packets', 'tx drop', 'Packets that were to be sent, and were dropped.'),
  txErrs: openflow('tx_errors', 'packets', 'tx errs', 'Packets that could not be sent.'),
  txColl: openflow('tx_collisions', 'events', 'tx coll', 'Collisions while sending.'),
};
