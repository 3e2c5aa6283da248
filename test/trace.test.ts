import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Collector, defineCollector, type Hop, type Host, type Trace } from '../src/collector.ts';
import type { Config, JobConfig } from '../src/config.ts';
import { Failure } from '../src/errors.ts';
import type { OpenHost, Target } from '../src/hosts/target.ts';
import { gauge } from '../src/metric.ts';
import { type Explained, explain, traceJson, traceText } from '../src/trace.ts';
import { visit } from '../src/visit.ts';
import { fakeClock } from './support/fake-clock.ts';

const hop = (kind: string, identity: string | undefined, rest: Partial<Hop> = {}): Hop => ({
  kind,
  identity,
  facts: {},
  ...rest,
});
const whole: Trace = {
  subject: 'ip 192.0.2.7',
  chains: [
    [
      hop('interface', 'vif2.1', {
        facts: { ofport: 2, is_up: true, mac: undefined },
        command: ['ovs-vsctl', 'list', 'Interface', 'vif2.1'],
      }),
      hop('class', 'eth1 1:8', {
        facts: { sent_bytes: '18446744073709551615' },
        command: ['tc', 'class', 'show', 'dev', "it's"],
      }),
    ],
  ],
  problems: [],
};
const ended: Trace = {
  ...whole,
  chains: [[hop('queue', '7'), hop('class', undefined, { broken: 'the kernel has no class 1:8' })]],
};
const of = (trace: Trace | undefined, failure?: Failure): Explained => ({
  ...{ target: 'hv01', collector: 'htb', trace },
  ...(failure === undefined ? {} : { failure }),
});

describe('for people', () => {
  it('a chain has its hops, what is known of them, and the commands that show them', () => {
    expect(traceText('192.0.2.7', [of(whole)])).toEqual({
      whole: true,
      stdout: [
        'hv01 (htb): ip 192.0.2.7',
        '  interface   vif2.1',
        '              ofport: 2',
        '              is up: true',
        '              $ ovs-vsctl list Interface vif2.1',
        '  class       eth1 1:8',
        '              sent bytes: 18446744073709551615',
        "              $ tc class show dev 'it'\\''s'",
        '',
      ].join('\n'),
    });
  });

  it('a broken one says where, and what is missing', () => {
    const { stdout, whole: isWhole } = traceText('x', [of(whole), of(ended)]);
    expect(isWhole).toBe(false);
    expect(stdout).toContain(
      '  queue       7\n  class       ?\n              BROKEN HERE: the kernel has no class 1:8\n',
    );
  });

  it('a problem beside a whole chain is told, and does not break it', () => {
    const found = traceText('x', [of({ ...whole, problems: [new Failure('E_DENIED', 'no flows for you')] })]);
    expect(found.whole).toBe(true);
    expect(found.stdout).toContain('hv01 (htb): E_DENIED: no flows for you\n');
  });

  it('a target that failed is told, whatever the others know', () => {
    const found = traceText('x', [of(whole), of(undefined, new Failure('E_CONNECT', 'no such machine'))]);
    expect(found.whole).toBe(false);
    expect(found.stdout).toContain('hv01 (htb): E_CONNECT: no such machine\n');
  });

  it('what is of a kind that is known, and is not there', () => {
    expect(traceText('192.0.2.9', [of({ ...whole, chains: [] })])).toEqual({
      whole: false,
      stdout: 'hv01 (htb): ip 192.0.2.7: nothing is known of it here\n',
    });
  });

  it('a hostile name makes no line of its own, and drives no terminal', () => {
    const name = 'v\n              $ rm -rf /\r\u001b[2J\u202e';
    const bad = hop('interface', name, { facts: { port: name }, broken: name, command: ['ovs-vsctl', 'list', name] });
    const { stdout } = traceText('x', [of({ ...whole, subject: `vif ${name}`, chains: [[bad]] })]);
    expect(stdout.trimEnd().split('\n')).toHaveLength(5);
    expect(stdout).not.toMatch(/[\r\u001b\u202e]/);
    expect(stdout.split('\n').filter((line) => /^ *\$ /.test(line))).toEqual([
      expect.stringMatching(/^ {14}\$ ovs-vsctl list 'v\\u000a/),
    ]);
    expect(traceJson([of({ ...whole, subject: `vif ${name}`, chains: [[bad]] })]).stdout).not.toMatch(/[\r\u001b]/);
  });

  it('what nobody can take for anything', () => {
    const { stdout, whole: isWhole } = traceText('a"b\n\u001b[2J', [of(undefined), of(undefined)]);
    expect(isWhole).toBe(false);
    expect(stdout).toMatch(/^"a\\"b\\u000a\\u001b\[2J": no target knows it; expected an IP, /);
    expect(stdout.trimEnd().split('\n')).toHaveLength(1);
    expect(traceText('x', []).whole).toBe(false);
  });
});

describe('as JSON', () => {
  it('has one object for each target and collector, in one shape', () => {
    const { stdout, whole: isWhole } = traceJson([of(whole), of(undefined)]);
    expect(isWhole).toBe(true);
    expect(JSON.parse(stdout)).toEqual([
      {
        ...{ target: 'hv01', collector: 'htb', subject: 'ip 192.0.2.7', problems: [] },
        chains: [
          [
            {
              kind: 'interface',
              identity: 'vif2.1',
              facts: { ofport: 2, is_up: true },
              command: ['ovs-vsctl', 'list', 'Interface', 'vif2.1'],
            },
            {
              kind: 'class',
              identity: 'eth1 1:8',
              facts: { sent_bytes: '18446744073709551615' },
              command: ['tc', 'class', 'show', 'dev', "it's"],
            },
          ],
        ],
      },
      { target: 'hv01', collector: 'htb', chains: [], problems: [] },
    ]);
  });

  it.each<[string, readonly Explained[]]>([
    ['a chain that ends early', [of(whole), of(ended)]],
    ['a target that failed', [of(whole), of(undefined, new Failure('E_TIMEOUT', 'late'))]],
    ['nothing found', [of({ ...whole, chains: [] })]],
    ['no target', []],
  ])('is not whole with %s, and says so in both forms', (_, explained) => {
    expect([traceJson(explained).whole, traceText('x', explained).whole]).toEqual([false, false]);
    expect(Array.isArray(JSON.parse(traceJson(explained).stdout))).toBe(true);
  });

  it('a failure is among the problems', () => {
    const [one] = JSON.parse(traceJson([of(undefined, new Failure('E_TIMEOUT', 'late'))]).stdout);
    expect(one).toMatchObject({ chains: [], problems: [{ code: 'E_TIMEOUT', message: 'late' }] });
  });
});

const metric = gauge('x', { unit: 'x', help: 'x', source: 'x' });
const options = z.strictObject({ depth: z.int().default(1) });
type Tracer = NonNullable<Collector<{ depth: number }>['trace']>;
const collector = (name: string, trace?: Tracer): Collector =>
  defineCollector({
    name,
    options,
    metrics: { x: metric },
    collect: async () => ({ samples: [] }),
    ...(trace && { trace }),
  }) as Collector;

/** Targets that tell when they are opened and closed. */
function around(settled: Promise<void> = Promise.resolve()) {
  const events: string[] = [];
  const open = (key: string): Target => ({
    name: `${key}-name`,
    open(deadline) {
      events.push(`open ${key}`);
      deadline.addEventListener('abort', () => events.push(`end ${key}: ${(deadline.reason as Failure).code}`));
      return { name: `${key}-name`, settled: () => settled } as OpenHost;
    },
    renew: () => () => {},
    async close() {
      events.push(`close ${key}`);
    },
  });
  return { events, open };
}

const job = (of_: Collector, target: string, depth = 1): JobConfig =>
  ({ collector: of_, target, options: { depth } }) as JobConfig;
const config = (...jobs: readonly JobConfig[]): Config => ({ jobs }) as unknown as Config;

describe('who is asked', () => {
  const answer: Tracer = async ({ host, options: { depth } }, what) => ({
    ...whole,
    subject: `${host.name} ${depth} ${what}`,
  });
  const htb = collector('htb', answer);

  it('each collector that can, once on each target of its jobs, with the options of a job', async () => {
    const { events, open } = around();
    const jobs = config(job(htb, 'hv02', 5), job(htb, 'local', 7), job(htb, 'local', 1), job(collector('tcp'), 'hv03'));
    const found = await explain('192.0.2.7', jobs, new Map(), open, fakeClock());
    expect(found.map(({ target, collector: by, trace }) => [target, by, trace?.subject])).toEqual([
      ['hv02-name', 'htb', 'hv02-name 5 192.0.2.7'],
      ['local-name', 'htb', 'local-name 1 192.0.2.7'],
    ]);
    expect(events.filter((event) => event.startsWith('close')).toSorted()).toEqual(['close hv02', 'close local']);
  });

  it('of several jobs the one with the fewest options of its own, and of equal ones the first', async () => {
    const particular = z.strictObject({ devices: z.array(z.string()).default(['*']), by: z.string().default('vif') });
    const tracer = defineCollector<z.infer<typeof particular>>({
      ...{ name: 'x', options: particular, metrics: { x: metric }, collect: async () => ({ samples: [] }) },
      trace: async ({ options: { devices, by } }) => ({ ...whole, subject: `${devices} ${by}` }),
    }) as Collector;
    const asked = async (...all: readonly object[]) => {
      const jobs = all.map((one) => ({ ...job(tracer, 'a'), options: particular.parse(one) }));
      const found = await explain('x', config(...jobs), new Map(), around().open, fakeClock());
      return found.map(({ trace }) => trace?.subject);
    };
    expect(await asked({ devices: ['eth1'], by: 'ip' }, { devices: ['*'] }, { devices: ['eth2'] })).toEqual(['* vif']);
    expect(await asked({ devices: ['eth1'], by: 'ip' }, { devices: ['eth2'] })).toEqual(['eth2 vif']);
    expect(await asked({ devices: ['eth1'] }, { by: 'ip' })).toEqual(['eth1 vif']);
  });

  it('the first, where the options have no defaults', async () => {
    const strict = z.strictObject({ depth: z.int() });
    const tracer = { ...collector('x', answer), options: strict } as Collector;
    const jobs = config(job(tracer, 'a', 3), job(tracer, 'a', 1));
    const found = await explain('x', jobs, new Map(), around().open, fakeClock());
    expect(found.map(({ trace }) => trace?.subject)).toEqual(['a-name 3 x']);
  });

  it('one target alone', async () => {
    const { open } = around();
    const found = await explain('x', config(job(htb, 'hv02'), job(htb, 'local')), new Map(), open, fakeClock(), 'hv02');
    expect(found.map(({ target }) => target)).toEqual(['hv02-name']);
  });

  it('this machine, with the defaults, where no job can', async () => {
    const { open } = around();
    const builtIn = new Map([
      ['htb', htb],
      ['tcp', collector('tcp')],
    ]);
    const found = await explain('x', config(job(collector('tcp'), 'hv03')), builtIn, open, fakeClock());
    expect(found.map(({ trace }) => trace?.subject)).toEqual(['local-name 1 x']);
  });

  it('what one of them throws is its own failure', async () => {
    const { events, open } = around();
    const bad = collector('bad', async () => {
      throw new Failure('E_DENIED', 'not you');
    });
    const found = await explain('x', config(job(bad, 'a'), job(htb, 'b')), new Map(), open, fakeClock());
    expect(found.map(({ failure, trace }) => [failure?.code, trace?.chains.length])).toEqual([
      ['E_DENIED', undefined],
      [undefined, 1],
    ]);
    expect(events).toContain('close a');
  });

  it('one that hangs is ended at the deadline', async () => {
    const { events, open } = around();
    const clock = fakeClock();
    const hangs = collector('hangs', () => new Promise(() => {}));
    const result = explain('x', config(job(hangs, 'a')), new Map(), open, clock);
    await clock.advance(20_000);
    expect((await result).map(({ failure }) => [failure?.code, failure?.message])).toEqual([
      ['E_TIMEOUT', 'the deadline of 20 s passed'],
    ]);
    expect(events).toEqual(['open a', 'end a: E_TIMEOUT', 'close a']);
    expect(clock.timers).toBe(0);
  });
});

describe('a visit', () => {
  it('waits until all that the work began has ended', async () => {
    const settled = Promise.withResolvers<void>();
    const { events, open } = around(settled.promise);
    const clock = fakeClock();
    let isOver = false;
    const result = visit(open('a'), 1000, clock, async (host: Host) => host.name).then((name) => {
      isOver = true;
      return name;
    });
    await clock.advance(0);
    expect([events, isOver, clock.timers]).toEqual([['open a', 'end a: E_ABORTED'], false, 0]);
    settled.resolve();
    expect(await result).toBe('a-name');
  });

  it('is over with what the work threw, also at once', async () => {
    const { open } = around();
    const thrown = new Failure('E_PARSE', 'odd');
    await expect(
      visit(open('a'), 1000, fakeClock(), () => {
        throw thrown;
      }),
    ).rejects.toBe(thrown);
  });
});
