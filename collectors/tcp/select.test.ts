import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Sample } from '../../src/metric.ts';
import { tcp } from './index.ts';
import { groups, ratioMetrics, watched } from './metrics.ts';
import { parsePairs, parseSnmp6 } from './parse.ts';
import { createSelection, measure, type SelectionOptions } from './select.ts';

const read = (name: string): string => readFileSync(join(import.meta.dirname, 'testdata/kernel6.18', name), 'utf8');
const fields = [
  ...parsePairs(read('snmp'), 'snmp').fields,
  ...parsePairs(read('netstat'), 'netstat').fields,
  ...parseSnmp6(read('snmp6'), 'snmp6').fields,
];
const inGroups = (...names: string[]): number => fields.filter(({ group }) => names.includes(group)).length;

const selected = (options: Partial<SelectionOptions> = {}) => {
  const defaults = { include: watched, exclude: [], all: false, mptcp: false, snmp6: false };
  const selection = createSelection({ ...defaults, ...options });
  const samples = measure(fields, undefined, selection);
  const names = (list: readonly Sample[]): string[] => list.map(({ metric }) => metric.name);
  return {
    ratios: selection.ratios,
    sent: names(samples.filter(({ quiet }) => quiet !== true)),
    quiet: names(samples.filter(({ quiet }) => quiet === true)),
  };
};

test('the default is what an operator watches: between 35 and 50 series of kernel 6.18, and the ratios', () => {
  const { sent, quiet, ratios } = selected();
  expect(sent.length).toBeGreaterThanOrEqual(35);
  expect(sent.length).toBeLessThanOrEqual(50);
  expect(sent).toEqual(expect.arrayContaining(['retrans_segs', 'out_segs', 'listen_drops', 'spurious_rtos']));
  expect(sent.filter((name) => /^(?:mptcp|ip6|udp6)_/.test(name))).toEqual([]);
  expect(quiet).toEqual([]);
  expect(ratios).toEqual(['retransmit_ratio', 'syn_retransmit_ratio', 'listen_drop_ratio']);
});

test('the options of the collector default to the same', () => {
  const options = tcp.options.parse({});
  expect(options.include).toEqual(watched);
  expect(selected(options)).toEqual(selected());
});

test('all sends every column of Tcp, TcpExt, Ip, IpExt and Udp, whatever include says', () => {
  const { sent, ratios } = selected({ all: true, include: [] });
  expect(sent).toHaveLength(inGroups('Tcp', 'TcpExt', 'Ip', 'IpExt', 'Udp'));
  expect(sent).toHaveLength(15 + 135 + 20 + 18 + 9);
  expect(ratios).toHaveLength(ratioMetrics.length);
});

test('mptcp and snmp6 add their groups, which no glob does', () => {
  expect(selected({ include: [], mptcp: true }).sent).toHaveLength(inGroups('MPTcpExt'));
  expect(selected({ include: [], snmp6: true }).sent).toHaveLength(inGroups('Ip6', 'Udp6'));
  expect(inGroups('MPTcpExt')).toBe(76);
  expect(inGroups('Ip6', 'Udp6')).toBe(32 + 9 + 1);
  expect(selected({ include: ['*'] }).sent).toEqual(selected({ all: true }).sent);
  expect(groups.MPTcpExt.asked).toBe('mptcp');
});

test('include takes globs, and exclude takes away whatever includes it', () => {
  expect(selected({ include: ['ip_frag_*'] }).sent).toEqual(['ip_frag_oks', 'ip_frag_fails', 'ip_frag_creates']);
  expect(selected({ include: ['ip_frag_*'], exclude: ['*_fails'] }).sent).toEqual(['ip_frag_oks', 'ip_frag_creates']);
  const { sent } = selected({ all: true, mptcp: true, snmp6: true, exclude: ['mptcp_*', 'ip6_*', 'udp*'] });
  expect(sent).toHaveLength(inGroups('Tcp', 'TcpExt', 'Ip', 'IpExt'));
  expect(selected({ include: [] })).toEqual({ sent: [], quiet: [], ratios: [] });
});

test('an excluded ratio is not computed', () => {
  const { ratios, quiet } = selected({ exclude: ['retransmit_ratio'] });
  expect(ratios).toEqual(['syn_retransmit_ratio', 'listen_drop_ratio']);
  expect(quiet).toEqual([]);
  expect(selected({ exclude: ['*_ratio'] }).ratios).toEqual([]);
});

test('a ratio that is wanted while its operands are not gets them quietly', () => {
  const { sent, quiet, ratios } = selected({ include: ['retransmit_ratio'] });
  expect(sent).toEqual([]);
  expect(quiet).toEqual(['out_segs', 'retrans_segs']);
  expect(ratios).toEqual(['retransmit_ratio']);
  const excluded = selected({ exclude: ['out_segs'] });
  expect(excluded.sent).not.toContain('out_segs');
  expect(excluded.quiet).toEqual(['out_segs']);
});

test('samples carry the namespace, and the own one carries none', () => {
  const selection = createSelection({ include: ['*'], exclude: [], all: false, mptcp: false, snmp6: false });
  const labels = (namespace: string | undefined) => measure(fields, namespace, selection).map((one) => one.labels);
  expect(new Set(labels('blue').map(({ namespace }) => namespace))).toEqual(new Set(['blue']));
  expect(new Set(labels(undefined).map(({ namespace }) => namespace))).toEqual(new Set([undefined]));
});

test('a name that no metric has is refused with the nearest; a glob may be for a kernel to come', () => {
  const fault = (options: object): string | undefined => tcp.options.safeParse(options).error?.issues[0]?.message;
  expect(fault({ include: ['out_segs', 'retran_segs'] })).toBe(
    'unknown metric "retran_segs"; did you mean "retrans_segs"? (a column newer than this catalogue is matched by a glob: "retran_segs*")',
  );
  expect(tcp.options.safeParse({ include: ['out_segs', 'x_y_z'] }).error?.issues[0]?.path).toEqual(['include', 1]);
  expect(fault({ exclude: ['nothing_like_any_of_them'] })).toBe(
    'unknown metric "nothing_like_any_of_them" (a column newer than this catalogue is matched by a glob: "nothing_like_any_of_them*")',
  );
  expect(fault({ include: ['constructor'] })).toContain('unknown metric "constructor"');
  const known = ['retrans_segs', 'retransmit_ratio', 'mptcp_*', 'retran_segs*', 'in_err?', '[x]', ...watched];
  expect(fault({ include: known, exclude: known })).toBeUndefined();
});
