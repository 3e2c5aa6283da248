/** Open vSwitch's kernel module: whether the running kernel has one that fits, and whether the next one will. */
import { type Context, defineCollector, type Reading } from '../../src/collector.ts';
import { type Metric, type Sample, sample } from '../../src/metric.ts';
import { checkModule } from './check.ts';
import { examine, type Fit } from './examine.ts';
import { isFit, metrics, REASONS } from './metrics.ts';
import { type OvsKmodOptions, options } from './options.ts';
import { tables } from './tables.ts';

export const ovsKmod = defineCollector<OvsKmodOptions>({
  name: 'ovs_kmod',
  options,
  metrics,
  tables,
  async collect(context: Context<OvsKmodOptions>): Promise<Reading> {
    const { vswitchd, kernels, isLoaded, problems } = await examine(context);
    const samples = [sample(metrics.loaded, isLoaded ? 1 : 0)];
    if (vswitchd.bridges !== undefined) samples.push(sample(metrics.applicable, kernels === undefined ? 0 : 1));
    if (kernels !== undefined) {
      const { isCurrent, running, pending } = kernels;
      if (isCurrent !== undefined) samples.push(sample(metrics.current, isCurrent ? 1 : 0));
      samples.push(...fitSamples(running, metrics.matchRunning, metrics.runningReason));
      if (pending !== undefined) {
        samples.push(sample(metrics.kernelPending, pending.kernel === running.kernel ? 0 : 1));
        samples.push(...fitSamples(pending, metrics.matchPending, metrics.pendingReason));
      }
    }
    // The series are always the same ones: what is not told now is unknown, and never ends with a 0.
    return { samples, problems, unread: [{}] };
  },
  check: checkModule,
});

function fitSamples(
  { kernel, module, expected, reason: why }: Fit,
  match: Metric<never>,
  because: Metric<'reason'>,
): Sample[] {
  if (why === undefined) return [];
  const labels = { kernel, module: module?.version ?? module?.origin ?? 'none', vswitchd: expected };
  return [
    { metric: match, value: isFit(why) ? 1 : 0, labels },
    ...REASONS.map((reason) => sample(because, reason === why ? 1 : 0, { reason })),
  ];
}
