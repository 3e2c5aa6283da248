/** The private Carbon proves itself: it stores, it survives what tests do to it, and its graphite-web finds what it has. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Carbon, carbonReason, startCarbon } from '../support/carbon.ts';
import { fileOf } from '../support/carbon-points.ts';
import { graphiteReason } from '../support/graphite.ts';
import { type GraphiteAndCarbon, startGraphiteAndCarbon } from '../support/graphite-carbon.ts';
import { eventually } from '../support/statsd.ts';
import { output } from '../support/testbed-keeper.ts';

const reason = graphiteReason() ?? carbonReason();
const nowSeconds = (): number => Math.floor(Date.now() / 1000);

/** Whether the kernel has a connection to that port of 127.0.0.1, be it accepted by the program or not. */
function isConnected(port: number): boolean {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = readFileSync('/proc/net/tcp', 'utf8').split('\n');
  return rows.some((row) => row.includes(`: ${local} `) && /^ *\d+: \S+ \S+ (01|08) /.test(row));
}

describe.skipIf(reason !== undefined)(`a private Carbon${reason === undefined ? '' : ` (${reason})`}`, () => {
  let both: GraphiteAndCarbon;
  let carbon: Carbon;
  beforeAll(async () => {
    both = await startGraphiteAndCarbon({ carbon: { retentions: '1s:2m,10s:1h' } });
    carbon = both.carbon;
  });
  afterAll(() => both?.close());

  it('stores points, of which all slots are read, as whisper-fetch reads them', async () => {
    const until = nowSeconds() - 5;
    await carbon.send([`a.b 1 ${until - 3}`, `a.b 0 ${until}`, `a.c 2.5 ${until - 1}.75`, 'no point']);
    expect(await carbon.flushed('a.c', until - 1)).toBe(2.5);
    expect(await carbon.points('a.b', until - 4, until)).toEqual(
      [null, 1, null, null, 0].map((value, place) => ({ seconds: until - 4 + place, value })),
    );
    expect(carbon.series()).toEqual(['a.b', 'a.c']);
    expect((await carbon.pointsOf(['a.c', 'a.d'], until, until)).get('a.d')).toBeUndefined();
    await expect(carbon.points('a.d', until, until)).rejects.toThrow('has not stored a.d; it has a.b a.c');
    const file = join(carbon.whisperDirectory, fileOf('a.b'));
    const fetched = await output(['whisper-fetch', `--from=${until - 5}`, `--until=${until}`, file]);
    expect(fetched.match(/\S+$/gm)).toEqual(['None', '1.000000', 'None', 'None', '0.000000']);
  });

  it('reads the archive that goes back far enough', async () => {
    const slot = Math.floor((nowSeconds() - 600) / 10) * 10;
    await carbon.send([`old 4 ${slot + 3}`]);
    expect(await carbon.flushed('old', slot)).toBe(4);
    expect(await carbon.points('old', slot - 9, slot + 19)).toEqual([
      { seconds: slot, value: 4 },
      { seconds: slot + 10, value: null },
    ]);
  });

  it('is found by tags and rendered by its graphite-web', async () => {
    const { graphite } = both;
    const now = nowSeconds();
    await carbon.send([`disk;host=h1;dev=sda 7 ${now - 1}`, `load 1 ${now - 1}`]);
    const target = encodeURIComponent("seriesByTag('name=disk','host=h1')");
    const found = await eventually(async () => {
      const [first] = JSON.parse(String(await graphite.render(`target=${target}&from=-10s&format=json`)));
      return first;
    }, 'the tagged series');
    expect(found.target).toBe('disk;dev=sda;host=h1');
    expect(found.datapoints).toContainEqual([7, now - 1]);
    expect(await carbon.flushed('disk;host=h1;dev=sda', now - 1)).toBe(7);
    await graphite.post({ what: 'deploy', tags: ['deploy'] });
    const drawn = encodeURIComponent("drawAsInfinite(events('deploy'))");
    const png = await graphite.render(`target=load&target=${drawn}&from=-1min&format=png`);
    expect(png.subarray(1, 4).toString()).toBe('PNG');
    expect(png.length).toBeGreaterThan(3000);
    await expect(graphite.render('target=load&from=nonsense')).rejects.toThrow(': 400 Invalid parameters');
  });

  it('stops, is killed and starts again on its ports; what it had stored stays', async () => {
    const second = nowSeconds() - 1;
    await carbon.send([`kept 1 ${second}`]);
    await carbon.flushed('kept', second);
    for (const end of [carbon.kill, carbon.stop]) {
      await end();
      await expect(carbon.send(['refused 1 1'])).rejects.toMatchObject({ code: 'ECONNREFUSED' });
      await carbon.start();
    }
    await carbon.send([`kept 2 ${second + 1}`]);
    expect(await carbon.flushed('kept', second + 1)).toBe(2);
    expect(await carbon.points('kept', second, second)).toEqual([{ seconds: second, value: 1 }]);
    await carbon.pause();
    let sent = false;
    const sending = carbon.send([`kept 3 ${second + 2}`]).then(() => {
      sent = true;
    });
    await eventually(() => isConnected(carbon.port) || undefined, 'the kernel to take the connection');
    expect(sent).toBe(false);
    carbon.resume();
    await sending;
    expect(await carbon.flushed('kept', second + 2)).toBe(3);
  });

  it('drops points of new series above the limit', async () => {
    const limited = await startCarbon({ maxCreatesPerMinute: 5 });
    try {
      const second = nowSeconds();
      await limited.send(Array.from({ length: 20 }, (_, index) => `many.s${index} 1 ${second}`));
      const [first = ''] = await eventually(() => (limited.series().length > 4 ? limited.series() : undefined), 'five');
      // What is stored later tells that all of the former is through.
      await limited.send([`${first} 2 ${second + 1}`]);
      await limited.flushed(first, second + 1);
      expect(limited.series()).toHaveLength(5);
    } finally {
      await limited.close();
    }
  });
});
