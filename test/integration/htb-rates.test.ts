/** What Open vSwitch takes for a rate, and whether the htb collector takes the same: by the kernel's own classes. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { htb } from '../../collectors/htb/index.ts';
import { pipelineOf } from '../support/htb-pipeline.ts';
import { eventually } from '../support/statsd.ts';
import { startTestbed, type Testbed, testbedReason } from '../support/testbed.ts';

const reason = testbedReason();
const TEXTS = [
  ...['10M', '1e6', '-5', '', ' 5000000', '+20000', '0x10', '5000000 ', '007000000', '0', '7', '+-5', '- 5', '1.5e6'],
  ...['18446744073709551615', '18446744073709551616', '-18446744073709551000', `${'0'.repeat(40)}5000000`],
];

describe.skipIf(reason !== undefined)(`rates as texts${reason === undefined ? '' : ` (${reason})`}`, () => {
  let testbed: Testbed;
  beforeAll(async () => {
    testbed = await startTestbed();
  });
  afterAll(() => testbed?.close());

  it.each(['max-rate', 'min-rate'])('%s: no text that Open vSwitch reads, or does not, is a drift', async (key) => {
    const queues = TEXTS.map((_, index) => `queues:${index + 1}=@q${index}`);
    const rows = TEXTS.flatMap((text, index) => [
      ...['--', `--id=@q${index}`, 'create', 'queue', `other-config:${key}="${text}"`],
    ]);
    const qos = ['create', 'qos', 'type=linux-htb', 'other-config:max-rate=1000000000', ...queues];
    // A class that a filter points to is not deleted, so the whole tree has to go.
    await testbed.vsctl('clear', 'port', 'eth1', 'qos');
    await testbed.vsctl('set', 'port', 'eth1', 'qos=@q', '--', '--id=@q', ...qos, ...rows);
    const one = pipelineOf(testbed, htb, { options: { rundir: testbed.rundir, flowsEvery: '0s', name: 'class' } });
    const { values } = await eventually(async () => {
      const run = await one.read();
      // The last class that Open vSwitch makes of this QoS, and none of the one before.
      return run.values.get('eth1.classes') === TEXTS.length + 2 ? run : undefined;
    }, 'the classes');
    const drifts = [...values].filter(([series]) => /^eth1\..*\.drift$/.test(series));
    expect(drifts).toHaveLength(TEXTS.length + 1);
    expect(drifts.filter(([, value]) => value !== 0)).toEqual([]);
  });
});
