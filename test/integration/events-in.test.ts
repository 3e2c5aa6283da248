/** Files and standard input, imported into a real spool. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, createWriteStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ImportResult, importEvents } from '../../src/events/in/import.ts';
import { openImport } from '../../src/events/in/import-file.ts';
import { formatOf, readEvents } from '../../src/events/in/import-rows.ts';
import { openSpool, type Spool } from '../../src/events/spool.ts';
import { createStamp } from '../../src/events/taking.ts';
import { endWithParent } from '../support/statsd.ts';

let root: string;
let spool: Spool;
const closers: (() => unknown)[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'edgestatd-import-'));
  spool = open();
});
afterEach(() => {
  for (const close of closers.splice(0).reverse()) close();
  rmSync(root, { recursive: true, force: true });
});

function open(maxBytes = 2 ** 28): Spool {
  const options = { path: join(root, 'spool.db'), maxBytes, maxAgeMs: 1e12, whenFull: 'refuse' } as const;
  const opened = openSpool(options, { mayMoveAside: true, nowMs: Date.now() });
  closers.push(opened.close);
  return opened;
}

async function importFile(path: string, strict = false, into = spool): Promise<ImportResult> {
  const { bytes } = await openImport(path);
  return importEvents({
    rows: readEvents(bytes, formatOf(path), createStamp(Date.now)),
    take: async (events, how) => into.accept(events, { ...how, nowMs: Date.now() }),
    source: 'import',
    strict,
  });
}
const count = (): number => Number(spool.database.prepare('SELECT count(*) AS n FROM event').get()?.n);
const file = (name: string, content: string | Buffer): string => {
  writeFileSync(join(root, name), content);
  return join(root, name);
};
const row = (n: number): string => `deploy ${n},"deploy;web",${1_500_000_000 + n * 60},"first line\nof ""${n}"""`;

describe('an import', () => {
  it('of years of deploys adds each once, however often it is run, also after it was broken off', async () => {
    const lines = Array.from({ length: 10_000 }, (_, n) => row(n));
    const path = file('deploys.csv', `what,tags,when,data\n${lines.join('\n')}\n`);
    expect(await importFile(file('half.csv', `what,tags,when,data\n${lines.slice(0, 4321).join('\n')}`))).toMatchObject(
      { added: 4321 },
    );
    expect(await importFile(path)).toEqual({ read: 10_000, added: 5679, known: 4321, faulty: 0, faults: [] });
    expect(await importFile(path)).toMatchObject({ added: 0, known: 10_000 });
    expect(await importFile(path, true)).toMatchObject({ added: 0, known: 10_000 });
    expect(count()).toBe(10_000);
    const [last] = spool.database
      .prepare('SELECT what, tags, data, when_us FROM event ORDER BY when_us DESC LIMIT 1')
      .all();
    expect(last).toEqual({
      what: 'deploy 9999',
      tags: '["deploy","web"]',
      data: 'first line\nof "9999"',
      when_us: (1_500_000_000 + 9999 * 60) * 1e6,
    });
  });

  it('with a bad row 1,000 takes the others; with strict, nothing; nor when an id is another event’s', async () => {
    const lines = Array.from({ length: 3000 }, (_, n) =>
      JSON.stringify({ what: `n${n}`, id: `${n}`, when: 1_500_000_000 + n }),
    );
    lines[999] = '{"what":"n999","when":1500000000000}';
    const path = file('events.jsonl', lines.join('\n'));
    const faults = [
      {
        line: 1000,
        message: expect.stringMatching(/^line 1000: "when" is 1500000000000, which looks like milliseconds/),
      },
    ];
    expect(await importFile(path, true)).toEqual({ read: 3000, added: 0, known: 0, faulty: 1, faults });
    expect(count()).toBe(0);
    expect(await importFile(path)).toEqual({ read: 3000, added: 2999, known: 0, faulty: 1, faults });
    lines[999] = '{"what":"other","id":"5","when":1500000000}';
    await expect(
      importFile(file('more.jsonl', `{"what":"new","when":1}\n${lines[999]}\n`), true),
    ).rejects.toMatchObject({ code: 'E_PARSE' });
    expect(count()).toBe(2999);
  });

  it('into a spool that is full says how much was added, and goes on where it stopped', async () => {
    spool.close();
    const small = open(2 ** 20);
    const lines = Array.from({ length: 20_000 }, (_, n) => row(n));
    const path = file('deploys.csv', `what,tags,when,data\n${lines.join('\n')}\n`);
    await expect(importFile(path, false, small)).rejects.toMatchObject({
      code: 'E_SPOOL',
      message: expect.stringMatching(/is full .*; [0-9]+ events were added before; run it again when this is mended/),
    });
    small.close();
    spool = open();
    const added = count();
    expect(added).toBeGreaterThan(1000);
    expect(await importFile(path)).toMatchObject({ read: 20_000, added: 20_000 - added, known: added });
  });

  it('reads standard input, and what a shell gives as a file', async () => {
    const url = (name: string): string =>
      JSON.stringify(new URL(`../../src/events/in/${name}.ts`, import.meta.url).href);
    const program = `
      const { openImport } = await import(${url('import-file')});
      const { readEvents } = await import(${url('import-rows')});
      const { bytes, totalBytes } = await openImport(process.argv[1]);
      for await (const { event } of readEvents(bytes, undefined, Date.now)) console.log(event.what, totalBytes);`;
    const args = [...endWithParent, '--input-type=module', '-e', program];
    const fifo = join(root, 'fifo');
    execFileSync('mkfifo', [fifo]);
    for (const path of ['-', fifo]) {
      const child = spawn(process.execPath, [...args, path], { stdio: ['pipe', 'pipe', 'inherit', 'ipc'] });
      const out = text(child.stdout as NonNullable<typeof child.stdout>);
      const pipe = path === '-' ? child.stdin : createWriteStream(fifo);
      pipe?.write('{"what":"a","when"');
      pipe?.end(':1}\n{"what":"b","when":1}');
      expect(await out).toBe('a undefined\nb undefined\n');
    }
  });
});

describe('a file', () => {
  it('that cannot be read is one clear error', async () => {
    await expect(openImport(join(root, 'nothing.csv'))).rejects.toMatchObject({
      code: 'E_NOT_FOUND',
      message: `"${root}/nothing.csv" does not exist`,
    });
    await expect(openImport(root)).rejects.toMatchObject({
      code: 'E_NOT_FOUND',
      message: expect.stringContaining('is a directory'),
    });
    await expect(openImport('/dev/stdin/x')).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
    // Reading fails only after it was opened.
    await expect(importFile('/proc/self/mem')).rejects.toMatchObject({
      code: 'E_CONNECT',
      message: expect.stringContaining('"/proc/self/mem" could not be read'),
    });
  });

  it('says how far it was read', async () => {
    const path = file('a.csv', `what,when\n${'x,1\n'.repeat(200_000)}`);
    const { bytes, totalBytes, readBytes } = await openImport(path);
    const seen: number[] = [];
    for await (const _ of bytes) seen.push(readBytes());
    expect(seen.length).toBeGreaterThan(2);
    expect([seen.toSorted((a, b) => a - b), seen.at(-1)]).toEqual([seen, totalBytes]);
  });

  it('of any size is read in bounded memory', async () => {
    const path = join(root, 'large.csv');
    const out = createWriteStream(path);
    out.write('what,when,data\n');
    for (let n = 0; n < 1000; n++)
      if (!out.write(`${'x'.repeat(50)},1,"${'y'.repeat(1000)}"\n`.repeat(100))) await once(out, 'drain');
    out.end();
    await once(out, 'finish');
    chmodSync(path, 0o400);
    const { bytes, totalBytes } = await openImport(path);
    const before = process.memoryUsage().rss;
    let peak = before;
    let rows = 0;
    for await (const _ of readEvents(bytes, 'csv', createStamp(Date.now))) {
      rows += 1;
      if (rows % 5000 === 0) peak = Math.max(peak, process.memoryUsage().rss);
    }
    expect([rows, (totalBytes ?? 0) > 100e6]).toEqual([100_000, true]);
    expect((peak - before) / 2 ** 20).toBeLessThan(100);
  });
});
