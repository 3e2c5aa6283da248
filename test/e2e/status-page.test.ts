/** The status page of the daemon as a process, in a real browser. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Browser, chromiumReason, startChromium } from '../support/chromium.ts';
import { type DaemonProcess, scratch, startEdgestatd, stopAll } from '../support/daemon.ts';
import { freePort } from '../support/statsd.ts';

const reason = chromiumReason();
let browser: Browser;
afterEach(stopAll);

/** A collector of the test's own: one row, whose number is what a file says. */
const PLUGIN = (file: string): string => `
import { readFileSync } from 'node:fs';
import { defineCollector, gauge, sample, z } from 'edgestatd';
const level = gauge('level', { unit: 'things', labels: ['thing'], help: 'How many there are.', source: 'a file' });
export const collector = defineCollector({
  name: 'things',
  options: z.strictObject({}),
  metrics: { level },
  tables: [{
    name: 'things', title: 'Things by level', labels: ['thing'], sortBy: 'level',
    columns: [{ title: 'level', metric: level, form: 'number', warnAt: 10, badAt: 100, chart: true }],
  }],
  collect: async () => ({ samples: [sample(level, Number(readFileSync(${JSON.stringify(file)}, 'utf8')), { thing: '<script>hacked=1</script>' })] }),
});
`;

interface Started {
  readonly daemon: DaemonProcess;
  readonly url: string;
  set(value: number): void;
  yaml(listen: string): string;
}

async function started(): Promise<Started> {
  const [folder, port] = [scratch(), await freePort()];
  const [plugin, file] = [join(folder, 'things.ts'), join(folder, 'level')];
  const set = (value: number): void => writeFileSync(file, String(value));
  set(3);
  writeFileSync(plugin, PLUGIN(file));
  const yaml = (listen: string): string => `
prefix: edge
sinks: [{ type: statsd, host: 127.0.0.1, port: 9 }]
plugins: [${JSON.stringify(plugin)}]
status: { ${listen} }
jobs:
  - { collector: things, every: 1s, splay: 0s }
  - { collector: tcp, every: 1s, splay: 0s }
`;
  const daemon = startEdgestatd(yaml(`listen: "127.0.0.1:${port}"`));
  const { at } = await daemon.event('status:listening');
  return { daemon, url: String(at), set, yaml };
}

describe.skipIf(reason !== undefined)(`the status page${reason === undefined ? '' : ` (${reason})`}`, () => {
  beforeAll(async () => {
    browser = await startChromium();
  });
  afterAll(() => browser?.end());

  it('shows what the daemon sees, and what it sees next', async () => {
    const { daemon, url, set } = await started();
    const page = await browser.page();
    await page.open(url);
    const cell = `document.querySelector('#table-things td.number')?.innerText`;
    await page.until(`${cell} === '3'`);
    expect(await page.evaluate(`document.querySelector('#table-things tbody th').innerText`)).toBe(
      '<script>hacked=1</script>',
    );
    set(250);
    await page.until(`${cell}?.includes('▲') && ${cell}.includes('250')`);
    await page.until(`document.querySelector('#answer-things .verdict').innerText.includes('1 of 1 level ≥ 10')`);
    await page.until(`document.querySelector('#jobs').innerText.includes('tcp@')`);
    // The chart has what was, too: the worst of each ten seconds.
    await page.until(`document.querySelectorAll('#table-things .chart path.line')[0]?.getAttribute('d').length > 5`);
    expect(page.complaints).toEqual([]);
    expect(new Set(page.requests.map((one) => new URL(one).origin))).toEqual(new Set([url]));
    expect(await page.evaluate('typeof window.hacked')).toBe('undefined');
    await daemon.end();
    await page.until(`document.getElementById('lost').innerText.includes('No answer since')`);
    await page.close();
  }, 90_000);

  it('is off unless it is asked for, and comes and goes with a reload', async () => {
    const { daemon, url, yaml } = await started();
    expect((await fetch(url)).status).toBe(200);
    expect((await fetch(url.replace('127.0.0.1', 'localhost'))).status).toBe(200);
    expect((await fetch(url, { method: 'POST' })).status).toBe(405);
    const key = 'edge.local.things._script_hacked_1__script_';
    const history = await fetch(`${url}/history?${new URLSearchParams({ table: 'things', key })}`);
    expect([history.status, await history.json()]).toMatchObject([200, { format: 1, stepSeconds: 10 }]);
    daemon.configure(yaml('socket: false'));
    daemon.child.kill('SIGHUP');
    await daemon.event('daemon:reloaded');
    await expect(fetch(url)).rejects.toThrow();
    const from = daemon.events.length;
    daemon.configure(yaml(`listen: "${new URL(url).host}"`));
    daemon.child.kill('SIGHUP');
    await daemon.event('status:listening', from);
    expect((await fetch(url)).status).toBe(200);
  });
});
