import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expecting, type Field, type Parsed, parsePairs, parseSnmp6 } from './parse.ts';

const read = (name: string): string => readFileSync(join(import.meta.dirname, 'testdata', name), 'utf8');
const OURS = ['Tcp', 'TcpExt', 'Ip', 'IpExt', 'Udp', 'MPTcpExt'];
const NETSTAT_618 = read('kernel6.18/netstat');
const SNMP_618 = read('kernel6.18/snmp');

const entries = (fields: readonly Field[]) =>
  fields.map(({ group, column, value }): [string, number | bigint] => [`${group} ${column}`, value]);
const asObject = ({ fields }: Parsed) => Object.fromEntries(entries(fields));
const messages = ({ problems }: Parsed) => problems.map(({ message }) => message);
const pairs = (text: string) => parsePairs(text, 'snmp');

/** What a pair file says, read in another way than the parser's: line by line, header and values. */
function truth(text: string): Record<string, number> {
  const said: Record<string, number> = {};
  const all = text.split('\n').map((line) => line.split(' '));
  for (let at = 0; at + 1 < all.length; at += 2) {
    const [head = '', ...columns] = all[at] ?? [];
    const [, ...values] = all[at + 1] ?? [];
    if (!OURS.includes(head.slice(0, -1))) continue;
    for (const [place, column] of columns.entries()) said[`${head.slice(0, -1)} ${column}`] = Number(values[place]);
  }
  return said;
}

const truth6 = (text: string): Record<string, number> =>
  Object.fromEntries(
    [...text.matchAll(/^(Ip6|Udp6)(\w+)\s+(\d+)$/gm)].map((m) => [`${m[1]} ${m[2]}`, Number(m[3])] as const),
  );

describe('captured and constructed texts', () => {
  test.each([
    ['kernel6.18', 15 + 20 + 9, 135 + 18 + 76],
    ['kernel6.18-two-readings', 15 + 20 + 9, 135 + 18 + 76],
    ['kernel4.4-columns', 15 + 19 + 8, 106 + 17],
    ['kernel2.6.18-columns', 14 + 19 + 4, 65],
  ])('%s: every column has its value, by name', (folder, inSnmp, inNetstat) => {
    for (const [name, count] of [
      ['snmp', inSnmp],
      ['netstat', inNetstat],
    ] as const) {
      const text = read(`${folder}/${name}`);
      const parsed = parsePairs(text, name);
      expect(parsed.problems).toEqual([]);
      expect(asObject(parsed)).toEqual(truth(text));
      expect(parsed.fields).toHaveLength(count);
    }
  });

  test('what an operator looks for is where the kernel put it', () => {
    expect(asObject(parsePairs(SNMP_618, 'snmp'))).toMatchObject({ 'Tcp RetransSegs': 9, 'Tcp MaxConn': -1 });
    expect(asObject(parsePairs(NETSTAT_618, 'netstat'))).toMatchObject({
      'TcpExt TCPTimeouts': 2,
      'IpExt InOctets': 1629102414,
    });
    expect(asObject(parsePairs(read('kernel2.6.18-columns/snmp'), 'snmp'))).toMatchObject({ 'Tcp RetransSegs': 156 });
  });

  test('snmp6: Ip6 and Udp6, and nothing else of it', () => {
    const text = read('kernel6.18/snmp6');
    const parsed = parseSnmp6(text, 'snmp6');
    expect(parsed.problems).toEqual([]);
    expect(asObject(parsed)).toEqual(truth6(text));
    expect(asObject(parsed)).toMatchObject({ 'Ip6 InReceives': 59, 'Ip6 OutRequests': 63, 'Udp6 InDatagrams': 0 });
  });

  test('snmp and netstat one after the other, as the namespaces give them', () => {
    const parsed = pairs(SNMP_618 + NETSTAT_618);
    expect(parsed.problems).toEqual([]);
    expect(asObject(parsed)).toEqual({ ...truth(SNMP_618), ...truth(NETSTAT_618) });
  });
});

describe('cut off at every byte', () => {
  test.each(['snmp', 'netstat'])('%s', (name) => {
    const text = read(`kernel6.18/${name}`);
    const whole = truth(text);
    for (let length = 0; length < text.length; length++) {
      const cut = text.slice(0, length);
      const parsed = parsePairs(cut, name);
      const wrong = entries(parsed.fields).filter(([key, value]) => whole[key] !== value);
      // The pairs before the cut remain: a value is lost only where it may be cut itself.
      const sure = Object.entries(truth(cut.slice(0, cut.lastIndexOf('\n') + 1)));
      const kept = asObject(parsed);
      const lost = sure.filter(([key, value]) => Number.isFinite(value) && kept[key] !== value);
      expect({ length, wrong, lost }).toEqual({ length, wrong: [], lost: [] });
      if (!cut.endsWith('\n') && cut !== '') expect(messages(parsed).join()).toContain('the text is cut off here');
    }
  });

  test('snmp6', () => {
    const text = read('kernel6.18/snmp6');
    for (let length = 0; length < text.length; length++) {
      const cut = text.slice(0, length);
      const parsed = parseSnmp6(cut, 'snmp6');
      expect(asObject(parsed)).toEqual(truth6(cut.slice(0, cut.lastIndexOf('\n') + 1)));
      if (!cut.endsWith('\n') && cut !== '') expect(messages(parsed)).toHaveLength(1);
    }
  });

  test('the values before the cut of their own line remain', () => {
    const parsed = pairs('Tcp: RtoMin RtoMax InSegs OutSegs\nTcp: 1 2 34');
    expect(asObject(parsed)).toEqual({ 'Tcp RtoMin': 1, 'Tcp RtoMax': 2 });
    expect(messages(parsed)).toEqual(['snmp line 2: the text is cut off here']);
  });

  test('a text that ends between two groups lacks one that every kernel has', () => {
    const cut = pairs(SNMP_618.slice(0, SNMP_618.indexOf('Tcp:')));
    expect(cut.problems).toEqual([]);
    expect(messages(expecting(['Tcp', 'TcpExt'], 'snmp', cut))).toEqual(['snmp: no Tcp, no TcpExt in it']);
    expect(expecting(['Ip'], 'snmp', cut)).toEqual(cut);
    expect(messages(expecting(['Ip6'], 'snmp6', parseSnmp6('', 'snmp6')))).toEqual(['snmp6: no Ip6 in it']);
  });
});

describe('hostile texts', () => {
  test('reordered pairs and columns say the same', () => {
    const [ip, ipValues, , , , , tcp, tcpValues, udp, udpValues] = SNMP_618.split('\n');
    const shuffled = [udp, tcp, ip, tcpValues, ipValues, udpValues, ''].join('\n');
    expect(asObject(pairs(shuffled))).toEqual(truth(SNMP_618));
    expect(asObject(pairs('Tcp: OutSegs InSegs\nTcp: 1 2\n'))).toEqual({ 'Tcp OutSegs': 1, 'Tcp InSegs': 2 });
  });

  test('a column that is given twice has no value', () => {
    const parsed = pairs('Tcp: InSegs OutSegs InSegs\nTcp: 1 2 3\n');
    expect(asObject(parsed)).toEqual({ 'Tcp OutSegs': 2 });
    expect(messages(parsed)).toEqual(['snmp line 2: Tcp: InSegs is given twice']);
  });

  test('a pair that is given twice has no values, and the others remain', () => {
    const [header, values] = SNMP_618.split('\n').slice(6, 8);
    const parsed = pairs(`${SNMP_618}${header}\n${values}\n`);
    expect(parsed.fields.filter(({ group }) => group === 'Tcp')).toEqual([]);
    expect(parsed.fields).toHaveLength(20 + 9);
    expect(parsed.problems).toHaveLength(11);
    expect(messages(parsed).at(-1)).toBe('snmp: 5 more faults');
  });

  test.each([
    ['x', 'non-numeric'],
    ['-5', 'negative'],
    ['1.5', 'a fraction'],
    ['0x10', 'hexadecimal'],
    ['1e3', 'an exponent'],
    ['+1', 'a sign'],
    ['18446744073709551616', 'beyond 64 bits'],
    ['99999999999999999999999', 'far beyond'],
    ['١٢', 'other digits'],
    ['1\u00002', 'a NUL'],
  ])('%j (%s) is no count, and its neighbours remain', (value) => {
    const parsed = pairs(`Tcp: InSegs OutSegs InErrs\nTcp: 1 ${value} 3\n`);
    expect(asObject(parsed)).toEqual({ 'Tcp InSegs': 1, 'Tcp InErrs': 3 });
    expect(messages(parsed)).toHaveLength(1);
    expect(messages(parsed)[0]).toMatch(/^snmp line 2: Tcp: OutSegs: expected a count, found "/);
  });

  test('only MaxConn may be negative', () => {
    expect(asObject(pairs('Tcp: MaxConn InSegs\nTcp: -1 -1\n'))).toEqual({ 'Tcp MaxConn': -1 });
  });

  test('the largest totals keep all of their digits', () => {
    const values = '9007199254740991 9007199254740993 18446744073709551615';
    const parsed = pairs(`IpExt: InOctets OutOctets InMcastOctets\nIpExt: ${values}\n`);
    expect(parsed.fields.map(({ value }) => value)).toEqual([
      9007199254740991,
      9007199254740993n,
      18446744073709551615n,
    ]);
    expect(asObject(parseSnmp6('Ip6InOctets 18446744073709551615\n', 'snmp6'))).toEqual({
      'Ip6 InOctets': 18446744073709551615n,
    });
  });

  test('CRLF and tabs are no part of a value', () => {
    expect(asObject(pairs(SNMP_618.replaceAll('\n', '\r\n')))).toEqual(truth(SNMP_618));
    expect(asObject(pairs('Tcp:\tInSegs  OutSegs \nTcp: \t1\t 2\n'))).toEqual({ 'Tcp InSegs': 1, 'Tcp OutSegs': 2 });
  });

  test.each([
    ['Tcp: InSegs OutSegs\n', 'snmp line 1: Tcp: a header without values'],
    ['Tcp: InSegs\nTcp: InSegs\nTcp: 1\n', 'snmp line 1: Tcp: a header without values'],
    ['Tcp: 1 2\n', 'snmp line 1: Tcp: values without a header before them'],
    ['Tcp: InSegs OutSegs\nTcp: 1\n', 'snmp line 2: Tcp: 2 columns and 1 values'],
    ['Tcp: InSegs OutSegs\nTcp: 1 2 3\n', 'snmp line 2: Tcp: 2 columns and 3 values'],
    ['Tcp: InSegs OutSegs\nTcp:\n', 'snmp line 2: Tcp: 2 columns and 0 values'],
    ['no such thing\n', 'snmp line 1: expected "Group: …", found "no such thing"'],
  ])('%j is told', (text, message) => {
    const parsed = pairs(text);
    expect(messages(parsed)).toEqual([message]);
    expect(parsed.problems[0]).toMatchObject({ code: 'E_PARSE', evidence: { path: 'snmp' } });
    if (!text.includes('Tcp: InSegs\nTcp: 1')) expect(parsed.fields).toEqual([]);
  });

  test('snmp6: a line with more than a name and a value has no sure value', () => {
    const parsed = parseSnmp6('Ip6InReceives 1 2\nIp6InOctets\nIp6OutOctets 3\nUdp6NoPorts -1\n', 'snmp6');
    expect(asObject(parsed)).toEqual({ 'Ip6 OutOctets': 3 });
    expect(parsed.problems).toHaveLength(3);
  });

  test('names of the language itself are columns like others', () => {
    const parsed = pairs('Tcp: constructor toString hasOwnProperty\nTcp: 1 2 3\n__proto__: A\n__proto__: 1\n');
    expect(entries(parsed.fields)).toEqual([
      ['Tcp constructor', 1],
      ['Tcp toString', 2],
      ['Tcp hasOwnProperty', 3],
    ]);
  });

  test('a single line of 10 MB ends in time, and in few words', () => {
    for (const text of ['a'.repeat(1e7), `Tcp:${' 1'.repeat(5e6)}`, `Tcp: A\nTcp:${' 1'.repeat(5e6)}\n`]) {
      const before = performance.now();
      for (const parsed of [pairs(text), parseSnmp6(text, 'snmp6')]) {
        expect(parsed.fields).toEqual([]);
        expect(messages(parsed).join().length).toBeLessThan(5000);
      }
      expect(performance.now() - before).toBeLessThan(10_000);
    }
  });

  test('no text makes it throw, and every field is a sound one', () => {
    const word = fc.oneof(fc.constantFrom('Tcp:', 'TcpExt:', 'Ip6InOctets', 'InSegs', 'MaxConn', '1', '-1', ' ', '\n'));
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc
        .array(fc.oneof(word, fc.string({ unit: 'binary', maxLength: 5 })), { maxLength: 60 })
        .map((all) => all.join(' ')),
    );
    const check = ({ fields, problems }: Parsed): void => {
      for (const { column, value } of fields) {
        expect(column).toMatch(/^[A-Za-z][A-Za-z0-9]*$/);
        expect(value >= 0 || column === 'MaxConn').toBe(true);
      }
      for (const { message } of problems) expect(message).not.toMatch(/[\0-\u001f]/);
    };
    fc.assert(
      fc.property(text, (one) => {
        check(pairs(one));
        check(parseSnmp6(one, 'snmp6'));
      }),
      { numRuns: 500 },
    );
  });
});
