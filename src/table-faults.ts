/** What is wrong with the tables that a collector declares: those of plugins are nobody's types. Pure. */
import type { Metric } from './metric.ts';
import type { Form, Table } from './table.ts';

const NAME = /^[a-z][a-z0-9-]{0,31}$/;
const FORMS: readonly Form[] = ['ratio', 'number', 'bits', 'bytes', 'seconds', 'boolean'];

/** One sentence, or undefined. The metrics are those of the collector. */
export function tablesFault(tables: unknown, metrics: readonly Metric[]): string | undefined {
  if (tables === undefined) return undefined;
  if (!Array.isArray(tables)) return 'tables must be an array';
  const names = new Set<string>();
  for (const table of tables) {
    const fault = tableFault(table, metrics);
    if (fault !== undefined) return fault;
    const { name } = table as Table;
    if (names.has(name)) return `table ${name} is declared twice`;
    names.add(name);
  }
  return undefined;
}

function tableFault(table: Partial<Table> | null, metrics: readonly Metric[]): string | undefined {
  const { name, title, labels, tags = [], columns, sortBy } = table ?? {};
  if (typeof name !== 'string' || !NAME.test(name)) return `the name of a table must match ${NAME.source}`;
  const wrong = (what: string): string => `table ${name}: ${what}`;
  if (name === 'list') return wrong('this name is a word of "edgestatd top"');
  if (typeof title !== 'string') return wrong('title must be a text');
  if (!isTexts(labels) || !isTexts(tags)) return wrong('labels and tags must be arrays of texts');
  if (!Array.isArray(columns) || columns.length === 0) return wrong('columns must be an array of at least one');
  const titles = columns.map((column) => (column as { title?: unknown } | null)?.title);
  if (!isTexts(titles) || new Set(titles).size < titles.length)
    return wrong('its columns must have titles of their own');
  if (sortBy === undefined || !titles.includes(sortBy)) return wrong('sortBy must be the title of a column');
  for (const { title: which, metric, form } of columns) {
    if (!metrics.includes(metric)) return wrong(`the metric of the column ${which} is none of this collector`);
    if (!FORMS.includes(form)) return wrong(`the form of the column ${which} must be one of ${FORMS.join(', ')}`);
  }
  return undefined;
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}
