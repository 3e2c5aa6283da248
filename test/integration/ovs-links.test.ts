/** Controllers, managers, bonds, LACP, BFD, CFM and tunnels on the testbed: there, cut, and back. */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createFramer } from '../../src/ovs/json-stream.ts';
import { type OpenFlowController, startController } from '../support/openflow-controller.ts';
import { type OvsRun, ovsRuns } from '../support/ovs-runs.ts';
import { startTestbed, type Testbed, testbedReason } from '../support/testbed.ts';

const reason = testbedReason();
const clean = (name: string): string => name.replace(/[^A-Za-z0-9_-]/g, '_');
const sum = (values: readonly (number | undefined)[]): number =>
  values.reduce<number>((all, value) => all + (value ?? 0), 0);

interface Agent {
  readonly path: string;
  close(): Promise<void>;
}

/** A client of the database that waits to be called, and answers its echoes. */
async function startAgent(path: string): Promise<Agent> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    const onChunk = createFramer((text) => {
      const { id, method, params } = JSON.parse(text) as Record<string, unknown>;
      if (method === 'echo') socket.write(JSON.stringify({ id, result: params, error: null }));
    });
    socket.on('data', onChunk);
  });
  server.listen(path);
  await once(server, 'listening');
  return {
    path,
    async close() {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

describe.skipIf(reason !== undefined)(`ovs, its peers${reason === undefined ? '' : ` (${reason})`}`, () => {
  let testbed: Testbed;
  beforeAll(async () => {
    testbed = await startTestbed();
  });
  afterAll(() => testbed?.close());

  const ip = (...lines: readonly string[]): Promise<string> =>
    testbed.inside('hv', ['ip', '-batch', '-'], { input: `${lines.join('\n')}\n` });

  it('controllers and managers: connected, cut, and back', async () => {
    const at = (name: string): string => `${testbed.rundir}/${name}`;
    const runs = ovsRuns(testbed);
    const ended: (() => Promise<unknown>)[] = [() => runs.close()];
    let controller: OpenFlowController = await startController(at('own.ctl'), 'master');
    let agent = await startAgent(at('agent.sock'));
    const second = await startController(at('second.ctl'));
    ended.push(
      () => controller.close(),
      () => agent.close(),
      () => second.close(),
    );
    const own = `xapi0.${clean(`unix:${at('own.ctl')}`)}`;
    const other = `xapi0.${clean(`unix:${at('second.ctl')}`)}`;
    const refused = 'xenbr1.tcp_127_0_0_1_6653';
    const active = clean(`unix:${at('agent.sock')}`);
    const passive = clean(`punix:${at('listen.sock')}`);
    const clients: { close(): Promise<void> }[] = [];
    ended.push(() => Promise.all(clients.map((one) => one.close())));
    try {
      await testbed.vsctl(
        ...['set-controller', 'xapi0', `unix:${at('own.ctl')}`, `unix:${at('second.ctl')}`],
        ...['--', 'set-controller', 'xenbr1', 'tcp:127.0.0.1:6653'],
        // It comes back within a second, not within eight.
        ...['--', 'set', 'Bridge', 'xapi0', 'fail_mode=secure'],
        ...['--', 'set-manager', `unix:${at('agent.sock')}`, `punix:${at('listen.sock')}`],
        ...['--', 'set', 'Manager', `unix:${at('agent.sock')}`, 'max_backoff=1000'],
      );
      for (const target of [`unix:${at('own.ctl')}`, `unix:${at('second.ctl')}`, 'tcp:127.0.0.1:6653']) {
        const rows = await testbed.vsctl('--columns=_uuid', '--bare', 'find', 'Controller', `target="${target}"`);
        await testbed.vsctl('set', 'Controller', rows.trim(), 'max_backoff=1000');
      }
      await testbed.appctl(
        ...['-t', 'ovsdb-server', 'ovsdb-server/add-remote', 'db:Open_vSwitch,Open_vSwitch,manager_options'],
      );
      const target = { ...testbed, database: at('listen.sock') };
      for (const _ of [1, 2]) {
        const client = ovsRuns(testbed, { options: { database: target.database } });
        clients.push(client);
        await client.until(({ failure, told }) => failure === undefined && told.length === 0, 'the passive manager');
      }

      const is = (run: OvsRun, values: Readonly<Record<string, number | undefined>>): boolean =>
        Object.entries(values).every(([series, value]) => run.at(series) === value);
      const connected = await runs.until(
        (run) =>
          is(run, {
            [`${own}.controller_connected`]: 1,
            [`${own}.master.controller_role`]: 1,
            [`${other}.controller_connected`]: 1,
            [`${active}.manager_connected`]: 1,
            [`${passive}.manager_connected`]: 1,
            [`${passive}.manager_connections`]: 2,
            [`${refused}.refused.controller_last_error`]: 1,
          }),
        'the connections',
      );
      expect(connected.told).toEqual([]);
      expect(controller.switches[0]).toMatch(/^[0-9a-f]{16}$/);
      expect(controller.roles).toEqual([2]);
      expect(connected.at(`${own}.other.controller_role`)).toBe(0);
      expect(connected.at(`${own}.slave.controller_role`)).toBe(0);
      expect(connected.at(`${other}.other.controller_role`)).toBe(1);
      expect(connected.at(`${own}.controller_since_connect_seconds`)).toBeLessThan(10);
      expect(connected.at(`${own}.controller_since_disconnect_seconds`)).toBeUndefined();
      expect(connected.at(`${active}.manager_since_connect_seconds`)).toBeLessThan(10);
      expect(connected.at(`${refused}.controller_connected`)).toBe(0);
      expect(connected.at(`${refused}.controller_since_connect_seconds`)).toBeUndefined();
      expect([...connected.values.keys()].filter((name) => /unix.*_role/.test(name))).toHaveLength(6);

      await Promise.all([controller.close(), agent.close(), clients.pop()?.close()]);
      const cut = await runs.until(
        (run) =>
          is(run, {
            [`${own}.controller_connected`]: 0,
            [`${active}.manager_connected`]: 0,
            [`${passive}.manager_connections`]: undefined,
          }) && run.at(`${own}.other.controller_last_error`) === 1,
        'the cut',
      );
      expect(cut.told).toEqual([]);
      expect(cut.at(`${own}.controller_since_disconnect_seconds`)).toBeLessThan(10);
      expect(cut.at(`${active}.manager_since_disconnect_seconds`)).toBeLessThan(10);
      // ovsdb-server tells of no error, so none is made up.
      expect([...cut.values.keys()].filter((name) => /manager_last_error/.test(name))).toEqual([]);
      expect(cut.at(`${other}.controller_connected`)).toBe(1);
      expect(cut.at(`${passive}.manager_connected`)).toBe(1);
      // Nobody knows its role now: 0 once, and nothing more.
      expect(cut.values.get(`${own}.master.controller_role`) ?? 0).toBe(0);
      expect((await runs.read()).values.has(`${own}.master.controller_role`)).toBe(false);

      controller = await startController(at('own.ctl'), 'slave');
      agent = await startAgent(at('agent.sock'));
      const back = await runs.until(
        (run) =>
          is(run, {
            [`${own}.controller_connected`]: 1,
            [`${own}.slave.controller_role`]: 1,
            [`${active}.manager_connected`]: 1,
          }),
        'the return',
      );
      expect(back.told).toEqual([]);
      expect(back.at(`${own}.controller_since_connect_seconds`)).toBeLessThan(10);
      expect(back.at(`${own}.controller_since_disconnect_seconds`)).toBeGreaterThan(0);
      await testbed.vsctl('del-controller', 'xapi0', '--', 'del-manager');
      await runs.until((run) => !run.values.has(`${own}.controller_connected`), 'the end of the rows');
      // One final 0 for what was sent, which the runs themselves are judged by.
      await runs.read();
    } finally {
      for (const end of ended) await end();
    }
  });

  it('bonds, LACP, BFD, CFM and tunnels: well, with a link down, and well again', async () => {
    const pairs = ['la1 lb1', 'la2 lb2', 'fa fb', 'ca cb'].map((pair) => pair.split(' '));
    await ip(
      ...pairs.flatMap(([a, b]) => [`link add ${a} type veth peer name ${b}`, `link set ${a} up`, `link set ${b} up`]),
    );
    const bridge = (name: string) => [
      '--',
      'add-br',
      name,
      '--',
      'set',
      'Bridge',
      name,
      'datapath_type=netdev',
      'fail_mode=secure',
    ];
    const port = (on: string, name: string, ...set: string[]) => [
      '--',
      'add-port',
      on,
      name,
      '--',
      'set',
      'Interface',
      name,
      ...set,
    ];
    const bond = (on: string, name: string, ...members: string[]) => [
      ...[
        '--',
        'add-bond',
        on,
        name,
        ...members,
        'lacp=active',
        'other_config:lacp-time=fast',
        'bond_mode=balance-tcp',
      ],
    ];
    const bfd = ['bfd:enable=true', 'bfd:min_rx=100', 'bfd:min_tx=100'];
    const cfm = (mpid: number) => [
      `cfm_mpid=${mpid}`,
      'other_config:cfm_interval=100',
      'other_config:cfm_extended=true',
    ];
    await testbed.vsctl(
      ...[...bridge('bra').slice(1), ...bridge('brb')],
      ...[...bond('bra', 'bond-a', 'la1', 'la2'), ...bond('brb', 'bond-b', 'lb1', 'lb2')],
      ...[
        ...port('bra', 'fa', ...bfd),
        ...port('brb', 'fb', ...bfd),
        ...port('bra', 'ca', ...cfm(1)),
        ...port('brb', 'cb', ...cfm(2)),
      ],
      ...port('bra', 'vx0', 'type=vxlan', 'options:remote_ip=10.0.0.1', 'options:key=7'),
      ...port('bra', 'vx1', 'type=vxlan', 'options:remote_ip=10.0.0.2', 'options:key=7'),
      ...port('brb', 'gnv0', 'type=geneve', 'options:remote_ip=10.0.0.1'),
    );
    const runs = ovsRuns(testbed);
    const well = (run: OvsRun): boolean =>
      ['bra.bond-a.la1', 'bra.bond-a.la2', 'brb.bond-b.lb1', 'brb.bond-b.lb2'].every(
        (member) => run.at(`${member}.lacp_distributing`) === 1 && run.at(`${member}.bond_member_enabled`) === 1,
      ) &&
      run.at('bra.fa.up.bfd_state') === 1 &&
      run.at('bra.fa.bfd_forwarding') === 1 &&
      run.at('brb.fb.up.bfd_remote_state') === 1 &&
      run.at('bra.ca.cfm_fault') === 0 &&
      run.at('bra.ca.cfm_remote_up') === 1;
    try {
      const first = await runs.until(well, 'LACP, BFD and CFM');
      expect(first.told).toEqual([]);
      expect(first.at('bra.bond-a.bond_members')).toBe(2);
      expect(first.at('bra.bond-a.bond_members_enabled')).toBe(2);
      expect(first.at('bra.bond-a.bond_has_active_member')).toBe(1);
      expect(first.at('bra.bond-a.lacp_negotiated')).toBe(1);
      for (const member of ['bra.bond-a.la1', 'bra.bond-a.la2']) {
        for (const metric of [
          'current',
          'attached',
          'synchronized',
          'collecting',
          'partner_known',
          'partner_synchronized',
          'partner_collecting',
          'partner_distributing',
        ])
          expect(first.at(`${member}.lacp_${metric}`), metric).toBe(1);
        expect(first.at(`${member}.bond_member_may_enable`)).toBe(1);
        expect(first.at(`${member}.link_up`)).toBe(1);
      }
      const active =
        (first.at('bra.bond-a.la1.bond_member_active') ?? 0) + (first.at('bra.bond-a.la2.bond_member_active') ?? 0);
      expect(active).toBe(1);
      expect(['admin_down', 'down', 'init', 'up'].map((state) => first.at(`bra.fa.${state}.bfd_state`))).toEqual([
        0, 0, 0, 1,
      ]);
      expect(first.at('vxlan.tunnels')).toBe(2);
      expect(first.at('geneve.tunnels')).toBe(1);
      expect(first.at('bra.vx0.interface_error')).toBe(0);

      await ip('link set lb1 down', 'link set fb down', 'link set cb down');
      const down = await runs.until(
        (run) =>
          run.at('bra.bond-a.la1.lacp_current') === 0 &&
          // Expired first, then given up.
          run.at('bra.bond-a.la1.lacp_attached') === 0 &&
          run.at('bra.bond-a.la1.bond_member_enabled') === 0 &&
          run.at('bra.fa.down.bfd_state') === 1 &&
          run.at('bra.ca.cfm_fault') === 1,
        'the links to go down',
      );
      expect(down.told).toEqual([]);
      expect(down.at('bra.bond-a.bond_members')).toBe(2);
      expect(down.at('bra.bond-a.bond_members_enabled')).toBe(1);
      expect(down.at('bra.bond-a.bond_has_active_member')).toBe(1);
      expect(down.at('bra.bond-a.la2.bond_member_active')).toBe(1);
      expect(down.at('bra.bond-a.la1.lacp_distributing')).toBe(0);
      expect(down.at('bra.bond-a.la2.lacp_current')).toBe(1);
      expect(down.at('bra.fa.bfd_forwarding')).toBe(0);
      expect(down.at('bra.fa.up.bfd_state')).toBe(0);

      await ip('link set lb1 up', 'link set fb up', 'link set cb up');
      const again = await runs.until(well, 'the links to come back');
      expect(again.told).toEqual([]);
      expect(again.at('bra.bond-a.bond_members_enabled')).toBe(2);
      expect(sum(runs.history('bra.fa.bfd_flaps'))).toBeGreaterThanOrEqual(2);
      expect(sum(runs.history('bra.bond-a.la1.link_resets'))).toBe(2);
      expect(sum(runs.history('bra.ca.cfm_flaps'))).toBeGreaterThanOrEqual(2);
    } finally {
      await testbed.vsctl('del-br', 'bra', '--', 'del-br', 'brb');
      await ip(...pairs.map(([a]) => `link delete ${a}`));
    }
    const gone = await runs.read();
    expect(gone.told).toEqual([]);
    expect([...gone.values].filter(([name, value]) => /^(?:bra|brb|vxlan|geneve)\./.test(name) && value !== 0)).toEqual(
      [],
    );
    expect([...(await runs.read()).values.keys()].filter((name) => /^(?:bra|brb|vxlan|geneve)\./.test(name))).toEqual(
      [],
    );
    await runs.close();
  });
});
