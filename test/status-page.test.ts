/** The status page as text: what it says, and what becomes of hostile names. */
import { afterEach, describe, expect, it } from 'vitest';
import { registry } from '../collectors/registry.ts';
import { heightOf, linePath, scaleOf, summaryOf, thinned } from '../src/status/chart.ts';
import type { JobStatus, StatusDocument } from '../src/status/document.ts';
import { addressOf, viewOf } from '../src/status/page-address.ts';
import { ageText, cellText, gradeOf } from '../src/status/page-cell.ts';
import { html, name } from '../src/status/page-html.ts';
import { type Scene, type SceneRow, startScene } from './support/page-scene.ts';

let scene: Scene | undefined;
afterEach(async () => {
  await scene?.end();
  scene = undefined;
});

async function started(): Promise<Scene> {
  scene = await startScene();
  return scene;
}

const vif = (own: string, util: number, more: Partial<SceneRow> = {}): SceneRow => ({
  labels: { device: 'eth1', name: own },
  values: { util, sent: util * 1e6 },
  ...more,
});

async function get(path: string): Promise<{ status: number; text: string; headers: Headers }> {
  const answer = await fetch(new URL(path, scene?.url));
  return { status: answer.status, text: await answer.text(), headers: answer.headers };
}

describe('markup', () => {
  it('escapes whatever is put into a template, in text and in values', () => {
    const hostile = `<script>alert(1)</script>"'\`&]]>-->`;
    const made = html`<a title="${hostile}">${hostile}</a>`.text;
    const escaped = '&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&#96;&amp;]]&gt;--&gt;';
    expect(made).toBe(`<a title="${escaped}">${escaped}</a>`);
    expect(html`${[html`<b>${1}</b>`, undefined, ['<', html`>`]]}`.text).toBe('<b>1</b>&lt;>');
  });

  it('takes nothing for markup that only looks like it', () => {
    const posing = { text: '<script>' } as unknown as string;
    expect(html`${posing}`.text).not.toContain('<script>');
  });

  it('shows what turns a line around, or ends one, as an escape', () => {
    expect(html`${'a\u202eb\n\u0000\u001b[31m'}`.text).toBe('a\\u202eb\\u000a\\u0000\\u001b[31m');
  });

  it('cuts a long name in its middle, and never a character in two', () => {
    expect(name('vif1.1').text).toBe('vif1.1');
    const long = name(`head${'😀'.repeat(5000)}tail`).text;
    expect(long.length).toBeLessThan(3000);
    expect(long).toMatch(/^<span title="head😀.*">head😀+…😀+tail<\/span>$/su);
    expect(long.isWellFormed()).toBe(true);
  });
});

describe('numbers', () => {
  it.each([
    [0.873, 'ratio', '87.3 %'],
    [1, 'ratio', '100 %'],
    [0.00034, 'ratio', '0.034 %'],
    [0, 'ratio', '0 %'],
    [1234, 'number', '1.23k'],
    [999.99, 'number', '1k'],
    [-12.5, 'number', '-12.5'],
    [0.00001, 'number', '<0.001'],
    [1_200_000, 'bits', '9.6M'],
    [1.5 * 2 ** 30, 'bytes', '1.5Gi'],
    [192, 'seconds', '3m12s'],
    [0.0123, 'seconds', '12.3ms'],
    [90_061, 'seconds', '1d1h'],
    [59.99, 'seconds', '60s'],
    [1, 'boolean', 'yes'],
    [0, 'boolean', 'no'],
    [null, 'number', '–'],
    [Number.NaN, 'ratio', '–'],
  ])('%s as %s is %s', (value, form, text) => {
    expect(cellText(value, form)).toBe(text);
  });

  it('grade what stands out, also where less is worse', () => {
    const column = { title: 'x', metric: 'x', unit: '', help: '', form: 'number', warnAt: 5, badAt: 10 } as const;
    expect([4, 5, 10, null].map((value) => gradeOf(value, column))).toEqual([undefined, 'warn', 'bad', undefined]);
    const below = { ...column, warnAt: 5, badAt: 0, below: true } as const;
    expect([6, 5, 0].map((value) => gradeOf(value, below))).toEqual([undefined, 'warn', 'bad']);
  });

  it('tell an age, and none of the future', () => {
    expect([ageText(1000, 193_000), ageText(5000, 1000)]).toEqual(['3m12s', '0s']);
  });
});

describe('a chart', () => {
  it('has a scale of round ticks at equal distances, from 0 on', () => {
    expect(scaleOf([[0.2, 0.97]], { form: 'ratio' }).ticks).toEqual([1, 0.5, 0]);
    expect(scaleOf([[1_250_000]], { form: 'bits' }).max * 8).toBe(10_000_000);
    expect(scaleOf([[-3, 4]], { form: 'number' }).ticks).toEqual([5, 2.5, 0, -2.5, -5]);
    expect(scaleOf([[null]], { form: 'ratio', warnAt: 0.01, badAt: 0.05 }).max).toBeGreaterThanOrEqual(0.05);
    expect(scaleOf([], { form: 'number' })).toMatchObject({ min: 0 });
    expect(scaleOf([[1]], { form: 'boolean' }).ticks).toEqual([1, 0]);
    const huge = scaleOf([[1e-300, 3e38]], { form: 'bytes' });
    expect(Number.isFinite(huge.max) && huge.ticks.length < 12).toBe(true);
  });

  it('breaks where nothing is known, and draws a value that stands alone', () => {
    const scale = { min: 0, max: 10, ticks: [10, 0] };
    expect(linePath([0, 10, null, 5, null, 10, 10, 10, 0], scale)).toBe('M0 100h0L1 0M3 50h0M5 0h0L7 0L8 100');
    expect(linePath([null, null], scale)).toBe('');
    expect(heightOf(99, scale)).toBe(0);
  });

  it('is thinned to the worst of each so many', () => {
    expect(thinned([1, 9, null, null, 3, 2], 2)).toEqual([9, null, 3]);
    expect(thinned([1, 9], 2, true)).toEqual([1]);
    expect(summaryOf([3, null, 1, null])).toEqual({ latest: 1, lowest: 1, highest: 3 });
  });
});

describe('an address', () => {
  it('says all that is shown, and is read back', () => {
    const view = {
      table: 'vifs',
      sort: 'drops/s',
      order: 'best',
      filter: 'a&b=<">',
      target: 'hv 1',
      rows: 50,
    } as const;
    const address = addressOf(view);
    expect(viewOf(new URL(address, 'http://x').searchParams)).toEqual({ ...view, jobs: undefined });
    expect(addressOf({})).toBe('/');
  });

  it('is refused where it asks for too much', () => {
    expect(() => viewOf(new URLSearchParams('rows=0'))).toThrow(
      'rows: found "0"; expected a whole number from 1 to 1000',
    );
    expect(() => viewOf(new URLSearchParams({ filter: 'x'.repeat(201) }))).toThrow('expected at most 200');
  });
});

describe('the page', () => {
  it('answers the three questions first, and says what is wrong, in plain text', async () => {
    const page = await started();
    const rows = (util: number): SceneRow[] => [vif('vif1.1', util), vif('vif2.1', 0.1)];
    page.run('vifs', rows(0.5));
    page.pass(10_000);
    page.run('vifs', rows(0.99));
    page.run('tcp', [{ labels: {}, values: { retrans: 0.001 } }]);
    const problem = { code: 'E_DENIED', message: 'no <right>', sinceMs: page.nowMs() - 192_000, fatal: true } as const;
    page.say({
      health: { healthy: false, reasons: ['no job <succeeds>'] },
      jobs: [jobOf(page.nowMs(), { state: 'down', problems: [problem] })],
    });
    const { status, text } = await get('/');
    const plain = text
      .replace(/<svg.*?<\/svg>/gs, '')
      .replace(/<[^>]*>/g, ' ')
      .replace(/\s+/g, ' ');
    expect(status).toBe(200);
    expect(plain).toContain('▲ not healthy');
    expect(plain).toContain('no job &lt;succeeds&gt;');
    expect(plain).toMatch(/Which VM is limited\? .*1 of 2 util ≥ 80 % vif1\.1 eth1 99 %/);
    expect(plain).toMatch(/Which uplink retransmits\? ✓ none of 1 retrans ≥ 1 %/);
    expect(plain.indexOf('Which VM')).toBeLessThan(plain.indexOf('What is wrong'));
    expect(plain).toMatch(/tcp@hv01 ▲ E_DENIED 3m12s no &lt;right&gt;/);
    expect(text).toMatch(/<path class="line s1" d="M\d/);
    expect(text).toContain('<th scope="row">vif1.1</th>');
    expect(text).toContain('aria-sort="descending"');
    expect(text).not.toMatch(/ style=| on[a-z]+=|<script(?! src="\/page.js" defer><\/script>)/);
  });

  it('says that nothing is known where nothing is', async () => {
    await started();
    const { text } = await get('/');
    expect(text).toContain('No table has rows yet');
    expect(text).not.toContain('undefined');
    expect(text).not.toContain('NaN');
  });

  it('takes nothing for well that is not known, and no row for none that is bad', async () => {
    const page = await started();
    const unknown = (own: string): SceneRow => ({ labels: { device: 'eth1', name: own }, values: { sent: 1e6 } });
    const verdict = async (path: string): Promise<string> =>
      /id="answer-vifs">.*?<p class="verdict">(.*?)<\/p>/s.exec((await get(path)).text)?.[1]?.replace(/<[^>]*>/g, '') ??
      '';
    page.run('vifs', [unknown('vif1'), unknown('vif2')]);
    expect(await verdict('/')).toBe('– util of 2 is unknown');
    expect((await get('/')).text).not.toMatch(/class="card ok" id="answer-vifs"/);
    page.pass(10_000);
    page.run('vifs', [unknown('vif1'), vif('vif2', 0.1), vif('vif3', 0.2)]);
    expect(await verdict('/')).toBe('✓ none of 3 util ≥ 80 %, 1 unknown');
    expect(await verdict('/?filter=nothing')).toBe('– no row fits');
    expect((await get('/?filter=nothing')).text).not.toMatch(/class="card ok" id="answer-vifs"/);
    page.pass(10_000);
    page.run('vifs', [unknown('vif1'), vif('vif2', 0.99), vif('vif3', 0.2)]);
    expect(await verdict('/')).toMatch(/^▲bad: +1 of 3 util ≥ 80 %, 1 unknown$/);
    page.run('controllers', [{ labels: { bridge: 'br-int', controller: 'tcp_1' }, values: { connected: 0 } }]);
    expect((await get('/')).text).toContain('1 of 1 connected: no');
  });

  it('shows a run that hangs, also among hundreds of jobs', async () => {
    const page = await started();
    const jobs = Array.from({ length: 40 }, (_, at) =>
      jobOf(page.nowMs(), { id: `tcp@hv${at}`, ...(at === 30 ? { runningMs: 95_000 } : { runningMs: 20 }) }),
    );
    page.say({ jobs });
    const { text } = await get('/');
    const row = /<tr><th scope="row">tcp@hv30<\/th>.*?<\/tr>/s.exec(text)?.[0] ?? '';
    expect(row.replace(/<[^>]*>/g, ' ')).toMatch(/△ +running 1m35s/);
    expect(text).not.toContain('tcp@hv31');
  });

  it('sorts, filters and bounds a table by its address', async () => {
    const page = await started();
    page.run(
      'vifs',
      Array.from({ length: 150 }, (_, at) => vif(`vif${at}`, at / 150, at === 7 ? { target: 'hv02' } : {})),
    );
    const names = async (path: string): Promise<string[]> =>
      [...(await get(path)).text.matchAll(/<th scope="row">([^<]*)<\/th>/g)].map(([, found = '']) => found);
    expect((await names('/')).slice(0, 2)).toEqual(['vif149', 'vif148']);
    expect((await names('/')).filter((one) => one.startsWith('vif'))).toHaveLength(20);
    expect(await names('/?table=vifs')).toHaveLength(100);
    expect(await names('/?table=vifs&rows=1000')).toHaveLength(150);
    expect((await names('/?table=vifs&order=best'))[0]).toBe('vif0');
    expect((await names('/?table=vifs&sort=name'))[0]).toBe('vif0');
    expect(await names('/?table=vifs&filter=VIF14')).toEqual(
      ['14', ...'9876543210'].map((_, at, all) => (at === 10 ? 'vif14' : `vif14${all[at + 1]}`)),
    );
    expect(await names('/?table=vifs&target=hv02')).toEqual(['vif7']);
    expect((await get('/?table=vifs&filter=nothing')).text).toContain('No row fits');
  });

  it('refuses an address that asks for what is not there, as a page', async () => {
    await started();
    const wrong = await get('/?table=vifs&sort=utl');
    expect([wrong.status, wrong.text]).toEqual([400, expect.stringContaining('did you mean &quot;util&quot;?')]);
    const none = await get('/?table=%3Cscript%3E');
    expect(none.status).toBe(404);
    expect(none.text).toContain('there is no table &quot;&lt;script&gt;&quot;; expected one of vifs, queues');
    expect((await get('/?rows=-1')).status).toBe(400);
    expect((await get('/history?table=vifs')).status).toBe(400);
    expect((await get('/history?table=none&key=x')).status).toBe(404);
  });

  it('forbids everything that it does not have', async () => {
    await started();
    const { headers } = await get('/');
    expect(headers.get('content-security-policy')).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    );
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect(headers.get('cache-control')).toBe('no-store');
    for (const [path, type] of [
      ['/', 'text/html'],
      ['/page.css', 'text/css'],
      ['/page.js', 'text/javascript'],
    ] as const) {
      const { headers: own } = await get(path);
      expect([own.get('x-content-type-options'), own.get('content-type')]).toEqual([
        'nosniff',
        `${type}; charset=utf-8`,
      ]);
    }
  });

  it('shows jobs that are down, and of hundreds that are up how many', async () => {
    const page = await started();
    const jobs = Array.from({ length: 300 }, (_, at) =>
      jobOf(page.nowMs(), { id: `tcp@hv${at}`, state: at === 123 ? 'down' : 'up' }),
    );
    page.say({ jobs });
    const { text } = await get('/');
    expect(text).toContain('tcp@hv123');
    expect(text).not.toContain('tcp@hv124');
    expect(text).toContain('show 299 jobs that have no problem');
    expect((await get('/?jobs=all')).text).toContain('tcp@hv124');
  });

  it.each([
    '<script>window.hacked = 1</script>',
    '" onload="hacked()',
    "' autofocus onfocus='x",
    ']]>--><b>',
    '\u202eevil',
  ])('makes a hostile name harmless: %s', async (hostile) => {
    const page = await started();
    page.run('vifs', [
      { target: hostile, labels: { device: hostile, name: hostile, ip: hostile }, values: { util: 1 } },
    ]);
    page.say({
      machine: hostile,
      jobs: [jobOf(page.nowMs(), { id: hostile, target: hostile, schedule: hostile })],
      sinks: [
        {
          name: hostile,
          type: 'statsd',
          to: hostile,
          state: 'up',
          sentMetrics: 1,
          sentBytes: 1,
          droppedMetrics: { [hostile]: 1 },
        },
      ],
      events: { spool: hostile, destinations: [{ name: hostile, waiting: 1, dead: 0, delivered: 0 }] },
      health: { healthy: false, reasons: [hostile] },
    });
    for (const path of ['/', '/?table=vifs', `/?${new URLSearchParams({ filter: hostile, target: hostile })}`]) {
      const { text } = await get(path);
      expect(text.split('<script').length, path).toBe(2);
      expect(text).not.toContain('\u202e');
      // Outside of quoted values there is no attribute that runs anything.
      expect(text.replace(/"[^"]*"/g, '""')).not.toMatch(/<[^>]*\son[a-z]+=/);
      expect(text).not.toContain(hostile.replace('\u202eevil', '<script>w'));
    }
  });
});

function jobOf(nowMs: number, change: Partial<JobStatus>): StatusDocument['jobs'][number] {
  return {
    ...{
      id: 'tcp@hv01',
      name: 'tcp',
      target: 'hv01',
      collector: 'tcp',
      schedule: '10s',
      intervalMs: 10_000,
      state: 'up',
    },
    ...{ lastRunAtMs: nowMs - 3000, durationMs: 4, samples: 70, runs: 9, failedRuns: 0, skippedTicks: 0, problems: [] },
    ...change,
  };
}

it('knows every question’s table by its name', async () => {
  const names = [...registry.values()].flatMap(({ tables = [] }) => tables.map((table) => table.name));
  expect(names).toEqual(expect.arrayContaining(['vifs', 'queues', 'tcp', 'interfaces', 'ports']));
});
