/** The module that a kernel has on disk: by XenServer's packages, by modinfo(8), or by depmod's lists. */
import type { Host } from '../../src/collector.ts';
import { asFailure, Failure } from '../../src/errors.ts';
import { quoted } from '../../src/text.ts';
import { type Module, moduleInLists, modulePackages, parseModinfo } from './parse.ts';
import type { At } from './pending.ts';

/** `none`: that kernel has no module. */
export type Installed = Module | 'none' | Failure;

export interface Disk {
  /** The kernels that have modules at all; a Failure: it cannot be told. */
  readonly kernels: readonly string[] | Failure;
  moduleOf(kernel: string): Promise<Installed>;
  readonly problems: readonly Failure[];
}

const MODULES = '/lib/modules';
const INVENTORY = '/etc/xensource-inventory';

export async function lookOnDisk(host: Host, at: At, root: string): Promise<Disk> {
  const problems: Failure[] = [];
  const [inventory] = await host.readFiles([at(INVENTORY)]);
  let packages = new Map<string, string>();
  if (typeof inventory === 'string') {
    const queried = await packagesOf(host, root);
    if (queried instanceof Failure) problems.push(queried);
    else packages = queried;
  }
  const kernels = await kernelsIn(host, at(MODULES));
  const asked = new Map<string, Promise<Installed>>();
  return {
    kernels,
    problems,
    moduleOf(kernel) {
      const version = packages.get(kernel);
      if (version !== undefined) return Promise.resolve({ origin: 'out_of_tree', version, srcversion: undefined });
      const before = asked.get(kernel) ?? installedFor(host, at, root, kernel, kernels);
      asked.set(kernel, before);
      return before;
    },
  };
}

/** One query for all kernels. */
async function packagesOf(host: Host, root: string): Promise<Map<string, string> | Failure> {
  const format = ['--queryformat', '%{NAME}\\t%{VERSION}\\n'];
  const where = root === '/' ? [] : ['--root', root];
  return host.run(['rpm', ...where, '-qa', ...format, 'openvswitch-modules-*']).then(modulePackages, asFailure);
}

async function kernelsIn(host: Host, path: string): Promise<readonly string[] | Failure> {
  const names = await host.list(path).catch(asFailure);
  if (!(names instanceof Failure) && names.length > 0) return names;
  if (names instanceof Failure && names.code !== 'E_NOT_FOUND') return names;
  const advice = 'in a container, mount the machine’s and set root';
  return new Failure('E_NOT_FOUND', `no kernel has modules in ${quoted(path)}: ${advice}`, { path });
}

async function installedFor(
  host: Host,
  at: At,
  root: string,
  kernel: string,
  kernels: readonly string[] | Failure,
): Promise<Installed> {
  if (kernels instanceof Failure) return kernels;
  if (!kernels.includes(kernel)) return 'none';
  const where = root === '/' ? [] : ['-b', root];
  const argv = ['modinfo', ...where, '-k', kernel, 'openvswitch'] as const;
  try {
    const { status, stdout, stderr } = await host.outcome(argv, [1]);
    if (status === 0) {
      const found = parseModinfo(stdout, kernel);
      return found ?? new Failure('E_PARSE', `modinfo printed no filename: ${quoted(stdout)}`, { argv });
    }
    if (/not found|could not find/i.test(stderr)) return 'none';
    // BusyBox’s tells of the running kernel alone.
    if (/(?:invalid|unrecognized) option/i.test(stderr)) return fromLists(host, at(`${MODULES}/${kernel}`));
    return new Failure('E_EXIT', `modinfo ended with status 1: ${quoted(stderr.trim())}`, {
      argv,
      exitCode: 1,
      stderr,
    });
  } catch (thrown) {
    const failure = asFailure(thrown);
    return failure.code === 'E_NOT_FOUND' ? fromLists(host, at(`${MODULES}/${kernel}`)) : failure;
  }
}

async function fromLists(host: Host, folder: string): Promise<Installed> {
  const [builtin = '', dependencies] = [
    await host.readFile(`${folder}/modules.builtin`).catch(() => ''),
    await host.readFile(`${folder}/modules.dep`).catch(asFailure),
  ];
  const found = moduleInLists(dependencies instanceof Failure ? '' : dependencies, builtin);
  return found ?? (dependencies instanceof Failure ? dependencies : 'none');
}
