/** Reads inventories: files and what programs print → SSH targets by their names. */
import { readFile, stat } from 'node:fs/promises';
import { asFailure, Failure, systemCode } from '../errors.ts';
import type { Argv } from '../host.ts';
import { runProgram } from '../hosts/program.ts';
import { type SshOptions, sshTargetOptions } from '../hosts/ssh-options.ts';
import { segment } from '../naming.ts';
import { printable, quoted } from '../text.ts';
import type { Entry, Parsed, Problem } from './entry.ts';
import type { InventoryOptions, InventorySource } from './options.ts';
import { parseInventory } from './parse.ts';

export interface InventorySurroundings {
  /** Environment variables that hold secrets: programs do not see them. */
  readonly withheld: readonly string[];
  /** Names of the targets that stand in the configuration, as in the series: no other target may have one of them. */
  readonly taken?: Iterable<string>;
  /** Ends programs early; its reason is a Failure. */
  readonly stop?: AbortSignal;
}

export interface Inventories {
  /** In the order of the sources and of what stands in them. */
  readonly targets: ReadonlyMap<string, SshOptions>;
  /** Entries that are left out, and what is not used. */
  readonly problems: readonly Problem[];
}

const MAX_BYTES = 64 * 1024 * 1024;
const KILL_AFTER_MS = 1000;
/** Of one source; the rest are a number. */
const MAX_TOLD = 20;
/** This machine, whatever an inventory calls so. */
const LOCAL = 'local';

/**
 * All sources at once. One that cannot be read, or is no inventory, is `E_CONFIG` with a line for each such source: what
 * was known before stays in use, and targets are not taken for gone.
 */
export async function readInventories(
  sources: InventoryOptions,
  around: InventorySurroundings = { withheld: [] },
): Promise<Inventories> {
  const read = await Promise.allSettled(sources.map((source) => readSource(source, around)));
  const broken = read.flatMap((one) => (one.status === 'rejected' ? [asFailure(one.reason).message] : []));
  if (broken.length > 0) throw new Failure('E_CONFIG', broken.join('\n'));

  const targets = new Map<string, SshOptions>();
  const problems: Problem[] = [];
  const taken = new Map([LOCAL, ...(around.taken ?? [])].map((name) => [segment(name), `the target ${name}`]));
  for (const [index, one] of read.entries()) {
    const source = sources[index];
    if (one.status === 'rejected' || source === undefined) continue;
    const own: Problem[] = [...one.value.problems];
    for (const [name, entry] of one.value.hosts) {
      const found = targetOf(entry, source);
      const series = segment((typeof found === 'string' ? undefined : found.name) ?? name);
      const other = taken.get(series) ?? (targets.has(name) ? 'another inventory' : undefined);
      const fault = typeof found === 'string' ? found : meeting(series, other);
      if (fault !== undefined) own.push({ where: entry.where, message: `${name} is left out: ${fault}` });
      if (fault !== undefined || typeof found === 'string') continue;
      targets.set(name, found);
      taken.set(series, `${name} (${entry.where})`);
    }
    problems.push(...few(own, nameOf(source)));
  }
  return { targets, problems };
}

function meeting(series: string, other: string | undefined): string | undefined {
  return other === undefined ? undefined : `its series are called ${quoted(series)}, as those of ${other} are`;
}

function few(problems: readonly Problem[], where: string): readonly Problem[] {
  const rest = problems.length - MAX_TOLD;
  return rest <= 0
    ? problems
    : [...problems.slice(0, MAX_TOLD), { where, message: `… and ${rest} more such problems` }];
}

/** A checked target, or why it is none. */
function targetOf({ options, groups }: Entry, source: InventorySource): SshOptions | string {
  const { groups: more = [], ...own } = options;
  const merged = { ...source.defaults, ...own, ...source.override, type: 'ssh' };
  if (own.passphrase !== undefined)
    return 'passphrase: give it as passphraseFile, or by reference in "defaults" of the inventory';
  const parsed = sshTargetOptions.safeParse({ ...merged, groups: more });
  if (parsed.success)
    return { ...parsed.data, groups: [...new Set([...source.groups, ...groups, ...parsed.data.groups])] };
  return parsed.error.issues.map((issue) => faultOf(issue, merged)).join('; ');
}

function faultOf(
  issue: { readonly code: string; readonly path: PropertyKey[]; readonly message: string },
  merged: object,
): string {
  if (issue.code === 'unrecognized_keys') return printable(issue.message).slice(0, 200);
  const [key = ''] = issue.path;
  const value: unknown = (merged as Record<PropertyKey, unknown>)[key];
  const found = typeof value === 'string' ? quoted(value, 80) : quoted(JSON.stringify(value) ?? '', 80);
  const template =
    typeof value === 'string' && value.includes('{{') ? ' (a template, which nothing here resolves)' : '';
  const message = issue.message.replace(/^Invalid input: /, '').replace(/, received .*$/, '');
  return `${String(key)}: ${message}; found ${found}${template}`;
}

function nameOf({ file, command = [] }: InventorySource): string {
  return file ?? printable(command.join(' ')).slice(0, 200);
}

async function readSource(source: InventorySource, around: InventorySurroundings): Promise<Parsed> {
  const name = nameOf(source);
  const text = source.file === undefined ? await printed(source, name, around) : await contentOf(source.file);
  return parseInventory(name, text, source.format);
}

async function contentOf(file: string): Promise<string> {
  try {
    const kind = await stat(file);
    if (!kind.isFile())
      throw new Failure('E_CONFIG', `${file}: is no file; a program that lists targets is a "command"`);
    if (kind.size > MAX_BYTES) throw new Failure('E_CONFIG', `${file}: is larger than ${MAX_BYTES} bytes`);
    return await readFile(file, 'utf8');
  } catch (thrown) {
    if (thrown instanceof Failure) throw thrown;
    const code = systemCode(thrown);
    const why =
      code === 'ENOENT'
        ? 'does not exist'
        : code === 'EACCES'
          ? 'may not be read by this user'
          : `cannot be read: ${code}`;
    throw new Failure('E_CONFIG', `${file}: ${why}; it is an inventory of targets`, { cause: thrown });
  }
}

/** `env` sets what Ansible asks for, a locale of UTF-8; as everywhere there is no shell. */
async function printed(
  source: InventorySource,
  name: string,
  { withheld, stop }: InventorySurroundings,
): Promise<string> {
  const argv: Argv = ['env', 'LC_ALL=C.UTF-8', ...(source.command ?? [])];
  const controller = new AbortController();
  const late = new Failure('E_TIMEOUT', `it did not end within ${source.timeout / 1000} s`);
  const timer = setTimeout(() => controller.abort(late), source.timeout);
  const onStop = (): void => controller.abort(stop?.reason);
  if (stop?.aborted === true) onStop();
  stop?.addEventListener('abort', onStop, { once: true });
  const limits = { maxOutputBytes: MAX_BYTES, killAfterMs: KILL_AFTER_MS, withheld: () => withheld };
  const { answer, ended } = runProgram(argv, controller.signal, limits);
  try {
    return (await answer).stdout;
  } catch (thrown) {
    const { message, evidence } = asFailure(thrown);
    const why = evidence.exitCode === 127 ? `the program was not found: ${message}` : message;
    throw new Failure('E_CONFIG', `${name}: ${printable(why).replace(/^env:? /, '')}`, { cause: thrown });
  } finally {
    clearTimeout(timer);
    stop?.removeEventListener('abort', onStop);
    await ended;
  }
}
