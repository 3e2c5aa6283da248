import { duplexPair } from 'node:stream';
import { expect, it, vi } from 'vitest';
import type { Host } from '../../src/collector.ts';
import { Failure } from '../../src/errors.ts';
import { absentHost } from '../../test/support/absent-host.ts';
import { recordedSockets } from '../../test/support/recorded-sockets.ts';
import { datapathPort, portIn } from './datapath-port.ts';

/** As `dpctl/dump-flows --names` of Open vSwitch 3.1 prints it. */
const flow = (port: string, source: string): string =>
  `ct_state(-trk),recirc_id(0),in_port(${port}),packet_type(ns=0,id=0),eth(src=00:16:3e:00:00:02,dst=00:16:3e:00:00:01),` +
  `eth_type(0x0800),ipv4(src=${source},dst=10.9.5.9,proto=17,frag=no),udp(src=53), packets:4, bytes:568, used:3.380s, actions:drop`;

it('is the port by which the address came in', () => {
  expect(portIn(`flow-dump from the main thread:\n${flow('vif2.1', '10.0.0.37')}\n`, '10.0.0.37')).toBe('vif2.1');
  expect(portIn(flow('vif2.1', '10.0.0.37/255.255.255.252'), '10.0.0.37')).toBe('vif2.1');
  expect(portIn(flow('vif2.1', 'fe80::1').replace('ipv4', 'ipv6'), 'fe80::1')).toBe('vif2.1');
  expect(portIn(flow('"v\\"|x"', '10.0.0.37'), '10.0.0.37')).toBe('v"|x');
});

it('is not told of an address that only begins alike, is the destination, or is part of a name', () => {
  expect(portIn(flow('vif2.1', '10.0.0.37'), '10.0.0.3')).toBeUndefined();
  expect(portIn(flow('vif2.1', '10.0.0.37'), '10.9.5.9')).toBeUndefined();
  expect(portIn(flow('",ipv4(src=1.2.3.4,"', '10.0.0.37'), '1.2.3.4')).toBeUndefined();
  expect(portIn(`${flow('vif2.1', '9.9.9.9')} ct_tuple4(src=10.0.0.37,dst=1.1.1.1)`, '10.0.0.37')).toBeUndefined();
});

it('is not known where there are several, none, or no flows', () => {
  const two = `${flow('vif2.1', '10.0.0.37')}\n${flow('vif3.1', '10.0.0.37')}\n`;
  expect(portIn(two, '10.0.0.37')).toBeUndefined();
  expect(portIn(`${flow('vif2.1', '10.0.0.37')}\n`.repeat(3), '10.0.0.37')).toBe('vif2.1');
  for (const text of ['', '\n', 'in_port(', 'ipv4(src=10.0.0.37)', 'in_port(),ipv4(src=10.0.0.37)']) {
    expect(portIn(text, '10.0.0.37')).toBeUndefined();
  }
});

it('asks vswitchd for the flows of that address alone, and does without it where it does not answer', async () => {
  const asked: string[] = [];
  const sockets = recordedSockets(
    () => true,
    (question) => {
      asked.push(question);
      return { error: 'unknown' };
    },
  );
  const gone = () => Promise.reject(new Failure('E_NOT_FOUND', 'nothing there'));
  const host = (readFile: Host['readFile']): Host => ({
    ...absentHost,
    readFile,
    connect: async (path) => sockets.connect(path, new AbortController().signal),
    keep: () => {
      throw new Error('nothing is kept');
    },
  });
  expect(await datapathPort(host(gone), '/run/ovs', '10.0.0.37')).toBeUndefined();
  expect(asked).toEqual([]);
  expect(
    await datapathPort(
      host(async () => '12\n'),
      '/run/ovs',
      '10.0.0.37',
    ),
  ).toBeUndefined();
  const answers = await datapathPort(
    host(async () => '12\n'),
    '/run/ovs',
    'fe80::1',
  );
  expect([answers, ...new Set(asked)].filter((one) => one?.includes('["'))).toEqual([
    'socket /run/ovs/ovs-vswitchd.12.ctl: dpctl/dump-flows ["--names","filter=ip,nw_src=10.0.0.37"]',
    'socket /run/ovs/ovs-vswitchd.12.ctl: dpctl/dump-flows ["--names","filter=ipv6,ipv6_src=fe80::1"]',
  ]);
  sockets.close();
});

it('waits two seconds for a vswitchd that hangs, and no longer', async () => {
  vi.useFakeTimers();
  const [client, server] = duplexPair();
  try {
    const host: Host = {
      ...absentHost,
      readFile: async () => '12\n',
      connect: async () => client,
      keep: () => {
        throw new Error('nothing is kept');
      },
    };
    const asked = new Promise((resolve) => server.once('data', resolve));
    const answer = datapathPort(host, '/run/ovs', '10.0.0.37').catch((thrown) => thrown);
    await asked;
    await vi.advanceTimersByTimeAsync(2000);
    expect(await answer).toMatchObject({ code: 'E_TIMEOUT', message: expect.stringContaining('within 2 s') });
    expect([client.destroyed, vi.getTimerCount()]).toEqual([true, 0]);
  } finally {
    server.destroy();
    client.destroy();
    vi.useRealTimers();
  }
});
