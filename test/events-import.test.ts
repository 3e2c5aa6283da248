import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Failure } from '../src/errors.ts';
import { type Event, likenessOf } from '../src/events/event.ts';
import { csvRecords } from '../src/events/in/csv.ts';
import { importEvents, MAX_STRICT_EVENTS } from '../src/events/in/import.ts';
import { jsonLines, jsonList } from '../src/events/in/import-lines.ts';
import { createProgress, progressLine } from '../src/events/in/import-progress.ts';
import { formatOf, type ImportFormat, readEvents } from '../src/events/in/import-rows.ts';
import type { Receipt } from '../src/events/spool.ts';
import { createStamp, type Take } from '../src/events/taking.ts';
import { fakeClock } from './support/fake-clock.ts';

const NOW_MS = Date.UTC(2026, 0, 1);
const stamp = createStamp(() => NOW_MS);

/** In pieces of any size, as a pipe gives them. */
async function* pieces(text: string | Uint8Array, size = 65536): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text as string);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** `line: what` of each row, or its fault. */
async function read(text: string | Uint8Array, format?: ImportFormat, size?: number): Promise<string[]> {
  const rows: string[] = [];
  for await (const row of readEvents(pieces(text, size), format, stamp)) {
    rows.push('event' in row ? `${row.line}: ${row.event.what}` : row.fault.message);
  }
  return rows;
}

async function readAll(text: string, format?: ImportFormat): Promise<Event[]> {
  const events: Event[] = [];
  for await (const row of readEvents(pieces(text), format, stamp)) {
    if ('fault' in row) throw row.fault;
    events.push(row.event);
  }
  return events;
}

describe('JSON lines', () => {
  const line = (what: string): string => JSON.stringify({ what, when: 1_700_000_000 });

  it('are one event each, whatever the line ends with; empty lines are none', async () => {
    const text = `\ufeff${line('a')}\n\n${line('b')}\r\n  \n${line('ü')}`;
    for (const size of [1, 2, 3, 1000]) expect(await read(text, undefined, size)).toEqual(['1: a', '3: b', '5: ü']);
  });

  it('with a fault are named by their number, and the rest is read', async () => {
    const bad = [
      '{"what":',
      '{"what":"x","when":1700000000,"tag":"y"}',
      '[]',
      '{"what":"x"}',
      '{"what":"x","when":"-1h"}',
    ];
    const text = [line('a'), ...bad, line('b')].join('\n');
    expect(await read(text)).toEqual([
      '1: a',
      expect.stringMatching(/^line 2: it ends too early, at character 9; expected a value/),
      'line 3: unknown field "tag"; did you mean "tags"?',
      'line 4: an event is a map with "what"; found a list',
      expect.stringMatching(/^line 5: "when" is relative to now/),
      expect.stringMatching(/^line 6: "when" is relative to now/),
      '7: b',
    ]);
  });

  it('that are no UTF-8 or too long are faults of their own', async () => {
    const latin = Buffer.from(`{"what":"caf\u00e9","when":1}\n`, 'latin1');
    const long = Buffer.from(`{"what":"${'x'.repeat(5 * 2 ** 20)}"}\n`);
    const text = Buffer.concat([Buffer.from(`${line('a')}\n`), latin, long, Buffer.from(line('b'))]);
    expect(await read(text)).toEqual([
      '1: a',
      'line 2: it is no UTF-8 from its byte 13 on; expected text in UTF-8',
      'line 3: it has more than 4194304 bytes',
      '4: b',
    ]);
  });

  it('of one list are read as its events', async () => {
    const text = `[\n  ${line('a')},\n  {"what": "b]},",\n "when": 1},\n{"what": 3}, {"what":"[\\"","when":1}\n]\n`;
    const rows = ['2: a', '3: b]},', expect.stringMatching(/^line 5: "what" is the number 3/), '5: ["'];
    for (const size of [1, 7, 1000]) expect(await read(text, 'jsonl', size)).toEqual(rows);
    expect(await read('[]')).toEqual([]);
    expect(await read(' [ ] ')).toEqual([]);
  });

  it('gives back every value that was written, in pieces of any size', async () => {
    const values = fc.array(fc.jsonValue({ maxDepth: 5 }));
    await fc.assert(
      fc.asyncProperty(values, fc.integer({ min: 1, max: 9 }), fc.constantFrom(0, 1, 2), async (all, size, indent) => {
        const found: unknown[] = [];
        for await (const { value } of jsonList(pieces(JSON.stringify(all, null, indent), size))) found.push(value);
        expect(found).toEqual(JSON.parse(JSON.stringify(all)));
        const lines: unknown[] = [];
        const text = all.map((value) => JSON.stringify(value)).join('\n');
        for await (const { value } of jsonLines(pieces(text, size))) lines.push(value);
        expect(lines).toEqual(found);
      }),
    );
  });

  it('of a list that cannot be followed are read until there', async () => {
    const at = `[${line('a')},\n`;
    expect(await read(at)).toEqual(['1: a', 'line 2: the list has no end, so that nothing from here on was read']);
    expect(await read(`${at},${line('b')}]`)).toEqual(['1: a', expect.stringContaining('a comma stands where')]);
    expect(await read(`${at}]`)).toEqual(['1: a', expect.stringContaining('a comma stands where')]);
    expect(await read(`[${line('a')}] ${line('b')}`)).toEqual(['1: a', expect.stringContaining('behind the end')]);
  });

  it.each([
    ['', 'there is nothing in it'],
    [' \n\r\n ', 'there is nothing in it'],
    [Buffer.from('\ufeff{}', 'utf16le'), 'it is UTF-16; save it as UTF-8'],
    [Buffer.from([0x1f, 0x8b, 8, 0, 0]), 'it is compressed (gzip)'],
    ['what;when\na;1\n', '"what;when" has no commas'],
    ['{\n  "what": "x"\n}\n', 'its first line has "{" alone: an event of several lines; write each on one line'],
  ])('are no file such as %j', async (text, message) => {
    await expect(read(text)).rejects.toMatchObject({ code: 'E_PARSE', message: expect.stringContaining(message) });
  });
});

describe('CSV', () => {
  it('has its columns in any order; what is empty is left out', async () => {
    const text =
      '\ufeffwhen,"what",id,tags,data\r\n1700000000.5,a,,x y;z,\r\n2023-11-14T22:13:20Z,"b, ""c""",me,,"d\r\ne"\r\n';
    for (const format of [undefined, 'csv'] as const) {
      const [a, b] = await readAll(text, format);
      expect(a).toMatchObject({ what: 'a', tags: ['x', 'y', 'z'], data: '', whenUs: 1_700_000_000_500_000 });
      expect(b).toMatchObject({ what: 'b, "c"', tags: [], data: 'd\r\ne', whenUs: 1_700_000_000_000_000, id: 'me' });
    }
  });

  it.each([
    ['what,tag\n', 'line 1: unknown column "tag"; did you mean "tags"?'],
    ['what,colour\n', 'line 1: unknown column "colour"; expected a header such as what,tags,data,when,id'],
    ['tags,when\n', 'line 1: there is no column "what"'],
    ['what,what\n', 'line 1: the column "what" is there twice'],
    ['\n\nWhat\n', 'line 3: unknown column "What"; did you mean "what"?'],
    ['what\twhen\n', 'line 1: "what\\u0009when" has no commas'],
    ['"what,when\n', 'line 1: a quote that opens in it is not closed before the end'],
  ])('without a header, as in %j, is one error', async (text, message) => {
    await expect(read(`${text}a,1\n`, 'csv')).rejects.toMatchObject({
      code: 'E_PARSE',
      message: expect.stringContaining(message),
    });
  });

  it('with bad rows names them, and the rest is read', async () => {
    const rows = [
      'what,when,data',
      'a,1,',
      'b,1',
      'c,1,2,3',
      'd"d",1,',
      '"e"e,1,',
      ',1,',
      'f,x,',
      '"g\ng",1,',
      'h,1,"x\ny"',
      'i,1,',
    ];
    expect(await read(rows.join('\n'))).toEqual([
      '2: a',
      'line 3: it has 2 fields; expected 3 as in the header; a comma in a text needs quotes around the text',
      expect.stringMatching(/^line 4: it has 4 fields/),
      expect.stringMatching(/^line 5: its field 1 has a quote in it and none around it/),
      expect.stringMatching(/^line 6: its field 1 goes on behind its closing quote/),
      expect.stringMatching(/^line 7: "what" is missing/),
      expect.stringMatching(/^line 8: "when" is "x"/),
      expect.stringMatching(/^line 9: "what" is "g\\u000ag"; expected one line/),
      '11: h',
      '13: i',
    ]);
  });

  it('with a quote that is never closed is read until there, and what follows is not taken for rows', async () => {
    const text = 'what,when\na,1\n"b,1\nc,1\nd,1\n';
    expect(await read(text)).toEqual([
      '2: a',
      expect.stringMatching(/^line 3: a quote that opens in it is not closed/),
    ]);
    const long = `what,when\na,1\n"b,1\n${'c,1\n'.repeat(1_100_000)}`;
    expect(await read(long)).toEqual(['2: a', expect.stringMatching(/^line 3: .*not closed within 4194304 bytes/)]);
  });

  it('with a row that is no UTF-8 or too long reads the rest', async () => {
    const long = Buffer.from(`${'x'.repeat(5_000_000)},1\n`);
    const text = Buffer.concat([
      Buffer.from('what,when\n'),
      Buffer.from('caf\u00e9,1\n', 'latin1'),
      long,
      Buffer.from('b,1'),
    ]);
    expect(await read(text)).toEqual([
      expect.stringMatching(/^line 2: its field 1 is no UTF-8/),
      expect.stringMatching(/^line 3: it has more than 4194304 bytes/),
      '4: b',
    ]);
  });

  it('gives back every field that was written, in pieces of any size', async () => {
    const field = fc.string({ unit: fc.constantFrom('a', 'ü', '"', ',', '\n', '\r', ' ', ';', '😀'), maxLength: 6 });
    const record = fc.array(field, { minLength: 2, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(fc.array(record), fc.integer({ min: 1, max: 9 }), fc.boolean(), async (records, size, crlf) => {
        const written = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
        const text = records.map((one) => one.map(written).join(',')).join(crlf ? '\r\n' : '\n');
        const found: unknown[] = [];
        for await (const { fields } of csvRecords(pieces(text, size), 1e6)) found.push(fields);
        expect(found).toEqual(records);
      }),
    );
  });

  it('of any text gives rows or faults, and ends', async () => {
    const text = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', '1'), maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(text, async (rest) => {
        for (const row of await read(`what,when\n${rest}`, 'csv')) expect(row).toMatch(/^(?:line )?[0-9]+: /);
      }),
    );
  });
});

it('reads no more than is asked for, and lets go of what it reads', async () => {
  let given = 0;
  let isReleased = false;
  async function* endless(): AsyncGenerator<Buffer> {
    try {
      for (;;) {
        given += 1;
        yield Buffer.from('{"what":"x","when":1}\n'.repeat(10));
      }
    } finally {
      isReleased = true;
    }
  }
  let rows = 0;
  for await (const _ of readEvents(endless(), undefined, stamp)) if (++rows === 1000) break;
  expect([given, isReleased]).toEqual([100, true]);
});

it('tells the format by the name', () => {
  expect(['a.csv', 'A.CSV', 'a.jsonl', 'a.ndjson', 'a.json', 'a.csv.txt', '-', 'csv'].map(formatOf)).toEqual([
    ...['csv', 'csv', 'jsonl', 'jsonl', 'jsonl', undefined, undefined, undefined],
  ]);
});

/** Takes as the spool does, into memory. */
function fakeSpool(): { readonly take: Take; readonly events: Map<string, Event>; readonly sizes: number[] } {
  const events = new Map<string, Event>();
  const sizes: number[] = [];
  const take: Take = async (all, { conflicts }) => {
    sizes.push(all.length);
    const before = new Map(events);
    const receipts = all.map((event): Receipt => {
      const known = events.get(event.id);
      if (known === undefined) events.set(event.id, event);
      if (known === undefined) return 'added';
      return likenessOf(known) === likenessOf(event) ? 'known' : 'conflict';
    });
    if (conflicts === 'refuse' && receipts.includes('conflict')) {
      events.clear();
      for (const [id, event] of before) events.set(id, event);
      throw new Failure('E_PARSE', 'conflict');
    }
    return receipts;
  };
  return { take, events, sizes };
}

const csvOf = (count: number, bad: readonly number[] = []): string => {
  const rows = Array.from({ length: count }, (_, n) =>
    bad.includes(n + 2) ? `x,1,1,1` : `deploy ${n},${1_600_000_000 + n}`,
  );
  return `what,when\n${rows.join('\n')}\n`;
};
const importing = (text: string, take: Take, strict = false) =>
  importEvents({ rows: readEvents(pieces(text), undefined, stamp), take, source: 'import', strict });

describe('an import', () => {
  it('takes many at a time, and adds nothing when it is run again', async () => {
    const { take, events, sizes } = fakeSpool();
    expect(await importing(csvOf(1201), take)).toEqual({ read: 1201, added: 1201, known: 0, faulty: 0, faults: [] });
    expect(sizes).toEqual([500, 500, 201]);
    expect(await importing(csvOf(1201), take)).toMatchObject({ added: 0, known: 1201 });
    expect(events.size).toBe(1201);
  });

  it('with a bad row 1,000 names it and takes the rest; with strict, nothing', async () => {
    const text = csvOf(2000, [1000]);
    const strict = fakeSpool();
    const fault = { line: 1000, message: expect.stringMatching(/^line 1000: it has 4 fields; expected 2/) };
    expect(await importing(text, strict.take, true)).toEqual({
      read: 2000,
      added: 0,
      known: 0,
      faulty: 1,
      faults: [fault],
    });
    expect(strict.events.size).toBe(0);
    const { take, events } = fakeSpool();
    expect(await importing(text, take)).toEqual({ read: 2000, added: 1999, known: 0, faulty: 1, faults: [fault] });
    expect(events.size).toBe(1999);
  });

  it('reports ids that are taken by their line; with strict, takes nothing', async () => {
    const text = '{"what":"a","id":"1","when":1}\n{"what":"b","id":"2","when":1}\n{"what":"c","id":"1","when":1}\n';
    const { take, events } = fakeSpool();
    const faults = [{ line: 3, message: 'line 3: the id "1" is that of an event with other content' }];
    expect(await importing(text, take)).toMatchObject({ read: 3, added: 2, faulty: 1, faults });
    expect(await importing(text, take)).toMatchObject({ read: 3, added: 0, known: 2, faulty: 1, faults });
    events.clear();
    await expect(importing(text, take, true)).rejects.toThrow(
      'line 3: the id "1" is that of line 1, which has other content',
    );
    expect(events.size).toBe(0);
    // A row that is there twice is one event.
    const twice = '{"what":"a","id":"1","when":1}\n'.repeat(2);
    expect(await importing(twice, take, true)).toMatchObject({ added: 1, known: 1, faulty: 0 });
    await expect(importing(text, take, true)).rejects.toMatchObject({ code: 'E_PARSE' });
    expect([...events.keys()]).toEqual(['1']);
  });

  it('tells the first faults, and counts the others', async () => {
    const { take } = fakeSpool();
    const result = await importing(`what,when\n${'x\n'.repeat(1000)}a,1\n`, take);
    expect(result).toMatchObject({ read: 1001, added: 1, faulty: 1000 });
    expect(result.faults.map(({ line }) => line)).toEqual(Array.from({ length: 20 }, (_, n) => n + 2));
  });

  it('that fails on the way says what was added, and goes on from there when it is run again', async () => {
    const { take, events } = fakeSpool();
    let calls = 0;
    const full: Take = async (all, how) => {
      if (++calls === 3) throw new Failure('E_SPOOL', '/spool is full');
      return take(all, how);
    };
    await expect(importing(csvOf(2000), full)).rejects.toMatchObject({
      code: 'E_SPOOL',
      message: '/spool is full; 1000 events were added before; run it again when this is mended: none is added twice',
    });
    expect(events.size).toBe(1000);
    expect(await importing(csvOf(2000), take)).toMatchObject({ added: 1000, known: 1000 });
  });

  it('with strict is one call, of a bounded number of events', async () => {
    const { take, sizes, events } = fakeSpool();
    expect(await importing(csvOf(1201), take, true)).toMatchObject({ added: 1201 });
    expect(sizes).toEqual([1201]);
    events.clear();
    await expect(importing(csvOf(MAX_STRICT_EVENTS + 1), take, true)).rejects.toThrow('leave out --strict');
    expect(events.size).toBe(0);
  });
});

afterEach(() => vi.unstubAllEnvs());

describe('the progress of an import', () => {
  const counts = { read: 1500, added: 1499, known: 0, faulty: 1 };

  it('is one line', () => {
    const of = { name: 'd\u001b.csv', readBytes: () => 256 * 1024, totalBytes: 1024 * 1024 };
    expect(progressLine(counts, of, 500)).toBe(
      'd\\u001b.csv [=====               ] 25 %  1,500 events  3,000/s  1 faulty',
    );
    expect(progressLine(counts, { ...of, totalBytes: undefined }, 0)).toBe(
      'd\\u001b.csv 256 KiB  1,500 events  1 faulty',
    );
    expect(progressLine(counts, { ...of, totalBytes: 0 }, 0)).toContain('100 %');
  });

  it('is shown on a terminal alone, not oftener than ten times a second, and taken away', async () => {
    vi.stubEnv('TERM', 'xterm');
    const written: string[] = [];
    const stream = (isTTY: boolean) =>
      ({ isTTY, columns: 40, write: (text: string) => written.push(text), on: () => {} }) as never;
    const clock = fakeClock();
    const options = { name: 'a.csv', readBytes: () => 0, totalBytes: 10 };
    createProgress(stream(false), options, clock).show(counts);
    expect(written).toEqual([]);
    const progress = createProgress(stream(true), options, clock);
    progress.show(counts);
    progress.show(counts);
    await clock.advance(100);
    progress.show(counts);
    progress.clear();
    expect(written).toEqual([expect.stringMatching(/^\r.{39}\u001b\[K$/), expect.stringMatching(/^\ra/), '\r\u001b[K']);
  });
});
