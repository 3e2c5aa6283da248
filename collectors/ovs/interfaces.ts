/** Interfaces: their rows of the replica, and their statistics, which are asked for in every run. */
import { Failure } from '../../src/errors.ts';
import type { Sample } from '../../src/metric.ts';
import { mapIn, type Row, textIn } from '../../src/ovs/database.ts';
import type { Ovsdb } from '../../src/ovs/ovsdb.ts';
import type { Layout } from './layout.ts';
import { metrics } from './metrics.ts';
import { interfaceSamples, known, totalIn, tunnelSamples } from './rows.ts';
import { only, type Part, problem } from './scope.ts';
import { statisticMetric } from './statistics.ts';

const scope = only(['bridge', 'port', 'interface', 'state', 'type']);

export async function readInterfaces(database: Ovsdb, layout: Layout): Promise<Part> {
  const all = [...layout.interfaces.values()];
  const samples = [...all.flatMap(interfaceSamples), ...tunnelSamples(layout)];
  if (all.length === 0) return { samples, problems: [] };
  try {
    const statistics = statisticSamples(await database.select('Interface', ['name', 'statistics']), layout);
    return { samples: [...samples, ...statistics.samples], problems: statistics.problems };
  } catch (thrown) {
    return { samples, problems: [problem(thrown, scope, 'statistics of interfaces: ')] };
  }
}

/** An interface that came since the replica was looked at is measured by the next run. */
export function statisticSamples(rows: readonly Row[], { interfaces }: Layout): Part {
  const samples: Sample[] = [];
  let refused = 0;
  for (const row of rows) {
    const labels = interfaces.get(textIn(row.name) ?? '')?.labels;
    if (labels === undefined) continue;
    for (const [key, value] of mapIn(row.statistics)) {
      const metric = statisticMetric(key, (name) => Object.hasOwn(metrics, name));
      if (metric === undefined) refused += 1;
      else samples.push(...known(metric, totalIn(value), labels));
    }
  }
  if (refused === 0) return { samples, problems: [] };
  const text = `${refused} statistics of interfaces are not sent: there are too many that the catalogue does not know`;
  return { samples, problems: [problem(new Failure('E_SAMPLE', text, { count: refused }), scope)] };
}
