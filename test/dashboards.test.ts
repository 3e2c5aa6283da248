/** The generated dashboards and alert rules by their shape: what Grafana and graphite-web read, without either. */
import { describe, expect, it, test } from 'vitest';
import { parse } from 'yaml';
import { fired } from '../scripts/dashboards/alert.ts';
import { alertsOf } from '../scripts/dashboards/alerts.ts';
import { dashboardsOf } from '../scripts/dashboards/all.ts';
import { catalogueOf, declared } from '../scripts/dashboards/catalogue.ts';
import { generatedFiles } from '../scripts/dashboards/files.ts';
import { grafanaUnit } from '../scripts/dashboards/grafana-units.ts';
import { panelsOf, unitOf } from '../scripts/dashboards/model.ts';
import { namings, nodeOf, seriesOf } from '../scripts/dashboards/naming.ts';
import { callsIn, parseExpression, pathsIn } from './support/graphite-expression.ts';

const catalogue = catalogueOf(declared);
const files = generatedFiles(catalogue);
const grafana = [...files].filter(([file]) => /^config\/grafana\/.*\.json$/.test(file));
const where = { prefix: 'dc1.edge', target: 'hv01' };

interface Box {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

test('there is each dashboard in each set, for both', () => {
  expect(grafana).toHaveLength(namings.length * 6);
  expect([...files.keys()].filter((file) => file.startsWith('config/graphite-web/'))).toHaveLength(namings.length * 6);
  expect([...files.keys()]).toEqual([...files.keys()].toSorted());
  expect([...generatedFiles(catalogue)]).toEqual([...files]);
});

describe.each(grafana)('%s', (file, text) => {
  const dashboard = JSON.parse(text);
  const panels: {
    id: number;
    type: string;
    title: string;
    gridPos: Box;
    targets?: { refId: string; target: string }[];
  }[] = dashboard.panels;

  it('has an id of its own, the same in each set, and panels that have one, too', () => {
    expect(file).toContain(`/${dashboard.uid}.json`);
    expect(dashboard.uid.length).toBeLessThanOrEqual(40);
    const ids = panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(dashboard.id).toBeNull();
  });

  it('lies on the grid, and no panel on another', () => {
    const cells = new Set<string>();
    for (const { gridPos, title } of panels) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(cells.has(`${x} ${y}`), title).toBe(false);
          cells.add(`${x} ${y}`);
        }
    }
  });

  it('asks by expressions that can be read, and by variables that it declares', () => {
    const variables: { name: string; query: string; regex?: string }[] = dashboard.templating.list;
    const names = new Set(variables.map(({ name }) => name));
    for (const { title, targets = [], type } of panels) {
      expect(targets.length > 0, title).toBe(type !== 'row');
      expect(new Set(targets.map(({ refId }) => refId)).size, title).toBe(targets.length);
      for (const { target } of targets) {
        const expression = parseExpression(target);
        expect(callsIn(expression).length, target).toBeGreaterThan(0);
        for (const path of pathsIn(expression))
          for (const [, plain, braced] of path.matchAll(/\$(?:(\w+)|\{(\w+)\})/g))
            expect([...names], target).toContain(plain ?? braced);
      }
    }
    for (const { query } of variables)
      for (const [, plain, braced] of query.matchAll(/\$(?:(\w+)|\{(\w+)\})/g))
        expect([...names]).toContain(plain ?? braced);
  });

  it('takes its data from the input that an import asks for', () => {
    const sources = [...text.matchAll(/"type": "graphite",\s+"uid": "([^"]+)"/g)].map(([, uid]) => uid);
    expect(new Set(sources)).toEqual(new Set(['$'.concat('{DS_GRAPHITE}')]));
    expect(dashboard.__inputs).toMatchObject([{ name: 'DS_GRAPHITE', type: 'datasource', pluginId: 'graphite' }]);
  });
});

test('the choice of VIFs leaves out what stands beside them', () => {
  const { templating } = JSON.parse(files.get('config/grafana/carbon/edgestatd-vms.json') ?? '');
  const { regex } = templating.list.find(({ name }: { name: string }) => name === 'vif');
  const shows = new RegExp(regex.slice(1, -1));
  const names = ['vif1_0', 'inner_1_fffe', 'classes_of_vm', 'classes', 'qdisc_sent_bytes', 'direct_packets'];
  expect(names.filter((name) => shows.test(name))).toEqual(['vif1_0', 'classes_of_vm']);
});

describe('names', () => {
  const htb = catalogue.of('htb');
  const places = { device: 'eth1', name: 'vif1_0' };
  const own = catalogue.of('edgestatd')('duration_seconds');

  test('are those of each way into Graphite', () => {
    const name = (metric: string) => namings.map((naming) => seriesOf(htb(metric), places, where, naming));
    const path = 'dc1.edge.hv01.htb.eth1.vif1_0';
    const gauge = `stats.gauges.${path}.utilisation_ratio`;
    expect(name('utilisation_ratio')).toEqual([gauge, gauge, `${path}.utilisation_ratio`, `${path}.utilisation_ratio`]);
    expect(name('sent_bytes')).toEqual([
      ...[`stats.counters.${path}.sent_bytes.rate`, `stats.${path}.sent_bytes`],
      ...[`perSecond(${path}.sent_bytes)`, `${path}.sent_bytes_per_second`],
    ]);
    expect(namings.map((naming) => seriesOf(own, { job: 'htb' }, where, naming))).toEqual([
      ...Array(2).fill('scale(stats.timers.dc1.edge.hv01.edgestatd.htb.duration_milliseconds.upper,0.001)'),
      ...Array(2).fill('dc1.edge.hv01.edgestatd.htb.duration_seconds'),
    ]);
  });

  test('show their parts, counted from the end, whatever stands before and behind', () => {
    for (const naming of namings)
      for (const [instrument, at] of [
        [htb('utilisation_ratio'), places],
        [htb('sent_bytes'), places],
        [own, { job: 'eth1' }],
      ] as const) {
        const [path = ''] = pathsIn(parseExpression(seriesOf(instrument, at, where, naming)));
        const parts = path.split('.');
        const part = (what: string) => parts.at(nodeOf(what, instrument, at, naming));
        expect(part('target')).toBe('hv01');
        expect(part(Object.keys(at)[0] ?? '')).toBe('eth1');
        expect(part('metric')).toMatch(new RegExp(`^${instrument.metric.name.replace('_seconds', '')}`));
      }
  });

  test('refuse labels that the metric does not have', () => {
    const [naming] = namings;
    if (naming === undefined) throw new Error('no naming');
    expect(() => seriesOf(htb('classes'), places, where, naming)).toThrow('htb.classes has no label "name": device');
    expect(() => nodeOf('vhost', htb('classes'), { device: '*' }, naming)).toThrow('does not show the label "vhost"');
  });
});

test('a metric, or a collector, that the catalogue has no more ends the generation', () => {
  const renamed = declared.map(([name, metrics]) => {
    const kept = Object.entries(metrics).filter(([, metric]) => metric.name !== 'retransmit_ratio');
    return [name, Object.fromEntries(kept)] as const;
  });
  expect(() => generatedFiles(catalogueOf(renamed))).toThrow('tcp has no metric "retransmit_ratio"');
  const fewer = declared.filter(([name]) => name !== 'rabbitmq');
  expect(() => generatedFiles(catalogueOf(fewer))).toThrow('no collector "rabbitmq"');
});

test('panels show one unit, but for those that say so in their legend', () => {
  const mixed = dashboardsOf(catalogue)
    .flatMap(panelsOf)
    .filter(({ lines }) => new Set(lines.map((line) => grafanaUnit(unitOf(line)))).size > 1);
  for (const { lines, title } of mixed) for (const { called } of lines) expect(called, title).toBeDefined();
  expect(mixed.map(({ title }) => title)).toEqual([
    ...['Alarms and splits', 'Connections and queues that come and go'],
    ...['Whether to trust these numbers', 'Metrics that wait on disk, and that were sent again'],
  ]);
});

test('a line has its own unit, also beside lines of another', () => {
  const { panels } = JSON.parse(files.get('config/grafana/carbon/edgestatd-rabbitmq.json') ?? '');
  const trust = panels.find(({ title }: { title: string }) => title === 'Whether to trust these numbers');
  expect(trust.fieldConfig.defaults.unit).toBe('s');
  expect(trust.fieldConfig.overrides).toEqual(
    ['B', 'C'].map((options) => ({
      matcher: { id: 'byFrameRefID', options },
      properties: [{ id: 'unit', value: 'suffix: queues' }],
    })),
  );
  const { graphs } = JSON.parse(files.get('config/graphite-web/carbon/edgestatd-rabbitmq.json') ?? '');
  const titles = graphs.map(([, graph]: [string, { title: string; vtitle: string }]) => [graph.title, graph.vtitle]);
  expect(titles).toContainEqual(['Whether to trust these numbers', 'seconds, queues']);
});

test('the data source takes the place of no other: neither of one with a usual name, nor of the default', () => {
  const { datasources } = parse(files.get('config/grafana/provisioning/datasources/edgestatd.yaml') ?? '');
  expect(datasources).toMatchObject([{ name: 'edgestatd', uid: 'edgestatd-graphite', isDefault: false }]);
});

describe('alert rules', () => {
  const alerts = alertsOf(catalogue);

  test.each(namings)(
    '$id: are a file that provisioning reads, without a dollar that it would take for a variable',
    ({ id }) => {
      const text = files.get(`config/grafana/${id}/alerting/edgestatd.yaml`) ?? '';
      expect(text).not.toContain('$');
      const { apiVersion, groups } = parse(text);
      expect(apiVersion).toBe(1);
      const [{ rules }] = groups;
      expect(rules).toHaveLength(alerts.length);
      for (const { uid, condition, data } of rules) {
        expect(uid).toMatch(/^[a-z-]{1,40}$/);
        expect(data.map(({ refId }: { refId: string }) => refId)).toEqual(['A', 'B', 'C']);
        expect(condition).toBe('C');
        expect(parseExpression(data[0].model.target).kind).toBe('call');
        expect(data[2].model.conditions[0].evaluator.type).toBe('gt');
      }
      expect(new Set(rules.map(({ uid }: { uid: string }) => uid)).size).toBe(rules.length);
    },
  );

  test('are told apart by names that need no quoting', () => {
    expect(new Set(alerts.map(({ id }) => id)).size).toBe(alerts.length);
    for (const { id } of alerts) expect(id).toMatch(/^[a-z]+(?:-[a-z]+)*$/);
    for (const naming of namings) for (const alert of alerts) expect(fired(alert, naming)).not.toMatch(/[\t\n$]/);
  });
});
