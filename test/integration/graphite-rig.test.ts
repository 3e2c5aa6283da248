/** The private graphite-web proves itself: it stores, it survives what tests do to it, and leaves nothing. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { carbonReason } from '../support/carbon.ts';
import { type Graphite, graphiteReason, startGraphite } from '../support/graphite.ts';
import { exceptionIn } from '../support/graphite-http.ts';
import { endWithParent, eventually } from '../support/statsd.ts';

const reason = graphiteReason() ?? carbonReason();
const title = (what: string): string => `${what}${reason === undefined ? '' : ` (${reason})`}`;
const nowSeconds = (): number => Math.floor(Date.now() / 1000);

describe.skipIf(reason !== undefined)(title('a private graphite-web'), () => {
  let graphite: Graphite;
  beforeAll(async () => {
    graphite = await startGraphite({ lockTimeoutSeconds: 0.3 });
  });
  afterAll(() => graphite?.close());

  const named = (what: string) => graphite.rows().filter((row) => row.what === what);

  it('stores events that are read back, in whole seconds, in milliseconds and exactly', async () => {
    const event = { what: 'read "back"', tags: ['b', 'a.1'], data: 'x\ny', when: 1_700_000_000.750123 };
    expect((await graphite.post(event)).status).toBe(200);
    const query = { from: 1_700_000_000, until: 1_700_000_001 };
    const [shown] = await graphite.events(query);
    expect(shown).toMatchObject({ ...event, when: 1_700_000_000 });
    const { when, ...rest } = event;
    const id = shown?.id ?? 0;
    expect(await graphite.eventAt(id)).toEqual({ ...rest, id, whenSeconds: 1_700_000_000.75 });
    expect(named(event.what)).toEqual([{ ...rest, id, whenSeconds: when, foundBy: ['a.1', 'b'] }]);
    expect(await graphite.events({ ...query, tags: 'b', set: 'intersection' })).toHaveLength(1);
    expect(await graphite.events({ ...query, tags: 'b x', set: 'intersection' })).toEqual([]);
    expect(await graphite.eventAt(id + 1)).toBeUndefined();
  });

  it('answers wrong events as it did when the answers were recorded', async () => {
    const recorded = new URL('../testdata/graphite/', import.meta.url).pathname;
    const bodies: Readonly<Record<string, unknown>> = {
      '500-when-string.html': { what: 'x', when: 'now' },
      '500-when-null.html': { what: 'x', when: null },
      '500-when-milliseconds.html': { what: 'x', when: 1_700_000_000_000 },
      '500-what-missing.html': {},
      '500-data-null.html': { what: 'x', data: null },
      '500-tags-of-numbers.html': { what: 'x', tags: [1] },
      '500-not-json.html': '{',
      '500-not-an-object.html': [],
      '400-tags-number.json': { what: 'x', tags: 3 },
      '400-too-large.html': { what: 'x', data: 'x'.repeat(3_000_000) },
    };
    for (const [file, body] of Object.entries(bodies)) {
      const text = readFileSync(join(recorded, file), 'utf8');
      const answer = await graphite.post(body);
      expect({ file, status: answer.status, exception: exceptionIn(answer.text) }).toEqual({
        file,
        status: Number(file.slice(0, 3)),
        exception: exceptionIn(text),
      });
      if (file.startsWith('500')) expect(exceptionIn(text)).toMatch(/^[\w.]+(Error|Error: .+)$/);
      else expect(answer.text).toBe(text);
    }
    expect(named('x')).toEqual([]);
  });

  it('fails while its database is locked, and only to write when only that is', async () => {
    const failure = 'django.db.utils.OperationalError: database is locked';
    const unlock = graphite.lock();
    const answers = await Promise.all([graphite.post({ what: 'locked' }), graphite.ask('/events/get_data')]);
    unlock();
    expect(answers.map(({ status, text }) => [status, exceptionIn(text)])).toEqual([
      [500, failure],
      [500, failure],
    ]);
    const unlockWrites = graphite.lock('writes');
    const answer = await graphite.post({ what: 'locked' });
    expect(await graphite.events({ from: nowSeconds() - 60 })).toEqual([]);
    unlockWrites();
    expect([answer.status, exceptionIn(answer.text)]).toEqual([500, failure]);
    expect((await graphite.post({ what: 'locked' })).status).toBe(200);
    expect(named('locked')).toHaveLength(1);
  });

  it('stores an event before its tags: a failure in between leaves one that shows tags and is not found by them', async () => {
    const database = new DatabaseSync(graphite.database);
    const refuse = "BEGIN SELECT RAISE(ABORT, 'no more'); END";
    database.exec(`CREATE TRIGGER no_more BEFORE INSERT ON tagging_taggeditem ${refuse}`);
    const answer = await graphite.post({ what: 'half', tags: ['lost'], when: 5000 });
    database.exec('DROP TRIGGER no_more');
    database.close();
    expect([answer.status, exceptionIn(answer.text)]).toEqual([500, 'django.db.utils.IntegrityError: no more']);
    expect(named('half')).toMatchObject([{ tags: ['lost'], foundBy: [] }]);
    expect(await graphite.events({ from: 5000, until: 5000 })).toMatchObject([{ what: 'half', tags: ['lost'] }]);
    expect(await graphite.events({ from: 5000, until: 5000, tags: 'lost' })).toEqual([]);
  });

  it('replaces a worker that is killed in the middle of a request', async () => {
    const [worker = 0] = graphite.workers();
    const files = (): number => readdirSync(`/proc/${worker}/fd`).length;
    const before = files();
    const unlock = graphite.lock();
    const outcome = graphite.post({ what: 'killed' }).then(
      ({ status }) => status,
      ({ code }) => code,
    );
    await eventually(() => files() > before || undefined, 'the request to reach the worker');
    await graphite.killWorker();
    unlock();
    expect(await outcome).toBe('ECONNRESET');
    expect((await graphite.post({ what: 'after' })).status).toBe(200);
    expect(graphite.workers()).not.toEqual([worker]);
    expect([named('killed').length, named('after').length]).toEqual([0, 1]);
  });

  it('stops and starts again on its port, and keeps what it has; standing still, it answers later', async () => {
    const count = graphite.rows().length;
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      const [worker = 0] = graphite.workers();
      await graphite.stop(signal);
      expect(existsSync(`/proc/${worker}/exe`)).toBe(false);
      await expect(graphite.events()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
      await graphite.start();
      expect(await graphite.events({ until: nowSeconds() + 60 })).toHaveLength(count);
    }
    await graphite.pause();
    let answered = false;
    const posting = graphite.post({ what: 'waited' }).then(() => {
      answered = true;
    });
    expect(named('waited')).toEqual([]);
    expect(answered).toBe(false);
    graphite.resume();
    await posting;
    expect(named('waited')).toHaveLength(1);
  });
});

describe.skipIf(reason !== undefined)(title('servers whose owner is killed'), () => {
  let owner: ChildProcess | undefined;
  afterAll(() => owner?.kill('SIGKILL'));

  it('are gone soon after it', async () => {
    const support = new URL('../support/graphite-carbon.ts', import.meta.url).href;
    const script = `
      const { startGraphiteAndCarbon } = await import(${JSON.stringify(support)});
      const { graphite, carbon } = await startGraphiteAndCarbon();
      console.log(JSON.stringify([graphite.directory, carbon.directory, [graphite.pid, ...graphite.workers(), carbon.pid]]));
      setInterval(() => {}, 1000);
    `;
    owner = spawn(process.execPath, [...endWithParent, '--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    if (owner.stdout === null) throw new Error('an owner without an output');
    const [line] = await once(createInterface({ input: owner.stdout }), 'line');
    const [graphite, carbon, pids] = JSON.parse(line);
    expect(pids).toHaveLength(3);
    owner.kill('SIGKILL');
    await eventually(() => (existsSync(graphite) || existsSync(carbon) ? undefined : true), 'the end of directories');
    expect(pids.filter((pid: number) => existsSync(`/proc/${pid}/exe`))).toEqual([]);
  }, 60_000);
});
