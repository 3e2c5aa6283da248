/** The status page in a real browser, over numbers of the test's own making. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Browser, chromiumReason, type Page, type Screen, startChromium } from './support/chromium.ts';
import { type Scene, type SceneRow, startScene } from './support/page-scene.ts';

const reason = chromiumReason();
const HOSTILE = [
  '<script>window.hacked=1</script>',
  '"><img src=x onerror="window.hacked=1">',
  "' onmouseover='window.hacked=1' autofocus onfocus='window.hacked=1",
  ']]></title></svg><svg onload=window.hacked=1>',
  '</table></main><iframe srcdoc="<script>parent.hacked=1</script>">',
  'javascript:window.hacked=1',
  `\u202e${'x'.repeat(10_000)}`,
  '`$' + '{window.hacked=1}`',
];

let browser: Browser;
let scene: Scene;
let page: Page;

const vif = (name: string, util: number): SceneRow => ({
  labels: { device: 'eth1', name, ip: '10.0.0.7' },
  values: { util, sent: util * 1e6, ceil: 1e7, 'drops/s': util > 0.9 ? 20 : 0 },
});
const fleet = (worst: number, count = 60): SceneRow[] =>
  Array.from({ length: count }, (_, at) => vif(`vif${at}.1`, at === 0 ? worst : 0.5 / (at + 1)));

async function opened(path = '/', screen: Screen = { width: 1200 }): Promise<Page> {
  page = await browser.page(screen);
  await page.open(`${scene.url}${path}`);
  return page;
}

const shows = (text: string): string => `document.getElementById('main').innerText.includes(${JSON.stringify(text)})`;
const rowNames = `[...document.querySelectorAll('#table-vifs tbody th')].map((one) => one.innerText)`;

describe.skipIf(reason !== undefined)(
  `the status page in a browser${reason === undefined ? '' : ` (${reason})`}`,
  () => {
    beforeAll(async () => {
      browser = await startChromium();
    });
    afterAll(() => browser?.end());
    afterEach(async () => {
      await page?.close();
      await scene?.end();
    });

    const start = async (): Promise<void> => {
      scene = await startScene();
      for (let step = 0; step < 30; step++) {
        scene.run('vifs', fleet(step / 100));
        scene.run('tcp', [{ labels: {}, values: { retrans: 0.001 * step, open: 200 } }]);
        scene.pass(10_000);
      }
    };

    it('loads without a complaint, asks nobody else, and has its charts', async () => {
      await start();
      await opened();
      expect(await page.evaluate(`document.querySelectorAll('#table-vifs .chart .line').length`)).toBeGreaterThan(4);
      expect(
        await page.evaluate(`document.querySelector('#table-vifs .chart .line').getBoundingClientRect().height`),
      ).toBeGreaterThan(10);
      expect(await page.evaluate('document.title')).toBe('hv01 · edgestatd');
      expect(page.complaints).toEqual([]);
      expect(new Set(page.requests.map((url) => new URL(url).origin))).toEqual(new Set([scene.url]));
    });

    it('refreshes itself, and keeps what is focused, typed and scrolled', async () => {
      await start();
      await opened('/?table=vifs', { width: 500 });
      await page.evaluate(`document.querySelector('#table-vifs-scroll').scrollLeft = 60;
      window.same = document.querySelector('#table-vifs'); document.getElementById('table-vifs-by-util').focus(); 0`);
      scene.run('vifs', fleet(0.97));
      await page.until(shows('97 %'));
      expect(await page.evaluate(`window.same.isConnected`)).toBe(false);
      expect(await page.evaluate(`document.activeElement.id`)).toBe('table-vifs-by-util');
      expect(await page.evaluate(`document.querySelector('#table-vifs-scroll').scrollLeft`)).toBe(60);
      expect(await page.evaluate(`document.getElementById('live').innerText`)).toMatch(
        /^live: as of \d\d:\d\d:\d\d UTC$/,
      );
      expect(page.complaints).toEqual([]);
    });

    it('filters while one types and sorts by a click, without another page', async () => {
      await start();
      await opened('/?table=vifs');
      await page.evaluate('window.before = 1');
      await page.click('#filter');
      await page.type('vif12');
      await page.until(`${rowNames}.join() === 'vif12.1'`);
      expect(await page.evaluate('location.search')).toContain('filter=vif12');
      expect(await page.evaluate('document.activeElement.id')).toBe('filter');
      await page.evaluate(
        `document.getElementById('filter').value = ''; document.getElementById('filter').dispatchEvent(new Event('input', { bubbles: true }))`,
      );
      await page.until(`${rowNames}.length === 60`);
      await page.click('#table-vifs-by-name');
      const sorted = `document.querySelector('#table-vifs th[aria-sort]')`;
      await page.until(`${sorted}.innerText.includes('name')`);
      expect(await page.evaluate(`[${sorted}.innerText.trim(), ${sorted}.getAttribute('aria-sort')]`)).toEqual([
        'name ▲',
        'ascending',
      ]);
      await page.click('#table-vifs-by-name');
      await page.until(`${rowNames}[0] === 'vif9.1'`);
      await page.evaluate('history.back()');
      await page.until(`${rowNames}[1] === 'vif1.1'`);
      expect(await page.evaluate('window.before')).toBe(1);
      expect(page.complaints).toEqual([]);
    });

    it('filters and sorts without any script', async () => {
      await start();
      await opened('/?table=vifs', { width: 1200, script: false });
      await page.click('#filter');
      await page.type('vif12');
      await page.press('Enter');
      await page.until(`${rowNames}.join() === 'vif12.1'`);
      await page.open(`${scene.url}/?table=vifs`);
      await page.click('#table-vifs-by-name');
      await page.until(`location.search.includes('sort=name') && ${rowNames}[1] === 'vif1.1'`);
      expect(await page.evaluate(`document.querySelectorAll('.chart .line').length`)).toBeGreaterThan(4);
      expect(page.requests.some((url) => url.includes('page.js'))).toBe(false);
    });

    it('reads out a chart where the pointer is', async () => {
      await start();
      await opened('/?table=vifs');
      const box = await page.evaluate<{ x: number; y: number; width: number; height: number }>(
        `document.querySelector('#table-vifs .plot svg').getBoundingClientRect().toJSON()`,
      );
      await page.point(box.x + box.width - 4, box.y + box.height / 2);
      await page.until(`document.querySelector('.chart .read').innerText.includes('%')`);
      expect(await page.evaluate(`document.querySelector('.chart .read').innerText`)).toMatch(
        /^03:0\d:\d\d\s.*2[6-9] %.*25 %/s,
      );
      expect(await page.evaluate(`document.querySelector('.chart .cursor').getAttribute('d')`)).toMatch(/^M8\d 0V100$/);
      await page.point(2, 2);
      await page.until(`document.querySelector('.chart .read').innerText === ''`);
      expect(page.complaints).toEqual([]);
    });

    it('says when the daemon does not answer any more, and asks no more while nobody looks', async () => {
      await start();
      page = await browser.page();
      await page.before(`{
      window.armed = new Set();
      const [arm, disarm] = [setTimeout, clearTimeout];
      window.setTimeout = (call, ms) => {
        const id = arm(() => { armed.delete(id); call(); }, ms);
        if (ms >= 1000) armed.add(id);
        return id;
      };
      window.clearTimeout = (id) => { armed.delete(id); disarm(id); };
    }`);
      await page.open(scene.url);
      const hide = (isHidden: boolean): Promise<unknown> =>
        page.evaluate(`Object.defineProperty(document, 'hidden', { get: () => ${isHidden}, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'))`);
      expect(await page.evaluate('armed.size')).toBe(1);
      await hide(true);
      expect(await page.evaluate('armed.size')).toBe(0);
      const asked = page.requests.length;
      scene.run('vifs', fleet(0.98));
      await hide(false);
      await page.until(shows('98 %'));
      expect(page.requests.length).toBe(asked + 1);
      await page.until('armed.size === 1');
      await scene.end();
      await hide(false);
      await page.until(`!document.getElementById('lost').hidden`);
      expect(await page.evaluate(`document.getElementById('lost').innerText`)).toMatch(
        /^▲ No answer since 03:0\d:\d\d: these numbers are old/,
      );
    });

    it('runs nothing of hostile names, and breaks nothing', async () => {
      await start();
      scene.run(
        'vifs',
        HOSTILE.map((name) => ({
          target: name,
          labels: { device: name, name, ip: name, vm: name },
          values: { util: 1 },
        })),
      );
      scene.run(
        'queues',
        HOSTILE.map((queue) => ({
          labels: { cluster: 'c', scope: 'queue', vhost: queue, queue },
          values: { 'growth/s': 9 },
        })),
      );
      scene.say({ machine: HOSTILE[0] ?? '', health: { healthy: false, reasons: HOSTILE } });
      for (const path of [
        '/',
        '/?table=vifs',
        '/?table=queues',
        `/?${new URLSearchParams({ filter: HOSTILE[1] ?? '' })}`,
      ]) {
        await opened(path);
        expect(await page.evaluate('typeof window.hacked'), path).toBe('undefined');
        expect(await page.evaluate(`document.querySelectorAll('script, iframe, img').length`), path).toBe(1);
        expect(await page.evaluate(`document.querySelectorAll('main').length`)).toBe(1);
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(1200);
        expect(page.complaints, path).toEqual([]);
        if (path !== '/?table=vifs') {
          await page.close();
          continue;
        }
        expect(
          await page.evaluate(`[...document.querySelectorAll('#table-vifs tbody th')].map((one) => one.innerText)`),
        ).toEqual(expect.arrayContaining([HOSTILE[0], HOSTILE[3]]));
        // What the script puts there is as harmless as what came.
        await page.click('#table-vifs-by-device');
        await page.until(`location.search.includes('sort=device') && ${rowNames}.length === 68`);
        expect(await page.evaluate('typeof window.hacked')).toBe('undefined');
        expect(page.complaints).toEqual([]);
        await page.close();
      }
      await opened('/');
    });

    it('forbids a script that got in nevertheless', async () => {
      await start();
      await opened();
      await page.evaluate(`document.body.insertAdjacentHTML('beforeend', '<img src=x onerror="window.hacked=1">')`);
      await page.evaluate(
        `document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.hacked=1' })); new Promise((resolve) => requestAnimationFrame(resolve)).then(() => 0)`,
      );
      expect(await page.evaluate('typeof window.hacked')).toBe('undefined');
      expect(page.complaints.join('\n')).toMatch(/policy|Content Security Policy/);
    });

    it.each([
      ['light', { width: 1200 }],
      ['dark', { width: 1200, dark: true }],
      ['a phone', { width: 360, height: 780, phone: true }],
      ['a dark phone', { width: 360, height: 780, phone: true, dark: true }],
    ] as const)('can be read: %s', async (_, screen) => {
      await start();
      scene.run('vifs', fleet(0.99));
      scene.run('queues', [
        { labels: { cluster: 'c', scope: 'queue', vhost: '/', queue: 'q'.repeat(300) }, values: { 'growth/s': 2 } },
      ]);
      scene.say({ health: { healthy: false, reasons: ['every sink is down'] } });
      await opened('/', screen);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(screen.width);
      expect(await page.evaluate(`document.querySelectorAll('th:not([scope])').length`)).toBe(0);
      expect(await page.evaluate(`document.querySelectorAll('svg[role=img]:not(:has(> title))').length`)).toBe(0);
      const faint = await page.evaluate<string[]>(`(${faintTexts})()`);
      expect(faint).toEqual([]);
      const ground = await page.evaluate<string>(`getComputedStyle(document.documentElement).backgroundColor`);
      expect(ground).toBe('dark' in screen && screen.dark ? 'rgb(14, 18, 23)' : 'rgb(243, 245, 248)');
    });
  },
);

/** In the page: texts whose contrast with what is behind them is below 4.5 (WCAG 2.2, 1.4.3). */
const faintTexts = `() => {
  const parse = (text) => (/[\\d.]+/.test(text) ? text.match(/[\\d.]+/g).map(Number) : [0, 0, 0, 0]);
  const light = ([r, g, b]) => [r, g, b].map((one) => one / 255).map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4))
    .reduce((sum, one, at) => sum + one * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (element) => {
    for (let at = element; at !== null; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const found = [];
  let seen = 0;
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== '');
    if (!own || element.closest('svg, .hidden, .skip, option') || element.getClientRects().length === 0) continue;
    seen += 1;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push(element.className + ' ' + element.textContent.slice(0, 30) + ' ' + ratio.toFixed(2));
  }
  return seen < 100 ? ['only ' + seen + ' texts were seen'] : found;
}`;
