/** The boot loader's menu, its default, and the kernel that this is. Pure. */
import { lines, words } from '../../src/text.ts';

/** One line of a menu. */
export interface Entry {
  readonly title: string;
  readonly id: string | undefined;
  /** The kernel's file as the loader names it. */
  readonly kernel: string | undefined;
  readonly children: readonly Entry[];
}

/** What GRUB reads at boot (grubenv): the entry of the next boot alone, and the one that was chosen to stay. */
export type Environment = ReadonlyMap<string, string>;

export function parseEnvironment(text: string): Environment {
  const pairs = lines(text).flatMap((line) => {
    const [, name, value] = /^([A-Za-z_]\w*)=(.*)$/.exec(line) ?? [];
    return name === undefined || value === undefined ? [] : [[name, value] as const];
  });
  return new Map(pairs);
}

/**
 * The entry that GRUB takes (`default`, grub.info "default"): an index, a title or an id, with `>` between a submenu and
 * what is in it. What is not in the menu is its first entry.
 */
export function chosenEntry(menu: readonly Entry[], choice: string): Entry | undefined {
  const [first = '', ...rest] = choice.split('>');
  const wanted = first.trim();
  const index = /^[0-9]{1,4}$/.test(wanted) ? Number(wanted) : -1;
  const entry = menu[index] ?? menu.find(({ id, title }) => id === wanted || title === wanted) ?? menu[0];
  if (entry === undefined || entry.children.length === 0) return entry;
  return chosenEntry(entry.children, rest.join('>'));
}

/** A file of /boot/loader/entries (Boot Loader Specification); its name is its id. */
export function parseBlsEntry(name: string, text: string): Entry {
  const value = (key: string): string | undefined => {
    const line = lines(text).find((one) => one.startsWith(`${key} `) || one.startsWith(`${key}\t`));
    return line?.slice(key.length).trim() || undefined;
  };
  const id = name.replace(/\.conf$/, '');
  return { title: value('title') ?? id, id, kernel: words(value('linux') ?? '')[0], children: [] };
}

/** As GRUB shows them: the newest first, by the parts of their names as rpm compares versions. */
export function sortedBlsEntries(entries: readonly Entry[]): Entry[] {
  return entries.toSorted((a, b) => compareVersions(b.id ?? '', a.id ?? ''));
}

/** rpmvercmp: runs of digits as numbers, runs of letters as texts, and a number is newer than a text. */
export function compareVersions(a: string, b: string): number {
  const parts = (text: string): string[] => text.match(/[0-9]+|[A-Za-z]+|~/g) ?? [];
  const [left, right] = [parts(a), parts(b)];
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const [one, other] = [left[at], right[at]];
    if (one === other) continue;
    if (one === '~' || other === '~') return one === '~' ? -1 : 1;
    if (one === undefined || other === undefined) return one === undefined ? -1 : 1;
    const [isNumber, isOtherNumber] = [/^[0-9]/.test(one), /^[0-9]/.test(other)];
    if (isNumber !== isOtherNumber) return isNumber ? 1 : -1;
    if (!isNumber) return one < other ? -1 : 1;
    const [value, otherValue] = [BigInt(one), BigInt(other)];
    if (value !== otherValue) return value < otherValue ? -1 : 1;
  }
  return 0;
}

/**
 * extlinux.conf and syslinux.cfg: the kernel of the default label. XenServer starts Xen by mboot.c32, whose first
 * module is the kernel: `append /boot/xen.gz … --- /boot/vmlinuz-2.6-xen … --- /boot/initrd-2.6-xen.img`.
 */
export function extlinuxKernel(text: string): string | undefined {
  const labels = new Map<string, { kernel?: string; append?: string }>();
  let label: { kernel?: string; append?: string } | undefined;
  let first: string | undefined;
  let chosen: string | undefined;
  for (const line of lines(text)) {
    const [keyword = '', ...rest] = words(line.trim());
    const value = rest.join(' ');
    switch (keyword.toLowerCase()) {
      case 'default':
        chosen = value;
        break;
      case 'label':
        label = labels.get(value) ?? {};
        labels.set(value, label);
        first ??= value;
        break;
      case 'kernel':
      case 'linux':
        if (label !== undefined) label.kernel ??= rest[0] ?? '';
        break;
      case 'append':
        if (label !== undefined) label.append ??= value;
        break;
      case 'menu':
        if (rest[0]?.toLowerCase() === 'default') chosen = [...labels].find(([, one]) => one === label)?.[0];
        break;
    }
  }
  const { kernel, append = '' } = labels.get(chosen ?? first ?? '') ?? {};
  if (kernel === undefined || !/(?:^|\/)mboot\.c32$/.test(kernel)) return kernel || undefined;
  return words(append.split(' --- ')[1] ?? '')[0];
}
