import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { lines } from '../../src/text.ts';
import { type Line, parseLine, timeOf } from './parse.ts';

const captured = (name: string): string => readFileSync(join(import.meta.dirname, 'testdata', name), 'utf8');
const kinds = (all: readonly Line[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { kind } of all) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
};
const at = (text: string): Line => parseLine(`[1600000000] ${text}`);
const record = { atSeconds: 1_600_000_000 };

describe('alerts', () => {
  test('of services', () => {
    expect(at('SERVICE ALERT: web 01;HTTP: /status page;CRITICAL;SOFT;1;CRITICAL - Socket timeout')).toEqual({
      ...{ ...record, kind: 'alert', host: 'web 01', service: 'HTTP: /status page', state: 'CRITICAL', isHard: false },
      output: 'CRITICAL - Socket timeout',
    });
  });

  test('of hosts', () => {
    expect(at('HOST ALERT: gw.example.net;UNREACHABLE;HARD;10;')).toEqual({
      ...{ ...record, kind: 'alert', host: 'gw.example.net', service: undefined, state: 'UNREACHABLE', isHard: true },
      output: '',
    });
  });

  test('an output may hold what parts the fields, or be missing', () => {
    expect(at('SERVICE ALERT: a;b;OK;HARD;3;x;SERVICE ALERT: c;d;CRITICAL;HARD;1;y')).toMatchObject({
      ...{ host: 'a', service: 'b', state: 'OK', output: 'x;SERVICE ALERT: c;d;CRITICAL;HARD;1;y' },
    });
    expect(at('SERVICE ALERT: a;b;OK;HARD;3')).toMatchObject({ kind: 'alert', output: '' });
    const long = at(`HOST ALERT: a;DOWN;HARD;1;${'x'.repeat(1_000_000)}`);
    expect(long.kind === 'alert' && long.output.length).toBe(1000);
  });

  test('an output that is cut off, NUL bytes in front and a time of ISO 8601 with its zone are understood', () => {
    expect(parseLine('\0\0\0[5] HOST ALERT: a;DOWN;HARD;1;x\0y')).toMatchObject({ kind: 'alert', output: 'x\0y' });
    for (const time of ['2020-09-13T12:26:40Z', '2020-09-13T14:26:40+02:00', '2020-09-13T07:56:40.5-0430'])
      expect(parseLine(`[${time}] HOST ALERT: a;DOWN;HARD;1;x`)).toMatchObject({ kind: 'alert', ...record });
  });
});

test('states are no alerts', () => {
  for (const when of ['CURRENT', 'INITIAL']) {
    expect(at(`${when} HOST STATE: a;DOWN;HARD;3;x`)).toMatchObject({ kind: 'state', host: 'a', state: 'DOWN' });
    expect(at(`${when} SERVICE STATE: a;b;OK;HARD;1;(null)`)).toMatchObject({ kind: 'state', service: 'b' });
  }
});

test('flapping', () => {
  const host = at('HOST FLAPPING ALERT: a;STARTED; Host appears to have started flapping (21% change > 20% threshold)');
  expect(host).toEqual({ ...record, kind: 'flap', host: 'a', service: undefined, change: 'started' });
  const service = at('SERVICE FLAPPING ALERT: a;b;STOPPED; Service appears to have stopped flapping');
  expect(service).toEqual({ ...record, kind: 'flap', host: 'a', service: 'b', change: 'stopped' });
  expect(at('SERVICE FLAPPING ALERT: a;b;DISABLED; x')).toMatchObject({ change: 'disabled' });
});

test.each([
  'SERVICE DOWNTIME ALERT: a;b;STARTED; Service has entered a period of scheduled downtime',
  'HOST DOWNTIME ALERT: a;STOPPED; Host has exited from a period of scheduled downtime',
  'SERVICE NOTIFICATION: ops;a;b;CRITICAL;notify;x',
  'HOST NOTIFICATION: ops;a;DOWN;notify;x',
  'EXTERNAL COMMAND: ADD_HOST_COMMENT;a;1;ops;SERVICE ALERT: a;b;CRITICAL;HARD;3;no',
  'EXTERNAL COMMAND: [1600000000] SERVICE ALERT: a;b;CRITICAL;HARD;3;no',
  'PASSIVE SERVICE CHECK: a;b;2;SERVICE ALERT: a;b;CRITICAL;HARD;3;no',
  'SERVICE INFO: a;b;CRITICAL;HARD;3;no',
  'SERVICE EVENT HANDLER: a;b;CRITICAL;HARD;3;restart',
  'wproc:   host=localhost; service=(null);',
  'wproc:   stderr line 01: SERVICE ALERT: a;b;CRITICAL;HARD;3;no',
  ' SERVICE ALERT: a;b;CRITICAL;HARD;3;no',
  'service alert: a;b;CRITICAL;HARD;3;no',
  'SERVICE ALERT:a;b;CRITICAL;HARD;3;no',
  'CURRENT SERVICE ALERT: a;b;CRITICAL;HARD;3;no',
  'Warning: Return code of 127 for check of service',
  'LOG VERSION: 2.0',
  '',
])('%s is no alert', (text) => {
  expect(at(text)).toEqual({ ...record, kind: 'other' });
});

test('where a list of states may begin', () => {
  for (const text of ['LOG ROTATION: DAILY', 'Nagios 4.4.6 starting... (PID=1)', 'Icinga 1.14.2 starting... (PID=2)'])
    expect(at(text).kind).toBe('begin');
  expect(at('Naemon 1.4.1 starting... (PID=3)').kind).toBe('begin');
  expect(at('EXTERNAL COMMAND: X;Nagios 4 starting... (PID=1)').kind).toBe('other');
});

describe('what cannot be read says why', () => {
  test.each([
    ['[Fri Jul 23 03:39:31 2021] SERVICE ALERT: a;b;OK;HARD;1;x', 'its time is in words'],
    ['[2021-07-23 03:39:31] SERVICE ALERT: a;b;OK;HARD;1;x', 'its time is in words'],
    ['[2021-07-23T03:39:31] SERVICE ALERT: a;b;OK;HARD;1;x', 'its time is in words'],
    ['[2021-07-23 03:39:31 +0200] information/Checkable: x', 'Icinga 2'],
    ['[2021-99-23T03:39:31Z] SERVICE ALERT: a;b;OK;HARD;1;x', 'its time is in words'],
    ['Jul 23 03:39:31 mon nagios: SERVICE ALERT: a;b;OK;HARD;1;x', 'expected "[seconds since 1970] "'],
    ['\u007fELF', 'expected "[seconds since 1970] "'],
    ['[123456789012345678901] x', 'expected "[seconds since 1970] "'],
    ['[1600000000]SERVICE ALERT: a;b;OK;HARD;1;x', 'expected "[seconds since 1970] "'],
    ['[1600000000] SERVICE ALERT: a;b;CRITICAL;HA', '"SERVICE ALERT" without the fields'],
    ['[1600000000] SERVICE ALERT: a;b;DOWN;HARD;1;x', '"SERVICE ALERT" without the fields'],
    ['[1600000000] HOST ALERT: a;b;CRITICAL;HARD;1;x', '"HOST ALERT" without the fields'],
    ['[1600000000] HOST ALERT: ;DOWN;HARD;1;x', '"HOST ALERT" without the fields'],
    ['[1600000000] HOST FLAPPING ALERT: a;b;STARTED; x', '"HOST FLAPPING ALERT" without the fields'],
    [`[1600000000] HOST ALERT: ${'a'.repeat(256)};DOWN;HARD;1;x`, '"HOST ALERT" without the fields'],
    ['[1600000000] CURRENT HOST STATE: a', '"CURRENT HOST STATE" without the fields'],
  ])('%s', (text, why) => {
    const line = parseLine(text);
    expect(line.kind === 'unreadable' && line.why).toContain(why);
  });
});

test('every line of a real log is read, and counted as grep(1) counts it', () => {
  for (const name of ['nagios4.4/first.log', 'nagios4.4/second.log']) {
    const text = captured(name);
    const all = lines(text);
    const alerts = all.filter((line) => /^\[[0-9]+\] (?:HOST|SERVICE) ALERT: /.test(line)).length;
    expect(alerts).toBeGreaterThan(10);
    expect(kinds(all.map(parseLine))).toMatchObject({ alert: alerts, begin: 1, state: 7 });
    expect(kinds(all.map(parseLine)).unreadable).toBeUndefined();
    for (let cut = 0; cut < text.length; cut += 97) for (const line of lines(text.slice(0, cut))) parseLine(line);
  }
});

test('when a text begins', () => {
  expect(timeOf('[12] a\n[13] b')).toBe(12);
  expect(timeOf('[12] a')).toBe(12);
  expect(timeOf('[12')).toBeUndefined();
  expect(timeOf('')).toBeUndefined();
});

describe('whatever the text', () => {
  const word = fc.oneof(
    fc.constantFrom(
      '[1600000000] ',
      '[',
      '] ',
      'SERVICE ALERT: ',
      'HOST ALERT: ',
      'CURRENT HOST STATE: ',
      ';',
      'OK',
      'DOWN',
    ),
    fc.constantFrom('HARD', 'SOFT', '1', 'HOST FLAPPING ALERT: ', 'STARTED', '\0', '\r', 'é', '\u202e', ': '),
    fc.string({ unit: 'binary' }),
  );

  it('never throws, and never counts what does not begin as an alert does', () => {
    fc.assert(
      fc.property(fc.array(word, { maxLength: 20 }), (words) => {
        const text = words.join('');
        const line = parseLine(text);
        const isAlert = /^\0*\[[^\]]+\] (?:HOST|SERVICE) ALERT: /.test(text);
        if (line.kind === 'alert') expect(isAlert).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('gives back what was written', () => {
    const name = fc.string({ minLength: 1, maxLength: 60 }).filter((text) => !/[;\n\0]/.test(text));
    const state = fc.constantFrom('OK', 'WARNING', 'CRITICAL', 'UNKNOWN');
    const output = fc.string({ maxLength: 200 }).filter((text) => !text.includes('\n'));
    fc.assert(
      fc.property(name, name, state, fc.boolean(), fc.nat(99), output, (host, service, is, isHard, attempt, said) => {
        const level = isHard ? 'HARD' : 'SOFT';
        expect(at(`SERVICE ALERT: ${host};${service};${is};${level};${attempt};${said}`)).toEqual({
          ...{ ...record, kind: 'alert', host, service, state: is, isHard, output: said },
        });
      }),
    );
  });
});
