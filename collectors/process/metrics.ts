/** What is told of each named process. All have the label `process`: the name that the options give it. */
import { counter, derived, gauge } from '../../src/metric.ts';

const labels = ['process'] as const;
const stat = (field: string): string => `/proc/PID/stat: ${field}, proc(5)`;

const openFiles = gauge('open_files', {
  ...{ unit: 'files', labels, source: '/proc/PID/fd, proc(5)' },
  help: 'Open files of the process that is nearest to its limit. Needs root, or CAP_DAC_READ_SEARCH.',
});
const openFilesLimit = gauge('open_files_limit', {
  ...{ unit: 'files', labels, source: '/proc/PID/limits: Max open files (soft), proc(5)' },
  help: 'How many files that process may open; absent where there is no limit.',
});

export const metrics = {
  running: gauge('running', {
    ...{ unit: 'processes', labels, source: stat('state') },
    help: 'Processes of this name. A zombie does not run. 0: none, and one is expected.',
  }),
  alive: gauge('alive', {
    ...{ unit: 'boolean', labels, source: 'running' },
    help: '1: at least one runs.',
  }),
  restarts: counter('restarts', {
    ...{ unit: 'restarts', labels, source: stat('pid, starttime') },
    help: 'All of them were replaced (counted once), or some of them (counted each), while edgestatd watched.',
  }),
  userSeconds: counter('cpu_user_seconds', {
    ...{ unit: 'seconds', labels, source: stat('utime') },
    help: 'Processor time in user mode, of all of them, without their children.',
  }),
  systemSeconds: counter('cpu_system_seconds', {
    ...{ unit: 'seconds', labels, source: stat('stime') },
    help: 'Processor time in the kernel, of all of them, without their children.',
  }),
  residentBytes: gauge('resident_bytes', {
    ...{ unit: 'bytes', labels, source: '/proc/PID/status: VmRSS, proc(5)' },
    help: 'Memory that is not swapped out, of all of them. What they share counts for each.',
  }),
  threads: gauge('threads', {
    ...{ unit: 'threads', labels, source: stat('num_threads') },
    help: 'Threads of all of them.',
  }),
  ageSeconds: gauge('age_seconds', {
    ...{ unit: 'seconds', labels, source: `${stat('starttime')}; /proc/uptime` },
    help: 'Since the youngest of them was started.',
  }),
  openFiles,
  openFilesLimit,
  openFilesRatio: derived('open_files_ratio', {
    ...{ unit: 'ratio', of: { open: openFiles, limit: openFilesLimit } },
    help: 'Open files as a share of the limit, of the process that is nearest to it. At 1 accept() and open() fail.',
    compute: ({ open, limit }) => (limit.value > 0 ? open.value / limit.value : undefined),
  }),
  uninterruptible: gauge('uninterruptible', {
    ...{ unit: 'processes', labels, source: stat('state') },
    help: 'How many are in state D: they wait for a disk or a driver, and no signal reaches them.',
  }),
  uninterruptibleSeconds: gauge('uninterruptible_seconds', {
    ...{ unit: 'seconds', labels, source: `${stat('state')}; /proc/PID/status: *_ctxt_switches` },
    help: 'For how long the one that was longest so has been seen in state D in each run, and did not run in between.',
  }),
  stopped: gauge('stopped', {
    ...{ unit: 'processes', labels, source: stat('state') },
    help: 'How many are stopped by a signal or held by a debugger (states T and t): there, and doing nothing.',
  }),
  zombies: gauge('zombies', {
    ...{ unit: 'processes', labels, source: stat('state') },
    help: 'How many have ended and were not waited for by what started them (state Z).',
  }),
};
