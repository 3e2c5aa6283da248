/** The parts of docs/dashboards.md and docs/alerts.md that the definitions tell. */
import { cell, code, table } from '../generated/markdown.ts';
import { type Alert, fired } from './alert.ts';
import { type Dashboard, type Panel, panelsOf } from './model.ts';
import { type Naming, namings } from './naming.ts';

type Sections = Readonly<Record<string, string>>;

const setsTable = (): string =>
  table(
    ['folder', 'take it when you have'],
    namings.map(({ id, when }) => [code(id), when]),
  );

function metricsOf({ lines }: Panel): string {
  const names = lines.map(({ instrument: { collector, metric } }) => code(`${collector}.${metric.name}`));
  return [...new Set(names)].join(', ');
}

function dashboardSection(dashboard: Dashboard): string {
  const { id, title, question } = dashboard;
  const rows = panelsOf(dashboard).map((panel) => [cell(panel.title), metricsOf(panel), cell(panel.about ?? '')]);
  const picture = `![${title}, rendered by graphite-web](images/dashboard-${id.replace('edgestatd-', '')}.png)`;
  return [`### ${title}`, `${question} (${code(id)})`, picture, table(['graph', 'made of', 'read it so'], rows)].join(
    '\n\n',
  );
}

function alertSection(alert: Alert, naming: Naming): string {
  const { id, title, condition, meaning, action, severity } = alert;
  const expression = ['```', fired(alert, naming), '```'].join('\n');
  return [
    `### ${title}`,
    `${code(id)}, ${severity}: ${condition}.`,
    meaning,
    `**What to do.** ${action}`,
    expression,
  ].join('\n\n');
}

/** File → its sections. */
export function pages(dashboards: readonly Dashboard[], alerts: readonly Alert[]): Readonly<Record<string, Sections>> {
  const [first] = namings;
  if (first === undefined) throw new Error('there is no way to name series');
  const summary = alerts.map(({ id, condition, severity, lookBackMinutes }) => [
    ...[code(id), severity, cell(condition), `-${lookBackMinutes}min`],
  ]);
  return {
    'docs/dashboards.md': { sets: setsTable(), dashboards: dashboards.map(dashboardSection).join('\n\n') },
    'docs/alerts.md': {
      summary: table(['rule', 'severity', 'fires when', 'look back'], summary),
      rules: alerts.map((alert) => alertSection(alert, first)).join('\n\n'),
    },
  };
}
