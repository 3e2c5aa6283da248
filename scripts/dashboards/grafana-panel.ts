/** A panel → Grafana's JSON: time series, states over time, or bars. */

import { grafanaUnit } from './grafana-units.ts';
import { aboutOf, type Panel, targetOf, unitOf } from './model.ts';
import type { Naming } from './naming.ts';

export type Json = Readonly<Record<string, unknown>>;
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

/** The variable is the chosen data source; an import replaces it by what is chosen there. */
export const dataSource: Json = { type: 'graphite', uid: ['$', '{DS_GRAPHITE}'].join('') };

const RED = 'red';
const GREEN = 'green';
const PLAIN = 'text';
const refId = (at: number): string => String.fromCharCode(65 + at);

/** A line where something gets bad; without one nothing is. */
function thresholds({ warnAbove, kind, good = 1 }: Panel): Json {
  const steps = (below: string, at: number, above: string): Json => ({
    mode: 'absolute',
    steps: [
      { color: below, value: null },
      { color: above, value: at },
    ],
  });
  if (kind === 'states') return good === 1 ? steps(RED, 1, GREEN) : steps(GREEN, 1, RED);
  if (warnAbove === undefined) return { mode: 'absolute', steps: [{ color: PLAIN, value: null }] };
  return steps(GREEN, warnAbove, RED);
}

function display(panel: Panel): { readonly type: string; readonly options: Json; readonly custom: Json } {
  const tooltip = { mode: 'multi', sort: 'desc' };
  if (panel.kind === 'states')
    return {
      type: 'state-timeline',
      options: { mergeValues: true, showValue: 'never', rowHeight: 0.8, legend: { showLegend: false }, tooltip },
      custom: { lineWidth: 0, fillOpacity: 70 },
    };
  if (panel.kind === 'bars')
    return {
      type: 'bargauge',
      options: {
        ...{ displayMode: 'basic', orientation: 'horizontal', showUnfilled: true },
        reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
      },
      custom: {},
    };
  return {
    type: 'timeseries',
    options: { legend: { displayMode: 'list', placement: 'bottom', showLegend: true }, tooltip },
    custom: {
      ...{ drawStyle: 'line', lineWidth: 1, fillOpacity: 0, showPoints: 'auto', spanNulls: false },
      thresholdsStyle: { mode: panel.warnAbove === undefined ? 'off' : 'line' },
    },
  };
}

/** 0 and 1 in words. */
const yesAndNo = [{ type: 'value', options: { 0: { text: 'no', index: 0 }, 1: { text: 'yes', index: 1 } } }];

/** Lines with another unit than the first one's. */
function ownUnits({ lines: [first, ...others] }: Panel): Json[] {
  return others.flatMap((line, at) => {
    const unit = grafanaUnit(unitOf(line));
    if (first === undefined || unit === grafanaUnit(unitOf(first))) return [];
    return [{ matcher: { id: 'byFrameRefID', options: refId(at + 1) }, properties: [{ id: 'unit', value: unit }] }];
  });
}

export function grafanaPanel(panel: Panel, id: number, gridPos: Box, naming: Naming): Json {
  const { type, options, custom } = display(panel);
  const [first] = panel.lines;
  if (first === undefined) throw new Error(`the panel "${panel.title}" shows nothing`);
  const isStates = panel.kind === 'states';
  return {
    ...{ id, type, title: panel.title, description: aboutOf(panel), datasource: dataSource, gridPos },
    targets: panel.lines.map((line, at) => ({
      ...{ refId: refId(at), datasource: dataSource, target: targetOf(line, naming), textEditor: true },
    })),
    fieldConfig: {
      defaults: {
        ...{ unit: grafanaUnit(unitOf(first)), thresholds: thresholds(panel), custom },
        color: { mode: panel.kind === undefined ? 'palette-classic' : 'thresholds' },
        ...(isStates ? { mappings: yesAndNo, min: 0, max: 1 } : {}),
      },
      overrides: ownUnits(panel),
    },
    options,
  };
}
