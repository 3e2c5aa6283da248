/**
 * The ovs_kmod collector beside a real Open vSwitch, with the real depmod(8) and modinfo(8) over trees of modules that
 * are made here: object files that have nothing but what modinfo prints. No module is loaded.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ovsKmod } from '../../collectors/ovs_kmod/index.ts';
import { systemClock } from '../../src/clock.ts';
import { localTarget } from '../../src/hosts/local.ts';
import type { Target } from '../../src/hosts/target.ts';
import { deliveryOf, freshMemory, planOf } from '../../src/job.ts';
import { run } from '../../src/run.ts';
import { createClaims } from '../../src/vet.ts';
import { startTestbed, type Testbed, testbedReason } from '../support/testbed.ts';

const RUNNING = readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim();
const PENDING = '9.9.9-edgestatd';
const hasKmod = ['depmod', 'modinfo'].every((program) => spawnSync(program, ['--version']).status === 0);
const isLoaded = existsSync('/sys/module/openvswitch');
const reason = testbedReason() ?? (hasKmod ? undefined : 'depmod and modinfo (kmod) are not installed');

/** An ELF file (relocatable, 64 bit) with one section of its own: `.modinfo`, texts that end with NUL. */
function moduleFile(fields: Readonly<Record<string, string>>): Buffer {
  const info = Buffer.from(
    Object.entries(fields)
      .map(([name, value]) => `${name}=${value}\0`)
      .join(''),
  );
  const names = Buffer.from('\0.modinfo\0.shstrtab\0');
  const header = Buffer.alloc(64);
  header.write('\x7fELF\x02\x01\x01', 'latin1');
  const sectionsAt = Math.ceil((64 + info.length + names.length) / 8) * 8;
  for (const [at, value] of [
    [16, 1],
    [18, 62],
    [52, 64],
    [58, 64],
    [60, 3],
    [62, 2],
  ] as const)
    header.writeUInt16LE(value, at);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(BigInt(sectionsAt), 40);
  const section = (name: number, type: number, flags: number, at: number, length: number): Buffer => {
    const bytes = Buffer.alloc(64);
    bytes.writeUInt32LE(name, 0);
    bytes.writeUInt32LE(type, 4);
    bytes.writeBigUInt64LE(BigInt(flags), 8);
    bytes.writeBigUInt64LE(BigInt(at), 24);
    bytes.writeBigUInt64LE(BigInt(length), 32);
    bytes.writeBigUInt64LE(1n, 48);
    return bytes;
  };
  const body = Buffer.concat([header, info, names]);
  return Buffer.concat([
    ...[body, Buffer.alloc(sectionsAt - body.length), section(0, 0, 0, 0, 0)],
    ...[section(1, 1, 2, 64, info.length), section(10, 3, 0, 64 + info.length, names.length)],
  ]);
}

let root: string;
const targets: Target[] = [];
const write = (path: string, text: string | Buffer): void => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
};

/** Puts one module, or none, in the place of a kernel's. */
function install(kernel: string, path?: string, fields: Readonly<Record<string, string>> = {}): void {
  const folder = `lib/modules/${kernel}`;
  rmSync(join(root, folder), { recursive: true, force: true });
  write(`${folder}/modules.order`, '');
  write(`${folder}/modules.builtin`, path === 'builtin' ? 'kernel/net/openvswitch/openvswitch.ko\n' : '');
  const vermagic = `${kernel} SMP preempt mod_unload modversions `;
  if (path !== undefined && path !== 'builtin')
    write(`${folder}/${path}/openvswitch.ko`, moduleFile({ license: 'GPL', ...fields, vermagic }));
  const { status, stderr } = spawnSync('depmod', ['-b', root, kernel], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`depmod: ${stderr}`);
}

function boot(kernel: string): void {
  const entry = (title: string, id: string, release: string): string =>
    `menuentry '${title}' --class os $menuentry_id_option '${id}' {\n\tlinux\t/vmlinuz-${release} ro\n}\n`;
  const menu = entry('Linux', 'one', kernel) + entry('Another', 'two', 'none');
  write(
    'boot/grub/grub.cfg',
    `if [ "\${next_entry}" ] ; then\n   set default="\${next_entry}"\nelse\n   set default="0"\nfi\n${menu}`,
  );
}

const inTree = (kernel: string): void =>
  install(kernel, 'kernel/net/openvswitch', { intree: 'Y', name: 'openvswitch' });

/** One run of a job of its own. */
async function read(rundir: string) {
  const target = localTarget('hv');
  targets.push(target);
  const config = {
    ...{ id: 'ovs_kmod@hv', name: 'ovs_kmod', collector: ovsKmod, target: 'hv' },
    ...{ options: ovsKmod.options.parse({ rundir, root }), when: { everyMs: 300_000 }, intervalMs: 300_000 },
    ...{ splayMs: 0, timeoutMs: 20_000, fingerprint: '' },
  };
  const around = { prefix: 'edge', target, claims: createClaims() };
  const { delivery, problems, failure } = deliveryOf(
    await run(planOf(config, target), systemClock),
    config,
    around,
    freshMemory(config, around),
  );
  const values: Record<string, number | undefined> = {};
  for (const { path, value } of delivery.points) values[path.replace('edge.hv.ovs_kmod.', '')] = value;
  return { values, failure, problems: problems.map(({ code, message }) => `${code} ${message}`) };
}

describe.skipIf(reason !== undefined)(`ovs_kmod${reason === undefined ? '' : ` (${reason})`}`, () => {
  let testbed: Testbed;
  let version: string;
  beforeAll(async () => {
    testbed = await startTestbed();
    version = /\) (\S+)/.exec(await testbed.appctl('version'))?.[1] ?? '';
  });
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'edgestatd-kmod-'));
    return () => rmSync(root, { recursive: true, force: true });
  });
  afterAll(async () => {
    await Promise.all(targets.map((target) => target.close()));
    await testbed?.close();
  });

  it('all bridges in userspace: not applicable, which is said, and nothing is sent of kernels', async () => {
    const { values, problems } = await read(testbed.rundir);
    expect(values).toMatchObject({ applicable: 0, module_loaded: isLoaded ? 1 : 0 });
    expect(values).not.toHaveProperty('match_running');
    expect(problems).toEqual([
      expect.stringMatching(/^E_CONFIG the datapath of all \d+ bridges is in userspace \(netdev\)/),
    ]);
  });

  describe('with a bridge of the kernel’s datapath', () => {
    beforeAll(async () => {
      await testbed.vsctl(
        '--no-wait',
        'add-br',
        'kernelbr0',
        '--',
        'set',
        'bridge',
        'kernelbr0',
        'datapath_type=system',
      );
    });
    afterAll(async () => {
      await testbed?.vsctl('--no-wait', '--if-exists', 'del-br', 'kernelbr0');
    });

    it('what depmod found and modinfo prints of the kernel of the next boot', async () => {
      inTree(RUNNING);
      boot(PENDING);
      const pending = async () => (await read(testbed.rundir)).values;
      inTree(PENDING);
      const first = await pending();
      expect(first).toMatchObject({ applicable: 1, kernel_pending: 1, match_pending: 1, 'in_tree.pending_reason': 1 });
      if (!isLoaded)
        expect(first).toMatchObject({ match_running: 0, 'not_loaded.running_reason': 1, module_loaded: 0 });
      install(PENDING, 'updates/dkms', { version });
      expect(await pending()).toMatchObject({ match_pending: 1, 'same_version.pending_reason': 1 });
      install(PENDING, 'extra/openvswitch', { version: '1.4.6' });
      expect(await pending()).toMatchObject({
        match_pending: 0,
        'other_version.pending_reason': 1,
        'in_tree.pending_reason': 0,
      });
      install(PENDING, 'builtin');
      expect(await pending()).toMatchObject({ match_pending: 1, 'built_in.pending_reason': 1 });
      install(PENDING);
      expect(await pending()).toMatchObject({ match_pending: 0, 'no_module.pending_reason': 1 });
      rmSync(join(root, 'lib/modules', PENDING), { recursive: true });
      write(`boot/vmlinuz-${PENDING}`, '');
      expect(await pending()).toMatchObject({ match_pending: 0, 'no_module.pending_reason': 1 });
    });

    it('the entry for the next boot alone, whose kernel is not there', async () => {
      inTree(RUNNING);
      boot(RUNNING);
      expect(await read(testbed.rundir)).toMatchObject({
        values: { kernel_pending: 0, match_pending: 1 },
        problems: [],
      });
      write('boot/grub/grubenv', '# GRUB Environment Block\nnext_entry=two\n');
      const { values, problems } = await read(testbed.rundir);
      expect(values).not.toHaveProperty('match_pending');
      expect(problems).toEqual([
        expect.stringMatching(/^E_NOT_FOUND match_pending: .* names "\/vmlinuz-none", which is not there/),
      ]);
    });

    it('nothing below the root, as in a container: unknown, and said', async () => {
      const { values, problems } = await read(testbed.rundir);
      expect(values).not.toHaveProperty('match_pending');
      if (!isLoaded) expect(values).not.toHaveProperty('match_running');
      expect(problems.at(-1)).toMatch(
        /^E_NOT_FOUND match_pending: .* in a container, mount the machine’s and set root$/,
      );
    });

    it('while vswitchd does not run the program that is installed is what must fit', async () => {
      install(RUNNING, 'extra', { version });
      boot(RUNNING);
      await testbed.stopVswitchd();
      try {
        const { values } = await read(testbed.rundir);
        expect(values).toMatchObject({ applicable: 1, match_pending: 1 });
        if (!isLoaded) expect(values).toMatchObject({ match_running: 1, 'same_version.running_reason': 1 });
      } finally {
        await testbed.startVswitchd();
      }
    });
  });

  it('no Open vSwitch at that place is told, and only the program is left', async () => {
    const { values, problems } = await read(join(root, 'nowhere'));
    expect(values).not.toHaveProperty('applicable');
    expect(problems[0]).toMatch(/^E_NOT_FOUND .*db\.sock/);
  });
});
