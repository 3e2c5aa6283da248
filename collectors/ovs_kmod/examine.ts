/** What is found of the module, of the running kernel and of the pending one. */
import type { Context } from '../../src/collector.ts';
import { Failure } from '../../src/errors.ts';
import { quoted } from '../../src/text.ts';
import { type Installed, lookOnDisk } from './installed.ts';
import type { Reason } from './metrics.ts';
import type { OvsKmodOptions } from './options.ts';
import { kernelRelease, loadedModule, type Module, reasonOf } from './parse.ts';
import { type At, pendingKernel } from './pending.ts';
import { askVswitchd, type Vswitchd } from './vswitchd.ts';

/** One kernel and its module; what is undefined is not known. */
export interface Fit {
  readonly kernel: string;
  readonly module: Module | undefined;
  /** The version that it is to fit. */
  readonly expected: string | undefined;
  readonly reason: Reason | undefined;
}

export interface Findings {
  readonly vswitchd: Vswitchd;
  /** Undefined: all bridges are in userspace, and nothing else was looked at. */
  readonly kernels:
    | {
        readonly isLoaded: boolean;
        /** Whether what is loaded is what is on disk. */
        readonly isCurrent: boolean | undefined;
        readonly running: Fit;
        readonly pending: Fit | undefined;
      }
    | undefined;
  readonly isLoaded: boolean;
  readonly problems: readonly Failure[];
}

/** Since 1.7 it is called openvswitch. */
const NAMES = ['openvswitch', 'openvswitch_mod'];
const ATTRIBUTES = ['initstate', 'version', 'srcversion', 'taint'] as const;

export async function examine({ host, options }: Pick<Context<OvsKmodOptions>, 'host' | 'options'>): Promise<Findings> {
  const vswitchd = await askVswitchd(host, options);
  const problems: Failure[] = [...vswitchd.problems];
  const { root } = options;
  const at: At = (path) => (root === '/' ? path : `${root}${path}`);
  // The kernel is the same for all containers, so its own files need no root.
  const paths = NAMES.flatMap((name) => ATTRIBUTES.map((attribute) => `/sys/module/${name}/${attribute}`));
  const texts = await host.readFiles(['/proc/sys/kernel/osrelease', ...paths]);
  const loaded = loadedIn(texts.slice(1));
  const isLoaded = loaded !== undefined;
  const { bridges } = vswitchd;
  if (bridges !== undefined && bridges.kernel === 0 && bridges.userspace > 0) {
    problems.push(notApplicable(bridges.userspace));
    return { vswitchd, kernels: undefined, isLoaded, problems };
  }
  const [text] = texts;
  const kernel = typeof text === 'string' ? kernelRelease(text) : undefined;
  if (kernel === undefined) throw text instanceof Failure ? text : noRelease(text ?? '');
  const disk = await lookOnDisk(host, at, root);
  problems.push(...disk.problems);
  const unknown = (failure: Failure, about: string): undefined => {
    const { code, message, evidence } = failure;
    problems.push(new Failure(code, `${about}: ${message}`, evidence));
    return undefined;
  };
  const onDisk = await disk.moduleOf(kernel);
  const running = runningFit({ kernel, loaded, onDisk, vswitchd }, unknown);
  const kernels = disk.kernels instanceof Failure ? [] : disk.kernels;
  const next = await pendingKernel(host, at, kernels);
  const pending =
    next instanceof Failure
      ? unknown(next, 'match_pending')
      : fitOf(next, await disk.moduleOf(next), vswitchd.installedVersion ?? vswitchd.runningVersion, (failure) =>
          unknown(failure, `match_pending, kernel ${next}`),
        );
  return {
    vswitchd,
    kernels: { isLoaded, isCurrent: isCurrent(loaded, onDisk), running, pending },
    isLoaded,
    problems,
  };
}

function loadedIn(texts: readonly (string | Failure)[]): Module | undefined {
  for (const index of NAMES.keys()) {
    const [initstate, version, srcversion, taint] = ATTRIBUTES.map((_, which) => {
      const text = texts[index * ATTRIBUTES.length + which];
      return typeof text === 'string' ? text : undefined;
    });
    const found = loadedModule({ initstate, version, srcversion, taint });
    if (found !== undefined) return found;
  }
  return undefined;
}

type Unknown = (failure: Failure, about: string) => undefined;

function runningFit(
  {
    kernel,
    loaded,
    onDisk,
    vswitchd,
  }: {
    readonly kernel: string;
    readonly loaded: Module | undefined;
    readonly onDisk: Installed;
    readonly vswitchd: Vswitchd;
  },
  unknown: Unknown,
): Fit {
  const expected = vswitchd.runningVersion ?? vswitchd.installedVersion;
  const why = (failure: Failure): undefined => unknown(failure, `match_running, kernel ${kernel}`);
  const fit = fitOf(kernel, loaded ?? onDisk, expected, why);
  const isOnlyOnDisk = loaded === undefined && fit.module !== undefined && fit.module.origin !== 'built_in';
  // It loads the module when it starts; one that runs without it forwards nothing through the kernel.
  const isNeeded = vswitchd.isRunning && (vswitchd.bridges?.kernel ?? 0) > 0;
  return isOnlyOnDisk && isNeeded ? { ...fit, reason: 'not_loaded' } : fit;
}

function fitOf(
  kernel: string,
  module: Installed,
  expected: string | undefined,
  unknown: (failure: Failure) => undefined,
): Fit {
  if (module instanceof Failure) {
    unknown(module);
    return { kernel, module: undefined, expected, reason: undefined };
  }
  const found = module === 'none' ? undefined : module;
  const reason = reasonOf(found, expected);
  if (reason === undefined) unknown(found?.version === undefined ? noModuleVersion() : noExpectation(found.version));
  return { kernel, module: found, expected, reason };
}

function isCurrent(loaded: Module | undefined, onDisk: Installed): boolean | undefined {
  if (loaded?.srcversion === undefined || onDisk === 'none' || onDisk instanceof Failure) return undefined;
  return onDisk.srcversion === undefined ? undefined : onDisk.srcversion === loaded.srcversion;
}

function notApplicable(bridges: number): Failure {
  const found = `the datapath of all ${bridges} bridges is in userspace (netdev)`;
  return new Failure('E_CONFIG', `${found}, which needs no kernel module: this machine needs no ovs_kmod job`);
}

function noRelease(text: string): Failure {
  return new Failure('E_PARSE', `/proc/sys/kernel/osrelease: ${quoted(text)} is not the release of a kernel`);
}

function noModuleVersion(): Failure {
  return new Failure(
    'E_NOT_FOUND',
    'the version of a module that is not the kernel’s own is not known: install modinfo',
  );
}

function noExpectation(version: string): Failure {
  const advice = 'ovs-vswitchd does not run, and its program is not here';
  return new Failure('E_NOT_FOUND', `the module is ${quoted(version)}, and vswitchd’s version is not known: ${advice}`);
}
