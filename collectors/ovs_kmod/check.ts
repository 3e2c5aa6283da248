/** For `edgestatd check`: what fits and what does not. What is not known, and why, is told by the run that follows. */
import type { Context, Verdict } from '../../src/collector.ts';
import { asFailure, Failure } from '../../src/errors.ts';
import { quoted } from '../../src/text.ts';
import { examine, type Fit } from './examine.ts';
import { isFit, type Reason } from './metrics.ts';
import type { OvsKmodOptions } from './options.ts';

export async function checkModule(context: Context<OvsKmodOptions>): Promise<readonly Verdict[]> {
  const findings = await examine(context).catch(asFailure);
  if (findings instanceof Failure) return [];
  const { kernels } = findings;
  const verdicts: Verdict[] = [];
  if (kernels !== undefined) {
    verdicts.push(...verdictOf('the running kernel', kernels.running));
    if (kernels.pending !== undefined) verdicts.push(...verdictOf('the kernel of the next boot', kernels.pending));
    if (kernels.isCurrent === false) {
      const text = 'the module was updated since it was loaded: reload it (openvswitch force-reload-kmod), or boot';
      verdicts.push({ level: 'warn', text });
    }
  }
  return verdicts;
}

const advice: Readonly<Record<Reason, string>> = {
  built_in: 'is built into it',
  in_tree: 'is its own',
  same_version: 'is of vswitchd’s version',
  other_version: 'is not of vswitchd’s version: install the one that is, or update Open vSwitch',
  other_kernel: 'was built for another kernel, and does not load: install or build the one for this kernel',
  no_module: 'is not there: install it for this kernel (or its modules package) before the machine boots',
  not_loaded: 'is not loaded, while vswitchd has bridges that need it: modprobe openvswitch says why',
};

function verdictOf(which: string, { kernel, module, expected, reason }: Fit): Verdict[] {
  if (reason === undefined) return [];
  const versions = module?.version === undefined ? '' : ` ${module.version} (vswitchd ${expected ?? 'unknown'})`;
  return [
    {
      level: isFit(reason) ? 'ok' : 'fail',
      text: `${which}, ${quoted(kernel)}: its module${versions} ${advice[reason]}`,
    },
  ];
}
