/** The kernel that the next boot takes, as the boot loader's configuration says. What it does not say is not guessed. */
import type { Host } from '../../src/collector.ts';
import { asFailure, Failure } from '../../src/errors.ts';
import { lines, quoted } from '../../src/text.ts';
import {
  chosenEntry,
  type Entry,
  extlinuxKernel,
  parseBlsEntry,
  parseEnvironment,
  sortedBlsEntries,
} from './boot-entries.ts';
import { parseGrubConfig } from './grub-config.ts';
import { kernelRelease } from './parse.ts';

/** A path below the root that is looked at. */
export type At = (path: string) => string;

const DEBIANS = '/boot/grub/grub.cfg';
const GRUB = ['/boot/grub2/grub.cfg', DEBIANS];
const EXTLINUX = ['/boot/extlinux.conf', '/boot/extlinux/extlinux.conf'];
const EFI = '/boot/efi/EFI';
const BLS = '/boot/loader/entries';
/** More entries than anybody keeps. */
const MAX_ENTRIES = 64;

/** What one configuration names, and where that was found. */
interface Choice {
  readonly path: string;
  readonly kernel: string;
}

/** The release of the kernel of the next boot, or why it cannot be told. `kernels`: those that have modules. */
export async function pendingKernel(host: Host, at: At, kernels: readonly string[]): Promise<string | Failure> {
  const troubles: Failure[] = [];
  const read = async (path: string): Promise<string | undefined> =>
    host.readFile(at(path)).catch((thrown: unknown) => {
      const failure = asFailure(thrown);
      if (failure.code !== 'E_NOT_FOUND') troubles.push(failure);
      return undefined;
    });
  const grub = async (path: string): Promise<Choice | undefined> => {
    const text = await read(path);
    const choice = text === undefined ? undefined : await grubChoice(host, at, path, text);
    if (choice instanceof Failure) troubles.push(choice);
    return choice instanceof Failure ? undefined : choice;
  };
  // The kernel's own, which every container has.
  const isEfi = await isThere(host, '/sys/firmware/efi');
  // On a machine that boots by EFI, /boot/grub2 may be what is left of another way to boot.
  const vendors = isEfi ? await namesIn(host, at(EFI)) : [];
  const efi = await Promise.all(
    (vendors instanceof Failure ? [] : vendors).map((vendor) => grub(`${EFI}/${vendor}/grub.cfg`)),
  );
  let choices = efi.filter((one) => one !== undefined);
  if (choices.length === 0) choices = (await Promise.all(GRUB.map(grub))).filter((one) => one !== undefined);
  for (const path of EXTLINUX) {
    const kernel = extlinuxKernel((await read(path)) ?? '');
    if (kernel !== undefined) choices.push({ path, kernel });
  }
  // Debian's is read whichever way it boots; elsewhere the menu may be the one in /boot/efi, which is mostly for root.
  if (vendors instanceof Failure && !choices.some(({ path }) => path === DEBIANS)) troubles.push(vendors);
  const [first] = choices;
  // What could not be read may be what the boot loader reads.
  if (first === undefined || troubles.length > 0)
    return troubles[0] === undefined ? nothingFound(host, at) : denied(troubles[0]);
  const releases = await Promise.all(choices.map((choice) => releaseOf(host, at, choice, kernels)));
  const [release = unclear(first)] = releases;
  const other = releases.findIndex((one) => one !== release && !(one instanceof Failure && release instanceof Failure));
  const second = choices[other];
  if (second === undefined) return release;
  const found = `${quoted(at(first.path))} names ${quoted(first.kernel)}, and ${quoted(at(second.path))} ${quoted(second.kernel)}`;
  return new Failure('E_PARSE', `${PENDING}: ${found}; remove the one that is not used`);
}

const PENDING = 'the kernel of the next boot is not known';

/** None: there is no such directory. */
async function namesIn(host: Host, path: string): Promise<readonly string[] | Failure> {
  const names = await host.list(path).catch(asFailure);
  return names instanceof Failure && names.code === 'E_NOT_FOUND' ? [] : names;
}

async function isThere(host: Host, path: string): Promise<boolean> {
  return host.list(path).then(
    () => true,
    () => false,
  );
}

async function nothingFound(host: Host, at: At): Promise<Failure> {
  const boot = await host.list(at('/boot')).catch(asFailure);
  const path = at('/boot');
  if (boot instanceof Failure && boot.code === 'E_DENIED') return denied(boot);
  if (boot instanceof Failure || boot.length === 0) {
    const advice = 'in a container, mount the machine’s and set root';
    return new Failure('E_NOT_FOUND', `${PENDING}: nothing is in ${quoted(path)}; ${advice}`, { path });
  }
  const known = 'GRUB 2 (with or without /boot/loader/entries) and extlinux are understood';
  return new Failure('E_NOT_FOUND', `${PENDING}: no boot loader’s configuration in ${quoted(path)}; ${known}`, {
    path,
  });
}

function denied({ code, message, evidence }: Failure): Failure {
  return new Failure(code, `${PENDING}: ${message}; it is for root`, evidence);
}

function unclear({ path }: Choice): Failure {
  return new Failure('E_PARSE', `${PENDING}: the default entry of ${quoted(path)} has none, or the file is cut off`, {
    path,
  });
}

/** Undefined: a configuration without a menu, which only says where the other one is. */
async function grubChoice(host: Host, at: At, path: string, text: string): Promise<Choice | undefined | Failure> {
  const config = parseGrubConfig(text);
  if (config.isCut) return { path, kernel: '' };
  const menu: Entry[] = [...config.menu];
  const entries = config.usesBls ? await blsEntries(host, at) : [];
  if (entries instanceof Failure) return entries;
  menu.unshift(...entries);
  if (menu.length === 0) return undefined;
  const folder = path.slice(0, path.lastIndexOf('/'));
  const candidates = [`${folder}/grubenv`, '/boot/grub2/grubenv', '/boot/grub/grubenv'].map(at);
  const environments = await host.readFiles([...new Set(candidates)]);
  const found = environments.find((one) => typeof one === 'string' || one.code !== 'E_NOT_FOUND') ?? '';
  // Without it another entry would be taken for the default.
  if (typeof found !== 'string') return found;
  const environment = parseEnvironment(found);
  return { path, kernel: chosenEntry(menu, config.choice(environment) ?? '0')?.kernel ?? '' };
}

async function blsEntries(host: Host, at: At): Promise<Entry[] | Failure> {
  const names = await namesIn(host, at(BLS));
  if (names instanceof Failure) return names;
  const some = names.filter((name) => name.endsWith('.conf')).slice(0, MAX_ENTRIES);
  const texts = await host.readFiles(some.map((name) => at(`${BLS}/${name}`)));
  const unread = texts.find((text) => text instanceof Failure && text.code !== 'E_NOT_FOUND');
  if (unread instanceof Failure) return unread;
  const entries = some.flatMap((name, index) => {
    const text = texts[index];
    return typeof text === 'string' ? [parseBlsEntry(name, text)] : [];
  });
  return sortedBlsEntries(entries);
}

const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
const releaseIn = (file: string): string | undefined =>
  kernelRelease(/^(?:vmlinu[xz]|bzImage|Image|kernel)-(.+)$/.exec(baseName(file))?.[1] ?? '');

/** `/vmlinuz-6.1.0-18-amd64` → `6.1.0-18-amd64`; XenServer's `vmlinuz-2.6-xen` is a link to the kernel's file. */
async function releaseOf(host: Host, at: At, choice: Choice, kernels: readonly string[]): Promise<string | Failure> {
  const { kernel } = choice;
  if (kernel === '') return unclear({ ...choice, path: at(choice.path) });
  const named = releaseIn(kernel);
  if (named !== undefined && kernels.includes(named)) return named;
  // GRUB's paths begin at the file system that has /boot, or at /boot itself.
  const file = at(`/boot/${baseName(kernel)}`);
  const target = await host.run(['readlink', '-f', '--', file]).catch(asFailure);
  if (target instanceof Failure && target.code !== 'E_EXIT') return target;
  const [resolved = ''] = target instanceof Failure ? [] : lines(target);
  const release = releaseIn(resolved);
  const boot = await host.list(at('/boot')).catch((): readonly string[] => []);
  if (release !== undefined && boot.includes(baseName(resolved))) return release;
  const advice = 'the next boot may fail';
  return new Failure(
    'E_NOT_FOUND',
    `${PENDING}: ${quoted(at(choice.path))} names ${quoted(kernel)}, which is not there; ${advice}`,
    {
      path: file,
    },
  );
}
