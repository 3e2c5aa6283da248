import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  isSameVersion,
  kernelRelease,
  loadedModule,
  type Module,
  moduleInLists,
  modulePackages,
  parseModinfo,
  reasonOf,
  vswitchdVersion,
} from './parse.ts';

const read = (name: string): string => readFileSync(join(import.meta.dirname, 'testdata', name), 'utf8');
const KERNEL = '5.15.0-119-generic';
const DKMS = read('kernel5.15-other-version/modinfo-2');
const IN_TREE = read('kernel6.1-in-tree/modinfo-1');

describe('modinfo', () => {
  test('in the kernel’s tree, and out of it', () => {
    expect(parseModinfo(IN_TREE, '6.1.0-18-amd64')).toEqual({
      ...{ origin: 'in_tree', version: undefined, srcversion: '47FCD2C2CC1B5B4B3F6CB5D', otherKernel: undefined },
    });
    expect(parseModinfo(DKMS, KERNEL)).toMatchObject({ origin: 'out_of_tree', version: '2.13.8' });
  });

  test('an old kernel’s own module has no `intree`, and is known by where it is and that it has no version', () => {
    const text = (path: string, version = '') =>
      `filename:       /lib/modules/2.6.32/${path}/openvswitch.ko\n${version}`;
    expect(parseModinfo(text('kernel/net/openvswitch'), '2.6.32')?.origin).toBe('in_tree');
    expect(parseModinfo(text('kernel/net/openvswitch', 'version: 1.9.0\n'), '2.6.32')?.origin).toBe('out_of_tree');
    for (const folder of ['extra', 'updates', 'updates/dkms', 'weak-updates/openvswitch'])
      expect(parseModinfo(text(folder), '2.6.32')?.origin, folder).toBe('out_of_tree');
  });

  test('built in: kmod 27 and later', () => {
    const text = 'name:           openvswitch\nfilename:       (builtin)\nlicense:        GPL\n';
    expect(parseModinfo(text, KERNEL)?.origin).toBe('built_in');
  });

  test('built for another kernel it does not load, except where weak-updates say that it does', () => {
    expect(parseModinfo(DKMS, '5.15.0-107-generic')?.otherKernel).toBe(KERNEL);
    const weak = DKMS.replace('updates/dkms', 'weak-updates');
    expect(parseModinfo(weak, '5.15.0-107-generic')?.otherKernel).toBeUndefined();
  });

  test('cut off anywhere, empty, doubled', () => {
    expect(parseModinfo('', KERNEL)).toBeUndefined();
    expect(parseModinfo('filename:\n', KERNEL)).toBeUndefined();
    expect(parseModinfo('nothing here', KERNEL)).toBeUndefined();
    for (let length = 0; length < DKMS.length; length++) parseModinfo(DKMS.slice(0, length), KERNEL);
    expect(parseModinfo(DKMS + DKMS.replace('2.13.8', '9.9.9'), KERNEL)?.version).toBe('2.13.8');
  });
});

test('modules.dep and modules.builtin', () => {
  expect(moduleInLists('kernel/net/openvswitch/openvswitch.ko.zst: kernel/a.ko\n', '')?.origin).toBe('in_tree');
  expect(moduleInLists('/lib/modules/2.6.32/kernel/net/openvswitch/openvswitch.ko:\n', '')?.origin).toBe('in_tree');
  expect(moduleInLists('extra/openvswitch/openvswitch.ko:\n', '')?.origin).toBe('out_of_tree');
  expect(moduleInLists('', 'kernel/net/openvswitch/openvswitch.ko\n')?.origin).toBe('built_in');
  // One that needs it is not it.
  expect(
    moduleInLists('kernel/net/openvswitch/vport-vxlan.ko: kernel/net/openvswitch/openvswitch.ko\n', ''),
  ).toBeUndefined();
  expect(moduleInLists('', '')).toBeUndefined();
});

describe('/sys/module', () => {
  const none = { initstate: undefined, version: undefined, srcversion: undefined, taint: undefined };

  test('loaded, in tree or out of it; kernels before 3.3 have no taint', () => {
    expect(loadedModule({ ...none, initstate: 'live\n', taint: '\n' })?.origin).toBe('in_tree');
    expect(loadedModule({ ...none, initstate: 'live\n', version: '2.17.9\n', taint: 'OE\n' })).toMatchObject({
      ...{ origin: 'out_of_tree', version: '2.17.9' },
    });
    expect(loadedModule({ ...none, initstate: 'live\n', version: '1.4.6\n' })?.origin).toBe('out_of_tree');
    expect(loadedModule({ ...none, initstate: 'live\n' })?.origin).toBe('in_tree');
  });

  test('not there, on its way in or out, built in', () => {
    expect(loadedModule(none)).toBeUndefined();
    for (const initstate of ['coming\n', 'going\n', '', 'x'])
      expect(loadedModule({ ...none, initstate })).toBeUndefined();
    expect(loadedModule({ ...none, version: '1\n' })?.origin).toBe('built_in');
  });
});

test('versions of vswitchd', () => {
  expect(vswitchdVersion('ovs-vswitchd (Open vSwitch) 3.1.0\n')).toBe('3.1.0');
  expect(vswitchdVersion('ovs-vswitchd (Open vSwitch) 1.4.6+build9926\nCompiled Oct  8 2012 11:22:33\n')).toBe(
    '1.4.6+build9926',
  );
  expect(vswitchdVersion('ovs-vswitchd (Open vSwitch) 2.17.7 DPDK 21.11.3\n')).toBeUndefined();
  for (const text of ['', 'ovsdb-server (Open vSwitch) 3.1.0', 'ovs-vswitchd (Open vSwitch) ?', '3.1.0'])
    expect(vswitchdVersion(text), text).toBeUndefined();
});

test('releases of kernels', () => {
  for (const text of ['6.1.0-18-amd64', '2.6.32.43-0.4.1.xs1.8.0.835.170778xen', '4.19.0+1', '5.14.0-427.el9.x86_64'])
    expect(kernelRelease(`${text}\n`)).toBe(text);
  for (const text of ['', 'xen', '../../etc', '6.1 -k', '-1', '6.1\n6.2', `6.${'1'.repeat(200)}`])
    expect(kernelRelease(text), text).toBeUndefined();
});

test('XenServer’s packages, and nothing that only looks like one', () => {
  const text = `openvswitch-modules-xen-2.6.32.43-0.4.1\t1.4.6\nopenvswitch-modules-kdump-2.6.32.43-0.4.1\t9\nopenvswitch\t1.4.6
openvswitch-modules-xen-2.6.32.99\t\nopenvswitch-modules-xen-\t1\ngarbage\n\n`;
  expect([...modulePackages(text)]).toEqual([
    ['2.6.32.43-0.4.1', '1.4.6'],
    ['2.6.32.43-0.4.1xen', '1.4.6'],
  ]);
});

test('versions are the same, but for a build number that one of them does not tell', () => {
  expect(isSameVersion('1.4.6', '1.4.6')).toBe(true);
  expect(isSameVersion('1.4.6', '1.4.6+build9926')).toBe(true);
  expect(isSameVersion('1.4.6+build1', '1.4.6+build2')).toBe(false);
  expect(isSameVersion('1.4.6', '1.4.60')).toBe(false);
  expect(isSameVersion('2.17.9', '2.17.8')).toBe(false);
});

describe('what fits', () => {
  const module = (more: Partial<Module>): Module => ({
    ...{ origin: 'in_tree', version: undefined, srcversion: undefined, ...more },
  });

  test('the kernel’s own fits every vswitchd; another one must have its version', () => {
    expect(reasonOf(undefined, '3.1.0')).toBe('no_module');
    expect(reasonOf(module({}), undefined)).toBe('in_tree');
    expect(reasonOf(module({ origin: 'built_in' }), '3.1.0')).toBe('built_in');
    expect(reasonOf(module({ origin: 'out_of_tree', version: '2.17.9' }), '2.17.9')).toBe('same_version');
    expect(reasonOf(module({ origin: 'out_of_tree', version: '2.17.9' }), '3.1.0')).toBe('other_version');
    expect(reasonOf(module({ otherKernel: '5.4' }), '3.1.0')).toBe('other_kernel');
  });

  test('without a version that is needed it is not known', () => {
    expect(reasonOf(module({ origin: 'out_of_tree' }), '3.1.0')).toBeUndefined();
    expect(reasonOf(module({ origin: 'out_of_tree', version: '2.17.9' }), undefined)).toBeUndefined();
  });
});

test('nothing hostile throws', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
      parseModinfo(a, b);
      parseModinfo(`filename: ${a}\nversion: ${b}`, b);
      moduleInLists(a, b);
      modulePackages(`openvswitch-modules-xen-${a}\t${b}`);
      loadedModule({ initstate: a, version: b, srcversion: a, taint: b });
      vswitchdVersion(a);
      kernelRelease(a);
    }),
  );
});
