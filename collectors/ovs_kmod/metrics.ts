/** What is told of Open vSwitch's kernel module: loaded or not, fit or not, now and after the next boot. */
import { gauge } from '../../src/metric.ts';

/** Why a module fits (the first three) or does not; one of them is 1. */
export const REASONS = [
  ...['built_in', 'in_tree', 'same_version'],
  ...['other_version', 'other_kernel', 'no_module', 'not_loaded'],
] as const;
export type Reason = (typeof REASONS)[number];

export const isFit = (reason: Reason): boolean => REASONS.indexOf(reason) < 3;

const tags = ['kernel', 'module', 'vswitchd'];
const why = 'built_in, in_tree and same_version fit; other_version, other_kernel, no_module and not_loaded do not';

export const metrics = {
  applicable: gauge('applicable', {
    ...{ unit: 'boolean', source: 'OVSDB: Bridge.datapath_type' },
    help: '1: at least one bridge uses the kernel’s datapath, or there is none yet. 0: all are in userspace (netdev).',
  }),
  loaded: gauge('module_loaded', {
    ...{ unit: 'boolean', source: '/sys/module/openvswitch/initstate' },
    help: '1: the module is loaded, or built into the kernel.',
  }),
  current: gauge('module_current', {
    ...{ unit: 'boolean', source: '/sys/module/openvswitch/srcversion; modinfo(8)' },
    help: '1: the loaded module is the one on disk. 0: that one was updated since, and waits to be loaded.',
  }),
  kernelPending: gauge('kernel_pending', {
    ...{ unit: 'boolean', source: '/proc/sys/kernel/osrelease; the boot loader’s configuration' },
    help: '1: the next boot takes another kernel than the one that runs.',
  }),
  matchRunning: gauge('match_running', {
    ...{ unit: 'boolean', tags, source: '/sys/module/openvswitch; modinfo(8); rpm(8); ovs-vswitchd' },
    help: '1: the running kernel has a module that fits vswitchd.',
  }),
  matchPending: gauge('match_pending', {
    ...{ unit: 'boolean', tags, source: 'the boot loader’s configuration; modinfo(8); rpm(8); ovs-vswitchd' },
    help: '1: the kernel of the next boot has a module that fits the vswitchd that is installed. 0: do not reboot.',
  }),
  runningReason: gauge('running_reason', {
    ...{ unit: 'boolean', labels: ['reason'], source: 'as match_running' },
    help: `1: why match_running is what it is. ${why}.`,
  }),
  pendingReason: gauge('pending_reason', {
    ...{ unit: 'boolean', labels: ['reason'], source: 'as match_pending' },
    help: `1: why match_pending is what it is. ${why}.`,
  }),
};
