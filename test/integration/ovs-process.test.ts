/** The ovs collector by the daemon as a process: beside a restart, as another user, without ovs-ofctl. */
import { chmodSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startEdgestatd, stopAll } from '../support/daemon.ts';
import { asUser, type Cli, cliOn, withEmpty } from '../support/htb-cli.ts';
import { eventually } from '../support/statsd.ts';
import { startTestbed, type Testbed, testbedReason } from '../support/testbed.ts';
import { listenUdp, type UdpListener } from '../support/udp-listener.ts';

const reason = testbedReason();
const NOBODY = 65_534;

describe.skipIf(reason !== undefined)(`ovs by the daemon${reason === undefined ? '' : ` (${reason})`}`, () => {
  let testbed: Testbed;
  let cli: Cli;
  let udp: UdpListener | undefined;
  beforeEach(async () => {
    testbed = await startTestbed();
    cli = cliOn(testbed);
  });
  afterEach(async () => {
    stopAll();
    cli?.close();
    await udp?.close();
    udp = undefined;
    await testbed?.close();
  });

  const config = (sink: string, options = '', every = '10s'): string => `targets: { local: { type: local, name: hv01 } }
sinks: [ ${sink} ]
jobs: [ { collector: ovs, every: ${every}, options: { rundir: ${testbed.rundir}${options} } } ]
`;
  const once = (file: string, through: readonly string[] = []) => cli.run(['once', '--config', file], { through });

  it('outlives restarts of both daemons, and says each change once', async () => {
    udp = await listenUdp();
    const { lines } = udp;
    const sent = (series: string): number[] =>
      lines()
        .filter((line) => line.startsWith(`edge.hv01.ovs.${series}:`))
        .map((line) => Number(/:([^|]*)\|/.exec(line)?.[1]));
    const sum = (series: string): number => sent(series).reduce((all, value) => all + value, 0);
    const until = (holds: () => boolean, what: string): Promise<void> => udp?.until(holds, what) ?? Promise.reject();
    const daemon = startEdgestatd(config(`{ type: statsd, port: ${udp.port} }`, '', '1s'));
    const said = (): string[] =>
      daemon.events
        .map(({ event, code }) => `${event} ${code ?? ''}`.trim())
        // Faster than the statistics are written, which is said once and lasts.
        .filter((text) => text.startsWith('run:') && text !== 'run:problem E_CONFIG');
    await until(() => sent('xapi0.packets').length > 0, 'two runs');

    await testbed.killVswitchd();
    await until(
      () => sent('ovs-vswitchd.running').at(-1) === 0 && sent('ovs-vswitchd.running').at(-2) === 0,
      'two runs without it',
    );
    // One that is still ending hangs up; one that has ended does not take the call.
    expect(said().filter((text) => !/^run:problem(?:_gone)? E_CONNECT$/.test(text))).toEqual([]);
    expect(said().at(-1)).toBe('run:problem E_CONNECT');
    const so = said().length;
    expect(so).toBeLessThanOrEqual(3);
    await testbed.startVswitchd();
    await testbed.addFlows();
    await eventually(
      () => (said().includes('run:problem_gone E_CONNECT', so) ? true : undefined),
      'the end of the problem',
    );
    await until(() => sum('ovs-vswitchd.restarts') > 0, 'the restart');

    const flows = sent('xapi0.flows').length;
    await until(() => sent('xapi0.flows').length > flows, 'flows');
    const before = daemon.events.length;
    await testbed.stopOvsdb();
    await daemon.event('run:problem', before);
    await until(() => sent('ovsdb-server.running').at(-1) === 0, 'the end of the server');
    await testbed.startOvsdb();
    await daemon.event('run:problem_gone', before);
    await until(() => sum('ovsdb-server.restarts') > 0, 'its restart');
    const again = sent('xapi0.flows').length;
    await until(() => sent('xapi0.flows').length > again, 'flows again');

    expect(daemon.child.exitCode).toBeNull();
    expect(await daemon.end()).toBe(0);
    expect(sum('ovs-vswitchd.restarts')).toBe(1);
    expect(sum('ovsdb-server.restarts')).toBe(1);
    // Each problem is said once when it begins and once when it ends.
    const open = new Set<unknown>();
    for (const { event, message } of daemon.events) {
      const text = String(message).replace(/[0-9]+/g, '#');
      if (event === 'run:problem') expect(open, text).not.toContain(text);
      if (event === 'run:problem') open.add(text);
      if (event === 'run:problem_gone') open.delete(text);
    }
    expect([...open]).toEqual([expect.stringMatching(/^the job runs every # s, and ovs-vswitchd writes statistics/)]);
    expect(said().filter((text) => text.startsWith('run:failed'))).toEqual([]);
    expect(daemon.other).toEqual([]);
    // Nothing was sent that was not counted: this bed is quiet.
    expect(sum('xenbr1.eth1.rx_packets')).toBeLessThan(1000);
    for (const line of lines()) expect(line).toMatch(/^edge\.hv01\.[A-Za-z0-9_.-]+:-?[0-9.]+(?:e-?\d+)?\|(?:g|c|ms)$/);
  });

  it('as a user who may not: the run directory shut, the sockets shut, the database alone open', async () => {
    const file = cli.file(config('{ type: stdout }'));
    const shut = await once(file, asUser(NOBODY));
    expect(shut.code).toBe(1);
    expect(shut.stderr).toMatch(/^ovs@local: E_DENIED: /m);
    expect(shut.stderr).not.toMatch(/E_(?!DENIED)[A-Z]+/);
    expect(shut.stdout).not.toMatch(/^edge\.hv01\.ovs\./m);
    expect(shut.stdout).toContain('edge.hv01.edgestatd.ovs.up 0 gauge boolean\n');

    chmodSync(testbed.rundir, 0o755);
    const closed = await once(file, asUser(NOBODY));
    expect(closed.code).toBe(0);
    expect(closed.stderr).toMatch(/^ovs@local: E_DENIED: .*db\.sock" may not be used by this user/m);
    expect(closed.stderr).not.toMatch(/E_(?!DENIED)[A-Z]+/);
    // Of the processes the kernel tells everybody, and of nothing else anything is known.
    expect(closed.stdout).toContain('edge.hv01.ovs.ovs-vswitchd.running 1 gauge boolean\n');
    expect(closed.stdout).toMatch(/^edge\.hv01\.ovs\.ovsdb-server\.resident_bytes [1-9]\d{6} gauge bytes$/m);
    const told = [...closed.stdout.matchAll(/^edge\.hv01\.ovs\.(\S+)/gm)].map(([, series = '']) => series);
    expect(
      told.filter(
        (series) =>
          !/^(?:ovs-vswitchd|ovsdb-server)\.(?:running|restarts|cpu_seconds|resident_bytes|threads|uptime_seconds)$/.test(
            series,
          ),
      ),
    ).toEqual([]);

    chmodSync(testbed.database, 0o777);
    const open = await once(file, asUser(NOBODY));
    expect(open.code).toBe(0);
    expect(open.stderr).not.toMatch(/E_(?!DENIED)[A-Z]+/);
    expect(open.stdout).toMatch(/^edge\.hv01\.ovs\.xenbr1\.eth1\.rx_bytes \d+ counter bytes$/m);
    expect(open.stdout).toContain('edge.hv01.ovs.xapi0.fail_secure 0 gauge boolean\n');
    expect(open.stdout).not.toMatch(/\.(?:flows|packets|hit|coverage_events|memory_objects|version_info) /);
    expect(open.stderr.match(/^ovs@local: /gm)?.length).toBeLessThanOrEqual(5);
    const check = await cli.run(['check', '--config', file], { through: asUser(NOBODY) });
    expect(check.code).toBe(1);
    expect(check.stdout).toMatch(/^ok {3}job ovs@local: database .*db\.sock": answers$/m);
    expect(check.stdout).toMatch(/^fail job ovs@local: E_DENIED: .*ovs-vswitchd.*; its control socket is for root/m);
    expect(check.stdout).toMatch(/^fail job ovs@local: bridge "x[a-z0-9]+" by OpenFlow: E_DENIED: /m);
  });

  it('without ovs-ofctl: one problem, and all that needs no flows', async () => {
    const ofctl = (await testbed.inside('hv', ['sh', '-c', 'realpath $(command -v ovs-ofctl)'])).trim();
    const through = withEmpty(dirname(ofctl));
    const file = cli.file(config('{ type: stdout }', ', flows: [ { name: all, match: "" } ], ports: true'));
    const [run, check] = await Promise.all([once(file, through), cli.run(['check', '--config', file], { through })]);
    expect(run.code).toBe(0);
    expect(run.stderr.match(/^ovs@local: .*$/gm)).toEqual([
      expect.stringMatching(/^ovs@local: E_NOT_FOUND: program "ovs-ofctl" was not found in PATH/),
    ]);
    for (const series of [
      'xenbr1.eth1.rx_bytes',
      'xapi0.vif2_1.link_up',
      'netdev_ovs-netdev.hit',
      'ovs-vswitchd.rules.memory_objects',
      'drop_action_of_pipeline.coverage_events',
    ])
      expect(run.stdout).toMatch(new RegExp(`^edge\\.hv01\\.ovs\\.${series.replaceAll('.', '\\.')} \\d+ `, 'm'));
    expect(run.stdout).not.toMatch(/\.(?:flows|packets|bytes|matched_[a-z]+|openflow_[a-z_]+) /);
    expect(check.stdout).toMatch(
      /^warn job ovs@local: E_NOT_FOUND: program "ovs-ofctl" .*; without it nothing is told of flows/m,
    );
  });
});
