/** `edgestatd trace WHAT`: every collector that can explains it, on every target that its jobs measure. */
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from './clock.ts';
import type { Collector, Hop, Trace } from './collector.ts';
import type { Config } from './config.ts';
import { asFailure, type Failure } from './errors.ts';
import { quoteWord } from './hosts/quote.ts';
import type { Target } from './hosts/target.ts';
import { printable, quoted } from './text.ts';
import { visit } from './visit.ts';

/** Long enough for a second of measuring and a slow switch. */
const TIMEOUT_MS = 20_000;

/** What one collector said on one target. */
export interface Explained {
  readonly target: string;
  readonly collector: string;
  readonly trace: Trace | undefined;
  readonly failure?: Failure;
}

export interface TraceResult {
  readonly stdout: string;
  /** Whether the subject was found, and every chain of it is whole. */
  readonly whole: boolean;
}

interface Place {
  readonly collector: Collector;
  readonly options: unknown;
  readonly target: string;
}

/**
 * `builtIn`: the collectors of edgestatd itself, for a configuration without a job of one that traces. `only`: a
 * target's key.
 */
export async function explain(
  what: string,
  config: Config,
  builtIn: ReadonlyMap<string, Collector>,
  openTarget: (key: string, config: Config) => Target,
  clock: Clock,
  only?: string,
): Promise<readonly Explained[]> {
  const places = placesOf(config, builtIn).filter(({ target }) => only === undefined || target === only);
  return Promise.all(
    places.map(async ({ collector, options, target: key }): Promise<Explained> => {
      const target = openTarget(key, config);
      const who = { target: target.name, collector: collector.name };
      try {
        const [atMs, readAtMs] = [clock.wallMs(), clock.monotonicMs()];
        const elapsedMs = (): number => clock.monotonicMs() - readAtMs;
        const trace = await visit(target, TIMEOUT_MS, clock, async (host) =>
          collector.trace?.({ host, options, atMs, readAtMs, elapsedMs }, what),
        );
        return { ...who, trace };
      } catch (thrown) {
        return { ...who, trace: undefined, failure: asFailure(thrown) };
      } finally {
        await target.close();
      }
    }),
  );
}

/** Of several jobs that one collector has on one target, the one that asks for the least in particular; the first. */
function placesOf(config: Config, builtIn: ReadonlyMap<string, Collector>): Place[] {
  const places = new Map<string, Place & { readonly own: number }>();
  for (const { collector, options, target } of config.jobs) {
    if (collector.trace === undefined) continue;
    const key = `${target} ${collector.name}`;
    const own = ownChoices(collector, options);
    const before = places.get(key);
    if (before === undefined || own < before.own) places.set(key, { collector, options, target, own });
  }
  if (places.size > 0) return [...places.values()];
  return [...builtIn.values()]
    .filter((collector) => collector.trace !== undefined)
    .map((collector) => ({ collector, options: collector.options.parse({}), target: 'local' }));
}

/** How many options are other than the collector's defaults; 0 where it has no defaults. */
function ownChoices(collector: Collector, options: unknown): number {
  const defaults = collector.options.safeParse({});
  if (!defaults.success) return 0;
  const usual = new Map(entriesOf(defaults.data));
  return entriesOf(options).filter(([name, value]) => !isDeepStrictEqual(value, usual.get(name))).length;
}

function entriesOf(options: unknown): [string, unknown][] {
  return typeof options === 'object' && options !== null ? Object.entries(options) : [];
}

/** Chains for people. What a hostile name holds stays within its line. */
export function traceText(what: string, explained: readonly Explained[]): TraceResult {
  const out: string[] = [];
  let found = false;
  let whole = true;
  for (const { target, collector, trace, failure } of explained) {
    const where = `${target} (${collector})`;
    if (failure !== undefined) {
      whole = false;
      out.push(`${where}: ${failure.code}: ${failure.message}`, '');
      continue;
    }
    if (trace === undefined) continue;
    for (const chain of trace.chains) {
      found = true;
      out.push(`${where}: ${trace.subject}`);
      for (const hop of chain) {
        out.push(...hopLines(hop));
        whole &&= hop.broken === undefined;
      }
      out.push('');
    }
    if (trace.chains.length === 0) out.push(`${where}: ${trace.subject}: nothing is known of it here`, '');
    for (const { code, message } of trace.problems) out.push(`${where}: ${code}: ${message}`, '');
  }
  if (out.length === 0)
    out.push(
      `${quoted(what)}: no target knows it; expected an IP, MAC, VIF, device, class (1:367c), queue id or the UUID of a port or VM`,
    );
  return { stdout: `${out.map(printable).join('\n').trimEnd()}\n`, whole: found && whole };
}

function hopLines({ kind, identity, facts, command, broken }: Hop): string[] {
  const lines = [`  ${kind.padEnd(11)} ${identity ?? '?'}`];
  const indent = ' '.repeat(14);
  for (const [name, value] of Object.entries(facts)) {
    if (value !== undefined) lines.push(`${indent}${name.replaceAll('_', ' ')}: ${value}`);
  }
  if (broken !== undefined) lines.push(`${indent}BROKEN HERE: ${broken}`);
  if (command !== undefined)
    lines.push(`${indent}$ ${command.map((word) => quoteWord(word.replaceAll('\0', ''))).join(' ')}`);
  return lines;
}

/** `[{target, collector, subject, chains: [[{kind, identity, facts, command, broken}]], problems}]`. */
export function traceJson(explained: readonly Explained[]): TraceResult {
  let found = false;
  let whole = true;
  const list = explained.map(({ target, collector, trace, failure }) => {
    const problems = [...(failure === undefined ? [] : [failure]), ...(trace?.problems ?? [])];
    found ||= (trace?.chains.length ?? 0) > 0;
    whole &&= failure === undefined && !trace?.chains.some((chain) => chain.some((hop) => hop.broken !== undefined));
    return {
      ...{ target, collector, subject: trace?.subject, chains: trace?.chains ?? [] },
      problems: problems.map(({ code, message }) => ({ code, message })),
    };
  });
  return { stdout: `${JSON.stringify(list, null, 2)}\n`, whole: found && whole };
}
