import fc from 'fast-check';
import { expect, test } from 'vitest';
import { newMemory, parseMemory, textOf } from './memory.ts';
import { options } from './options.ts';
import { createTally } from './tally.ts';

const place = { identity: '8:1', position: 0, print: '' };
const MAX_BYTES = 16 * 2 ** 20;

test('is written and read back whole', () => {
  const memory = newMemory('/l', place, 0);
  const tally = createTally(memory, options.parse({ hosts: ['*'], services: ['*'] }));
  const lines = [
    'LOG ROTATION: DAILY',
    'CURRENT HOST STATE: a;DOWN;HARD;1;x',
    'CURRENT SERVICE STATE: a;b;UNKNOWN;HARD;1;x',
  ];
  tally.take(lines.map((line) => `[5] ${line}\n`).join(''), true);
  tally.take('[6] SERVICE FLAPPING ALERT: a;b;STARTED; x\n[7] HOST ALERT: __proto__;UP;SOFT;1;\n', true);
  // In the middle of a list too.
  tally.take('[8] LOG ROTATION: DAILY\n[8] CURRENT HOST STATE: __proto__;UP;HARD;1;x\n', true);
  expect(parseMemory(textOf(memory))).toEqual(memory);
  expect(JSON.parse(textOf(memory))).toMatchObject({
    version: 1,
    list: 'hosts',
    problems: [{ unconfirmed: true }, {}],
  });
});

test('what is none of ours is none', () => {
  const text = textOf(newMemory('/l', place, 0));
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.string(), (at, junk) => {
      expect(parseMemory(text.slice(0, at))).toBeUndefined();
      parseMemory(text.slice(0, at) + junk + text.slice(at));
      expect(parseMemory(junk)).toBeUndefined();
    }),
  );
  expect(parseMemory(text.replace('"version":1', '"version":2'))).toBeUndefined();
});

test('is bounded, whatever the names', () => {
  const memory = newMemory('/l', place, 0);
  const tally = createTally(memory, options.parse({ hosts: ['*'], services: ['*'], maxSeries: 50_000 }));
  const long = '\u20ac'.repeat(240);
  for (let each = 0; each < 12_000; each++) {
    tally.take(`[${each}] SERVICE ALERT: ${each}${long};${long};CRITICAL;HARD;1;${long}\n`, true);
    tally.take(`[${each}] SERVICE FLAPPING ALERT: ${each}${long};${long};STARTED; x\n`, true);
  }
  expect(Buffer.byteLength(textOf(memory))).toBeLessThan(MAX_BYTES);
  expect(memory.alerts).toEqual({ 'service CRITICAL hard': 12_000 });
  expect(memory.own.size).toBe(4166);
  expect(tally.offers).toHaveLength(500);
  expect(tally.told).toMatchObject({ forgotten: expect.any(Number), leftOut: 11_500 });
  expect(memory.problems.size + tally.told.forgotten).toBe(12_000);
  expect(memory).toMatchObject({ isCrowded: true, servicesLearnt: 'some' });
});
