/**
 * A dashboard → what graphite-web keeps of one (webapp/graphite/dashboard/views.py `save`, static/js/dashboard.js
 * `applyState`): graphs as target text, parameters and URL, in that order.
 */
import { call, text } from './graphite-functions.ts';
import { type Dashboard, type Panel, panelsOf, targetOf, unitOf, withoutVariables } from './model.ts';
import type { Naming } from './naming.ts';

export interface Graph {
  readonly target: readonly string[];
  readonly title: string;
  readonly vtitle: string;
  readonly [parameter: string]: string | readonly string[];
}

const SIZE = { width: 580, height: 300 };
const HOURS = 3;
const deploys = call(
  'alias',
  call('color', call('drawAsInfinite', call('events', text('deploy'))), text('red')),
  text('deploy'),
);

const limit = (at: number): string => call('alias', call('color', call('threshold', at), text('red')), text(`${at}`));

export function graphOf(panel: Panel, { showsDeploys = false }: Dashboard, naming: Naming): Graph {
  const { title, lines, warnAbove, kind } = panel;
  const targets = lines.map((line) => withoutVariables(targetOf(line, naming)));
  const units = [...new Set(lines.map((line) => unitOf(line).replaceAll('_', ' ')))];
  return {
    target: [
      ...targets,
      ...(warnAbove === undefined || warnAbove === 0 ? [] : [limit(warnAbove)]),
      ...(showsDeploys ? [deploys] : []),
    ],
    title,
    vtitle: units.join(', '),
    ...(kind === 'states' ? { yMin: '0', yMax: '1.1', lineMode: 'staircase' } : { lineMode: 'connected' }),
    fontSize: '9',
  };
}

export function graphiteWebDashboard(dashboard: Dashboard, naming: Naming): unknown {
  const from = `-${HOURS}hours`;
  return {
    name: dashboard.id,
    timeConfig: {
      ...{ type: 'relative', relativeStartQuantity: String(HOURS), relativeStartUnits: 'hours' },
      ...{ relativeUntilQuantity: '', relativeUntilUnits: 'now' },
      // Read only when the type is another, and must be dates then.
      ...{ startDate: '2026-01-01T00:00:00', startTime: '9:00 AM', endDate: '2026-01-01T00:00:00', endTime: '5:00 PM' },
    },
    refreshConfig: { enabled: true, interval: 60_000 },
    graphSize: SIZE,
    defaultGraphParams: { from, until: 'now', width: SIZE.width, height: SIZE.height },
    graphs: panelsOf(dashboard).map((panel) => {
      const graph = graphOf(panel, dashboard, naming);
      const words = new URLSearchParams({ from, until: 'now', width: `${SIZE.width}`, height: `${SIZE.height}` });
      for (const [name, value] of Object.entries(graph))
        for (const one of typeof value === 'string' ? [value] : value) words.append(name, one);
      const targets = new URLSearchParams(graph.target.map((one): [string, string] => ['target', one]));
      return [`${targets}`, graph, `/render?${words}`];
    }),
  };
}
