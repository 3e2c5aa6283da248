/** Texts of modinfo(8), rpm(8), /sys/module, modules.dep(5) and ovs-vswitchd(8) → records; and what fits what. Pure. */
import { lines, words } from '../../src/text.ts';
import type { Reason } from './metrics.ts';

export interface Module {
  /** Out of tree: built for itself (DKMS, kmod packages, XenServer), and with a version of its own. */
  readonly origin: 'built_in' | 'in_tree' | 'out_of_tree';
  readonly version: string | undefined;
  /** A hash of its sources. */
  readonly srcversion: string | undefined;
  /** The kernel that it was built for, where it does not load into this one. */
  readonly otherKernel?: string | undefined;
}

/** A release as `uname -r` prints it; undefined: none. */
export function kernelRelease(text: string): string | undefined {
  const release = text.trim();
  return /^[0-9][A-Za-z0-9._+~-]{0,127}$/.test(release) ? release : undefined;
}

/** `ovs-vswitchd (Open vSwitch) 2.17.9`, in the first line that has it. */
export function vswitchdVersion(text: string): string | undefined {
  for (const line of lines(text)) {
    const version = /^ovs-vswitchd \(Open vSwitch\) ([0-9][A-Za-z0-9.+~_-]{0,63})\s*$/.exec(line)?.[1];
    if (version !== undefined) return version;
  }
  return undefined;
}

/** Fields `name:   value`; the first of each. `kernel`: the one that it was asked for. */
export function parseModinfo(text: string, kernel: string): Module | undefined {
  const fields = new Map<string, string>();
  for (const line of lines(text)) {
    const [, name = '', value = ''] = /^([a-z_]+):\s*(.*)$/.exec(line) ?? [];
    if (name !== '' && !fields.has(name)) fields.set(name, value.trim());
  }
  const path = fields.get('filename');
  if (path === undefined || path === '') return undefined;
  const known = (name: string): string | undefined => fields.get(name) || undefined;
  const [version, srcversion] = [known('version'), known('srcversion')];
  if (path === '(builtin)') return { origin: 'built_in', version, srcversion };
  const [built] = words(known('vermagic') ?? '');
  // A kmod package's module is linked into kernels of the same interface (weak-updates).
  const isOther = built !== undefined && built !== kernel && !path.includes('/weak-updates/');
  const isInTree = fields.get('intree') === 'Y' || (isKernels(path, kernel) && version === undefined);
  const otherKernel = isOther ? built : undefined;
  return { origin: isInTree ? 'in_tree' : 'out_of_tree', version, srcversion, otherKernel };
}

const isKernels = (path: string, kernel: string): boolean =>
  !path.startsWith('/') ? path.startsWith('kernel/') : path.includes(`/${kernel}/kernel/`);

/** Where there is no modinfo: modules.dep and modules.builtin say whether there is one, and not which version. */
export function moduleInLists(dependencies: string, builtin: string): Module | undefined {
  const isIt = (path: string): boolean => /(?:^|\/)openvswitch\.ko(?:\.(?:gz|xz|zst))?$/.test(path);
  if (lines(builtin).some(isIt)) return { origin: 'built_in', version: undefined, srcversion: undefined };
  const path = lines(dependencies)
    .map((line) => line.split(':')[0] ?? '')
    .find(isIt);
  if (path === undefined) return undefined;
  const isInTree = path.startsWith('kernel/') || /^\/(?:usr\/)?lib\/modules\/[^/]+\/kernel\//.test(path);
  return { origin: isInTree ? 'in_tree' : 'out_of_tree', version: undefined, srcversion: undefined };
}

/** Attributes of /sys/module/NAME; undefined: there is no such attribute. */
export interface Attributes {
  readonly initstate: string | undefined;
  readonly version: string | undefined;
  readonly srcversion: string | undefined;
  readonly taint: string | undefined;
}

/** What the kernel has now; undefined: nothing, or it is only coming or going. */
export function loadedModule({ initstate, version, srcversion, taint }: Attributes): Module | undefined {
  const text = (one: string | undefined): string | undefined => one?.trim() || undefined;
  const own = { version: text(version), srcversion: text(srcversion) };
  // What is built in has no state, and is there at all where it has a version or a parameter.
  if (initstate === undefined) return own.version === undefined ? undefined : { origin: 'built_in', ...own };
  if (initstate.trim() !== 'live') return undefined;
  // Kernels before 3.3 do not tell; the module of the kernel itself never had a version.
  const isOutOfTree = taint === undefined ? own.version !== undefined : taint.includes('O');
  return { origin: isOutOfTree ? 'out_of_tree' : 'in_tree', ...own };
}

/**
 * XenServer's packages `openvswitch-modules-xen-<kernel>`, a line `name<TAB>version` for each → the kernel's release
 * (as `uname -r` prints it: with `xen` behind it) → the version of the module.
 */
export function modulePackages(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of lines(text)) {
    const [name = '', version = ''] = line.split('\t');
    const kernel = /^openvswitch-modules-xen-([0-9]\S*)$/.exec(name)?.[1];
    if (kernel === undefined || !/^[0-9]\S*$/.test(version)) continue;
    found.set(kernel, version);
    found.set(`${kernel}xen`, version);
  }
  return found;
}

/** A build number (`1.4.6+build9926`) counts only where both have one: packages leave it out. */
export function isSameVersion(a: string, b: string): boolean {
  const [[plainA = '', buildA], [plainB = '', buildB]] = [a.split('+'), b.split('+')];
  return plainA === plainB && (buildA === buildB || buildA === undefined || buildB === undefined);
}

/** Undefined: a version that is needed is not known. `expected`: that of vswitchd. */
export function reasonOf(module: Module | undefined, expected: string | undefined): Reason | undefined {
  if (module === undefined) return 'no_module';
  if (module.otherKernel !== undefined) return 'other_kernel';
  if (module.origin !== 'out_of_tree') return module.origin;
  if (module.version === undefined || expected === undefined) return undefined;
  return isSameVersion(module.version, expected) ? 'same_version' : 'other_version';
}
