/**
 * A dashboard → the JSON model of Grafana. The schema is that of Grafana 9.0, which later ones bring up to date
 * themselves when they read it.
 */
import { type Box, dataSource, grafanaPanel, type Json } from './grafana-panel.ts';
import { type Dashboard, type Row, shared, type Variable } from './model.ts';
import type { Naming } from './naming.ts';

const SCHEMA_VERSION = 36;
const HEIGHT = 8;
const COLUMNS = 24;
/** By which all of these find each other. */
const TAG = 'edgestatd';

const textBox = (name: string, label: string, value: string, description: string): Json => ({
  ...{ name, label, description, type: 'textbox', hide: 0, query: value },
  current: { text: value, value },
  options: [{ text: value, value, selected: true }],
});

function choice({ name, label, query, except = [] }: Variable, naming: Naming): Json {
  const asked = naming.gauge(`$prefix.$target.${query}`);
  return {
    ...{ name, label, type: 'query', datasource: dataSource, query: asked, definition: asked, hide: 0 },
    // When the time range changes too: what is gone since is not asked for.
    ...{ refresh: 2, sort: 1, multi: true, includeAll: true, allValue: '*', options: [] },
    regex: except.length === 0 ? '' : `/^(?!(?:${except.join('|')})$)/`,
    current: { text: ['All'], value: ['$__all'], selected: true },
  };
}

function variables({ variables: own, hasCluster = false }: Dashboard, naming: Naming): Json[] {
  const targets = naming.gauge('$prefix.*');
  const target = choice({ name: 'target', label: 'Target', query: '' }, naming);
  const cluster = textBox(
    ...(['cluster', 'Cluster', shared.cluster] as const),
    'The option `cluster` of the job with a dot behind it (`cell1.`); empty where it is not set.',
  );
  return [
    { ...{ name: 'DS_GRAPHITE', label: 'Graphite', type: 'datasource', query: 'graphite', hide: 0 }, refresh: 1 },
    textBox('prefix', 'Prefix', shared.prefix, 'The option `prefix` of edgestatd.'),
    { ...target, query: targets, definition: targets },
    ...(hasCluster ? [cluster] : []),
    ...own.map((variable) => choice(variable, naming)),
  ];
}

/** Panels side by side while they fit, rows below each other. */
function panels(rows: readonly Row[], naming: Naming): Json[] {
  const placed: Json[] = [];
  let [y, id] = [0, 1];
  for (const { title, panels: inRow } of rows) {
    const gridPos: Box = { x: 0, y, w: COLUMNS, h: 1 };
    placed.push({ id, type: 'row', title, gridPos, collapsed: false, panels: [] });
    y += 1;
    id += 1;
    let x = 0;
    for (const panel of inRow) {
      const w = panel.width ?? 12;
      if (x + w > COLUMNS) [x, y] = [0, y + HEIGHT];
      placed.push(grafanaPanel(panel, id, { x, y, w, h: HEIGHT }, naming));
      x += w;
      id += 1;
    }
    if (x > 0) y += HEIGHT;
  }
  return placed;
}

const deployLines: Json = {
  ...{ name: 'Deploys', enable: true, iconColor: 'red', datasource: dataSource },
  target: { refId: 'Deploys', fromAnnotations: true, queryType: 'tags', tags: ['deploy'] },
};
/** Grafana's own, which is where `type: grafana` of edgestatd's destinations puts events. */
const ownAnnotations: Json = {
  ...{ name: 'Deploys in Grafana', enable: true, iconColor: 'orange' },
  datasource: { type: 'grafana', uid: '-- Grafana --' },
  target: { limit: 100, matchAny: false, tags: ['deploy'], type: 'tags' },
};

export function grafanaDashboard(dashboard: Dashboard, naming: Naming): Json {
  const { id, title, question, rows } = dashboard;
  return {
    __inputs: [
      {
        ...{ name: 'DS_GRAPHITE', label: 'Graphite', description: '', type: 'datasource' },
        ...{ pluginId: 'graphite', pluginName: 'Graphite' },
      },
    ],
    __requires: [
      { type: 'grafana', id: 'grafana', name: 'Grafana', version: '9.0.0' },
      { type: 'datasource', id: 'graphite', name: 'Graphite', version: '1.0.0' },
      ...['timeseries', 'state-timeline', 'bargauge'].map((panel) => ({
        ...{ type: 'panel', id: panel, name: panel, version: '' },
      })),
    ],
    ...{ id: null, uid: id, title, description: `${question} Generated for ${naming.title}.` },
    ...{ tags: [TAG], schemaVersion: SCHEMA_VERSION, version: 1, editable: true, graphTooltip: 1 },
    ...{ timezone: 'browser', refresh: '30s', time: { from: 'now-3h', to: 'now' } },
    links: [
      {
        ...{ type: 'dashboards', title: 'edgestatd', tags: [TAG], asDropdown: false, icon: 'external link' },
        ...{ includeVars: true, keepTime: true, targetBlank: false, tooltip: '', url: '' },
      },
    ],
    annotations: { list: [deployLines, ownAnnotations] },
    templating: { list: variables(dashboard, naming) },
    panels: panels(rows, naming),
  };
}
