/** What a collector notices on a real Open vSwitch becomes events in a real graphite-web. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { scratch, startEdgestatd, stopAll } from '../support/daemon.ts';
import { type Graphite, graphiteReason, startGraphite } from '../support/graphite.ts';
import { eventually } from '../support/statsd.ts';
import { startTestbed, type Testbed, testbedReason } from '../support/testbed.ts';
import { listenUdp, type UdpListener } from '../support/udp-listener.ts';

const reason = graphiteReason() ?? testbedReason();

describe.skipIf(reason !== undefined)(`rules${reason === undefined ? '' : ` (${reason})`}`, () => {
  let graphite: Graphite;
  let testbed: Testbed;
  let udp: UdpListener;
  beforeAll(async () => {
    [graphite, testbed, udp] = await Promise.all([startGraphite(), startTestbed(), listenUdp()]);
  });
  afterEach(stopAll);
  afterAll(async () => {
    await Promise.all([graphite?.close(), testbed?.close(), udp?.close()]);
  });

  it('make one event of a link that flaps, with the time of its first change and the count', async () => {
    const daemon = startEdgestatd(`
prefix: e2e
sinks: [ { type: statsd, host: 127.0.0.1, port: ${udp.port} } ]
targets: { local: { type: local, name: hv01 } }
jobs: [ { collector: ovs, every: 1s, splay: 0s, options: { rundir: "${testbed.rundir}" } } ]
events:
  spool: ${scratch()}/spool.db
  graphite: { url: "${graphite.eventsUrl}" }
  rules:
    - { on: link_down, tags: [uplink], holdDown: 3s }
    - { on: daemon_started }
`);
    await daemon.event('daemon:started');
    /** Waits until the daemon has sent this value after `from` lines. */
    const sent = (value: number, from: number): Promise<true> =>
      eventually(
        () =>
          udp
            .lines()
            .slice(from)
            .some(
              (line) =>
                line.startsWith('e2e.hv01.ovs.') && line.includes('.eth1.') && line.endsWith(`.link_up:${value}|g`),
            )
            ? true
            : undefined,
        `link_up ${value}`,
      );
    const set = (state: 'up' | 'down') => testbed.inside('ext', ['ip', 'link', 'set', 'peer', state]);
    try {
      await sent(1, 0);
      const beforeMs = Date.now();
      for (let flap = 0; flap < 2; flap++) {
        let from = udp.lines().length;
        await set('down');
        await sent(0, from);
        from = udp.lines().length;
        await set('up');
        await sent(1, from);
      }
      const event = await eventually(
        () => graphite.rows().find(({ what }) => what.startsWith('link_down')),
        'the event',
      );
      expect(event.what).toMatch(/^link_down: .*eth1.* \(4 changes\)$/);
      expect(event.tags).toEqual(['edgestatd', 'link_down', 'hv01', 'uplink']);
      expect(event.data).toContain('it is over');
      // At the first change, and not when it was told.
      expect(event.whenSeconds).toBeGreaterThanOrEqual(beforeMs / 1000 - 1);
      expect(event.whenSeconds).toBeLessThan(beforeMs / 1000 + 4);
      expect(await daemon.end()).toBe(0);
      expect(graphite.rows().filter(({ what }) => what.startsWith('link_down'))).toHaveLength(1);
      expect(graphite.rows().filter(({ what }) => what.startsWith('daemon_started'))).toHaveLength(1);
    } finally {
      await set('up');
    }
  });
});
