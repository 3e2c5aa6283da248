/**
 * A process of its own, `carbon-sender.ts PORT SPOOL FROM COUNT`: a carbon sink that is given one point of `e.sender` for
 * each of so many seconds from that one. It prints what is on the disk, and each event, a line each.
 */
import { systemClock } from '../../src/clock.ts';
import { carbonSink } from '../../src/sinks/carbon.ts';
import { carbonSinkOptions } from '../../src/sinks/carbon-options.ts';
import { point } from './points.ts';

const [port, spool, from, count] = process.argv.slice(2);
const options = carbonSinkOptions.parse({ type: 'carbon', destinations: [`127.0.0.1:${port}`], spool });
const sink = carbonSink({ ...options, name: 'carbon' }, systemClock, (event) => console.log(event));
for (let second = 0; second < Number(count); second++) {
  const atMs = (Number(from) + second) * 1000;
  sink.write({ job: 'job', atMs, intervalMs: 1000, points: [point('e.sender', second)] });
}
setInterval(() => console.log(`waiting ${sink.counts().waiting?.metrics}`), 50);
