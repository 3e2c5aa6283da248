import { expect, it } from 'vitest';
import { tickSeconds } from './psched.ts';

it('a tick is 64 ns since 2.6.31', () => {
  expect(tickSeconds('000003e8 00000040 000f4240 3b9aca00\n')).toBeCloseTo(64e-9, 18);
});

it('a tick was 1 µs, or 1 ns, or 1.024 µs before', () => {
  expect(tickSeconds('000003e8 000003e8 000f4240 3b9aca00')).toBeCloseTo(1e-6, 15);
  expect(tickSeconds('000003e8 00000400 000f4240 000003e8')).toBeCloseTo(1.024e-6, 15);
  expect(tickSeconds('000003e8 00000040 3b9aca00 3b9aca00')).toBeCloseTo(1e-9, 18);
});

it.each([
  '',
  '0 0 0 0',
  '3e8 40',
  '3e8 0 f4240',
  'zz 40 f4240 0',
  '3e8 40 f4240 -1',
  '0x3e8 40 f4240',
  '123456789 1 1',
])('%j is no clock', (text) => {
  expect(tickSeconds(text)).toBeUndefined();
});
