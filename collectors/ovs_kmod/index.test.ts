import { describe, expect, test } from 'vitest';
import type { Host, Kept } from '../../src/collector.ts';
import { Failure } from '../../src/errors.ts';
import { absentHost } from '../../test/support/absent-host.ts';
import { ovsKmod } from './index.ts';

const K = '6.1.0-18-amd64';
const K2 = '6.1.0-25-amd64';
const missing = (what: string) => new Failure('E_NOT_FOUND', `${what} does not exist`);
const denied = (what: string) => new Failure('E_DENIED', `${what} may not be read by this user`);

const grubOf = (kernel: string): string => `set default="0"\nmenuentry 'Linux' {\n\tlinux /vmlinuz-${kernel} ro\n}\n`;
const modinfo = (kernel: string, version?: string): string => {
  const where = version === undefined ? 'kernel/net/openvswitch' : 'updates/dkms';
  const lines = [`filename: /lib/modules/${kernel}/${where}/openvswitch.ko`, `vermagic: ${kernel} SMP`];
  if (version !== undefined) lines.push(`version: ${version}`);
  return `${lines.join('\n')}\n`;
};
const inTree = { '/sys/module/openvswitch/initstate': 'live\n', '/sys/module/openvswitch/taint': '\n' };

interface Machine {
  readonly files?: Record<string, string | Failure>;
  readonly directories?: Record<string, readonly string[] | Failure>;
  /** Words → stdout; a number is a status with that text on stderr. */
  readonly programs?: Record<string, string | readonly [status: number, stderr: string] | Failure>;
}

function machine({ files = {}, directories = {}, programs = {} }: Machine, options: object = {}) {
  const ran: string[] = [];
  const all: Record<string, string | Failure> = { '/proc/sys/kernel/osrelease': `${K}\n`, ...files };
  const textOf = (path: string): string | Failure => all[path] ?? missing(path);
  const kept = new Map<string, Kept>();
  const outcome: Host['outcome'] = async (argv, statuses) => {
    const words = argv.join(' ');
    ran.push(words);
    const answer = programs[words] ?? missing(`program ${argv[0]}`);
    if (answer instanceof Failure) throw answer;
    if (typeof answer === 'string') return { status: 0, stdout: answer, stderr: '' };
    const [status, stderr] = answer;
    if (!statuses.includes(status)) throw new Failure('E_EXIT', `${argv[0]} ended with status ${status}`);
    return { status, stdout: '', stderr };
  };
  const host: Host = {
    ...absentHost,
    outcome,
    run: async (argv) => (await outcome(argv, [])).stdout,
    async readFile(path) {
      const text = textOf(path);
      if (text instanceof Failure) throw text;
      return text;
    },
    readFiles: async (paths) => paths.map(textOf),
    async list(path) {
      const names = directories[path] ?? missing(path);
      if (names instanceof Failure) throw names;
      return names;
    },
    keep<Value extends Kept>(key: string, make: (lasting: never) => Value): Value {
      const lasting = { connect: async () => Promise.reject(missing('socket')) } as never;
      const one = kept.get(key) ?? make(lasting);
      kept.set(key, one);
      return one as Value;
    },
  };
  const context = { host, options: ovsKmod.options.parse(options), atMs: 0, readAtMs: 0, elapsedMs: () => 0 };
  return {
    ran,
    async run() {
      const { samples, problems = [] } = await ovsKmod.collect(context);
      const values: Record<string, number> = {};
      for (const { metric, labels, value } of samples) {
        const name = labels.reason === undefined ? metric.name : `${metric.name} ${labels.reason}`;
        if (labels.reason === undefined || value === 1) values[name] = Number(value);
      }
      const told = problems.filter(({ message }) => !/OVSDB|socket/.test(message));
      return { samples, values, problems: told.map(({ code, message }) => `${code} ${message}`), all: problems };
    },
    check: async () => (await ovsKmod.check?.(context)) ?? [],
  };
}

const vswitchd = { 'ovs-vswitchd --version': 'ovs-vswitchd (Open vSwitch) 2.17.9\n' };
const debian = (pending: string, programs: Machine['programs'] = {}): Machine => ({
  files: { ...inTree, '/boot/grub/grub.cfg': grubOf(pending) },
  directories: { '/lib/modules': [K, K2], '/boot': [`vmlinuz-${K}`, `vmlinuz-${K2}`] },
  programs: { ...vswitchd, [`modinfo -k ${K} openvswitch`]: modinfo(K), ...programs },
});

describe('the pending kernel', () => {
  test('the one that runs: modinfo is asked once', async () => {
    const { run, ran } = machine(debian(K));
    expect((await run()).values).toMatchObject({ match_running: 1, match_pending: 1, kernel_pending: 0 });
    expect(ran).toEqual(['ovs-vswitchd --version', `modinfo -k ${K} openvswitch`]);
  });

  test('another one: with a module, without, with one that does not fit, with one for another kernel', async () => {
    const pending = async (answer: string | readonly [number, string] | Failure) => {
      const { values, problems } = await machine(debian(K2, { [`modinfo -k ${K2} openvswitch`]: answer })).run();
      expect(values).toMatchObject({ match_running: 1, 'running_reason in_tree': 1, kernel_pending: 1 });
      const reason = Object.keys(values).find((name) => name.startsWith('pending_reason'));
      return [values.match_pending, reason?.slice('pending_reason '.length), ...problems];
    };
    expect(await pending(modinfo(K2))).toEqual([1, 'in_tree']);
    expect(await pending('name: openvswitch\nfilename: (builtin)\n')).toEqual([1, 'built_in']);
    expect(await pending(modinfo(K2, '2.17.9'))).toEqual([1, 'same_version']);
    expect(await pending(modinfo(K2, '2.13.8'))).toEqual([0, 'other_version']);
    expect(await pending(modinfo(K2, '2.17.9').replace(`vermagic: ${K2}`, 'vermagic: 5.4.0'))).toEqual([
      0,
      'other_kernel',
    ]);
    expect(await pending([1, 'modinfo: ERROR: Module openvswitch not found.'])).toEqual([0, 'no_module']);
    const [value, reason, problem] = await pending([1, 'modinfo: ERROR: could not open modules.dep.bin \u001b[1m']);
    expect([value, reason]).toEqual([undefined, undefined]);
    expect(problem).toMatch(/^E_EXIT match_pending, kernel 6\.1\.0-25-amd64: modinfo ended with status 1: ".*\\u001b/);
    expect(await pending(new Failure('E_DENIED', 'no'))).toEqual([
      undefined,
      undefined,
      expect.stringMatching(/^E_DENIED/),
    ]);
  });

  test('a kernel without modules at all has none', async () => {
    const made = debian(K2);
    const { values } = await machine({
      ...made,
      directories: { ...made.directories, '/lib/modules': [K] },
      programs: {
        ...made.programs,
        [`readlink -f -- /boot/vmlinuz-${K2}`]: `/boot/vmlinuz-${K2}\n`,
      },
    }).run();
    expect(values).toMatchObject({ match_pending: 0, 'pending_reason no_module': 1 });
  });

  test.each([
    [
      'its default is not there',
      { '/boot/grub/grub.cfg': grubOf('9.9') },
      'E_NOT_FOUND',
      /names "\/vmlinuz-9\.9", which is not there/,
    ],
    ['it may not be read', { '/boot/grub/grub.cfg': denied('grub.cfg') }, 'E_DENIED', /it is for root/],
    [
      'it has no kernel',
      { '/boot/grub/grub.cfg': "menuentry 'Windows' {\n\tchainloader +1\n}\n" },
      'E_PARSE',
      /default entry/,
    ],
    ['it is cut off', { '/boot/grub/grub.cfg': grubOf(K).slice(0, -3) }, 'E_PARSE', /cut off/],
    ['it is empty', { '/boot/grub/grub.cfg': '' }, 'E_NOT_FOUND', /no boot loader’s configuration/],
    [
      'two of them disagree',
      { '/boot/grub2/grub.cfg': grubOf(K2) },
      'E_PARSE',
      /names "\/vmlinuz-6.1.0-25-amd64", and ".*" "\/vmlinuz-6.1.0-18-amd64"/,
    ],
  ] as const)('is unknown, and not guessed, where %s', async (_, files, code, message) => {
    const made = debian(K, { 'readlink -f -- /boot/vmlinuz-9.9': '/boot/vmlinuz-9.9\n' });
    const { values, problems, samples } = await machine({ ...made, files: { ...made.files, ...files } }).run();
    expect(values).toMatchObject({ match_running: 1 });
    expect(samples.map(({ metric }) => metric.name)).not.toContain('match_pending');
    expect(values).not.toHaveProperty('kernel_pending');
    expect(problems).toEqual([expect.stringMatching(message)]);
    expect(problems[0]).toMatch(new RegExp(`^${code} match_pending: `));
  });

  test('a machine that boots by EFI takes what is there, unless that is a stub', async () => {
    const made = debian(K);
    const efi = (text: string, entries = 'redhat') =>
      machine({
        files: { ...made.files, [`/boot/efi/EFI/${entries}/grub.cfg`]: text },
        directories: { ...made.directories, '/sys/firmware/efi': [], '/boot/efi/EFI': ['BOOT', entries] },
        programs: { ...made.programs, [`modinfo -k ${K2} openvswitch`]: modinfo(K2) },
      });
    expect((await efi(grubOf(K2)).run()).values).toMatchObject({ kernel_pending: 1, match_pending: 1 });
    expect((await efi('configfile $prefix/grub.cfg\n').run()).values).toMatchObject({
      kernel_pending: 0,
      match_pending: 1,
    });
  });
});

describe('what is for root, where edgestatd is not', () => {
  const bls = `set default="\${saved_entry}"\nblscfg\nmenuentry 'Other' {\n\tlinux /vmlinuz-${K} ro\n}\n`;
  const entries = '/boot/loader/entries';
  test.each([
    ['the chosen entry', { '/boot/grub/grub.cfg': grubOf(K), '/boot/grub/grubenv': denied('grubenv') }, {}],
    ['the entries', { '/boot/grub/grub.cfg': bls }, { [entries]: denied('entries') }],
    [
      'one of the entries',
      { '/boot/grub/grub.cfg': bls, [`${entries}/b.conf`]: denied('b.conf') },
      { [entries]: ['b.conf'] },
    ],
    [
      'the menu of EFI',
      { '/boot/grub/grub.cfg': missing('grub.cfg'), '/boot/grub2/grub.cfg': grubOf(K) },
      { '/sys/firmware/efi': [], '/boot/efi/EFI': denied('EFI') },
    ],
    ['another configuration', { '/boot/grub2/grub.cfg': denied('grub.cfg') }, {}],
  ] as const)('%s makes the next kernel unknown: another one would be a guess', async (_, files, directories) => {
    const made = debian(K);
    const { values, problems } = await machine({
      ...made,
      files: { ...made.files, ...files },
      directories: { ...made.directories, ...directories },
    }).run();
    expect(values).toMatchObject({ match_running: 1 });
    expect(values).not.toHaveProperty('match_pending');
    expect(problems).toEqual([expect.stringMatching(/^E_DENIED match_pending: .*; it is for root$/)]);
  });

  test('the menu of EFI is needed by nobody where Debian’s is there', async () => {
    const made = debian(K);
    const directories = { ...made.directories, '/sys/firmware/efi': [], '/boot/efi/EFI': denied('EFI') };
    expect(await machine({ ...made, directories }).run()).toMatchObject({ values: { match_pending: 1 }, problems: [] });
  });
});

test('a modinfo that does not know other kernels (BusyBox) is none', async () => {
  const usage = "modinfo: invalid option -- 'k'\nBusyBox v1.35.0 multi-call binary.\n";
  const made = debian(K2, { [`modinfo -k ${K2} openvswitch`]: [1, usage] });
  const files = {
    ...made.files,
    [`/lib/modules/${K2}/modules.dep`]: 'kernel/net/openvswitch/openvswitch.ko: kernel/lib/libcrc32c.ko\n',
  };
  const { values, problems } = await machine({ ...made, files }).run();
  expect(values).toMatchObject({ match_pending: 1, 'pending_reason in_tree': 1 });
  expect(problems).toEqual([]);
});

describe('the running kernel', () => {
  test('what is loaded counts, not what is on disk; that they differ is told', async () => {
    const made = debian(K, { [`modinfo -k ${K} openvswitch`]: `${modinfo(K, '2.13.8')}srcversion: AAA\n` });
    const sys = '/sys/module/openvswitch';
    const files = {
      ...made.files,
      [`${sys}/version`]: '2.17.9\n',
      [`${sys}/taint`]: 'OE\n',
      [`${sys}/srcversion`]: 'BBB\n',
    };
    const { values, samples } = await machine({ ...made, files }).run();
    expect(values).toMatchObject({
      match_running: 1,
      'running_reason same_version': 1,
      module_current: 0,
      match_pending: 0,
    });
    expect(samples.find(({ metric }) => metric.name === 'match_running')?.labels).toEqual({
      ...{ kernel: K, module: '2.17.9', vswitchd: '2.17.9' },
    });
  });

  test('nothing is loaded: what is on disk counts while nobody needs it', async () => {
    const made = debian(K);
    const files = { '/boot/grub/grub.cfg': grubOf(K) };
    expect((await machine({ ...made, files }).run()).values).toMatchObject({ module_loaded: 0, match_running: 1 });
    const none = {
      ...made.programs,
      [`modinfo -k ${K} openvswitch`]: [1, 'modinfo: could not find module openvswitch'] as const,
    };
    expect((await machine({ ...made, files, programs: none }).run()).values).toMatchObject({
      ...{ match_running: 0, 'running_reason no_module': 1, match_pending: 0 },
    });
  });

  test('without vswitchd’s version a module of another origin cannot be judged', async () => {
    const made = debian(K, { 'ovs-vswitchd --version': 'ovs-vswitchd: something else\n' });
    const sys = '/sys/module/openvswitch';
    const files = { ...made.files, [`${sys}/version`]: '2.17.9\n', [`${sys}/taint`]: 'OE\n' };
    const { values, problems } = await machine({ ...made, files }).run();
    expect(values).not.toHaveProperty('match_running');
    expect(values).toMatchObject({ module_loaded: 1, match_pending: 1 });
    expect(problems).toEqual([expect.stringMatching(/^E_NOT_FOUND match_running, .* vswitchd’s version is not known/)]);
  });

  test('every reason is a series in every run, and one of them is 1', async () => {
    const { samples } = await machine(debian(K)).run();
    for (const name of ['running_reason', 'pending_reason']) {
      const of = samples.filter(({ metric }) => metric.name === name);
      expect(of).toHaveLength(7);
      expect(of.filter(({ value }) => value === 1)).toHaveLength(1);
    }
  });

  test('no release, no answer', async () => {
    const made = debian(K);
    const files = { ...made.files, '/proc/sys/kernel/osrelease': '../../x\n' };
    await expect(machine({ ...made, files }).run()).rejects.toMatchObject({ code: 'E_PARSE' });
  });
});

describe('XenServer', () => {
  const query = 'rpm -qa --queryformat %{NAME}\\t%{VERSION}\\n openvswitch-modules-*';
  const xen = (answer: string | Failure): Machine => {
    const made = debian(K);
    return {
      ...made,
      files: { '/etc/xensource-inventory': 'X=1\n', '/boot/grub/grub.cfg': grubOf(K) },
      programs: { ...made.programs, [query]: answer },
    };
  };

  test('rpm is asked once, and there alone', async () => {
    const { run, ran } = machine(xen(`openvswitch-modules-xen-${K}\t2.17.9\n`));
    expect((await run()).values).toMatchObject({ match_running: 1, 'pending_reason same_version': 1 });
    expect(ran).toEqual(['ovs-vswitchd --version', query]);
    const other = machine(debian(K));
    await other.run();
    expect(other.ran.filter((words) => words.startsWith('rpm'))).toEqual([]);
  });

  test('a database of packages that is broken is told, and modinfo answers', async () => {
    const { values, problems } = await machine(xen(new Failure('E_EXIT', 'rpmdb: damaged header'))).run();
    expect(values).toMatchObject({ match_running: 1, 'running_reason in_tree': 1, match_pending: 1 });
    expect(problems).toEqual(['E_EXIT rpmdb: damaged header']);
  });
});

test('another root: /boot, /lib/modules and /etc are below it, and the kernel’s own files are not', async () => {
  const { run, ran } = machine(
    {
      files: { ...inTree, '/host/boot/grub2/grub.cfg': grubOf(K), '/host/etc/xensource-inventory': 'X=1\n' },
      directories: { '/host/lib/modules': [K] },
      programs: {
        ...vswitchd,
        [`modinfo -b /host -k ${K} openvswitch`]: modinfo(K).replace('/lib', '/host/lib'),
        'rpm --root /host -qa --queryformat %{NAME}\\t%{VERSION}\\n openvswitch-modules-*': '',
      },
    },
    { root: '/host' },
  );
  expect(await run()).toMatchObject({ values: { match_running: 1, match_pending: 1 }, problems: [] });
  expect(ran).toHaveLength(3);
  expect(ovsKmod.options.safeParse({ root: '/host/' }).success).toBe(false);
  expect(ovsKmod.options.safeParse({ root: 'host' }).success).toBe(false);
});

test('nothing of Open vSwitch: the run fails, which says it all', async () => {
  const bare = machine({ directories: { '/lib/modules': [K] } });
  await expect(bare.run()).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
  expect(await bare.check()).toEqual([]);
});

test('check says what fits, what does not and what to do', async () => {
  const none = [1, 'modinfo: ERROR: Module openvswitch not found.'] as const;
  const verdicts = await machine(debian(K2, { [`modinfo -k ${K2} openvswitch`]: none })).check();
  expect(verdicts.map(({ level, text }) => `${level} ${text}`)).toEqual([
    `ok the running kernel, "${K}": its module is its own`,
    expect.stringMatching(/^fail the kernel of the next boot, "6\.1\.0-25-amd64": its module is not there: install it/),
  ]);
});
