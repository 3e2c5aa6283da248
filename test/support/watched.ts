import type { Host } from '../../src/collector.ts';
import type { Target } from '../../src/hosts/target.ts';

type Argv = Parameters<Host['run']>[0];

/** The target, of which `look` sees each program before it is started. */
export function watched(target: Target, look: (argv: Argv) => Promise<unknown>): Target {
  return {
    ...target,
    open(deadline) {
      const host = target.open(deadline);
      return {
        ...host,
        async run(argv) {
          await look(argv);
          return host.run(argv);
        },
      };
    },
  };
}
