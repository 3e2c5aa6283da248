/** An operator's own program: what it prints, as far as the job declares it. */
import { type Context, defineCollector, type Reading } from '../../src/collector.ts';
import type { Failure } from '../../src/errors.ts';
import { sample } from '../../src/metric.ts';
import { checkExec } from './check.ts';
import { absentProblem, measure, undeclaredProblem } from './measure.ts';
import { metrics } from './metrics.ts';
import { checkName, declaredIn, type ExecOptions, options } from './options.ts';
import { readOutput } from './output.ts';

export const exec = defineCollector<ExecOptions>({
  name: 'exec',
  options,
  metrics,
  async collect({ host, options, atMs }: Context<ExecOptions>): Promise<Reading> {
    const check = checkName(options);
    const declared = declaredIn(options);
    const { status, said, values, problems } = await readOutput(host, options, atMs);
    const measured = measure(values, declared, options, check);
    const { undeclared, missing } = measured;
    const labels = { check };
    const told = [absentProblem(measured, declared, { check, said }), undeclaredProblem(undeclared)];
    return {
      samples: [
        ...(status === undefined ? [] : [sample(metrics.status, status, labels)]),
        sample(metrics.values, values.length, labels),
        sample(metrics.undeclared, undeclared.length, labels),
        sample(metrics.missing, missing, labels),
        ...measured.samples,
      ],
      problems: [...problems, ...measured.problems, ...told.filter((one): one is Failure => one !== undefined)],
    };
  },
  check: checkExec,
});
