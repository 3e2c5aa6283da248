/** grub.cfg, as grub-mkconfig(8) and XenServer's installer write it → the menu and its default. Pure. */
import { lines, words } from '../../src/text.ts';
import type { Entry, Environment } from './boot-entries.ts';

export interface GrubConfig {
  readonly menu: readonly Entry[];
  /** Its entries are those of /boot/loader/entries, before its own. */
  readonly usesBls: boolean;
  /** It ends within an entry, as one does that is being written, or was when the disk was full. */
  readonly isCut: boolean;
  /** What it sets `default` to, with the values of its environment; undefined: nothing. */
  choice(environment: Environment): string | undefined;
}

interface Open {
  readonly kind: 'entry' | 'submenu' | 'other';
  readonly entry: { title: string; id: string | undefined; kernel: string | undefined; children: Entry[] };
}

/** `if [ "${next_entry}" ]` asks for a variable. Fedora counts failed boots, and takes another entry after some. */
type Condition = { readonly variable: string; readonly isNegated: boolean } | 'counted' | 'other';

function conditionOf(line: string): Condition {
  if (line.includes('boot_counter')) return 'counted';
  const variable = /^(?:el)?if\s+\[\s+(?:-n\s+)?"?\$\{?(\w+)\}?"?\s+\]/.exec(line)?.[1];
  return variable === undefined ? 'other' : { variable, isNegated: false };
}

function opposite(condition: Condition | undefined): Condition {
  return typeof condition === 'object' ? { ...condition, isNegated: !condition.isNegated } : (condition ?? 'other');
}

const isSet = ({ variable }: { readonly variable: string }, environment: Environment): boolean =>
  (environment.get(variable) ?? '') !== '';

export function parseGrubConfig(text: string): GrubConfig {
  const menu: Entry[] = [];
  const open: Open[] = [];
  const conditions: Condition[] = [];
  const choices: { readonly value: string; readonly conditions: readonly Condition[] }[] = [];
  let usesBls = false;
  for (const raw of lines(text)) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    if (/^(?:menuentry|submenu)\s/.test(line) && line.endsWith('{')) {
      const submenu = open.findLast(({ kind }) => kind === 'submenu');
      const entry = { ...headOf(line), kernel: undefined, children: [] };
      (submenu?.entry.children ?? menu).push(entry);
      open.push({ kind: line.startsWith('menuentry') ? 'entry' : 'submenu', entry });
      continue;
    }
    if (line.endsWith('{')) open.push({ kind: 'other', entry: { ...headOf(''), kernel: undefined, children: [] } });
    else if (line === '}') open.pop();
    const inside = open.at(-1);
    if (inside?.kind === 'entry') inside.entry.kernel ??= kernelIn(line);
    if (inside !== undefined) continue;
    if (/^if\s/.test(line)) conditions.push(conditionOf(line));
    else if (/^elif\s/.test(line)) conditions.splice(-1, 1, conditionOf(line));
    else if (/^else\b/.test(line)) conditions.splice(-1, 1, opposite(conditions.at(-1)));
    else if (/^fi\b/.test(line)) conditions.pop();
    else if (/^blscfg\b/.test(line)) usesBls = true;
    const value = /^set\s+default=(.*)$/.exec(line)?.[1];
    if (value !== undefined) choices.push({ value: unquoted(value.trim()), conditions: [...conditions] });
  }
  return {
    menu,
    usesBls,
    isCut: open.length > 0,
    choice(environment) {
      const holds = (condition: Condition): boolean =>
        condition === 'counted'
          ? false
          : condition === 'other' || isSet(condition, environment) !== condition.isNegated;
      let choice: string | undefined;
      for (const { value, conditions: all } of choices) {
        if (!all.every(holds)) continue;
        const variable = /^\$\{?(\w+)\}?$/.exec(value)?.[1];
        choice = variable === undefined ? value : (environment.get(variable) ?? '');
      }
      return choice;
    },
  };
}

const unquoted = (word: string): string => word.replace(/^(["'])(.*)\1$/, '$2');

/** `menuentry 'Debian, with Linux 6.1' --class debian $menuentry_id_option 'gnulinux-6.1-advanced' {` */
function headOf(line: string): { readonly title: string; readonly id: string | undefined } {
  const parts = line.match(/'[^']*'|"(?:\\.|[^"\\])*"|[^\s'"]+/g) ?? [];
  const at = parts.findIndex((part) => /^(?:--id|\$\{?menuentry_id_option\}?)$/.test(part));
  const joined = parts.find((part) => part.startsWith('--id='))?.slice(5);
  const id = at < 0 ? joined : parts[at + 1];
  return { title: unquoted(parts[1] ?? ''), id: id === undefined ? undefined : unquoted(id) };
}

/** `linux /vmlinuz-6.1 root=…`; with Xen the first module that is one: `module2 /boot/vmlinuz-4.19-xen root=…`. */
function kernelIn(line: string): string | undefined {
  const [command = '', ...rest] = words(line);
  const [path = ''] = rest.filter((word) => !word.startsWith('--'));
  const file = unquoted(path).replace(/^\([^)]*\)/, '');
  if (/^(?:linux|linux16|linuxefi)$/.test(command)) return file || undefined;
  const isKernel =
    /^(?:module|module2)$/.test(command) && /(?:^|\/)(?:vmlinu[xz]|bzImage|Image|kernel)[^/]*$/.test(file);
  return isKernel ? file : undefined;
}
