/** Points → text for people and scripts: sorted series lines, or JSON objects. Pure. */
import type { Point } from '../point.ts';
import { decimal } from './lines.ts';

/** `series value kind unit`, sorted by series; points without a value are left out. */
export function seriesLines(points: readonly Point[]): string[] {
  return shown(points).map((point) => `${point.path} ${valueText(point)} ${point.metric.kind} ${point.metric.unit}`);
}

/** `{series, metric, labels, value, kind, unit}`, one object a line, sorted by series. */
export function jsonLines(points: readonly Point[]): string[] {
  return shown(points).map((point) => {
    const { metric, path } = point;
    const names = [...metric.labels, ...(metric.tags ?? [])];
    const labels = Object.fromEntries(names.map((name) => [name, point.labels[name]]));
    const text = (value: unknown): string => JSON.stringify(value);
    // Totals above 2^53 stay exact, which JSON.stringify cannot do.
    return (
      `{"series":${text(path)},"metric":${text(metric.name)},"labels":${text(labels)},` +
      `"value":${valueText(point)},"kind":${text(metric.kind)},"unit":${text(metric.unit)}}`
    );
  });
}

function shown(points: readonly Point[]): Point[] {
  return points
    .filter((point) => point.value !== undefined && point.taggedOnly !== true)
    .sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

/** A counter whose increment was replaced by its total (`once`) keeps all of its digits. */
function valueText({ value, total }: Point): string {
  if (typeof total === 'bigint' && value === Number(total)) return total.toString();
  return decimal(value ?? 0);
}
