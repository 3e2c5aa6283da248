import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  chosenEntry,
  compareVersions,
  extlinuxKernel,
  parseBlsEntry,
  parseEnvironment,
  sortedBlsEntries,
} from './boot-entries.ts';
import { parseGrubConfig } from './grub-config.ts';

const read = (name: string): string => readFileSync(join(import.meta.dirname, 'testdata', name), 'utf8');
const DEBIAN = read('kernel5.15-other-version/boot-grub-grub.cfg');
const UUID = '6b7c1f1e-9a5e-4b0e-8a51-2f4c3f9e7d10';
const [OLD, NEW] = ['/vmlinuz-5.15.0-107-generic', '/vmlinuz-5.15.0-119-generic'];

const kernelOf = (text: string, environment: Record<string, string> = {}): string | undefined => {
  const { menu, choice } = parseGrubConfig(text);
  return chosenEntry(menu, choice(new Map(Object.entries(environment))) ?? '0')?.kernel;
};
/** As grub.cfg has it. */
const SAVED = ['$', '{saved_entry}'].join('');
const withDefault = (value: string): string => DEBIAN.replace('set default="0"', `set default="${value}"`);

describe('grub.cfg of grub-mkconfig', () => {
  test('its menu', () => {
    const { menu, usesBls } = parseGrubConfig(DEBIAN);
    expect(usesBls).toBe(false);
    expect(menu.map(({ title, id, children }) => [title, id, children.length])).toEqual([
      ['Debian GNU/Linux', `gnulinux-simple-${UUID}`, 0],
      ['Advanced options for Debian GNU/Linux', `gnulinux-advanced-${UUID}`, 2],
    ]);
    expect(menu[1]?.children.map(({ kernel }) => kernel)).toEqual([NEW, OLD]);
  });

  test('the default by index, by path, by id, by title', () => {
    expect(kernelOf(DEBIAN)).toBe(NEW);
    expect(kernelOf(withDefault('1>1'))).toBe(OLD);
    expect(kernelOf(withDefault('1'))).toBe(NEW);
    expect(kernelOf(withDefault(`gnulinux-advanced-${UUID}>gnulinux-5.15.0-107-generic-advanced-${UUID}`))).toBe(OLD);
    const titles = 'Advanced options for Debian GNU/Linux>Debian GNU/Linux, with Linux 5.15.0-107-generic';
    expect(kernelOf(withDefault(titles))).toBe(OLD);
  });

  test('what is not in the menu is the first entry, as GRUB does it', () => {
    for (const value of ['9', 'gone', '1>9', '', '1>gone', '-1', '99999999'])
      expect(kernelOf(withDefault(value)), value).toBe(NEW);
  });

  test('the saved entry, and the one for a single boot before it', () => {
    expect(kernelOf(withDefault(SAVED))).toBe(NEW);
    expect(kernelOf(withDefault(SAVED), { saved_entry: '1>1' })).toBe(OLD);
    expect(kernelOf(withDefault(SAVED), { saved_entry: '0', next_entry: '1>1' })).toBe(OLD);
    expect(kernelOf(DEBIAN, { saved_entry: '1>1' })).toBe(NEW);
    expect(kernelOf(DEBIAN, { next_entry: '1>1' })).toBe(OLD);
  });

  test('a variable that is asked for and not set changes nothing', () => {
    const xen = read('xenserver8.2-in-tree/boot-grub-grub.cfg');
    expect(kernelOf(xen)).toBe('/boot/vmlinuz-4.19-xen');
    const { menu, choice } = parseGrubConfig(xen);
    expect(choice(new Map())).toBe('0');
    expect(chosenEntry(menu, choice(new Map([['override_entry', '1']])) ?? '')?.title).toBe('XenServer (Serial)');
  });

  test('Fedora’s count of failed boots is not the default', () => {
    const { choice, usesBls } = parseGrubConfig(read('kernel5.14-no-module/boot-grub2-grub.cfg'));
    expect(usesBls).toBe(true);
    expect(choice(new Map([['saved_entry', 'x']]))).toBe('x');
    expect(choice(new Map())).toBe('');
  });

  test('other forms of an entry’s kernel', () => {
    const kernel = (line: string): string | undefined => kernelOf(`menuentry "a b" --id=x {\n\t${line}\n}\n`);
    expect(kernel('linux16 /vmlinuz-3.10.0 root=UUID')).toBe('/vmlinuz-3.10.0');
    expect(kernel('linuxefi ($root)/vmlinuz-3.10.0 ro')).toBe('/vmlinuz-3.10.0');
    expect(kernel('linux "/boot/vmlinuz-6.1" ro')).toBe('/boot/vmlinuz-6.1');
    expect(kernel('module --nounzip /boot/vmlinuz-6.1 placeholder')).toBe('/boot/vmlinuz-6.1');
    expect(kernel('module2 /boot/initrd.img-6.1')).toBeUndefined();
    expect(kernel('multiboot2 /boot/xen.gz')).toBeUndefined();
    expect(kernel('chainloader +1')).toBeUndefined();
  });

  test('a stub that only says where the other one is has no menu', () => {
    expect(
      parseGrubConfig('search.fs_uuid 1 root\nset prefix=($root)/grub\nconfigfile $prefix/grub.cfg\n').menu,
    ).toEqual([]);
  });

  test('cut off within an entry it is none that can be believed', () => {
    expect(parseGrubConfig(DEBIAN).isCut).toBe(false);
    const [begin, end] = [DEBIAN.indexOf("menuentry 'Debian"), DEBIAN.lastIndexOf('}')];
    for (let length = begin + 200; length < end; length += 7) {
      const { isCut, menu } = parseGrubConfig(DEBIAN.slice(0, length));
      if (!isCut) expect(menu[0]?.kernel).toBe(NEW);
    }
    expect(parseGrubConfig(DEBIAN.slice(0, DEBIAN.indexOf('linux\t') + 20)).isCut).toBe(true);
  });

  test('nothing hostile throws or takes long', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void kernelOf(text)));
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => void kernelOf(`menuentry ${text} {\nlinux ${text}\n}`)),
    );
    expect(kernelOf(`${'submenu "a" {\n'.repeat(3000)}menuentry x {\nlinux /vmlinuz-1\n}\n`)).toBe('/vmlinuz-1');
    expect(kernelOf(`menuentry '${"'".repeat(20_000)} {\n`)).toBeUndefined();
    expect(kernelOf('}\n'.repeat(1000) + 'fi\nelse\n'.repeat(1000))).toBeUndefined();
  });
});

test('the environment block', () => {
  expect([...parseEnvironment(`# GRUB Environment Block\nsaved_entry=a>b=c\nnext_entry=\n${'#'.repeat(900)}`)]).toEqual(
    [
      ['saved_entry', 'a>b=c'],
      ['next_entry', ''],
    ],
  );
  expect([...parseEnvironment('')]).toEqual([]);
});

describe('the Boot Loader Specification', () => {
  test('an entry', () => {
    const text = 'title Red Hat (6.1)\nversion 6.1\nlinux /vmlinuz-6.1 \ninitrd /i.img\noptions linux=1\n';
    expect(parseBlsEntry('abc-6.1.conf', text)).toEqual({
      ...{ title: 'Red Hat (6.1)', id: 'abc-6.1', kernel: '/vmlinuz-6.1', children: [] },
    });
    expect(parseBlsEntry('x.conf', '').kernel).toBeUndefined();
    expect(parseBlsEntry('x.conf', 'linux\t/vmlinuz-1\n').kernel).toBe('/vmlinuz-1');
  });

  test('the newest is the first, and the rescue entry the last', () => {
    const ids = ['5.14.0-70.el9', '5.14.0-427.13.1.el9', '0-rescue', '5.14.0-427.2.1.el9', '6.1.0~rc1', '6.1.0'];
    const sorted = sortedBlsEntries(ids.map((id) => parseBlsEntry(`c0ffee-${id}.conf`, 'linux /x')));
    expect(sorted.map(({ id }) => id?.slice(7))).toEqual([
      ...['6.1.0', '6.1.0~rc1', '5.14.0-427.13.1.el9', '5.14.0-427.2.1.el9', '5.14.0-70.el9', '0-rescue'],
    ]);
  });

  test('versions are ordered: totally, and the same from both sides', () => {
    const version = fc.string({ unit: fc.constantFrom('1', '2', '10', 'a', 'b', '.', '-', '~'), maxLength: 8 });
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        expect(Math.sign(compareVersions(a, b)) + Math.sign(compareVersions(b, a))).toBe(0);
        if (compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0)
          expect(compareVersions(a, c)).toBeLessThanOrEqual(0);
      }),
    );
  });
});

describe('extlinux.conf', () => {
  const XEN = read('xenserver6.2-hotfix/boot-extlinux.conf');

  test('XenServer: the first module of Xen is the kernel', () => {
    expect(extlinuxKernel(XEN)).toBe('/boot/vmlinuz-2.6-xen');
    expect(extlinuxKernel(XEN.replace('default xe', 'default fallback'))).toBe(
      '/boot/vmlinuz-2.6.32.43-0.4.1.xs1.8.0.835.170778xen',
    );
  });

  test('a kernel of its own; without a default the first; `menu default`', () => {
    const text = 'LABEL a\n  LINUX /vmlinuz-1\n  APPEND x\nLABEL b\n  MENU DEFAULT\n  KERNEL ../vmlinuz-2\n';
    expect(extlinuxKernel(text)).toBe('../vmlinuz-2');
    expect(extlinuxKernel(text.replace('  MENU DEFAULT\n', ''))).toBe('/vmlinuz-1');
  });

  test('what has none', () => {
    for (const text of [
      '',
      'default x\n',
      'label a\n',
      'default b\nlabel a\nkernel /k\n',
      'label a\nkernel mboot.c32\nappend /xen.gz\n',
    ])
      expect(extlinuxKernel(text), text).toBeUndefined();
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => void extlinuxKernel(`default ${text}\nlabel ${text}`)),
    );
  });
});
