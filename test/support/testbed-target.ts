/** A network namespace as a target: programs run in it, and /proc/net is its own. */
import { Failure } from '../../src/errors.ts';
import { localTarget } from '../../src/hosts/local.ts';
import type { Target } from '../../src/hosts/target.ts';

type Argv = readonly [program: string, ...args: string[]];

/** `prefix`: the words before a program that enter the namespace (nsenter's). */
export function namespaceTarget(name: string, prefix: Argv): Target {
  const local = localTarget(name);
  return {
    name,
    open(deadline) {
      const host = local.open(deadline);
      const run = (argv: Argv): Promise<string> =>
        host.run([...prefix, ...argv]).catch((thrown: unknown) => {
          throw asIfDirect(thrown, argv);
        });
      return {
        ...host,
        run,
        async readFile(path) {
          if (/^\/proc\/(?:self\/)?net\//.test(path)) {
            return run(['cat', '--', path]).catch((thrown: unknown) => {
              throw fileFailure(thrown, path);
            });
          }
          // What is mounted there shows the devices of this process's namespace, not of that one.
          if (path.startsWith('/sys/class/net/'))
            throw new Failure('E_NOT_FOUND', `"${path}" is not of ${name}`, { path });
          return host.readFile(path);
        },
        async netlink() {
          throw new Failure('E_NOT_FOUND', `netlink reaches the process's own network namespace, not ${name}`);
        },
      };
    },
    renew: () => local.renew(),
    close: () => local.close(),
  };
}

/** The failure that the program would have had without the words before it. */
function asIfDirect(thrown: unknown, argv: Argv): unknown {
  if (!(thrown instanceof Failure)) return thrown;
  const evidence = { ...thrown.evidence, argv, cause: thrown };
  if (thrown.evidence.stderr?.startsWith('nsenter: failed to execute')) {
    return new Failure('E_NOT_FOUND', `program "${argv[0]}" was not found in PATH; install it or correct the option`, {
      argv,
      cause: thrown,
    });
  }
  return new Failure(thrown.code, thrown.message.replace(/^nsenter\b/, argv[0]), evidence);
}

function fileFailure(thrown: unknown, path: string): unknown {
  if (!(thrown instanceof Failure) || thrown.code !== 'E_EXIT') return thrown;
  const details = { path, cause: thrown };
  if (thrown.evidence.stderr?.includes('No such file'))
    return new Failure('E_NOT_FOUND', `"${path}" does not exist`, details);
  return new Failure('E_DENIED', `"${path}" may not be read by this user`, details);
}
