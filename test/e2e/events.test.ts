/** Events, from every way in to the dashboard of a real graphite-web, which is away for a while. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type DaemonProcess, scratch, startEdgestatd, stopAll } from '../support/daemon.ts';
import { edgestatd, spoolOf } from '../support/event-commands.ts';
import { type Graphite, graphiteReason, startGraphite } from '../support/graphite.ts';
import { readPng } from '../support/png.ts';
import { eventually, freePort } from '../support/statsd.ts';

const reason = graphiteReason();
const HOUR_AGO = Math.floor(Date.now() / 1000) - 3600;

describe.skipIf(reason !== undefined)(`events${reason === undefined ? '' : ` (${reason})`}`, () => {
  let graphite: Graphite;
  beforeAll(async () => {
    graphite = await startGraphite();
  });
  afterEach(stopAll);
  afterAll(async () => {
    await graphite?.close();
  });

  const configured = (directory: string, more = ''): string => `
sinks: [ { type: stdout, onlyOnTerminal: true } ]
jobs: [ { collector: tcp, every: 60s } ]
events:
  spool: ${directory}/spool.db
  graphite: { url: "${graphite.eventsUrl}", settle: 1s }
${more}`;
  const fileOf = (directory: string, yaml: string): string => {
    const file = join(directory, 'command.yaml');
    writeFileSync(file, yaml);
    return file;
  };
  /** What the database holds of these, sorted: `what @ when`. */
  const stored = (prefix: string): string[] =>
    graphite
      .rows()
      .filter(({ what }) => what.startsWith(prefix))
      .map(({ what, whenSeconds }) => `${what} @ ${whenSeconds}`)
      .toSorted();
  const delivered = (config: string, count: number): Promise<true> =>
    eventually(async () => {
      const [one] = (await spoolOf(config)).destinations;
      return one?.delivered === count && one.pending === 0 ? true : undefined;
    }, `${count} delivered events`);
  const started = async (yaml: string): Promise<DaemonProcess> => {
    const daemon = startEdgestatd(yaml);
    await daemon.event('daemon:started');
    return daemon;
  };

  it('come in by every way while Graphite is away, and stand on the dashboard once when it is back', async () => {
    const directory = scratch();
    const [port, folder, repository] = [await freePort(), join(directory, 'drop'), join(directory, 'nova')];
    mkdirSync(folder);
    const yaml = configured(
      directory,
      `  listen: { port: ${port} }\n  folder: { path: ${folder} }\n  rules: [ { on: daemon_started } ]\n`,
    );
    const config = fileOf(directory, yaml);
    await graphite.stop('SIGKILL');
    // Before there is a daemon.
    const first = await edgestatd([
      'event',
      'post',
      '--config',
      config,
      '--what',
      'way post early',
      '--tag',
      'deploy',
      '--when',
      String(HOUR_AGO),
    ]);
    expect([first.code, first.stderr]).toEqual([
      0,
      'it waits in the spool: no daemon runs here, and the next one delivers it\n',
    ]);

    const daemon = await started(yaml);
    await daemon.event('events:listening');
    const posted = await edgestatd([
      'event',
      'post',
      '--config',
      config,
      '--what',
      'way post',
      '--tag',
      'deploy',
      '--tag',
      'nova',
      '--when',
      `${HOUR_AGO}.75`,
      '--data',
      'line 1\nline 2',
    ]);
    expect([posted.code, posted.stderr]).toEqual([0, '']);
    const csv = `what,when,tags\nway import 1,${HOUR_AGO + 1},deploy\nway import 2,${new Date((HOUR_AGO + 2) * 1000).toISOString()},deploy nova\n`;
    const imported = ['event', 'import', '-', '--config', config];
    expect((await edgestatd(imported, csv)).stdout).toBe('"standard input": 2 read, 2 added, 0 known already\n');
    expect((await edgestatd(imported, csv)).stdout).toBe('"standard input": 2 read, 0 added, 2 known already\n');
    gitRepository(repository, HOUR_AGO + 3);
    const git = await edgestatd(['event', 'import', '--git', repository, '--tags', 'way*', '--config', config]);
    expect([git.code, git.stdout]).toEqual([0, `"${repository}": 1 read, 1 added, 0 known already\n`]);
    const answer = await fetch(`http://127.0.0.1:${port}/events/`, {
      method: 'POST',
      body: JSON.stringify([{ what: 'way listener', tags: 'deploy http', when: HOUR_AGO + 4 }]),
    });
    expect(answer.status).toBe(200);
    writeFileSync(join(folder, 'x.tmp'), JSON.stringify({ what: 'way folder', tags: ['deploy'], when: HOUR_AGO + 5 }));
    renameSync(join(folder, 'x.tmp'), join(folder, 'x.json'));
    await eventually(
      () => (readdirSync(join(folder, 'done')).includes('x.json') ? true : undefined),
      'the file in done/',
    );
    await daemon.event('events:down');
    expect(await spoolOf(config)).toMatchObject({
      destinations: [{ destination: 'graphite', pending: 8, delivered: 0 }],
    });

    await graphite.start();
    await daemon.event('events:up');
    await delivered(config, 8);
    expect(stored('way')).toEqual(
      [
        ['way folder', HOUR_AGO + 5],
        ['way-git', HOUR_AGO + 3],
        ['way import 1', HOUR_AGO + 1],
        ['way import 2', HOUR_AGO + 2],
        ['way listener', HOUR_AGO + 4],
        ['way post', `${HOUR_AGO}.75`],
        ['way post early', HOUR_AGO],
      ]
        .map(([what, when]) => `${what} @ ${when}`)
        .toSorted(),
    );
    const found = await graphite.events({
      from: HOUR_AGO - 1,
      until: HOUR_AGO + 10,
      tags: 'deploy',
      set: 'intersection',
    });
    // The tag of git is no deploy.
    expect(found.map(({ when }) => when).toSorted()).toEqual([0, 0, 1, 2, 4, 5].map((second) => HOUR_AGO + second));
    expect(found.find(({ what }) => what === 'way post')).toMatchObject({
      data: 'line 1\nline 2',
      tags: ['deploy', 'nova'],
    });
    expect(graphite.rows().find(({ what }) => what.startsWith('daemon_started'))?.data).toContain('for the first time');
    expect(await daemon.end()).toBe(0);
  });

  it('are a red line on the dashboard, at their second', async () => {
    const directory = scratch();
    const yaml = configured(directory);
    const config = fileOf(directory, yaml);
    await started(yaml);
    const when = HOUR_AGO + 600;
    await edgestatd(['event', 'post', '--config', config, '--what', 'red', '--tag', 'painted', '--when', String(when)]);
    await delivered(config, 1);
    const picture = async (tag: string, from: number) => {
      const target = encodeURIComponent(`color(drawAsInfinite(events('${tag}')),'red')`);
      // Without it there is nothing to draw, and no picture of the time.
      const base = encodeURIComponent('constantLine(1)');
      const query = `target=${base}&target=${target}&from=${from}&until=${from + 600}&width=700&height=300&format=png&hideLegend=true`;
      const { width, height, pixel } = readPng(await graphite.render(query));
      const columns = Array.from({ length: width }, (_, x) => x).filter((x) => {
        const [red, green, blue] = pixel(x, Math.floor(height / 2));
        return red - Math.max(green, blue) > 60;
      });
      return { width, columns };
    };
    const early = await picture('painted', when - 150);
    const late = await picture('painted', when - 450);
    expect(early.columns.length).toBeGreaterThan(0);
    expect(early.columns.length).toBeLessThan(5);
    // Half of the picture further to the right, as the picture begins half of its time earlier.
    expect((late.columns[0] ?? 0) - (early.columns[0] ?? 0)).toBeGreaterThan(0.4 * early.width);
    expect((await picture('unpainted', when - 150)).columns).toEqual([]);
  });

  it('that Graphite refuses are listed with its answer, and can be sent again or dropped', async () => {
    const directory = scratch();
    const yaml = configured(directory);
    const config = fileOf(directory, yaml);
    const daemon = await started(yaml);
    // A trigger is how a database takes an event never.
    const { DatabaseSync } = await import('node:sqlite');
    const database = new DatabaseSync(graphite.database);
    database.exec(
      `CREATE TRIGGER poison BEFORE INSERT ON events_event WHEN NEW.what LIKE 'poison%' BEGIN SELECT RAISE(ABORT, 'value too long'); END`,
    );
    try {
      for (const what of ['poison', 'poison too', 'wholesome']) {
        await edgestatd(['event', 'post', '--config', config, '--what', what, '--id', what]);
      }
      await eventually(
        async () => ((await spoolOf(config)).dead.length === 2 ? true : undefined),
        'two dead events',
        60_000,
      );
      const { dead, destinations } = await spoolOf(config);
      expect(destinations).toMatchObject([{ pending: 0, delivered: 1, dead: 2 }]);
      expect(dead.map(({ id }) => id).toSorted()).toEqual(['poison', 'poison too']);
      for (const { answer } of dead) expect(answer).toContain('value too long');
      expect(daemon.events.filter(({ event }) => event === 'events:dead').length).toBeGreaterThan(0);
    } finally {
      database.exec('DROP TRIGGER poison');
      database.close();
    }
    const spool = (...words: string[]) => edgestatd(['event', 'spool', ...words, '--config', config]);
    expect(await spool('drop', 'poison too')).toMatchObject({ code: 0, stdout: '1 dropped\n' });
    expect(await spool('retry', '--all')).toMatchObject({ code: 0, stdout: '1 will be tried again\n' });
    await delivered(config, 2);
    expect(stored('poison').length).toBe(1);
    expect((await spool('retry', 'nosuch')).code).toBe(2);
    expect((await spool('rerty')).stderr).toContain('expected retry or drop');
  });

  it('are checked without a trace, and with one when that is wanted', async () => {
    const directory = scratch();
    const config = fileOf(directory, configured(directory));
    const before = graphite.rows().length;
    const plain = await edgestatd(['check', '--config', config]);
    expect(plain.stdout).toContain('ok   events graphite');
    expect([plain.code, graphite.rows().length]).toEqual([0, before]);
    const written = await edgestatd(['check', '--write', '--config', config]);
    expect(written.stdout).toContain('a test event (tag edgestatd-check) was posted, and is there once, by its tag');
    expect([written.code, graphite.rows().length]).toEqual([0, before + 1]);
  });

  it('that are wrong are refused with one clear line, and where there is no section too', async () => {
    const directory = scratch();
    const config = fileOf(directory, configured(directory));
    const post = (...words: string[]) => edgestatd(['event', 'post', '--config', config, ...words]);
    const wrong = await post('--what', 'x', '--when', '1700000000000');
    expect(wrong).toMatchObject({ code: 2, stdout: '' });
    expect(wrong.stderr).toBe(
      'event post: "when" is 1700000000000, which looks like milliseconds; expected seconds: did you mean 1700000000?\n',
    );
    expect((await post('--what', 'a\nb')).stderr).toMatch(/^event post: "what" is "a\\u000ab"[^\n]*\n$/);
    expect((await post('--what', 'x', '--tag', 'a,b')).stderr).toContain('"a_b"');
    const none = fileOf(scratch(), 'sinks: [ { type: stdout } ]\njobs: [ { collector: tcp, every: 60s } ]\n');
    const without = await edgestatd(['event', 'spool', '--config', none]);
    expect(without).toMatchObject({ code: 2 });
    expect(without.stderr).toContain('has no "events"; add for example');
  });
});

/** A repository with one tag, `way git`-like, made at a time. */
function gitRepository(path: string, seconds: number): void {
  const at = `${seconds} +0000`;
  const env = { ...process.env, GIT_AUTHOR_DATE: at, GIT_COMMITTER_DATE: at, GIT_CONFIG_GLOBAL: '/dev/null' };
  const who = ['-c', 'user.name=Deployer', '-c', 'user.email=deployer@example.org'];
  const git = (...argv: string[]): void => void execFileSync('git', [...who, ...argv], { env, stdio: 'ignore' });
  git('init', '-q', path);
  git('-C', path, 'commit', '-q', '--allow-empty', '-m', 'Begin');
  git('-C', path, 'tag', '-a', 'way-git', '-m', 'The release');
}
