import { afterEach, expect, it } from 'vitest';
import { type Day, startDay } from './support/day.ts';
import { listenUdp, type UdpListener } from './support/udp-listener.ts';

let day: Day | undefined;
let udp: UdpListener | undefined;
afterEach(async () => {
  await day?.stop();
  await udp?.close();
});

it('has as many timers, sockets and series after 24 hours of ticks as after one', async () => {
  udp = await listenUdp();
  day = await startDay(udp.port, 20);
  await day.pass(3600);
  const { runs, ...first } = day.figures();
  udp.datagrams.length = 0;
  await day.pass(23 * 3600);
  const { runs: all, ...last } = day.figures();
  // The listener's and the sink's.
  expect(first.sockets).toBe(2);
  expect(runs).toBeGreaterThan(355);
  expect(all).toBeGreaterThan(8630);
  expect(last).toEqual(first);
  expect(udp.lines().length).toBeGreaterThan(100_000);
});
