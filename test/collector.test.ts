import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Collector, defineCollector } from '../src/collector.ts';
import { Failure } from '../src/errors.ts';
import { counter, derived, duration, gauge, growth, type Metric, ratio, sample } from '../src/metric.ts';

const about = { unit: 'bytes', help: 'h', source: 's' };
const backlog = gauge('backlog_bytes', { ...about, labels: ['device', 'class'] });
const sent = counter('sent_bytes', { ...about, labels: ['device'] });
const free = gauge('free_bytes', about);
const took = duration('took_seconds', { help: 'h', source: 's' });
const NAME = '^[a-z][a-z0-9_]{0,62}$';

const sound = {
  name: 'htb',
  options: z.strictObject({}),
  metrics: { backlog, sent },
  collect: async () => ({ samples: [] }),
};

/** The complaint about a collector as no compiler let it through. */
function complaint(collector: unknown): string {
  try {
    defineCollector(collector as Collector);
  } catch (error) {
    expect(error).toBeInstanceOf(Failure);
    expect((error as Failure).code).toBe('E_CONFIG');
    return (error as Failure).message;
  }
  throw new Error('it was taken');
}

describe('defineCollector', () => {
  it('gives back a sound collector as it is', () => {
    expect(defineCollector(sound)).toBe(sound);
    expect(defineCollector({ ...sound, name: `a${'b'.repeat(62)}` }).name).toHaveLength(63);
  });

  it('infers the options for collect()', () => {
    const options = z.strictObject({ devices: z.array(z.string()).default([]) });
    defineCollector({
      ...sound,
      options,
      async collect({ options: given }) {
        const devices: string[] = given.devices;
        // @ts-expect-error: the schema knows no such option.
        expect(given.device).toBeUndefined();
        return { samples: devices.map((device) => sample(sent, 1, { device })) };
      },
    });
  });

  it.each([[undefined], [null], ['htb'], [5]])('refuses %j, which is no object', (value) => {
    expect(complaint(value)).toBe('collector undefined: must be an object');
  });

  it.each([
    [undefined],
    [''],
    ['Htb'],
    ['1tb'],
    ['_tb'],
    ['h-tb'],
    ['h.tb'],
    ['h tb'],
    ['htb\n'],
    [`a${'b'.repeat(63)}`],
    [5],
  ])('refuses the name %j', (name) => {
    expect(complaint({ ...sound, name })).toBe(`collector ${JSON.stringify(name)}: name must match ${NAME}`);
  });

  it('refuses the daemon’s own name', () => {
    expect(complaint({ ...sound, name: 'edgestatd' })).toBe('collector "edgestatd": this name is the daemon’s own');
  });

  it('refuses one that cannot collect', () => {
    expect(complaint({ ...sound, collect: undefined })).toBe('collector "htb": collect must be a function');
  });

  it.each([[undefined], [{}], [null], [() => {}]])('refuses options that are no schema: %o', (options) => {
    expect(complaint({ ...sound, options })).toBe('collector "htb": options must be a zod schema');
  });

  it.each([[undefined], [{}], [null]])('refuses a catalogue without a metric: %j', (metrics) => {
    expect(complaint({ ...sound, metrics })).toBe('collector "htb": metrics must declare at least one metric');
  });

  it.each([['Sent'], ['sent-bytes'], ['sent.bytes'], ['sent:1|c\nx'], [''], [undefined], [7]])(
    'refuses the metric name %j',
    (name) => {
      expect(complaint({ ...sound, metrics: { sent: { ...sent, name } } })).toBe(
        `collector "htb": metric name ${JSON.stringify(name)} must match ${NAME}`,
      );
    },
  );

  it('refuses a metric that is none', () => {
    expect(complaint({ ...sound, metrics: { sent: null } })).toBe(
      `collector "htb": metric name undefined must match ${NAME}`,
    );
  });

  it('refuses the suffix _total', () => {
    const total = counter('sent_bytes_total', about);
    expect(complaint({ ...sound, metrics: { total } })).toBe(
      'collector "htb": metric sent_bytes_total: totals are a counter\'s nature, drop the suffix',
    );
  });

  it('refuses tables of which no screen can be made', () => {
    const [metric] = Object.values(sound.metrics);
    const columns = [{ title: 'use', metric, form: 'number' }];
    const table = { name: 'vifs', title: 'VIFs', labels: ['vif'], sortBy: 'use', columns };
    const said = (tables: unknown): string => {
      try {
        defineCollector({ ...sound, tables } as Collector);
        return 'nothing';
      } catch (thrown) {
        return (thrown as Error).message.replace('collector "htb": ', '');
      }
    };
    expect(said([table])).toBe('nothing');
    expect(said(5)).toBe('tables must be an array');
    expect(said([null])).toMatch(/^the name of a table must match/);
    expect(said([{ ...table, name: '../x' }])).toMatch(/^the name of a table must match/);
    expect(said([table, table])).toBe('table vifs is declared twice');
    expect(said([{ ...table, name: 'list' }])).toMatch(/a word of "edgestatd top"/);
    expect(said([{ ...table, labels: undefined }])).toMatch(/labels and tags must be arrays/);
    expect(said([{ ...table, columns: [] }])).toMatch(/columns must be an array of at least one/);
    expect(said([{ ...table, columns: [columns[0], columns[0]] }])).toMatch(/titles of their own/);
    expect(said([{ ...table, sortBy: 'more' }])).toMatch(/sortBy must be the title of a column/);
    expect(said([{ ...table, columns: [{ ...columns[0], form: 'metres' }] }])).toMatch(
      /form of the column use must be/,
    );
    expect(said([{ ...table, columns: [{ ...columns[0], metric: undefined }] }])).toMatch(/is none of this collector/);
  });

  it('refuses a metric that is declared twice', () => {
    const again = gauge('sent_bytes', about);
    expect(complaint({ ...sound, metrics: { sent, again } })).toBe(
      'collector "htb": metric sent_bytes is declared twice',
    );
  });

  it('refuses an unknown kind', () => {
    expect(complaint({ ...sound, metrics: { sent: { ...sent, kind: 'histogram' } } })).toBe(
      'collector "htb": metric sent_bytes: kind must be one of gauge, counter, ratio, derived, duration',
    );
  });

  it('refuses what cannot be derived: other labels, other kinds, nothing at all', () => {
    const level = gauge('level', { ...about, labels: ['device'] });
    const other = gauge('other', { ...about, labels: ['port'] });
    const rest = { unit: 'x', help: 'h', compute: () => 1 };
    const fault = (metric: unknown) => complaint({ ...sound, metrics: { metric } });
    const sum = derived('sum', { ...rest, of: { level, other: other as unknown as typeof level } });
    expect(fault(sum)).toBe(
      'collector "htb": metric sum: other has the labels [port]; expected those of the first, [device]',
    );
    expect(fault(derived('twice', { ...rest, of: { sum } }))).toContain(
      'sum is a derived; it can be derived from gauges and counters alone',
    );
    expect(fault({ ...sum, of: undefined })).toContain('make what is derived with derived(), rate() or growth()');
    const fine = { level, grown: growth('growth', { of: level, help: 'h' }) };
    expect(defineCollector({ ...sound, metrics: fine }).metrics).toBe(fine);
  });

  it.each([[undefined], ['device'], [['a:b']], [['a|b']], [['a;b']], [[5]]])(
    'refuses the labels %j, which would stand in tags as they are',
    (labels) => {
      expect(complaint({ ...sound, metrics: { sent: { ...sent, labels } } })).toBe(
        `collector "htb": metric sent_bytes: labels must be a list of names that match ${NAME}`,
      );
    },
  );

  it.each([['device'], [['a|b']], [[5]], [['device']]])(
    'refuses the tags %j likewise, and labels among them',
    (tags) => {
      expect(complaint({ ...sound, metrics: { sent: { ...sent, tags } } })).toBe(
        `collector "htb": metric sent_bytes: tags must be a list of names that match ${NAME}, none of them a label`,
      );
    },
  );
});

describe('metrics and samples', () => {
  it('have what was declared', () => {
    expect(sent).toEqual({ name: 'sent_bytes', kind: 'counter', bits: 64, ...about, labels: ['device'] });
    expect(counter('drops', { ...about, bits: 32 }).bits).toBe(32);
    expect(free).toEqual({ name: 'free_bytes', kind: 'gauge', ...about, labels: [] });
    expect(took).toMatchObject({ kind: 'duration', unit: 'seconds', labels: [] });
  });

  it('of a ratio say what is divided, and have the labels of the numerator', () => {
    const lost = counter('lost_bytes', { ...about, labels: ['device'] });
    const share = ratio('lost_ratio', { numerator: lost, denominator: [lost, sent], help: 'h' });
    expect(share).toMatchObject({ kind: 'ratio', unit: 'ratio', labels: ['device'] });
    expect(share.source).toBe('lost_bytes / lost_bytes + sent_bytes');
    const used = ratio('used_ratio', { numerator: sent, denominator: [sent], factor: 8, help: 'h' });
    expect(used.source).toBe('8 × sent_bytes / sent_bytes');
  });

  it('take labels as they were declared', () => {
    expect(sample(backlog, 5, { device: 'eth1', class: undefined })).toEqual({
      metric: backlog,
      value: 5,
      labels: { device: 'eth1', class: undefined },
    });
    expect(sample(free, 2n ** 60n)).toEqual({ metric: free, value: 2n ** 60n, labels: {} });
  });

  it('do not compile with wrong labels (tsc fails on each line below that does)', () => {
    const made = [
      // @ts-expect-error: an undeclared label.
      () => sample(sent, 1, { device: 'eth1', class: 'x' }),
      // @ts-expect-error: another name.
      () => sample(sent, 1, { devise: 'eth1' }),
      // @ts-expect-error: one is missing; a label without value is given as undefined.
      () => sample(backlog, 1, { device: 'eth1' }),
      // @ts-expect-error: none at all.
      () => sample(sent, 1),
      // @ts-expect-error: labels where none are declared.
      () => sample(free, 1, { device: 'eth1' }),
      // @ts-expect-error: a number is no label.
      () => sample(sent, 1, { device: 5 }),
      // @ts-expect-error: a text is no value.
      () => sample(sent, '1', { device: 'eth1' }),
      // @ts-expect-error: a counter is 32 or 64 bits wide.
      () => counter('x', { ...about, bits: 16 }),
      // @ts-expect-error: a ratio divides metrics of the same labels.
      () => ratio('x', { numerator: sent, denominator: [backlog], help: 'h' }),
      // @ts-expect-error: a metric has a source.
      () => gauge('x', { unit: 'bytes', help: 'h' }),
    ];
    // The compiler is the test; at run time they are merely made, because nobody checks types there.
    for (const make of made) expect(make()).toBeTypeOf('object');
    const wide: Metric = sent;
    expect(sample(wide, 1, { any: 'label' }).labels).toEqual({ any: 'label' });
  });
});
