/** 24 hours of ticks on a fake clock, with VIFs that come and go, counters that restart and runs that fail. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { startDay } from '../test/support/day.ts';
import { listenUdp } from '../test/support/udp-listener.ts';

const VIFS = 100;
const HOUR = 3600;

export async function day(): Promise<string[]> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const udp = await listenUdp();
  const day = await startDay(udp.port, VIFS);
  const look = () => {
    udp.datagrams.length = 0;
    collect();
    return { ...day.figures(), heapMiB: process.memoryUsage().heapUsed / 2 ** 20 };
  };
  const beganMs = performance.now();
  await day.pass(HOUR);
  const first = look();
  await day.pass(23 * HOUR);
  const last = look();
  const tookMs = performance.now() - beganMs;
  await day.stop();
  await udp.close();
  const told = (name: 'timers' | 'series' | 'sockets' | 'heapMiB', digits = 0): string =>
    `${name}: ${first[name].toFixed(digits)} after 1 h, ${last[name].toFixed(digits)} after 24 h`;
  return [
    `${last.runs} runs in ${(tookMs / 1000).toFixed(1)} s`,
    told('timers'),
    told('series'),
    told('sockets'),
    told('heapMiB', 2),
  ];
}
