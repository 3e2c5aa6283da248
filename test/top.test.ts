/** The screen of `top` as text: a pure function of what is chosen, what is known, and the size. */
import { describe, expect, it } from 'vitest';
import { viewOf } from '../src/top/flags.ts';
import type { Known, Size } from '../src/top/known.ts';
import { painted, textOf } from '../src/top/line.ts';
import { listText, tablesText } from '../src/top/print.ts';
import { screen } from '../src/top/screen.ts';
import { questionOf, type View } from '../src/top/view.ts';
import { cutEnd, cutMiddle, left, right, widthOf } from '../src/top/width.ts';
import { jobOn, queues, ROWS, statusOf, tableOf, vifs } from './support/top-documents.ts';

const heads = [vifs, queues];
const view = viewOf({}, heads, statusOf());
const known: Known = { status: statusOf(), heads, table: tableOf(vifs, ROWS), lost: undefined };

interface Shown extends Partial<Size> {
  readonly view?: Partial<View>;
  readonly known?: Partial<Known>;
  readonly colours?: boolean;
}

function shown({ columns = 100, rows = 12, view: chosen = {}, known: told = {}, colours = true }: Shown = {}) {
  return screen({ ...view, ...chosen }, { ...known, ...told }, { columns, rows }, 60_000, colours);
}

const texts = (about: Shown = {}): string[] => shown(about).map((line) => textOf(line).trimEnd());

describe('the screen', () => {
  it('says of which machine, which table, and shows its rows with what fits', () => {
    expect(texts()).toEqual([
      'hv01  healthy  data 2s old  edgestatd 0.1.0',
      '[1 vifs]  (2 queues)',
      '1-3 of 3  worst by util  VIFs by use',
      'device  name         ip          util↓    sent    ceil  drops/s  borrowed  backlog',
      'eth1    vif2_1       10.0.0.37  99.7 %    613M    614M     12.4      25 %    1.5Mi',
      'eth1    vif3_1       10.0.0.38    81 %    8.1M     10M        0       0 %        0',
      'eth1    default_1_1  –               –       –     10G        –         –        0',
      ...['', '', '', ''],
      'q quit  ? help  ←→ table  ↑↓ scroll  s sort  r reverse  / filter  t target  p pause',
    ]);
  });

  it('shows every tag where there is room, and a VM can be read off it', () => {
    const [, , , head, first] = texts({ columns: 160 });
    expect(head).toContain('vm  ');
    expect(first).toContain('8f0c6f0e-2d0b-4d6c-9a51-6f2f1f6b3a37');
  });

  it.each([20, 25, 30, 40, 60, 80, 100, 200])(
    'is never wider than %i columns, and keeps a name and what it is sorted by',
    (columns) => {
      for (const sort of ['util', 'backlog']) {
        const sortings = new Map([['vifs', { sort, order: 'worst' as const }]]);
        const lines = texts({ columns, view: { sortings } });
        expect(Math.max(...lines.map(widthOf))).toBeLessThanOrEqual(columns);
        expect(lines[3]).toContain(`${sort}↓`);
        expect(lines[4]).toMatch(/vif2_1|v.*…/);
        expect(lines[4]).toMatch(sort === 'util' ? /99\.7 %/ : /1\.5Mi/);
      }
    },
  );

  it('has a screen of twenty columns', () => {
    expect(texts({ columns: 20, rows: 8 })).toEqual([
      'hv01  healthy  data…',
      '[1 vifs]  (2 queues)',
      '1-3 of 3  worst by …',
      'name         util↓',
      'vif2_1      99.7 %',
      'vif3_1        81 %',
      'default_1_1      –',
      '',
    ]);
  });

  it.each([1, 2, 3, 5, 6, 8, 12, 50])('fills exactly %i lines, with a row wherever there is one', (rows) => {
    const lines = texts({ rows });
    expect(lines).toHaveLength(rows);
    expect(lines.some((line) => line.includes('vif2_1'))).toBe(true);
  });

  it('shows rows from the offset on, and never beyond the last page', () => {
    const many = Array.from(
      { length: 50 },
      (_, at) =>
        [
          ['eth1', `vif${at}_1`, null, null],
          [0.5, 1, 1, 0, 0, 0],
        ] as const,
    );
    const table = tableOf(vifs, many);
    const [, , range, , first] = texts({ known: { table }, view: { offset: 7 } });
    expect(range).toMatch(/^8-14 of 50 /);
    expect(first).toMatch(/^eth1 +vif7_1 /);
    expect(texts({ known: { table }, view: { offset: 500 } })[2]).toMatch(/^44-50 of 50 /);
    expect(texts({ known: { table }, view: { lines: 2 } }).filter((line) => line.includes('vif'))).toHaveLength(3);
  });

  it('marks what is worth a look and what is bad: by colours, or where there are none by a sign', () => {
    const [, , , , first = [], second = []] = shown();
    expect(first.filter(({ style }) => style === 'bad').map(({ text }) => text)).toEqual(['99.7 %', '12.4']);
    expect(second.filter(({ style }) => style === 'warn').map(({ text }) => text)).toEqual(['81 %']);
    expect(painted(first, true)).toContain('\u001b[1;31m99.7 %\u001b[0m');
    const [, , , , mono = [], monoSecond = []] = shown({ colours: false });
    expect(painted(mono, false)).toMatch(/ 99\.7 %! {3}613M .* 12\.4! /);
    expect(painted(monoSecond, false)).toContain('81 %* ');
    expect(painted(mono, false)).not.toContain('\u001b');
  });

  it('says that it is not healthy and why, that it is paused, and what rows are chosen by', () => {
    const health = { healthy: false, reasons: ['job htb@hv01 has not succeeded for 3m12s'] };
    const lines = texts({
      known: { status: statusOf({ health }) },
      view: { isPaused: true, filter: '10.0', target: 'hv01' },
    });
    expect(lines[0]).toMatch(/^hv01 {2}paused {2}NOT HEALTHY {2}job htb@hv01 has not succeeded for 3m12s/);
    expect(lines[2]).toMatch(/^\/10\.0 {2}target hv01 {2}1-3 of 3 {2}worst by util/);
    expect(texts({ view: { typed: 'vi' } })[2]).toMatch(/^\/vi_ /);
    expect(texts({ rows: 4, view: { typed: 'vi' } })[3]).toBe('/vi_');
  });

  it('keeps the last table, dimmed, while the daemon does not answer', () => {
    const lost = { message: 'no daemon answers: there is no socket "/run/x"', sinceMs: 48_000 };
    const lines = shown({ known: { lost } });
    expect(textOf(lines[0] ?? [])).toBe('hv01  no answer for 12s  no daemon answers: there is no socket "/run/x"');
    expect(lines[4]).toEqual([{ text: expect.stringContaining('vif2_1'), style: 'dim' }]);
  });

  it('tells rows of several targets apart, and leaves the column out where there is one', () => {
    const [one, two] = ROWS;
    if (one === undefined || two === undefined) throw new Error('no rows');
    const table = tableOf(vifs, [one, [two[0], two[1], 'hv02']]);
    const lines = texts({ known: { table } });
    expect(lines[3]).toMatch(/^target {2}device/);
    expect(lines.slice(4, 6).map((line) => line.split(' ')[0])).toEqual(['hv01', 'hv02']);
    expect(texts({ known: { table }, view: { target: 'hv01' } })[3]).toMatch(/^device/);
    // The rows of the second are not among those that were asked for.
    const status = statusOf({ jobs: [jobOn('hv01', 'htb'), jobOn('hv02', 'htb'), jobOn('hv03', 'tcp')] });
    expect(texts({ known: { status } })[3]).toMatch(/^target {2}device/);
  });

  it('names what has no label by its target', () => {
    const head = { ...queues, labels: [], rows: 1 };
    const lines = texts({ known: { heads: [head], table: tableOf(head, [[[], [1.5, 1]]]) } });
    expect(lines.slice(3, 5)).toEqual(['target  growth/s↓  stuck', 'hv01          1.5    yes']);
  });

  it('says so where there is nothing to show', () => {
    const empty = tableOf(vifs, []);
    expect(texts({ known: { table: empty } })[4]).toBe('no rows yet');
    expect(texts({ known: { table: empty }, view: { filter: 'x' } })[4]).toBe('no rows like this');
    expect(texts({ known: { heads: [], table: undefined } }).join('\n')).toContain('No job has a table');
    expect(texts({ view: { showsHelp: true } }).join('\n')).toContain('any key goes back');
  });

  it('shows as many tables as fit, the chosen one always among them', () => {
    const many = Array.from({ length: 14 }, (_, at) => ({ ...vifs, name: `table${at + 1}` }));
    for (const { name } of many) {
      const [, tabs] = texts({ columns: 40, known: { heads: many }, view: { table: name } });
      expect(tabs).toContain(` ${name}]`.replace(/^ (?=table1[1-4])/, '['));
      expect(widthOf(tabs ?? '')).toBeLessThanOrEqual(40);
    }
  });

  it('shows hostile names as what they are, and keeps its columns', () => {
    const hostile = [
      '\u001b[2J\u001b]0;owned\u0007',
      'two\nlines\r',
      '\u202egnp.exe',
      '虚拟机一号',
      'e\u0301'.repeat(3),
      `z${'\u0335'.repeat(5000)}`,
      '',
      '\u{e0041}',
    ];
    const rows = hostile.map(
      (name) =>
        [
          ['eth1', name, null, null],
          [0.5, 1, 1, 0, 0, 0],
        ] as const,
    );
    const about = { rows: 20, known: { table: tableOf(vifs, rows) } };
    const lines = shown(about);
    for (const line of lines) {
      expect(textOf(line)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
      expect(widthOf(textOf(line))).toBeLessThanOrEqual(100);
      expect(textOf(line).length).toBeLessThan(250);
    }
    const ends = texts(about).slice(3, 12).map(widthOf);
    expect(new Set(ends).size, `all rows end in one column: ${ends}`).toBe(1);
    expect(texts(about).join('\n')).toContain('\\u001b[2J\\u001b]0;owned\\u0007');
  });
});

describe('printed once', () => {
  const one = { document: tableOf(vifs, ROWS), sort: 'util', order: 'worst' as const };

  it('is aligned text with whole names, without anything at the ends of lines', () => {
    expect(tablesText([one], { width: Number.POSITIVE_INFINITY, colours: false })).toBe(
      [
        'vifs: VIFs by use (3)',
        'device  name         ip         vm                                     util↓    sent    ceil  drops/s  borrowed  backlog',
        'eth1    vif2_1       10.0.0.37  8f0c6f0e-2d0b-4d6c-9a51-6f2f1f6b3a37  99.7 %    613M    614M     12.4      25 %    1.5Mi',
        'eth1    vif3_1       10.0.0.38  b7a1d2c4-5e6f-4a0b-8c1d-2e3f4a5b6c38    81 %    8.1M     10M        0       0 %        0',
        'eth1    default_1_1  –          –                                          –       –     10G        –         –        0',
        '',
      ].join('\n'),
    );
  });

  it('fits a terminal, and says what it has left out', () => {
    const short = { ...one, document: tableOf(vifs, ROWS.slice(0, 1), { rows: 3, found: 3 }) };
    const text = tablesText([short, { ...short, document: tableOf(queues, []) }], { width: 40, colours: false });
    expect(Math.max(...text.split('\n').map(widthOf))).toBeLessThanOrEqual(40);
    expect(text).toMatch(/^vifs: VIFs by use \(1 of 3\)\n/);
    expect(text).toMatch(/\n\nqueues: Queues by growth \(0\)\n.*\nno rows yet\n$/);
  });

  it('lists the tables', () => {
    expect(listText(heads)).toBe('vifs    3 rows  VIFs by use\nqueues  0 rows  Queues by growth\n');
  });
});

describe('the command line', () => {
  const jobs = [jobOn('hv01', 'htb'), jobOn('hv02', 'htb')];
  const asked = (flags: Parameters<typeof viewOf>[0]): View => viewOf(flags, heads, { jobs });

  it('chooses table, order, rows and target', () => {
    const chosen = asked({ table: 'vifs', sort: 'drops/s', best: true, filter: 'vif', target: 'hv02' });
    const question = questionOf(chosen, vifs, 30);
    expect(Object.fromEntries(question)).toEqual({
      ...{ sort: 'drops/s', order: 'best', filter: 'vif', target: 'hv02', limit: '50' },
    });
  });

  it('takes the table that can be sorted so', () => {
    expect(asked({ sort: 'growth/s' }).table).toBe('queues');
    expect(asked({}).table).toBeUndefined();
    // Others are sorted as they say themselves.
    expect(questionOf(asked({ sort: 'growth/s' }), vifs, 1).get('sort')).toBe('util');
  });

  it.each([
    [
      { table: 'vif' },
      '--table "vif": there is no such name; did you mean "vifs"? (there are "vifs", "queues", "list")',
    ],
    [
      { table: 'queues', sort: 'util' },
      '--sort "util": there is no such name (there are "target", "queue", "growth/s", "stuck")',
    ],
    [{ sort: '\u001b[2J' }, /^--sort "\\u001b\[2J": there is no such name .*"backlog".*"stuck"/],
    [
      { target: 'hv03' },
      /^--target "hv03": there is no such name; did you mean "hv01"\? \(there are "hv01", "hv02"\)$/,
    ],
  ])('refuses %j', (flags, message) => {
    expect(() => asked(flags)).toThrow(
      expect.objectContaining({
        code: 'E_CONFIG',
        message: typeof message === 'string' ? message : expect.stringMatching(message),
      }),
    );
  });
});

describe('width', () => {
  it.each([
    ['vif2_1', 6],
    ['虚拟机', 6],
    ['e\u0301', 1],
    ['ｆｕｌｌ', 8],
    ['한국어', 6],
    ['🔥', 2],
    ['a\u200bb\u200d', 2],
    ['–…↓', 3],
  ])('%j takes %i columns', (text, width) => {
    expect(widthOf(text)).toBe(width);
  });

  it('cuts in the middle and at the end, to the column, without tearing a character apart', () => {
    expect(cutMiddle('compute.hv-long-name.example', 11)).toBe('compu…ample');
    expect(cutMiddle('虚拟机一号', 6)).toBe('虚…号');
    expect(cutEnd('虚拟机一号', 6)).toBe('虚拟…');
    for (let width = 0; width < 20; width++) {
      for (const text of ['compute.hv01', '虚拟机一号', 'ae\u0301o\u0308x'.repeat(5), '🔥'.repeat(9)]) {
        for (const cut of [cutMiddle(text, width), cutEnd(text, width)]) {
          expect(widthOf(cut)).toBeLessThanOrEqual(width);
          expect(cut.isWellFormed()).toBe(true);
        }
      }
    }
    expect([left('虚', 4), right('虚', 4)]).toEqual(['虚  ', '  虚']);
  });
});
