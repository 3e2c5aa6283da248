import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { matcher } from '../../src/text.ts';
import { groups, knownMetrics, metricOf, metrics, ratioMetrics, watched } from './metrics.ts';
import { type Group, parsePairs, parseSnmp6 } from './parse.ts';

const read = (name: string): string => readFileSync(join(import.meta.dirname, 'testdata', name), 'utf8');
const allGroups = Object.keys(groups) as Group[];
const columns = allGroups.flatMap(knownMetrics);

test('no two columns share a metric name', () => {
  const names = [...columns, ...ratioMetrics].map(({ name }) => name);
  const doubled = names.filter((name, index) => names.indexOf(name) !== index);
  expect(doubled).toEqual([]);
  expect(Object.keys(metrics)).toHaveLength(names.length);
});

test('names are snake_case without _total, with their group in front', () => {
  for (const { name } of columns) {
    expect(name).toMatch(/^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/);
    expect(name).not.toMatch(/_total$/);
    // A plural of capitals that was taken apart: `spurious_rt_os`, `delayed_ac_ks`, `frag_o_ks`.
    expect(name).not.toMatch(/_(?:os|ks)$/);
  }
  for (const group of allGroups)
    for (const { name } of knownMetrics(group)) expect(name.startsWith(groups[group].prefix)).toBe(true);
});

test.each([
  ['Tcp', 'RetransSegs', 'retrans_segs'],
  ['Tcp', 'CurrEstab', 'curr_estab'],
  ['TcpExt', 'TW', 'tw'],
  ['TcpExt', 'TCPDSACKOldSent', 'dsack_old_sent'],
  ['TcpExt', 'TcpTimeoutRehash', 'timeout_rehash'],
  ['TcpExt', 'TCPSpuriousRTOs', 'spurious_rtos'],
  ['TcpExt', 'DelayedACKs', 'delayed_acks'],
  ['TcpExt', 'TCPReqQFullDrop', 'req_q_full_drop'],
  ['TcpExt', 'TCPACKSkippedFinWait2', 'ack_skipped_fin_wait2'],
  ['TcpExt', 'IPReversePathFilter', 'ip_reverse_path_filter'],
  ['Ip', 'ReasmOKs', 'ip_reasm_oks'],
  ['IpExt', 'InECT1Pkts', 'ip_in_ect1_pkts'],
  ['Udp', 'RcvbufErrors', 'udp_rcvbuf_errors'],
  ['MPTcpExt', 'MPCapableSYNACKRX', 'mptcp_capable_syn_ack_rx'],
  ['MPTcpExt', 'MPJoinAckHMacFailure', 'mptcp_join_ack_hmac_failure'],
  ['MPTcpExt', 'MPTCPRetrans', 'mptcp_retrans'],
  ['Ip6', 'InTooBigErrors', 'ip6_in_too_big_errors'],
] as const)('%s %s is %s', (group, column, name) => {
  expect(metricOf(group, column).name).toBe(name);
});

test('gauges are those columns that can fall; all others are counters of 64 bits', () => {
  const gauges = columns.filter(({ kind }) => kind === 'gauge').map(({ name }) => name);
  expect(gauges.sort()).toEqual([
    ...['curr_estab', 'ip_default_ttl', 'ip_forwarding', 'max_conn', 'mptcp_curr_estab', 'rto_algorithm'],
    ...['rto_max_milliseconds', 'rto_min_milliseconds'],
  ]);
  for (const { kind, bits, name } of columns)
    if (!gauges.includes(name)) expect({ kind, bits }).toEqual({ kind: 'counter', bits: 64 });
  for (const { kind } of ratioMetrics) expect(kind).toBe('ratio');
});

describe.each(['kernel6.18', 'kernel4.4-columns', 'kernel2.6.18-columns'])('%s', (folder) => {
  const fields = [
    ...parsePairs(read(`${folder}/snmp`), 'snmp').fields,
    ...parsePairs(read(`${folder}/netstat`), 'netstat').fields,
    ...(folder === 'kernel6.18' ? parseSnmp6(read(`${folder}/snmp6`), 'snmp6').fields : []),
  ];

  test('every column is in the catalogue, and its source names the column', () => {
    expect(fields.length).toBeGreaterThan(100);
    for (const { group, column } of fields) {
      const metric = metricOf(group, column);
      expect(metrics[metric.name], `${group}.${column}`).toBe(metric);
      const { file } = groups[group];
      const shown = file === 'snmp6' ? `${group}${column}` : `${group}: ${column}`;
      expect(metric.source).toBe(`/proc/net/${file} ${shown}`);
      expect(metric.labels).toEqual(['namespace']);
      expect(metric.help).toMatch(/^[A-Z].+\.$/);
    }
  });
});

test('every default glob means something: it matches a metric of the catalogue', () => {
  const names = Object.keys(metrics);
  expect(watched.filter((glob) => !names.some(matcher([glob])))).toEqual([]);
});

test('a column newer than the catalogue is a counter under its own name', () => {
  const metric = metricOf('TcpExt', 'TCPSomethingNew');
  expect(metric).toMatchObject({ name: 'something_new', kind: 'counter', bits: 64 });
  expect(metric.source).toBe('/proc/net/netstat TcpExt: TCPSomethingNew');
  expect(metrics.something_new).toBeUndefined();
});

test('ratios divide what they say', () => {
  const shown = ratioMetrics.map(({ name, source }) => `${name} = ${source}`);
  expect(shown).toEqual([
    'retransmit_ratio = retrans_segs / out_segs',
    'syn_retransmit_ratio = syn_retrans / active_opens + passive_opens + syn_retrans',
    'listen_drop_ratio = listen_drops / passive_opens + listen_drops',
  ]);
});
