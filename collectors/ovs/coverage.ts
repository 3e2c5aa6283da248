/**
 * Named sets of vswitchd's events (coverage/show): COVERAGE_DEFINE in Open vSwitch's sources, 2.12 to 3.4.
 * An event that never happened is not printed, so one of these that is missing has happened 0 times.
 */
export const coverageSets = {
  /** Packets dropped by the pipeline, and by the userspace datapath. */
  drops: [
    ...['drop_action_of_pipeline', 'drop_action_bridge_not_found', 'drop_action_recursion_too_deep'],
    ...['drop_action_too_many_resubmit', 'drop_action_stack_too_deep', 'drop_action_no_recirculation_context'],
    ...['drop_action_recirculation_conflict', 'drop_action_too_many_mpls_labels', 'drop_action_congestion'],
    ...['drop_action_invalid_tunnel_metadata', 'drop_action_unsupported_packet_type'],
    ...['drop_action_forwarding_disabled', 'datapath_drop_meter', 'datapath_drop_upcall_error'],
    ...['datapath_drop_lock_error', 'datapath_drop_userspace_action_error', 'datapath_drop_tunnel_push_error'],
    ...['datapath_drop_tunnel_pop_error', 'datapath_drop_recirc_error', 'datapath_drop_invalid_port'],
    ...['datapath_drop_invalid_tnl_port', 'datapath_drop_rx_invalid_packet'],
  ],
  /** Packets that the datapath asked vswitchd about, and the flows that it keeps there. */
  upcalls: [
    ...['flow_extract', 'xlate_actions', 'upcall_flow_limit_hit', 'upcall_ukey_contention', 'upcall_ukey_replace'],
    ...['handler_duplicate_upcall', 'dumped_duplicate_flow', 'dumped_new_flow', 'revalidate_missed_dp_flow'],
    ...['ukey_dp_change', 'ukey_invalid_stat_reset', 'dpif_flow_put', 'dpif_flow_put_error', 'dpif_flow_del'],
  ],
  /** Why all flows of the datapath were looked at again. */
  revalidation: [
    ...['rev_reconfigure', 'rev_flow_table', 'rev_mac_learning', 'rev_port_toggled', 'rev_bond', 'rev_stp'],
    ...['rev_rstp', 'rev_mcast_snooping'],
  ],
  /** Messages to and from controllers and ovs-ofctl, and connections that were lost. */
  openflow: [
    ...['ofproto_recv_openflow', 'ofproto_flush', 'ofproto_update_port', 'rconn_queued', 'rconn_sent'],
    ...['rconn_overflow', 'rconn_discarded', 'vconn_received', 'vconn_sent', 'vconn_open'],
  ],
  /** The kernel's side: netlink messages, and those that were lost. */
  netlink: [
    ...['netlink_received', 'netlink_sent', 'netlink_overflow', 'netlink_recv_jumbo', 'nln_changed'],
    ...['netdev_get_stats', 'netdev_set_policing'],
  ],
  /** The main loop, and learning of MAC addresses. */
  mainloop: [
    ...['poll_zero_timeout', 'poll_create_node', 'bridge_reconfigure', 'util_xalloc', 'mac_learning_learned'],
    ...['mac_learning_expired', 'mac_learning_evicted', 'mac_learning_moved', 'txn_error', 'txn_try_again'],
  ],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type CoverageSet = keyof typeof coverageSets;
