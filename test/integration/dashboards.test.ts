/** Dashboards and alert rules against a real graphite-web and Carbon that have what edgestatd sends. */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fired, judged } from '../../scripts/dashboards/alert.ts';
import { alertsOf } from '../../scripts/dashboards/alerts.ts';
import { dashboardsOf } from '../../scripts/dashboards/all.ts';
import { catalogueOf, declared } from '../../scripts/dashboards/catalogue.ts';
import { type Dashboard, panelsOf, targetOf, withoutVariables } from '../../scripts/dashboards/model.ts';
import { type Naming, namings } from '../../scripts/dashboards/naming.ts';
import { courses, linesOf, PREFIX } from '../support/alert-series.ts';
import { carbonReason } from '../support/carbon.ts';
import { type DashboardRig, type Rendered, startDashboardRig, valuesOf } from '../support/dashboard-rig.ts';
import { graphiteReason } from '../support/graphite.ts';
import { parseExpression, pathsIn } from '../support/graphite-expression.ts';
import { readPng } from '../support/png.ts';

const reason = graphiteReason() ?? carbonReason();
const root = fileURLToPath(new URL('../..', import.meta.url));
const catalogue = catalogueOf(declared);
const dashboards = dashboardsOf(catalogue);
const alerts = alertsOf(catalogue);
/** The other two differ in names alone, which `/metrics/expand` finds. */
const evaluated = namings.filter(({ id }) => id === 'statsd' || id === 'carbon');

interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function sh(file: string, ...words: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile('sh', [join(root, file), ...words], (_, stdout, stderr) =>
      resolve({ status: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

const isPng = (body: Buffer): boolean => body.subarray(1, 4).toString('latin1') === 'PNG';
const moved = (expression: string): string => expression.replaceAll('edge.*.', `${PREFIX}.*.`);

describe.skipIf(reason !== undefined)(`dashboards${reason === undefined ? '' : ` (${reason})`}`, () => {
  let rig: DashboardRig;
  let now = 0;
  beforeAll(async () => {
    now = Math.floor(Date.now() / 10_000) * 10;
    rig = await startDashboardRig(
      evaluated.flatMap((naming) => alerts.flatMap((alert) => linesOf(alert, naming, now))),
    );
  }, 180_000);
  afterAll(() => rig?.close());

  /** Pattern → series that exist, of many at once. */
  async function expanded(paths: readonly string[]): Promise<Readonly<Record<string, readonly string[]>>> {
    const body = new URLSearchParams([...paths.map((path): [string, string] => ['query', path]), ['groupByExpr', '1']]);
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const { status, text } = await rig.graphite.ask('/metrics/expand', { body: `${body}`, headers });
    expect(status, text.slice(-500)).toBe(200);
    return JSON.parse(text).results;
  }

  describe.each(evaluated)('alert rules, $id', (naming) => {
    it.each(alerts)('$id fires when it must, and only then', async (alert) => {
      const from = `-${alert.lookBackMinutes}min`;
      const expected = (courses[alert.id] ?? []).filter(({ fires }) => fires).map(({ target }) => target);
      expect(expected.length).toBeGreaterThan(0);
      const all = await rig.series(moved(judged(alert, naming)), from);
      const targetIn = ({ tags }: Rendered): string => (tags.name ?? '').split(`${PREFIX}.`)[1]?.split('.')[0] ?? '';
      // What Grafana is given: one series for each thing, told apart by its labels, of which the last value is compared.
      expect(new Set(all.map(({ tags }) => JSON.stringify(tags))).size).toBe(all.length);
      const last = all.filter((one) => (valuesOf(one).at(-1) ?? Number.NEGATIVE_INFINITY) > alert.above);
      expect(last.map(targetIn).toSorted()).toEqual(expected.toSorted());
      const shown = await rig.series(moved(fired(alert, naming)), from);
      expect(shown).toHaveLength(expected.length);
      const checked = await sh('config/alerts/check.sh', rig.graphite.url, naming.id, alert.id, PREFIX);
      const word = alert.severity === 'critical' ? 'CRITICAL' : 'WARNING';
      const names = shown.map(({ target }) => target).toSorted();
      expect(checked.stdout.trim().split(' ').toSorted()).toEqual([word, `${alert.id}:`, ...names].toSorted());
      expect(checked.status).toBe(alert.severity === 'critical' ? 2 : 1);
      const quiet = await sh('config/alerts/check.sh', rig.graphite.url, naming.id, alert.id, 'nobody');
      // Where nothing is, nothing is bad; but for the rule that is about that.
      if (alert.nothingIsBad === true)
        expect(quiet).toMatchObject({ status: 2, stdout: `CRITICAL ${alert.id}: none.none\n` });
      else expect(quiet).toMatchObject({ status: 0, stdout: `OK ${alert.id}\n` });
    });
  });

  interface Asked {
    /** The same for the two forms of a path from which a label may be left out: one of them must be there. */
    readonly key: string;
    readonly target: string;
  }

  function askedBy(dashboard: Dashboard, naming: Naming): Asked[] {
    return panelsOf(dashboard).flatMap(({ title, lines }) =>
      lines.map((line) => {
        const { labels, name } = line.instrument.metric;
        const target = withoutVariables(targetOf(line, naming));
        const isEither = labels.includes('port') && labels.includes('interface');
        return { key: `${title}: ${isEither ? `${line.called} ${name}` : target}`, target };
      }),
    );
  }

  const without = (all: readonly Asked[], has: (target: string) => boolean): string[] => {
    const there = new Set(all.filter(({ target }) => has(target)).map(({ key }) => key));
    return [...new Set(all.map(({ key }) => key))].filter((key) => !there.has(key));
  };

  async function unresolved(all: readonly Asked[]): Promise<string[]> {
    const pathsOf = (target: string): string[] => pathsIn(parseExpression(target));
    const found = await expanded(all.flatMap(({ target }) => pathsOf(target)));
    return without(all, (target) => pathsOf(target).every((path) => (found[path]?.length ?? 0) > 0));
  }

  describe.each(namings)('$id', (naming) => {
    it.each(dashboards)('$id: every expression is of series that exist', async (dashboard) => {
      expect(await unresolved(askedBy(dashboard, naming))).toEqual([]);
    });
  });

  describe.each(evaluated)('$id', (naming) => {
    it.each(dashboards)('$id: every expression gives series with values, and a legend', async (dashboard) => {
      const all = askedBy(dashboard, naming);
      const answers = new Map<string, Rendered[]>();
      for (const { target } of all) answers.set(target, await rig.series(target));
      expect(without(all, (target) => answers.get(target)?.some((one) => valuesOf(one).length > 0) === true)).toEqual(
        [],
      );
      for (const [target, series] of answers)
        for (const one of series) expect(one.target, target).toMatch(/^(?:[a-zA-Z ,]+ )?[\w-]+(?:\.[\w-]+)*$/);
    });
  });

  it('names what does not resolve, when a metric has another name than what is sent', async () => {
    const renamed = declared.map(([name, metrics]) => {
      const changed = Object.entries(metrics).map(([key, metric]) =>
        metric.name === 'utilisation_ratio' ? [key, { ...metric, name: 'use_ratio' }] : [key, metric],
      );
      return [name, Object.fromEntries(changed)] as const;
    });
    expect(() => dashboardsOf(catalogueOf(renamed))).toThrow('htb has no metric "utilisation_ratio"');
    const [naming] = namings;
    const [vms] = dashboards;
    if (naming === undefined || vms === undefined) throw new Error('there are no dashboards');
    const other = askedBy(vms, naming).map(({ key, target }) => ({
      ...{ key, target: target.replaceAll('.utilisation_ratio', '.use_ratio') },
    }));
    expect((await unresolved(other)).some((key) => key.includes('utilisation_ratio'))).toBe(true);
  });

  it('would fail by a function that graphite-web does not have', async () => {
    // Its list of functions is not to be had: /functions of Debian 12's fails by itself, as its Python is newer.
    await expect(rig.series('noSuchFunction(edge.hv01.tcp.curr_estab)')).rejects.toThrow('noSuchFunction');
  });

  describe('graphite-web', () => {
    it('takes the dashboards by its own API, and draws every graph of them', async () => {
      const id = 'carbon';
      const { graphite } = rig;
      await graphite.post({ what: 'deploy', tags: ['deploy'], when: now - 120 });
      const imported = await sh('config/graphite-web/import.sh', graphite.url, id);
      expect(imported).toMatchObject({ status: 0, stderr: '' });
      const names = readdirSync(join(root, 'config/graphite-web', id)).map((file) => file.replace('.json', ''));
      expect(imported.stdout.trim().split('\n')).toEqual(names.map((name) => `${graphite.url}/dashboard/${name}`));
      for (const name of names) {
        const { state } = JSON.parse((await graphite.ask(`/dashboard/load/${name}`)).text);
        expect(state).toEqual(JSON.parse(readFileSync(join(root, `config/graphite-web/${id}/${name}.json`), 'utf8')));
        for (const [, { title }, url] of state.graphs) {
          const { status, body, text } = await graphite.ask(url);
          expect(status, `${name}: ${title}: ${text.slice(-800)}`).toBe(200);
          expect(isPng(body), title).toBe(true);
          const picture = readPng(body);
          expect([picture.width, picture.height]).toEqual([580, 300]);
        }
        expect((await graphite.ask(`/dashboard/${name}`)).status).toBe(200);
      }
    }, 120_000);

    it('shows one machine by the template, with the prefix that was asked for', async () => {
      const { graphite } = rig;
      await sh('config/graphite-web/import.sh', `${graphite.url}/`, 'carbon', 'dc1.edge');
      const { state } = JSON.parse((await graphite.ask('/dashboard/load/edgestatd-vms')).text);
      const [[, { target }, url]] = state.graphs;
      expect(target[0]).toContain('(dc1.edge.*.htb.');
      expect(url).toContain('dc1.edge.*.htb.');
      const one = JSON.parse((await graphite.ask('/dashboard/load_template/edgestatd-vms/dc1.edge.hv01')).text);
      const [[, shown]] = one.state.graphs;
      expect(shown.target[0]).toContain('(dc1.edge.hv01.htb.');
    });

    it('says what is wrong with an import', async () => {
      const run = (...words: string[]) => sh('config/graphite-web/import.sh', ...words);
      expect(await run()).toMatchObject({ status: 2, stderr: expect.stringContaining('expected URL SET') });
      expect(await run(rig.graphite.url, 'influx')).toMatchObject({
        status: 2,
        stderr: expect.stringContaining('no set "influx"'),
      });
      expect(await run(rig.graphite.url, '../alerts')).toMatchObject({ status: 2 });
      expect(await run(rig.graphite.url, 'carbon', 'a/b')).toMatchObject({
        status: 2,
        stderr: expect.stringContaining('prefix "a/b"'),
      });
      expect(await run('http://127.0.0.1:9', 'carbon')).toMatchObject({
        status: 2,
        stderr: expect.stringContaining('did not take'),
      });
    });
  });

  it('the check says when it could not ask', async () => {
    const run = (...words: string[]) => sh('config/alerts/check.sh', ...words);
    const { url } = rig.graphite;
    expect(await run(url, 'statsd', 'no-such-rule')).toMatchObject({
      status: 3,
      stdout: expect.stringContaining('no rule "no-such-rule"'),
    });
    expect(await run(url, 'statsd', '.*')).toMatchObject({ status: 3 });
    expect(await run(url, '../statsd', 'retransmits')).toMatchObject({ status: 3 });
    expect(await run('http://127.0.0.1:9', 'statsd', 'retransmits')).toMatchObject({
      status: 3,
      stdout: expect.stringMatching(/^UNKNOWN retransmits: /),
    });
    expect(await run()).toMatchObject({ status: 3 });
  });
});
