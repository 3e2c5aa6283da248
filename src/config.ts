/** Configuration file → Config, with every job's options validated by its collector. */

import { lstatSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Collector } from './collector.ts';
import { doubled, sharedFiles, sharedPort, wrongEvents } from './config-faults.ts';
import { type Complaint, type ConfigFile, readConfigFile, suggestion, told, valueAt } from './config-file.ts';
import { Failure } from './errors.ts';
import type { EventsOptions } from './events/options.ts';
import { containerViews } from './hosts/container.ts';
import { hider, type LogLevel } from './log.ts';
import { loadPlugins } from './plugins.ts';
import { parseTyped } from './reference-types.ts';
import { resolveReferences, withoutTyped } from './references.ts';
import { cronIntervalMs, type When } from './schedule.ts';
import { configSchema, type FileConfig } from './schema.ts';
import { secretFaults, unshown } from './secret-options.ts';
import { spoolPath } from './sinks/carbon-options.ts';
import type { StatusOptions } from './status/options.ts';
import { placeTargets } from './target-places.ts';
import type { TargetConfig } from './targets.ts';

/** One collector on one target at its times: what runs. */
export interface JobConfig {
  /** `name@target`: unique. */
  readonly id: string;
  readonly name: string;
  readonly collector: Collector;
  readonly options: unknown;
  /** The key of a target. */
  readonly target: string;
  readonly when: When;
  readonly intervalMs: number;
  readonly splayMs: number;
  readonly timeoutMs: number;
  /** Two jobs with one fingerprint measure the same in the same way: a reload leaves them alone. */
  readonly fingerprint: string;
}

export type SinkConfig = FileConfig['sinks'][number] & { readonly name: string };

export interface Config {
  readonly file: string;
  readonly prefix: string;
  readonly logLevel: LogLevel;
  readonly gracePeriodMs: number;
  /** Where jobs remember beyond a restart. */
  readonly state: string | undefined;
  readonly maxRuns: number;
  readonly sinks: readonly SinkConfig[];
  readonly targets: ReadonlyMap<string, TargetConfig>;
  /** What was left out of inventories, and patterns of targets that fit none: no reason to refuse the rest. */
  readonly problems: readonly string[];
  readonly jobs: readonly JobConfig[];
  readonly collectors: ReadonlyMap<string, Collector>;
  readonly events: EventsOptions | undefined;
  readonly status: StatusOptions;
  readonly secrets: readonly string[];
  /** Environment variables that hold secrets. */
  readonly variables: readonly string[];
}

export const SYSTEM_FILE = '/etc/edgestatd/edgestatd.yaml';

/** The file that `--config` defaults to: `EDGESTATD_CONFIG`, the machine's own, else the package's. */
export function defaultConfigFile(systemFile = SYSTEM_FILE, named = process.env.EDGESTATD_CONFIG): string {
  if (named !== undefined && named !== '') return named;
  try {
    lstatSync(systemFile);
    return systemFile;
  } catch (error) {
    // One that cannot be looked at may be there: whoever reads it says why not.
    if (!['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return systemFile;
  }
  const beside = import.meta.url.endsWith('.js') ? '../../config/edgestatd.yaml' : '../config/edgestatd.yaml';
  return fileURLToPath(new URL(beside, import.meta.url));
}

/** Loads and checks a file; throws one `E_CONFIG` whose message has one complaint a line. */
export async function loadConfig(
  file: string,
  builtIn: ReadonlyMap<string, Collector>,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Config> {
  const read = readConfigFile(file);
  if ('refusal' in read) throw refused(read.refusal);
  return configFrom(read, builtIn, env);
}

/** A reference may stand where its text is no secret to us (a target's name), and still be one to its owner. */
function refused(complaints: readonly string[], secrets: readonly string[] = []): Failure {
  const hide = hider(secrets);
  return new Failure('E_CONFIG', complaints.map(hide).join('\n'));
}

async function configFrom(
  read: ConfigFile,
  builtIn: ReadonlyMap<string, Collector>,
  env: NodeJS.ProcessEnv,
): Promise<Config> {
  const resolved = resolveReferences(read.data, env);
  if (resolved.faults.length > 0)
    throw refused(told(resolved.faults.map(({ path, message }) => read.complain(path, message))), resolved.secrets);
  const { parsed, faults, typed } = parseTyped(configSchema, resolved.value, resolved.references);
  const literal = [...secretFaults(configSchema, read.data), ...faults];
  const shown = literal.map(({ path, message }) => read.complain(path, message));
  if (!parsed.success) {
    const others = read.complaints(unshown(parsed.error, literal), configSchema, []);
    throw refused(told(shown.concat(others)), withoutTyped(resolved.references, typed).secrets);
  }
  if (shown.length > 0) throw refused(told(shown), resolved.secrets);
  const data = parsed.data;
  const allTyped = [...typed];

  let complaints: Complaint[] = [];
  const plugins = await loadPlugins(data.plugins, builtIn);
  for (const { index, message } of plugins.faults) complaints.push(read.complain(['plugins', index], message));
  const collectors = plugins.collectors;
  const placed = await placeTargets(data, read, resolved.variables);
  complaints = complaints.concat(placed.complaints);
  const problems: string[] = [...placed.problems];
  const jobs = data.jobs.flatMap((job, index) => {
    const at = ['jobs', index] as const;
    const collector = collectors.get(job.collector);
    if (collector === undefined) {
      if (plugins.faults.length > 0) return [];
      const unknown = (): string =>
        `unknown collector ${JSON.stringify(job.collector)}${suggestion(job.collector, [...collectors.keys()])}`;
      complaints.push(read.complain([...at, 'collector'], unknown));
      return [];
    }
    const found = parseTyped(collector.options, job.options, resolved.references, [...at, 'options']);
    const options = found.parsed;
    allTyped.push(...found.typed);
    const secrets = [...secretFaults(collector.options, valueAt(read.data, [...at, 'options'])), ...found.faults];
    for (const { path, message } of secrets) complaints.push(read.complain([...at, 'options', ...path], message));
    // What is said of a value shows it. Very many are too many for the arguments of one push.
    if (!options.success)
      complaints = complaints.concat(
        read.complaints(unshown(options.error, secrets), collector.options, [...at, 'options']),
      );
    const { names, faults, empty } = placed.select(job.targets);
    for (const { index: place, message } of faults) complaints.push(read.complain([...at, 'targets', place], message));
    for (const { index: place, message } of empty) problems.push(`jobs[${index}].targets[${place}]: ${message}`);
    return options.success ? jobsOf(job, names, collector, options.data) : [];
  });
  problems.push(...containerViews(jobs));
  complaints = complaints.concat(doubled(data, read), sharedFiles(data, read), sharedState(data, read));
  complaints = complaints.concat(sharedPort(data, read), wrongEvents(data, read, collectors));
  const sinks = data.sinks.map((sink) => ({ ...sink, name: sink.name ?? sink.type }));
  const hidden = withoutTyped(resolved.references, allTyped);
  if (complaints.length > 0) throw refused(told(complaints), hidden.secrets);
  return {
    file: read.file,
    prefix: data.prefix,
    logLevel: data.log.level,
    gracePeriodMs: data.gracePeriod,
    state: data.state,
    maxRuns: data.maxRuns,
    sinks,
    targets: placed.targets,
    problems,
    jobs,
    collectors,
    events: data.events,
    status: data.status,
    secrets: hidden.secrets,
    variables: hidden.variables,
  };
}

/** The state is no spool: whichever of the two comes second would find a file that is none of its kind. */
function sharedState({ state, events, sinks }: FileConfig, read: ConfigFile): Complaint[] {
  if (state === undefined) return [];
  const spools = [
    ...(events === undefined ? [] : [['events', events.spool] as const]),
    ...sinks.flatMap((sink, index) =>
      sink.type === 'carbon'
        ? [[`sinks[${index}]`, spoolPath({ ...sink, name: sink.name ?? sink.type })] as const]
        : [],
    ),
  ];
  const [user] = spools.find(([, file]) => resolve(file) === resolve(state)) ?? [];
  return user === undefined ? [] : [read.complain(['state'], `is the spool of ${user} too; give it a file of its own`)];
}

const MAX_TIMEOUT_MS = 30_000;

function jobsOf(
  job: FileConfig['jobs'][number],
  targets: readonly string[],
  collector: Collector,
  options: unknown,
): JobConfig[] {
  const when: When = job.cron === undefined ? { everyMs: job.every ?? 0 } : { cron: job.cron };
  const intervalMs = 'cron' in when ? cronIntervalMs(when.cron) : when.everyMs;
  const splayMs = Math.min(job.splay ?? ('cron' in when ? 0 : intervalMs), 0.9 * intervalMs);
  const timeoutMs = job.timeout ?? Math.min(0.8 * intervalMs, MAX_TIMEOUT_MS);
  const name = job.name ?? collector.name;
  return targets.map((target) => {
    // Nothing derived: an irregular cron or a new default must not make another job of what stands in the file.
    const fingerprint = JSON.stringify([job.collector, job.options, target, when, job.splay, job.timeout]);
    return {
      id: `${name}@${target}`,
      name,
      collector,
      options,
      target,
      when,
      intervalMs,
      splayMs,
      timeoutMs,
      fingerprint,
    };
  });
}
