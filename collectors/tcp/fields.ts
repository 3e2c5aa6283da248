/**
 * Every column of Tcp, TcpExt, Ip, IpExt and Udp that kernels 2.6.18 to 6.18 print, with what it counts.
 * Sources: net/ipv4/proc.c and include/uapi/linux/snmp.h of the kernel; Documentation/networking/snmp_counter.rst;
 * RFC 4022 (Tcp), RFC 4293 (Ip), RFC 4113 (Udp). A line is the kernel's column and its help.
 */
export const tcpFields = `
RtoAlgorithm The algorithm of the retransmission timeout (1 other, 2 constant, 3 RSRE, 4 Van Jacobson).
RtoMin Shortest retransmission timeout, in milliseconds.
RtoMax Longest retransmission timeout, in milliseconds.
MaxConn Limit of connections; -1 where it is dynamic.
ActiveOpens Connections that this machine began (SYN sent).
PassiveOpens Connections that were accepted (SYN received).
AttemptFails Connection attempts that failed before they were established.
EstabResets Established connections that ended by a reset.
CurrEstab Connections that are ESTABLISHED or CLOSE_WAIT now.
InSegs Segments received, with errors too.
OutSegs Segments sent, without those that only carry retransmitted bytes.
RetransSegs Segments retransmitted.
InErrs Segments received with an error (bad checksum, bad header).
OutRsts Segments sent with the RST flag.
InCsumErrors Segments received with a bad checksum.`;

export const tcpExtFields = `
SyncookiesSent SYN cookies sent (the SYN queue was full).
SyncookiesRecv Valid SYN cookies received.
SyncookiesFailed Invalid SYN cookies received.
EmbryonicRsts Resets received for connections in SYN_RECV.
PruneCalled Times that a socket's receive buffer was pruned because it was full.
RcvPruned Segments dropped from a receive queue by pruning.
OfoPruned Segments dropped from an out-of-order queue by pruning.
OutOfWindowIcmps ICMP messages dropped because their sequence was out of window.
LockDroppedIcmps ICMP messages dropped because the socket was locked.
ArpFilter ARP requests not answered because of arp_filter.
TW Sockets that ended TIME_WAIT by its timer.
TWRecycled TIME_WAIT sockets reused by time stamps.
TWKilled TIME_WAIT sockets that ended in the fast timer.
PAWSPassive Passive connections refused by their time stamp (until 4.11).
PAWSActive Active connections refused by their time stamp.
PAWSEstab Segments of established connections refused by their time stamp.
BeyondWindow Segments dropped because they lie beyond the receive window.
TSEcrRejected Segments dropped because of an invalid echoed time stamp.
PAWSOldAck Old acknowledgements dropped by their time stamp.
PAWSTimewait Segments dropped in TIME_WAIT by their time stamp.
DelayedACKs Delayed acknowledgements sent.
DelayedACKLocked Delayed acknowledgements put off because the socket was locked.
DelayedACKLost Delayed acknowledgements that were lost (the segment came again).
ListenOverflows Connections dropped because the accept queue was full.
ListenDrops SYNs and last ACKs dropped by listening sockets, for whatever reason.
TCPPrequeued Segments put on the prequeue (until 4.13).
TCPDirectCopyFromBacklog Bytes copied to the user from the backlog (until 4.13).
TCPDirectCopyFromPrequeue Bytes copied to the user from the prequeue (until 4.13).
TCPPrequeueDropped Segments dropped from the prequeue (until 4.13).
TCPHPHits Segments taken by header prediction.
TCPHPHitsToUser Segments taken by header prediction and copied to the user (until 4.13).
TCPPureAcks Acknowledgements without data, outside header prediction.
TCPHPAcks Acknowledgements taken by header prediction.
TCPRenoRecovery Fast recoveries without SACK.
TCPSackRecovery Fast recoveries with SACK.
TCPSACKReneging Times that a peer took back what it had acknowledged by SACK.
TCPFACKReorder Reorderings found by FACK (until 4.14).
TCPSACKReorder Reorderings found by SACK.
TCPRenoReorder Reorderings found without SACK.
TCPTSReorder Reorderings found by time stamps.
TCPFullUndo Congestion window reductions undone in full.
TCPPartialUndo Congestion window reductions undone in part.
TCPDSACKUndo Congestion window reductions undone by D-SACK.
TCPLossUndo Recoveries from loss undone.
TCPLoss Segments lost in recovery (until 2.6.32).
TCPLostRetransmit Retransmissions that were lost again.
TCPRenoFailures Timeouts in recovery without SACK.
TCPSackFailures Timeouts in recovery with SACK.
TCPLossFailures Timeouts while in the loss state.
TCPFastRetrans Segments retransmitted in fast recovery.
TCPForwardRetrans Segments retransmitted forward (until 4.14).
TCPSlowStartRetrans Segments retransmitted in slow start after a timeout.
TCPTimeouts Retransmission timeouts that fired.
TCPLossProbes Tail loss probes sent.
TCPLossProbeRecovery Losses repaired by a tail loss probe.
TCPRenoRecoveryFail Fast recoveries without SACK that failed.
TCPSackRecoveryFail Fast recoveries with SACK that failed.
TCPSchedulerFailed Times that data was late for the prequeue (until 4.13).
TCPRcvCollapsed Segments merged in a receive queue to save memory.
TCPBacklogCoalesce Segments merged in a socket's backlog.
TCPDSACKOldSent D-SACKs sent for old segments.
TCPDSACKOfoSent D-SACKs sent for out-of-order segments.
TCPDSACKRecv D-SACKs received for old segments: retransmitted without need.
TCPDSACKOfoRecv D-SACKs received for out-of-order segments.
TCPAbortOnSyn Connections reset by an unexpected SYN (until 2.6.38).
TCPAbortOnData Connections reset because data came after the close.
TCPAbortOnClose Connections reset because they were closed with unread data.
TCPAbortOnMemory Connections reset because there were too many orphans or too little memory.
TCPAbortOnTimeout Connections reset because retransmissions or probes gave up.
TCPAbortOnLinger Connections reset by the linger timeout.
TCPAbortFailed Resets that could not be sent.
TCPMemoryPressures Times that TCP came under memory pressure.
TCPMemoryPressuresChrono Time under memory pressure, in milliseconds.
TCPSACKDiscard Invalid SACK blocks discarded.
TCPDSACKIgnoredOld D-SACKs ignored because they were old.
TCPDSACKIgnoredNoUndo D-SACKs ignored because there was nothing to undo.
TCPSpuriousRTOs Retransmission timeouts found to be spurious (F-RTO).
TCPMD5NotFound Segments without the MD5 signature that was expected.
TCPMD5Unexpected Segments with an MD5 signature that was not expected.
TCPMD5Failure Segments with a wrong MD5 signature.
TCPSackShifted SACK blocks shifted between buffers.
TCPSackMerged SACK blocks merged.
TCPSackShiftFallback SACK blocks that could not be shifted or merged.
TCPBacklogDrop Segments dropped because a socket's backlog was full.
PFMemallocDrop Segments dropped because memory reserves were not for them.
TCPMinTTLDrop Segments dropped because of a TTL below the minimum.
TCPDeferAcceptDrop ACKs dropped while a socket waits for data (TCP_DEFER_ACCEPT).
IPReversePathFilter Packets dropped by the reverse path filter.
TCPTimeWaitOverflow TIME_WAIT sockets not made because of tcp_max_tw_buckets.
TCPReqQFullDoCookies Times that a full SYN queue was answered with cookies.
TCPReqQFullDrop SYNs dropped because the SYN queue was full and cookies are off.
TCPRetransFail Retransmissions that could not be sent (no memory, no route).
TCPRcvCoalesce Segments merged in a receive queue.
TCPOFOQueue Segments queued out of order.
TCPOFODrop Segments out of order dropped for lack of buffer.
TCPOFOMerge Segments out of order that overlapped others.
TCPChallengeACK Challenge ACKs sent (RFC 5961).
TCPSYNChallenge Challenge ACKs sent for SYNs (RFC 5961).
TCPFastOpenActive Fast Open connections begun.
TCPFastOpenActiveFail Fast Open connections begun that fell back.
TCPFastOpenPassive Fast Open connections accepted.
TCPFastOpenPassiveFail Fast Open connections not accepted.
TCPFastOpenListenOverflow Fast Open requests over the limit of the listening socket.
TCPFastOpenCookieReqd Fast Open cookies requested.
TCPFastOpenBlackhole Times that Fast Open was turned off because of a black hole.
TCPSpuriousRtxHostQueues Retransmissions not sent because the original was still in a local queue.
BusyPollRxPackets Packets received by busy polling.
LowLatencyRxPackets Packets received by busy polling (3.11's name).
TCPAutoCorking Times that a small segment was held back to grow.
TCPFromZeroWindowAdv Windows opened again from zero.
TCPToZeroWindowAdv Windows closed to zero.
TCPWantZeroWindowAdv Windows that should have been closed to zero and were not.
TCPSynRetrans SYNs and SYN-ACKs retransmitted.
TCPOrigDataSent Segments with new data sent.
TCPHystartTrainDetect Slow starts left early by hystart (ACK train).
TCPHystartTrainCwnd Sum of congestion windows at those times (ACK train).
TCPHystartDelayDetect Slow starts left early by hystart (delay).
TCPHystartDelayCwnd Sum of congestion windows at those times (delay).
TCPACKSkippedSynRecv ACKs not sent because of the rate limit, in SYN_RECV.
TCPACKSkippedPAWS ACKs not sent because of the rate limit, after a PAWS check.
TCPACKSkippedSeq ACKs not sent because of the rate limit, out of sequence.
TCPACKSkippedFinWait2 ACKs not sent because of the rate limit, in FIN_WAIT_2.
TCPACKSkippedTimeWait ACKs not sent because of the rate limit, in TIME_WAIT.
TCPACKSkippedChallenge Challenge ACKs not sent because of the rate limit.
TCPWinProbe Zero window probes sent.
TCPKeepAlive Keepalive probes sent.
TCPMTUPFail Path MTU probes that failed.
TCPMTUPSuccess Path MTU probes that succeeded.
TCPDelivered Segments delivered to the peer, as acknowledged.
TCPDeliveredCE Segments delivered with congestion marked (ECN).
TCPAckCompressed ACKs saved by compression.
TCPZeroWindowDrop Segments dropped because the window was zero.
TCPRcvQDrop Segments dropped because the receive queue was full.
TCPWqueueTooBig Times that a write queue was too large to split a segment.
TCPFastOpenPassiveAltKey Fast Open connections accepted with the backup key.
TcpTimeoutRehash New paths chosen after timeouts.
TcpDuplicateDataRehash New paths chosen after duplicate data.
TCPDSACKRecvSegs Segments that D-SACKs received were about.
TCPDSACKIgnoredDubious D-SACKs ignored because they were dubious.
TCPMigrateReqSuccess Requests moved to another listening socket.
TCPMigrateReqFailure Requests that could not be moved to another listening socket.
TCPPLBRehash New paths chosen by protective load balancing.
TCPAORequired Segments without the TCP-AO signature that was required.
TCPAOBad Segments with a wrong TCP-AO signature.
TCPAOKeyNotFound Segments with a TCP-AO key that is not known.
TCPAOGood Segments with a good TCP-AO signature.
TCPAODroppedIcmps ICMP messages dropped because of TCP-AO.`;

export const ipFields = `
Forwarding Whether packets are forwarded (1 yes, 2 no).
DefaultTTL The TTL of packets sent.
InReceives Packets received, with errors too.
InHdrErrors Packets dropped because of their header.
InAddrErrors Packets dropped because of their address.
ForwDatagrams Packets forwarded.
InUnknownProtos Packets dropped because of an unknown protocol.
InDiscards Packets dropped without an error of theirs (no buffer).
InDelivers Packets delivered to protocols.
OutRequests Packets that protocols asked to send.
OutDiscards Packets not sent without an error of theirs (no buffer).
OutNoRoutes Packets not sent because there was no route.
ReasmTimeout Reassemblies that timed out.
ReasmReqds Fragments received that needed reassembly.
ReasmOKs Packets reassembled.
ReasmFails Reassemblies that failed.
FragOKs Packets fragmented.
FragFails Packets that could not be fragmented.
FragCreates Fragments made.
OutTransmits Packets sent, after fragmentation.`;

export const ipExtFields = `
InNoRoutes Packets received that have no route.
InTruncatedPkts Packets dropped because they were truncated.
InMcastPkts Multicast packets received.
OutMcastPkts Multicast packets sent.
InBcastPkts Broadcast packets received.
OutBcastPkts Broadcast packets sent.
InOctets Bytes received.
OutOctets Bytes sent.
InMcastOctets Multicast bytes received.
OutMcastOctets Multicast bytes sent.
InBcastOctets Broadcast bytes received.
OutBcastOctets Broadcast bytes sent.
InCsumErrors Packets with a bad checksum.
InNoECTPkts Packets received without ECN.
InECT1Pkts Packets received with ECT(1).
InECT0Pkts Packets received with ECT(0).
InCEPkts Packets received with congestion marked.
ReasmOverlaps Fragments that overlapped others.`;

export const udpFields = `
InDatagrams Datagrams delivered to users.
NoPorts Datagrams for a port where nobody listens.
InErrors Datagrams not delivered for other reasons.
OutDatagrams Datagrams sent.
RcvbufErrors Datagrams dropped because the receive buffer was full.
SndbufErrors Datagrams not sent because the send buffer was full.
InCsumErrors Datagrams with a bad checksum.
IgnoredMulti Multicast datagrams that nobody wanted.
MemErrors Datagrams dropped because of the memory limit.`;
