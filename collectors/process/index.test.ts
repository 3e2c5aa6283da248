import { describe, expect, test } from 'vitest';
import type { Host, Kept } from '../../src/collector.ts';
import { Failure } from '../../src/errors.ts';
import { createNaming } from '../../src/naming.ts';
import { createTotals } from '../../src/totals.ts';
import { absentHost } from '../../test/support/absent-host.ts';
import { namedProcesses } from './index.ts';

interface Made {
  readonly comm?: string;
  readonly state?: string;
  readonly argv?: readonly string[] | Failure;
  readonly started?: number;
  readonly user?: number;
  readonly system?: number;
  readonly threads?: number;
  readonly switches?: number;
  readonly fds?: number | Failure;
  readonly limit?: string;
  readonly denied?: boolean;
}

const missing = (what: string) => new Failure('E_NOT_FOUND', `${what} does not exist`);

/** A machine that is changed between runs. */
function machine(options: object) {
  const own = 'processes' in options ? { hypervisor: false, ...options } : options;
  const tasks = new Map<number, Made>([[1, { comm: 'systemd' }]]);
  const files = new Map<string, string | Failure>();
  const read: string[] = [];
  const kept = new Map<string, Kept>();
  let uptime = 10_000;
  let readAtMs = 0;
  const statOf = (pid: number, made: Made): string => {
    const { comm = 'x', state = 'S', user = 0, system = 0, threads = 1, started = 1000 } = made;
    const before = `0 1 1 0 -1 4194560 0 0 0 0`;
    return `${pid} (${comm}) ${state} ${before} ${user} ${system} 0 0 20 0 ${threads} 0 ${started} 0 0\n`;
  };
  const textOf = (path: string): string | Failure => {
    read.push(path);
    const own = files.get(path);
    if (own !== undefined) return own;
    if (path === '/proc/uptime') return `${uptime}.00 1.00\n`;
    const [, pid = '', name = ''] = /^\/proc\/([0-9]+)\/(\w+)$/.exec(path) ?? [];
    const made = tasks.get(Number(pid));
    if (made === undefined) return missing(path);
    if (made.denied === true) return new Failure('E_DENIED', `${path} may not be read`);
    if (name === 'stat') return statOf(Number(pid), made);
    if (name === 'cmdline') {
      const { argv = [`/usr/bin/${made.comm}`] } = made;
      return argv instanceof Failure ? argv : argv.map((word) => `${word}\0`).join('');
    }
    const switches = `voluntary_ctxt_switches:\t${made.switches ?? 1}\nnonvoluntary_ctxt_switches:\t0\n`;
    if (name === 'status') return `VmRSS:\t 100 kB\n${switches}`;
    if (name === 'limits')
      return `Max open files            ${made.limit ?? '10'}                 10            files\n`;
    return missing(path);
  };
  const host: Host = {
    ...absentHost,
    async readFile(path) {
      const text = textOf(path);
      if (text instanceof Failure) throw text;
      return text;
    },
    readFiles: async (paths) => paths.map(textOf),
    async list(path) {
      if (path === '/proc') return [...tasks.keys()].map(String).concat('uptime', '007', '12x').toSorted();
      const made = tasks.get(Number(/^\/proc\/([0-9]+)\/fd$/.exec(path)?.[1]));
      if (made === undefined) throw missing(path);
      if (made.fds instanceof Failure) throw made.fds;
      return Array.from({ length: made.fds ?? 3 }, (_, fd) => String(fd));
    },
    keep<Value extends Kept>(key: string, make: (lasting: never) => Value): Value {
      const one = kept.get(key) ?? make(undefined as never);
      kept.set(key, one);
      return one as Value;
    },
  };
  const context = () => {
    return { host, options: namedProcesses.options.parse(own), atMs: 0, readAtMs, elapsedMs: () => 0 };
  };
  return {
    tasks,
    files,
    read,
    async run(seconds = 10) {
      readAtMs += seconds * 1000;
      uptime += seconds;
      read.length = 0;
      const { samples, problems = [], unread } = await namedProcesses.collect(context());
      const values: Record<string, number> = {};
      for (const { metric, labels, value } of samples) values[`${labels.process} ${metric.name}`] = Number(value);
      return {
        values,
        problems: problems.map(({ code, message }) => `${code} ${message}`),
        failures: problems,
        unread,
        samples,
        atMs: readAtMs,
      };
    },
    /** As after a reload: what was learnt is gone. */
    forget: () => kept.clear(),
    check: async () => (await namedProcesses.check?.(context())) ?? [],
  };
}

describe('dead or alive', () => {
  test('one that was named and is not there is 0 from the first run on; its gauges of use are not sent', async () => {
    const { run } = machine({ processes: ['gone'] });
    const { values, problems } = await run();
    expect(problems).toEqual([]);
    expect(values).toEqual({
      ...{ 'gone running': 0, 'gone alive': 0, 'gone zombies': 0, 'gone restarts': 0 },
      ...{ 'gone cpu_user_seconds': 0, 'gone cpu_system_seconds': 0 },
    });
  });

  test('a zombie does not run, and is counted as one', async () => {
    const { run, tasks } = machine({ processes: ['a', 'neutron-openvswitch-agent'] });
    tasks.set(5, { comm: 'a', state: 'Z', argv: [] });
    tasks.set(6, { comm: 'neutron-openvsw', state: 'Z', argv: [] });
    const { values } = await run();
    expect(values).toMatchObject({ 'a running': 0, 'a zombies': 1, 'neutron-openvswitch-agent zombies': 1 });
  });

  test('the default set: nothing of what is not here; what has a unit, and what was seen, is expected', async () => {
    const { run, tasks, files } = machine({});
    expect((await run()).values).toEqual({});
    files.set('/etc/systemd/system/multi-user.target.wants/nova-compute.service', '[Unit]\n');
    expect(Object.keys((await run()).values).filter((name) => name.endsWith(' running'))).toEqual([
      'nova-compute running',
    ]);
    tasks.set(7, { comm: 'virtqemud', argv: ['virtqemud'] });
    expect((await run()).values).toMatchObject({ 'libvirtd running': 1 });
    tasks.delete(7);
    expect((await run()).values).toMatchObject({ 'libvirtd running': 0, 'libvirtd alive': 0 });
  });

  test('no process at all is no machine', async () => {
    const { run, tasks } = machine({});
    tasks.clear();
    await expect(run()).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
  });
});

describe('restarts', () => {
  test('another pid, or the same one started at another time; seen dead in between or not', async () => {
    const { run, tasks } = machine({ processes: ['a'] });
    tasks.set(5, { comm: 'a', started: 1000 });
    expect((await run()).values).toMatchObject({ 'a restarts': 0 });
    tasks.delete(5);
    tasks.set(6, { comm: 'a', started: 1_001_500 });
    expect((await run()).values).toMatchObject({ 'a restarts': 1, 'a running': 1 });
    tasks.set(6, { comm: 'a', started: 1_002_500 });
    expect((await run()).values).toMatchObject({ 'a restarts': 2 });
    tasks.delete(6);
    expect((await run()).values).toMatchObject({ 'a restarts': 2, 'a running': 0 });
    tasks.set(8, { comm: 'a', started: 1_004_500 });
    expect((await run()).values).toMatchObject({ 'a restarts': 3, 'a running': 1 });
  });

  test('the first start is none; one worker that was replaced is one; more workers are none; all at once is one', async () => {
    const { run, tasks } = machine({ processes: ['a'] });
    expect((await run()).values).toMatchObject({ 'a restarts': 0 });
    for (const pid of [5, 6, 7]) tasks.set(pid, { comm: 'a' });
    expect((await run()).values).toMatchObject({ 'a restarts': 0, 'a running': 3 });
    tasks.delete(7);
    tasks.set(8, { comm: 'a' });
    expect((await run()).values).toMatchObject({ 'a restarts': 1 });
    tasks.set(9, { comm: 'a' });
    expect((await run()).values).toMatchObject({ 'a restarts': 1, 'a running': 4 });
    for (const pid of [5, 6, 8, 9]) tasks.delete(pid);
    for (const pid of [15, 16, 17]) tasks.set(pid, { comm: 'a' });
    expect((await run()).values).toMatchObject({ 'a restarts': 2, 'a running': 3 });
  });
});

describe('processor time', () => {
  test('goes on when one of several ends, and never backwards', async () => {
    const { run, tasks } = machine({ processes: ['a'] });
    tasks.set(5, { comm: 'a', user: 1000, system: 100 });
    tasks.set(6, { comm: 'a', user: 3000, system: 300 });
    expect((await run()).values).toMatchObject({ 'a cpu_user_seconds': 40, 'a cpu_system_seconds': 4 });
    tasks.delete(6);
    tasks.set(5, { comm: 'a', user: 1101, system: 100 });
    expect((await run()).values).toMatchObject({ 'a cpu_user_seconds': 41.01, 'a cpu_system_seconds': 4 });
    tasks.delete(5);
    expect((await run()).values).toMatchObject({ 'a cpu_user_seconds': 41.01 });
    // Started after the run before: all that it has used, it used since.
    tasks.set(9, { comm: 'a', started: 1_003_500, user: 50 });
    expect((await run()).values).toMatchObject({ 'a cpu_user_seconds': 41.51 });
  });

  test('what an older process had used before it was found is none of the interval', async () => {
    const { run, tasks } = machine({ processes: ['a'] });
    await run();
    tasks.set(9, { comm: 'a', started: 5, user: 500_000 });
    expect((await run()).values).toMatchObject({ 'a cpu_user_seconds': 0 });
    tasks.set(9, { comm: 'a', started: 5, user: 500_100 });
    expect((await run()).values).toMatchObject({ 'a cpu_user_seconds': 1 });
  });
});

describe('processor time that nobody saw being used', () => {
  test('of one that could not be told at first, and is expected by nobody', async () => {
    const { run, tasks } = machine({});
    const made = { comm: 'python3', argv: ['python3', '/usr/bin/nova-compute'], started: 5, user: 500_000 };
    tasks.set(5, { ...made, state: 'D' });
    expect((await run()).values).toEqual({});
    tasks.set(5, made);
    expect((await run()).values).toMatchObject({ 'nova-compute cpu_user_seconds': 0 });
    tasks.set(5, { ...made, user: 500_100 });
    expect((await run()).values).toMatchObject({ 'nova-compute cpu_user_seconds': 1 });
  });

  test('of one that was not here before: what it used since it was started, unless it is older', async () => {
    const { run, tasks } = machine({});
    await run();
    tasks.set(5, { comm: 'nova-compute', started: 1_001_500, user: 50 });
    tasks.set(6, { comm: 'virtqemud', argv: ['virtqemud'], started: 5, user: 500_000 });
    expect((await run()).values).toMatchObject({
      ...{ 'nova-compute cpu_user_seconds': 0.5, 'libvirtd cpu_user_seconds': 0 },
    });
  });

  test('by a clock that is none of the processes’ (lxcfs) nothing is new', async () => {
    const { run, tasks } = machine({ processes: ['a'] });
    await run();
    tasks.set(5, { comm: 'a', started: 90_000_000, user: 500_000 });
    expect((await run()).values).toMatchObject({ 'a cpu_user_seconds': 0 });
  });

  test('before the options changed: another memory, which counts from somewhere else, is no increment', async () => {
    const totals = createTotals(createNaming('edge.hv.process'));
    const naming = totals.naming;
    const before = machine({ processes: ['a'] });
    before.tasks.set(5, { comm: 'b' });
    const increments = async ({ run }: ReturnType<typeof machine>) => {
      const { samples, atMs } = await run();
      const named = samples.map((one) => ({ path: naming.path(one.metric, one.labels), sample: one }));
      const points = totals.apply({ named, problems: [], ratios: [], readAtMs: atMs });
      return points.find(({ metric }) => metric.name === 'cpu_user_seconds')?.value;
    };
    await increments(before);
    before.tasks.set(5, { comm: 'a', started: 5, user: 500_000 });
    expect(await increments(before)).toBe(0);
    totals.rebase();
    const after = machine({ processes: ['a'], openFiles: false });
    await after.run(100);
    after.forget();
    after.tasks.set(5, { comm: 'a', started: 5, user: 500_100 });
    expect(await increments(after)).toBeUndefined();
    after.tasks.set(5, { comm: 'a', started: 5, user: 500_300 });
    expect(await increments(after)).toBe(2);
  });
});

describe('one of several ends while it is read', () => {
  test('its memory is none; of nobody left it is not known, and does not end', async () => {
    const { run, tasks, files } = machine({ processes: ['a'] });
    tasks.set(5, { comm: 'a' });
    tasks.set(6, { comm: 'a' });
    files.set('/proc/6/status', missing('/proc/6/status'));
    expect(await run()).toMatchObject({ values: { 'a running': 2, 'a resident_bytes': 102_400 }, unread: [] });
    files.set('/proc/5/status', 'Name:\ta\nState:\tZ (zombie)\n');
    const { values, unread } = await run();
    expect(values).not.toHaveProperty('a resident_bytes');
    expect(unread).toEqual([{ process: 'a' }]);
  });

  test('files that are not counted leave nothing unread', async () => {
    const { run, tasks } = machine({ processes: ['a'], openFiles: false });
    tasks.set(5, { comm: 'a' });
    expect((await run()).unread).toEqual([]);
  });
});

describe('state D', () => {
  test('lasts while it is seen so in a row, and begins again when it ran in between', async () => {
    const { run, tasks } = machine({ processes: ['a'] });
    const hang = (switches: number): void => void tasks.set(5, { comm: 'a', state: 'D', switches });
    const seconds = async (): Promise<number | undefined> => (await run()).values['a uninterruptible_seconds'];
    tasks.set(5, { comm: 'a' });
    expect(await seconds()).toBe(0);
    hang(4);
    expect([await seconds(), await seconds(), await seconds()]).toEqual([0, 10, 20]);
    hang(5);
    expect([await seconds(), await seconds()]).toEqual([0, 10]);
    tasks.set(5, { comm: 'a', switches: 5 });
    expect(await seconds()).toBe(0);
    hang(5);
    expect(await seconds()).toBe(0);
  });

  test('a command line is not read in it: what is known stays known, and the rest is unknown', async () => {
    const { run, tasks, read } = machine({ processes: ['nova-compute'] });
    const argv = ['python3', '/usr/bin/nova-compute'];
    tasks.set(5, { comm: 'python3', state: 'D', argv });
    const { values, problems, failures } = await run();
    expect(values).toEqual({});
    expect(problems).toEqual([expect.stringMatching(/^E_TIMEOUT "nova-compute": process 5 .* state D/)]);
    expect(failures[0]?.evidence.labels).toEqual({ process: 'nova-compute' });
    expect(read).not.toContain('/proc/5/cmdline');
    tasks.set(5, { comm: 'python3', argv });
    expect((await run()).values).toMatchObject({ 'nova-compute running': 1 });
    tasks.set(5, { comm: 'python3', state: 'D', argv });
    expect((await run()).values).toMatchObject({ 'nova-compute running': 1, 'nova-compute uninterruptible': 1 });
    expect(read).not.toContain('/proc/5/cmdline');
  });
});

test('one that was found and is in state D at the second look stays found', async () => {
  const { run, tasks } = machine({ processes: [{ name: 'p', pattern: '*nova*' }] });
  const made = { comm: 'python3', started: 1_000_900, argv: ['python3', '/usr/bin/nova-compute'] };
  tasks.set(5, made);
  expect((await run()).values).toMatchObject({ 'p running': 1 });
  tasks.set(5, { ...made, state: 'D' });
  expect(await run()).toMatchObject({ values: { 'p running': 1, 'p uninterruptible': 1 }, problems: [] });
});

describe('cost', () => {
  const crowd = (tasks: Map<number, Made>): void => {
    for (let pid = 1000; pid < 4000; pid++) tasks.set(pid, { comm: 'other' });
  };
  const stats = (read: readonly string[]): number => read.filter((path) => path.endsWith('/stat')).length;

  test('of 3,000 others 100 are read again in each run, in turn; a new one at once', async () => {
    const { run, tasks, read } = machine({ processes: ['a', 'neutron-openvswitch-agent'] });
    crowd(tasks);
    tasks.set(5, { comm: 'a' });
    await run();
    expect(stats(read)).toBe(3002);
    expect(read.filter((path) => path.endsWith('/cmdline'))).toEqual([]);
    await run();
    expect(stats(read)).toBe(101);
    tasks.set(4001, { comm: 'a', started: 1_002_500 });
    expect((await run()).values).toMatchObject({ 'a running': 2 });
    const first = new Set(read);
    await run();
    const again = read.filter((path) => path.endsWith('/stat') && first.has(path));
    expect(again).toEqual(['/proc/4001/stat', '/proc/5/stat']);
  });

  test('one that becomes another program is found in turn, and at once where one is missing', async () => {
    const { run, tasks, read } = machine({ processes: ['a'] });
    crowd(tasks);
    tasks.set(5, { comm: 'a' });
    await run();
    await run();
    tasks.set(3999, { comm: 'a' });
    let runs = 0;
    while ((await run()).values['a running'] !== 2) runs += 1;
    expect(runs).toBeLessThanOrEqual(30);
    tasks.set(3998, { comm: 'a' });
    tasks.delete(5);
    tasks.delete(3999);
    expect((await run()).values).toMatchObject({ 'a running': 1, 'a restarts': 1 });
    expect(stats(read)).toBeGreaterThan(2900);
    await run();
    expect(stats(read)).toBeLessThan(110);
  });

  test('a young one is looked at twice: it may be on its way to another program', async () => {
    const { run, tasks } = machine({ processes: ['nova-compute'] });
    await run();
    tasks.set(9, { comm: 'python3', started: 1_001_500, argv: ['python3', '/usr/bin/x'] });
    expect((await run()).values).toMatchObject({ 'nova-compute running': 0 });
    tasks.set(9, { comm: 'python3', started: 1_001_500, argv: ['python3', '/usr/bin/nova-compute'] });
    expect((await run()).values).toMatchObject({ 'nova-compute running': 1 });
  });
});

describe('what may not be read', () => {
  const denied = new Failure('E_DENIED', '"/proc/5/fd" may not be read by this user');

  test('open files of others: unknown and said, all else is sent', async () => {
    const { run, tasks } = machine({ processes: ['a', 'b'] });
    tasks.set(5, { comm: 'a', fds: denied });
    tasks.set(6, { comm: 'b' });
    const { values, problems, failures, unread } = await run();
    expect(unread).toEqual([{ process: 'a' }]);
    expect(values).toMatchObject({ 'a running': 1, 'a threads': 1, 'b open_files': 3, 'b open_files_limit': 10 });
    expect(values).not.toHaveProperty('a open_files');
    expect(values).not.toHaveProperty('a open_files_limit');
    expect(problems).toEqual([
      expect.stringMatching(/^E_DENIED "a": open files cannot be counted.*CAP_DAC_READ_SEARCH/),
    ]);
    expect(failures[0]?.evidence.labels).toEqual({ process: 'a' });
    const without = machine({ processes: ['a'], openFiles: false });
    without.tasks.set(5, { comm: 'a', fds: denied });
    expect((await without.run()).problems).toEqual([]);
  });

  test('hidepid: what is not seen is unknown, and what is seen is sent', async () => {
    for (const hide of [
      (tasks: Map<number, Made>) => void tasks.delete(1),
      (tasks: Map<number, Made>) => void tasks.set(1, { denied: true }),
    ]) {
      const { run, tasks } = machine({ processes: ['a', 'b'] });
      hide(tasks);
      tasks.set(5, { comm: 'b' });
      const { values, problems, failures, unread } = await run();
      // However long that lasts, no 0 is made of what was sent before.
      expect(unread).toEqual([{ process: 'a' }]);
      expect(values).not.toHaveProperty('a running');
      expect(values).toMatchObject({ 'b running': 1 });
      expect(problems).toEqual([
        expect.stringMatching(/^E_DENIED "a": "\/proc" hides/),
        expect.stringMatching(/^E_DENIED "b": only those of this user are counted: "\/proc" hides/),
      ]);
      expect(failures[0]?.evidence.labels).toEqual({ process: 'a' });
    }
  });

  test('a command line that is too long: a pattern that found nothing else is unknown', async () => {
    const { run, tasks } = machine({ processes: [{ name: 'p', pattern: '*java*' }, 'java'] });
    tasks.set(5, { comm: 'java', argv: new Failure('E_OUTPUT_SIZE', '"/proc/5/cmdline" is larger than 65536 bytes') });
    const { values, problems } = await run();
    expect(values).not.toHaveProperty('p running');
    expect(values).toMatchObject({ 'java running': 1 });
    expect(problems).toEqual([expect.stringMatching(/^E_OUTPUT_SIZE "p": process 5 \("java"\) may be one of them/)]);
  });

  test('what ends while it is read is gone, and nothing else is harmed', async () => {
    const { run, tasks, files } = machine({ processes: ['a', 'nova-compute'] });
    tasks.set(5, { comm: 'python3', argv: new Failure('E_CONNECT', 'could not be read: ESRCH') });
    tasks.set(6, { comm: 'a' });
    files.set('/proc/6/status', missing('/proc/6/status'));
    files.set('/proc/1/stat', '');
    const { values, problems } = await run();
    expect(problems).toEqual([]);
    expect(values).toMatchObject({ 'a running': 1, 'nova-compute running': 0 });
    expect(values).not.toHaveProperty('a resident_bytes');
  });

  test('a file of /proc that is something else is told once, with what was found', async () => {
    const { run, files } = machine({ processes: ['a'] });
    files.set('/proc/1/stat', 'hello \u001b[2J world');
    const { problems } = await run();
    expect(problems).toEqual(['E_PARSE /proc/1/stat: "hello \\u001b[2J world" is not what proc(5) documents']);
  });
});

describe('pid files', () => {
  test('the process with that number, whatever it is; with a name beside it, that one alone', async () => {
    const { run, tasks, files } = machine({
      processes: [
        { name: 'any', pidFile: '/run/a.pid' },
        { name: 'sure', pidFile: '/run/a.pid', exact: 'a' },
      ],
    });
    for (let pid = 100; pid < 400; pid++) tasks.set(pid, { comm: 'other' });
    tasks.set(5, { comm: 'a' });
    files.set('/run/a.pid', '5\n');
    expect((await run()).values).toMatchObject({ 'any running': 1, 'sure running': 1 });
    // The daemon has died, and its number is another's: one that had long been looked at.
    files.set('/run/a.pid', '399\n');
    const { values, problems } = await run();
    expect(values).toMatchObject({ 'any running': 1, 'any restarts': 1, 'sure running': 0 });
    expect(problems).toEqual([
      expect.stringMatching(/^E_NOT_FOUND "sure": pid file .* 399, which is "other": it is stale/),
    ]);
    files.set('/run/a.pid', '4000\n');
    expect((await run()).values).toMatchObject({ 'any running': 0, 'sure running': 0 });
    files.delete('/run/a.pid');
    expect(await run()).toMatchObject({ values: { 'any running': 0, 'sure running': 0 }, problems: [] });
  });

  test.each(['', '\n', '0', '-5', '99999999999', 'a'.repeat(70_000), '\u0000', '5 6'])(
    '%j is nothing that can be told',
    async (text) => {
      const { run, tasks, files } = machine({ processes: [{ name: 'a', pidFile: '/run/a.pid' }] });
      tasks.set(5, { comm: 'a' });
      files.set('/run/a.pid', text);
      const { values, problems, failures } = await run();
      expect(values).toEqual({});
      expect(problems).toEqual([expect.stringMatching(/^E_PARSE "a": pid file "\/run\/a.pid" (?:is empty|holds )/)]);
      expect(problems[0]?.length).toBeLessThan(200);
      expect(failures[0]?.evidence.labels).toEqual({ process: 'a' });
    },
  );
});

test('open files are those of the process that is nearest to its limit', async () => {
  const { run, tasks } = machine({ processes: ['a'] });
  tasks.set(5, { comm: 'a', fds: 9, limit: '1000' });
  tasks.set(6, { comm: 'a', fds: 4, limit: '5' });
  tasks.set(7, { comm: 'a', fds: 50, limit: 'unlimited' });
  expect((await run()).values).toMatchObject({ 'a open_files': 4, 'a open_files_limit': 5, 'a threads': 3 });
});

test('the age is that of the youngest; a clock that is not its own tells nothing', async () => {
  const { run, tasks } = machine({ processes: ['a', 'b'] });
  tasks.set(5, { comm: 'a', started: 1000 });
  tasks.set(6, { comm: 'a', started: 1_000_500 });
  tasks.set(7, { comm: 'b', started: 9_000_000 });
  const { values } = await run();
  expect(values).toMatchObject({ 'a age_seconds': 5 });
  expect(values).not.toHaveProperty('b age_seconds');
});

describe('options', () => {
  const faults = (processes: unknown): string[] =>
    namedProcesses.options.safeParse({ processes }).error?.issues.map(({ message }) => message) ?? [];

  test('names are said once, and are no paths', () => {
    expect(faults(['a', { name: 'a', exact: 'b' }])).toEqual(['"a" is named twice']);
    expect(faults(['/usr/sbin/a'])).not.toEqual([]);
    expect(faults([{ name: 'a', pidFile: 'relative' }])).not.toEqual([]);
    expect(faults([{ name: 'a', patern: '*' }])).not.toEqual([]);
    expect(faults([])).toEqual([]);
    expect(faults(['a', { name: 'b', exact: ['c', 'd'] }])).toEqual([]);
  });

  test('nothing to look for is a fault', () => {
    const parse = (options: object) => namedProcesses.options.safeParse(options).success;
    expect([{}, { processes: ['a'], hypervisor: false }, { hypervisor: false }].map(parse)).toEqual([
      true,
      true,
      false,
    ]);
  });

  test('those of a hypervisor come with one’s own, and one’s own replaces its namesake', async () => {
    const { run, tasks } = machine({ processes: ['nova-compute', 'a'], hypervisor: true });
    tasks.set(5, { comm: 'ovs-vswitchd' });
    const { values } = await run();
    expect(Object.keys(values).filter((name) => name.endsWith(' running'))).toEqual([
      ...['nova-compute running', 'a running', 'ovs-vswitchd running'],
    ]);
  });
});

test('check says who runs, who is dead, who is not expected, and that this may be a container', async () => {
  const { check, tasks, files } = machine({
    processes: ['a', 'gone', { name: 'optional', installed: [] }, { name: 'bad', pidFile: '/run/bad.pid' }],
  });
  files.set('/run/bad.pid', 'x');
  for (const pid of [5, 6, 7, 8]) tasks.set(pid, { comm: 'a' });
  const texts = (await check()).map(({ level, text }) => `${level} ${text}`);
  expect(texts).toEqual([
    'ok "a": runs as process 5, 6, 7 and 1 more',
    'fail "gone": does not run; start it, or correct how it is looked for',
    'ok not here, and not expected: "optional"',
    expect.stringMatching(/^warn "\/proc" shows no thread of the kernel.*\/host\/proc/),
  ]);
});
