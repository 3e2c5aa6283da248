/**
 * `npm run bench [-- NAME ...]`: what edgestatd costs, as ratios against a baseline in the same run. These are no
 * tests: machines are noisy, and a ratio of one run is a measurement of that run.
 */
import { carbonBench } from './carbon.ts';
import { cost } from './cost.ts';
import { day } from './day.ts';
import { events } from './events.ts';
import { flows } from './flows.ts';
import { footprint } from './footprint.ts';
import { htb } from './htb.ts';
import { idle } from './idle.ts';
import { loss } from './loss.ts';
import { rabbitmqBench } from './rabbitmq.ts';
import { ssh } from './ssh.ts';
import { start } from './start.ts';
import { topBench } from './top.ts';

const benches = {
  loss,
  cost,
  idle,
  footprint,
  day,
  htb,
  flows,
  rabbitmq: rabbitmqBench,
  events,
  carbon: carbonBench,
  ssh,
  start,
  top: topBench,
} as const;
const asked = process.argv.slice(2);
for (const name of asked) {
  if (name in benches) continue;
  console.error(`unknown benchmark "${name}"; expected ${Object.keys(benches).join(', ')}`);
  process.exit(2);
}
for (const [name, bench] of Object.entries(benches)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  console.log(`\n${name}`);
  for (const line of await bench()) console.log(`  ${line}`);
}
process.exit(0);
