/** edgestatd as a process beside a real broker: two jobs, a broker that goes away and comes back, a clean end. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { scratch, startEdgestatd, stopAll } from '../support/daemon.ts';
import { type Broker, brokerReason, startBroker } from '../support/rabbitmq-broker.ts';
import { connect } from '../support/rabbitmq-traffic.ts';
import { listenUdp, type UdpListener } from '../support/udp-listener.ts';

const reason = brokerReason();
const SECRET = 'Sesame-0pen';
const LINE = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+:-?[0-9]+(?:\.[0-9]+)?\|(?:c|g|ms)$/;

describe.skipIf(reason !== undefined)(`rabbitmq by the daemon${reason === undefined ? '' : ` (${reason})`}`, () => {
  let broker: Broker;
  let udp: UdpListener;
  beforeAll(async () => {
    [broker, udp] = await Promise.all([startBroker(), listenUdp()]);
    await broker.addUser('watcher', SECRET, 'monitoring', { '/': ['^$', '^$', '^$'] });
    const traffic = await connect(broker.amqpUrl);
    await traffic.declare('compute.node1');
    await traffic.publish('compute.node1', 6);
    await traffic.declare('orders');
    await traffic.publish('orders', 30);
    await traffic.close();
  });
  afterEach(stopAll);
  afterAll(async () => {
    await broker?.close();
    await udp?.close();
  });

  it('watches the whole broker and one host, survives its end, and never shows a password', async () => {
    const passwordFile = join(scratch(), 'password');
    writeFileSync(passwordFile, `${SECRET}\n`, { mode: 0o600 });
    const access = (password: string): string => `urls: ["${broker.url}"], user: watcher, ${password}`;
    const daemon = startEdgestatd(
      `
prefix: e2e
targets: { local: { type: local, name: node1 }, own: { type: local, name: hv } }
sinks: [ { type: statsd, host: 127.0.0.1, port: ${udp.port} } ]
jobs:
  - { name: all, collector: rabbitmq, every: 1s, options: { ${access(`passwordFile: ${passwordFile}`)}, host: all } }
  - name: own
    collector: rabbitmq
    targets: [own]
    every: 1s
    options: { ${access(`password: "$${'{env:BROKER_PASSWORD}'}"`)}, host: own, hostName: node1, vhosts: ["/"] }
`,
      { BROKER_PASSWORD: SECRET },
    );
    const values = (series: string, from = 0): number[] =>
      udp
        .lines()
        .slice(from)
        .filter((line) => line.startsWith(`e2e.${series}:`))
        .map((line) => Number(line.slice(line.indexOf(':') + 1, line.indexOf('|'))));
    const last = (series: string, from = 0): number | undefined => values(series, from).at(-1);
    const both = (from: number) => (): boolean =>
      last('node1.rabbitmq.queue._.orders.messages', from) === 30 &&
      last('node1.rabbitmq.queue._.compute_node1.messages', from) === 6 &&
      last('hv.rabbitmq.queue._.compute_node1.messages', from) === 6;
    await udp.until(both(0), `the queues; the daemon said ${JSON.stringify(daemon.events)}`);
    expect(values('hv.rabbitmq.queue._.orders.messages')).toEqual([]);
    const argv = readFileSync(`/proc/${daemon.child.pid}/cmdline`, 'utf8');

    await broker.stop();
    const stopped = udp.lines().length;
    await udp.until(
      () => values('node1.edgestatd.all.up', stopped).includes(0) && values('hv.edgestatd.own.up', stopped).includes(0),
      'runs that failed',
    );
    const downFrom = udp.lines().length;
    await udp.until(() => values('node1.edgestatd.all.up', downFrom).length >= 3, 'more of them');
    const meanwhile = udp.lines().slice(downFrom);
    expect(meanwhile.filter((line) => line.includes('.rabbitmq.'))).toEqual([]);
    for (const name of ['all', 'own']) {
      const failed = daemon.events.filter(({ event, job }) => event === 'run:failed' && job === name);
      expect(failed).toMatchObject([{ code: 'E_CONNECT' }]);
    }

    await broker.start();
    const startedFrom = udp.lines().length;
    await udp.until(both(startedFrom), 'the queues again');
    for (const name of ['all', 'own'])
      expect(daemon.events.filter(({ event, job }) => event === 'run:recovered' && job === name)).toHaveLength(1);
    const lines = udp.lines();
    expect(lines.filter((line) => !LINE.test(line))).toEqual([]);
    // What was published before is counted at most once: the broker began anew.
    const sum = values('node1.rabbitmq.queue._.orders.published').reduce((all, value) => all + value, 0);
    expect(sum).toBeLessThanOrEqual(30);
    expect(values('node1.rabbitmq.queue._.orders.messages', downFrom)).not.toContain(0);
    expect(await daemon.end()).toBe(0);
    const shown = [argv, JSON.stringify(daemon.events), ...daemon.other, ...lines].join('\n');
    expect(shown).not.toContain(SECRET);
    expect(shown).not.toContain(Buffer.from(`watcher:${SECRET}`).toString('base64'));
    expect(daemon.events.at(-1)?.event).toBe('daemon:stopped');
  }, 60_000);
});
