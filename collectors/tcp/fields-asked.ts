/**
 * Columns that are read only when asked for: MPTcpExt of /proc/net/netstat (net/mptcp/mib.c), Ip6 and Udp6 of
 * /proc/net/snmp6 (net/ipv6/proc.c). TCP over IPv6 needs none of them: the kernel counts it in Tcp and TcpExt.
 * A line is the kernel's column and its help; for Ip6 and Udp6 the column is without that prefix.
 */
export const mptcpFields = `
MPCapableSYNRX MP_CAPABLE SYNs received.
MPCapableSYNTX MP_CAPABLE SYNs sent.
MPCapableSYNACKRX MP_CAPABLE SYN-ACKs received.
MPCapableACKRX MP_CAPABLE third ACKs received.
MPCapableFallbackACK Connections that fell back to TCP at the third ACK.
MPCapableFallbackSYNACK Connections that fell back to TCP at the SYN-ACK.
MPCapableSYNTXDrop MP_CAPABLE SYNs lost, so that TCP was tried.
MPCapableSYNTXDisabled MP_CAPABLE SYNs not sent because MPTCP is off for now.
MPCapableEndpAttempt Connections to an endpoint announced before.
MPFallbackTokenInit Connections that fell back because no token could be made.
MPTCPRetrans Segments retransmitted at the MPTCP level.
MPJoinNoTokenFound MP_JOINs received with an unknown token.
MPJoinSynRx MP_JOIN SYNs received.
MPJoinSynBackupRx MP_JOIN SYNs received with the backup flag.
MPJoinSynAckRx MP_JOIN SYN-ACKs received.
MPJoinSynAckBackupRx MP_JOIN SYN-ACKs received with the backup flag.
MPJoinSynAckHMacFailure MP_JOIN SYN-ACKs with a wrong HMAC.
MPJoinAckRx MP_JOIN ACKs received.
MPJoinAckHMacFailure MP_JOIN ACKs with a wrong HMAC.
MPJoinRejected MP_JOINs rejected.
MPJoinSynTx MP_JOIN SYNs sent.
MPJoinSynTxCreatSkErr MP_JOINs not sent because no socket could be made.
MPJoinSynTxBindErr MP_JOINs not sent because the socket could not be bound.
MPJoinSynTxConnectErr MP_JOINs not sent because the socket could not be connected.
DSSNotMatching Data sequence mappings that do not match.
DSSCorruptionFallback Connections that fell back after a corrupt mapping.
DSSCorruptionReset Subflows reset after a corrupt mapping.
InfiniteMapTx Infinite mappings sent.
InfiniteMapRx Infinite mappings received.
DSSNoMatchTCP Mappings that do not match the TCP sequence.
DataCsumErr Data checksums that were wrong.
OFOQueueTail Segments put at the tail of the out-of-order queue.
OFOQueue Segments put into the out-of-order queue.
OFOMerge Segments merged in the out-of-order queue.
NoDSSInWindow Segments outside of the MPTCP window.
DuplicateData Segments with data that was there already.
AddAddr ADD_ADDRs received.
AddAddrTx ADD_ADDRs sent.
AddAddrTxDrop ADD_ADDRs not sent.
EchoAdd ADD_ADDR echoes received.
EchoAddTx ADD_ADDR echoes sent.
EchoAddTxDrop ADD_ADDR echoes not sent.
PortAdd ADD_ADDRs received with a port.
AddAddrDrop ADD_ADDRs received and dropped.
MPJoinPortSynRx MP_JOIN SYNs received at another port.
MPJoinPortSynAckRx MP_JOIN SYN-ACKs received at another port.
MPJoinPortAckRx MP_JOIN ACKs received at another port.
MismatchPortSynRx MP_JOIN SYNs received at a wrong port.
MismatchPortAckRx MP_JOIN ACKs received at a wrong port.
RmAddr RM_ADDRs received.
RmAddrDrop RM_ADDRs received and dropped.
RmAddrTx RM_ADDRs sent.
RmAddrTxDrop RM_ADDRs not sent.
RmSubflow Subflows removed.
MPPrioTx MP_PRIOs sent.
MPPrioRx MP_PRIOs received.
MPFailTx MP_FAILs sent.
MPFailRx MP_FAILs received.
MPFastcloseTx MP_FASTCLOSEs sent.
MPFastcloseRx MP_FASTCLOSEs received.
MPRstTx MP_TCPRSTs sent.
MPRstRx MP_TCPRSTs received.
SubflowStale Subflows that became stale.
SubflowRecover Subflows that recovered from being stale.
SndWndShared Times that a subflow used the window of another.
RcvWndShared Times that the receive window was taken from another subflow.
RcvWndConflictUpdate Receive window conflicts solved by an update.
RcvWndConflict Receive window conflicts.
MPCurrEstab MPTCP connections established now.
Blackhole Times that MPTCP was turned off because of a black hole.
MPCapableDataFallback Connections that fell back at the first data.
MD5SigFallback Connections that fell back because of MD5 signatures.
DssFallback Connections that fell back because of bad mappings.
SimultConnectFallback Connections that fell back because both sides connected.
FallbackFailed Fall-backs that were not possible any more.
WinProbe MPTCP-level zero window probes sent.`;

export const ip6Fields = `
InReceives Packets received, with errors too.
InHdrErrors Packets dropped because of their header.
InTooBigErrors Packets dropped because they were larger than the link's MTU.
InNoRoutes Packets received that have no route.
InAddrErrors Packets dropped because of their address.
InUnknownProtos Packets dropped because of an unknown protocol.
InTruncatedPkts Packets dropped because they were truncated.
InDiscards Packets dropped without an error of theirs (no buffer).
InDelivers Packets delivered to protocols.
OutForwDatagrams Packets forwarded.
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
InMcastPkts Multicast packets received.
OutMcastPkts Multicast packets sent.
InOctets Bytes received.
OutOctets Bytes sent.
InMcastOctets Multicast bytes received.
OutMcastOctets Multicast bytes sent.
InBcastOctets Broadcast bytes received.
OutBcastOctets Broadcast bytes sent.
InNoECTPkts Packets received without ECN.
InECT1Pkts Packets received with ECT(1).
InECT0Pkts Packets received with ECT(0).
InCEPkts Packets received with congestion marked.
OutTransmits Packets sent, after fragmentation.`;
