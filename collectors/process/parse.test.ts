import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { commandWords, isDead, machineUptime, openFilesLimit, parseStat, parseStatus, pidIn } from './parse.ts';

const read = (name: string): string =>
  readFileSync(join(import.meta.dirname, 'testdata/kernel6.18-hypervisor', name), 'utf8');
const STAT = read('1-7711-stat');

describe('/proc/PID/stat', () => {
  test('a captured one', () => {
    expect(parseStat(STAT)).toMatchObject({ comm: 'ovsdb-server', state: 'S', threads: 1, isKernels: false });
    expect(parseStat(read('1-2-stat'))).toMatchObject({ comm: 'kthreadd', isKernels: true });
  });

  test('a name may hold parentheses, blanks and newlines, and what looks like the rest of the line', () => {
    for (const comm of [') R 1', 'a b', '((', '))', ') S (', 'x\ny', '', 'ü) Z 1 1']) {
      expect(parseStat(STAT.replace('ovsdb-server', comm)), comm).toMatchObject({ comm, state: 'S', threads: 1 });
    }
  });

  test('states: one that has ended, one that was stopped', () => {
    const inState = (state: string) => parseStat(STAT.replace(') S ', `) ${state} `));
    for (const [state, dead] of Object.entries({ Z: true, X: true, x: true, S: false, D: false, T: false })) {
      const stat = inState(state);
      expect(stat && isDead(stat), state).toBe(dead);
    }
    expect(inState('D')).toMatchObject({ state: 'D' });
    expect(inState('7')).toBeUndefined();
    expect(inState('')).toBeUndefined();
  });

  test('cut off anywhere it is none, or one whose numbers stood there', () => {
    const whole = parseStat(STAT);
    for (let length = 0; length < STAT.length; length++) {
      const cut = parseStat(STAT.slice(0, length));
      // Field 22 is the last that is used; a cut within it cannot be seen.
      if (cut !== undefined) expect({ ...cut, startedTicks: 0 }).toEqual({ ...whole, startedTicks: 0 });
    }
  });

  test('numbers that are none make it none', () => {
    expect(parseStat(STAT.replace(/ 20 0 1 0 /, ' 20 0 ? 0 '))).toBeUndefined();
    expect(parseStat(STAT.replace(/ 20 0 1 0 /, ' 20 0 -1 0 '))).toBeUndefined();
    expect(parseStat('')).toBeUndefined();
    expect(parseStat('(x) S')).toBeUndefined();
  });

  test('nothing hostile throws', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void [parseStat(text), parseStatus(text)]));
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (comm) => {
        expect(parseStat(STAT.replace('ovsdb-server', () => comm))).toMatchObject({ comm, state: 'S' });
      }),
    );
  });
});

describe('/proc/PID/status and limits', () => {
  test('captured ones', () => {
    const { residentBytes, switches } = parseStatus(read('1-7711-status'));
    expect(residentBytes).toBe(1024 * Number(/VmRSS:\s*(\d+)/.exec(read('1-7711-status'))?.[1]));
    expect(switches).toBeGreaterThan(0);
    expect(openFilesLimit(read('1-7711-limits'))).toBe(20000);
  });

  test('what is not there is not known', () => {
    expect(parseStatus('Name:\tkthreadd\n')).toEqual({ residentBytes: undefined, switches: undefined });
    expect(parseStatus('VmRSS:\t lots kB\nvoluntary_ctxt_switches:\t1\n')).toEqual({
      residentBytes: undefined,
      switches: undefined,
    });
    expect(
      openFilesLimit('Max open files            unlimited            unlimited            files     \n'),
    ).toBeUndefined();
    expect(openFilesLimit('')).toBeUndefined();
  });

  test('a name in status cannot pass for a field: it is the first line, and escaped by the kernel', () => {
    expect(parseStatus('Name:\tVmRSS: 5 kB\nVmRSS:\t      12 kB\n').residentBytes).toBe(12 * 1024);
  });
});

test('the machine’s uptime', () => {
  expect(machineUptime('350735.47 234388.90\n')).toBe(350735.47);
  for (const text of ['', 'x', '-1.0 2', '1e3 2']) expect(machineUptime(text), text).toBeUndefined();
});

test('command lines: words between NULs, with or without the last one, and a title that was written over them', () => {
  expect(commandWords('a\0b c\0')).toEqual(['a', 'b c']);
  expect(commandWords('a\0\0b')).toEqual(['a', '', 'b']);
  expect(commandWords('ovs-vswitchd: monitoring pid 1 (healthy)\0\0\0\0')).toEqual([
    'ovs-vswitchd: monitoring pid 1 (healthy)',
  ]);
  expect(commandWords('')).toEqual([]);
  expect(commandWords('\0\0')).toEqual([]);
});

test('pid files: a number alone in the first line, that a process can have', () => {
  expect(['12', '12\n', ' 12 \r\n', '12\nnode1\n', '4194304'].map(pidIn)).toEqual([12, 12, 12, 12, 4194304]);
  for (const text of [
    '',
    '\n',
    '\n12',
    '0',
    '-12',
    '+12',
    '12 13',
    '0x1f',
    '4194305',
    '9'.repeat(400),
    '1.5',
    'pid',
    '١٢',
  ])
    expect(pidIn(text), text).toBeUndefined();
});
