/** An operator's own program in the daemon: what the job declares is sent, and a reload declares otherwise. */
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { scratch, startEdgestatd, stopAll } from '../support/daemon.ts';
import { listenUdp, type UdpListener } from '../support/udp-listener.ts';

const listeners: UdpListener[] = [];
afterEach(async () => {
  stopAll();
  for (const udp of listeners.splice(0)) await udp.close();
});

/** Each run counts 5 requests more, of a total that was large before. */
function program(): string {
  const directory = scratch();
  const file = join(directory, 'check_queue');
  writeFileSync(
    file,
    `#!/bin/sh
total=$(( $(cat "${directory}/total" 2>/dev/null || echo 1000) + 5 ))
echo "$total" > "${directory}/total"
echo "QUEUE WARNING - long | depth=12 wait=1500ms requests=$total"
exit 1
`,
  );
  chmodSync(file, 0o755);
  return file;
}

it('sends what is declared, and after a reload what is declared then, without a false number', async () => {
  const udp = await listenUdp();
  listeners.push(udp);
  const file = program();
  const config = (...metrics: string[]): string => `
prefix: e2e
targets: { local: { type: local, name: node1 } }
sinks: [ { type: statsd, host: 127.0.0.1, port: ${udp.port} } ]
jobs:
  - collector: exec
    every: 1s
    options:
      command: [${file}]
      ignore: ["*"]
      metrics:
        - ${metrics.join('\n        - ')}
`;
  const depth = '{ name: depth, kind: gauge, unit: messages }';
  const wait = '{ name: wait_seconds, kind: gauge, unit: seconds, from: wait }';
  const asGauge = '{ name: requests, kind: gauge, unit: requests }';
  const asCounter = '{ name: requests, kind: counter, unit: requests }';
  const BASE = 'e2e.node1.exec.check_queue';
  const until = (line: string, times = 1): Promise<void> =>
    udp.until((lines) => lines.filter((one) => one === `${BASE}.${line}`).length >= times, line);

  const daemon = startEdgestatd(config(depth, asGauge));
  await until('depth:12|g', 2);
  await until('status:1|g');
  await until('missing:0|g');
  await until('requests:1005|g');

  daemon.configure(config(wait, asCounter));
  let from = daemon.events.length;
  daemon.child.kill('SIGHUP');
  expect(await daemon.event('daemon:reloaded', from)).toMatchObject({ kept: 0, changed: 1 });
  await until('wait_seconds:1.5|g', 2);
  await until('requests:5|c', 2);
  // StatsD would repeat for ever what is a gauge no more.
  await until('depth:0|g');
  await until('requests:0|g');

  daemon.configure(config('{ name: wait_seconds, kind: gauge, unit: bytes, from: wait }'));
  from = daemon.events.length;
  daemon.child.kill('SIGHUP');
  expect((await daemon.event('config:refused', from)).message).toContain('wait_seconds says seconds');
  const before = udp.datagrams.length;
  await udp.until(
    () => udp.datagrams.slice(before).join('\n').includes(`${BASE}.requests:5|c`),
    'increments that go on',
  );
  expect(await daemon.end()).toBe(0);

  const of = (metric: string): string[] => udp.lines().filter((line) => line.startsWith(`${BASE}.${metric}:`));
  expect(new Set(of('requests').filter((line) => line.endsWith('|c')))).toEqual(new Set([`${BASE}.requests:5|c`]));
  expect(new Set(of('depth'))).toEqual(new Set([`${BASE}.depth:12|g`, `${BASE}.depth:0|g`]));
  expect(new Set(of('wait_seconds'))).toEqual(new Set([`${BASE}.wait_seconds:1.5|g`]));
  expect(of('missing').filter((line) => line !== `${BASE}.missing:0|g`)).toEqual([]);
  expect(daemon.events.filter(({ event }) => event === 'run:failed' || event === 'run:problem')).toEqual([]);
  expect(daemon.other).toEqual([]);
}, 120_000);
