/** Open vSwitch and sshd started anew below a daemon that measures a hypervisor through SSH. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Cli, cliOn } from '../support/htb-cli.ts';
import { kernelClasses } from '../support/htb-kernel.ts';
import { addFilters } from '../support/htb-scenes.ts';
import { bothConfig, silence, sshdOn, targetOn, withoutIpv6 } from '../support/ssh-testbed.ts';
import { canRunSshd, type Sshd } from '../support/sshd.ts';
import { eventually } from '../support/statsd.ts';
import { startTestbed, type Testbed, testbedReason, VIFS } from '../support/testbed.ts';

const reason = testbedReason() ?? (canRunSshd() ? undefined : 'no sshd that can run');

describe.skipIf(reason !== undefined)(
  `a hypervisor over SSH goes on${reason === undefined ? '' : ` (${reason})`}`,
  () => {
    let testbed: Testbed;
    let sshd: Sshd;
    let cli: Cli;

    beforeAll(async () => {
      testbed = await startTestbed();
      await withoutIpv6(testbed);
      sshd = await sshdOn(testbed);
    });
    afterAll(async () => {
      await sshd?.stop();
      await testbed?.close();
    });
    beforeEach(() => {
      cli = cliOn(testbed);
    });
    afterEach(() => cli?.close());

    const logins = (): number => sshd.log().split('Accepted publickey').length - 1;

    /** A daemon with htb and ovs over SSH every second, and what it sends of hv02. */
    async function daemon() {
      const udp = await cli.listen();
      const job = (collector: string, more = ''): string =>
        `{ collector: ${collector}, every: 1s, timeout: 10s, targets: [hv02], options: { rundir: ${testbed.rundir}${more} } }`;
      const jobs = [job('htb', ', flowsEvery: 1ms'), job('ovs')];
      const file = cli.file(bothConfig(targetOn(sshd), jobs, `{ type: statsd, port: ${udp.port} }`));
      const { child, lines } = cli.start(file);
      const sent = (series: string): number[] =>
        udp.datagrams
          .flatMap((datagram) => datagram.split('\n'))
          .filter((one) => one.startsWith(`edge.hv02.${series}:`))
          .map((one) => Number(one.slice(one.indexOf(':') + 1, one.indexOf('|'))));
      const until = (holds: () => boolean, what: string): Promise<true> =>
        eventually(() => (holds() ? true : undefined), what).catch((error) => {
          throw new Error(`${error.message}; the daemon said ${lines.join('\n')}`);
        });
      /** Resolves when a line of a series has come after this call that is as wanted. */
      const next = async (series: string, wanted = (_: number): boolean => true): Promise<void> => {
        const from = sent(series).length;
        await until(() => sent(series).slice(from).some(wanted), series);
      };
      const events = (name: string): { code?: string; job: string }[] =>
        lines.filter((line) => line.includes(`"event":"${name}"`)).map((line) => JSON.parse(line));
      const end = async (): Promise<void> => {
        child.kill('SIGTERM');
        await until(() => child.exitCode !== null, 'the end of the daemon');
        expect(child.exitCode).toBe(0);
        await eventually(() => (sshd.processes().length === 1 ? true : undefined), 'the end of all sessions');
      };
      return { sent, next, until, events, end };
    }

    it('goes on over the same connection when ovs-vswitchd is started anew', async () => {
      const from = logins();
      const { next, sent, events, end } = await daemon();
      await Promise.all([
        next('htb.eth1.vif3_1.ceil_bits_per_second', (ceil) => ceil === 10_000_000),
        next('ovs.ovs-vswitchd.running', (running) => running === 1),
      ]);
      await testbed.killVswitchd();
      await next('ovs.ovs-vswitchd.running', (running) => running === 0);
      // The kernel's classes are there, and the database says whose they are.
      await next('htb.eth1.vif3_1.ceil_bits_per_second', (ceil) => ceil === 10_000_000);
      await testbed.startVswitchd();
      await testbed.addFlows();
      await addFilters(testbed);
      await Promise.all([
        next('ovs.ovs-vswitchd.running', (running) => running === 1),
        next('ovs.xapi0.vif3_1.link_up', (up) => up === 1),
        next('ovs.xapi0.flows', (flows) => flows === 5),
        next('htb.eth1.drifted_queues', (drifted) => drifted === 0),
      ]);
      expect(sent('ovs.ovs-vswitchd.restarts').reduce((sum, one) => sum + one, 0)).toBe(1);
      expect(events('run:failed')).toEqual([]);
      expect(logins()).toBe(from + 1);
      await end();
    });

    it('knows all names again after an sshd that was killed, and counts on without a spike', async () => {
      const from = logins();
      const { next, sent, until, events, end } = await daemon();
      const total = async (): Promise<number> =>
        (await kernelClasses(testbed)).get(`eth1 ${VIFS['vif3.1'].classId}`)?.sent_bytes ?? Number.NaN;
      const sum = (): number => sent('htb.eth1.vif3_1.sent_bytes').reduce((all, value) => all + value, 0);
      await Promise.all([next('htb.eth1.vif3_1.sent_bytes'), next('ovs.xapi0.vif3_1.link_up')]);
      const before = await total();
      expect(sum()).toBe(0);
      const traffic = await testbed.startTraffic('vm2', { bitsPerSecond: 2_000_000 });
      try {
        await next('htb.eth1.vif3_1.utilisation_ratio', (ratio) => ratio > 0.1);
        await sshd.kill();
        await Promise.all(['htb', 'ovs'].map((job) => next(`edgestatd.${job}.up`, (up) => up === 0)));
        // What happens meanwhile is nothing that the replica was told.
        await testbed.unplugVif('vif2.1');
        await sshd.start();
        await next('htb.eth1.10_0_0_37.ceil_bits_per_second');
        // And from now on it is told again.
        await testbed.plugVif('vif2.1');
        await Promise.all([
          next('htb.eth1.vif2_1.ceil_bits_per_second', (ceil) => ceil > 0),
          next('ovs.xapi0.vif2_1.link_up', (up) => up === 1),
          next('htb.eth1.vif3_1.utilisation_ratio', (ratio) => ratio > 0.1),
        ]);
      } finally {
        await traffic.stop();
      }
      await silence(testbed, { inDatabase: false });
      const all = (await total()) - before;
      await until(() => sum() >= all, `${all} bytes`);
      await next('htb.eth1.vif3_1.sent_bytes');
      expect(sum()).toBe(all);
      expect(Math.max(...sent('htb.eth1.vif3_1.utilisation_ratio'))).toBeLessThan(0.6);
      expect(
        events('run:failed')
          .map(({ job, code }) => `${job} ${code}`)
          .sort(),
      ).toEqual(['htb E_CONNECT', 'ovs E_CONNECT']);
      expect(events('run:recovered')).toHaveLength(2);
      expect(logins()).toBe(from + 2);
      await end();
    });
  },
);
