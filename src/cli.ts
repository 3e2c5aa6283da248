/** argv and exit codes only. 0: done. 1: something failed. 2: wrong usage or configuration. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { catalogue, catalogueLines } from './catalogue.ts';
import { checkAll, describeConfig } from './check.ts';
import { systemClock } from './clock.ts';
import { type Config, defaultConfigFile, loadConfig, targetName } from './config.ts';
import { builtIn, openTarget } from './daemon.ts';
import { Failure } from './errors.ts';
import { hider } from './log.ts';
import { type Format, once } from './once.ts';
import { runDaemon } from './process.ts';
import { printable } from './text.ts';
import { explain, traceJson, traceText } from './trace.ts';
import { DURATION_FORM, durationMs } from './units.ts';
import { version } from './version.ts';

interface Common {
  readonly config?: string;
}

/** Runs a command, and ends the process: what a collector left behind (a timer, a hung read) must not hold it. */
export async function main(argv: readonly string[]): Promise<never> {
  // What ends by an empty event loop has not ended well.
  process.exitCode = 1;
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // A reader that has enough (head), or a terminal that was closed, is no failure; a full disk is.
      broken ||= error.code !== 'EPIPE' && error.code !== 'EIO';
    });
  }
  let code: number;
  try {
    code = await dispatch(argv);
  } catch (error) {
    if (error instanceof CommanderError) {
      code = error.exitCode === 0 ? 0 : 2;
    } else if (error instanceof Failure && error.code === 'E_CONFIG') {
      process.stderr.write(`${error.message}\n`);
      code = 2;
    } else {
      process.stderr.write(
        `edgestatd: ${printable(error instanceof Error ? (error.stack ?? error.message) : String(error))}\n`,
      );
      code = 1;
    }
  }
  await Promise.all([written(process.stdout), written(process.stderr)]);
  process.exit(code === 0 && broken ? 1 : code);
}

let broken = false;
const WRITTEN_MS = 5000;

/** Resolves when a stream has given away what it holds, or will not. */
function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, WRITTEN_MS);
    stream.write('', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** A command that is interrupted ends the programs that it runs: `hosts/program.ts` does so at the exit. */
function endOnSignals(): void {
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
}

async function dispatch(argv: readonly string[]): Promise<number> {
  let code = 0;
  const program = new Command('edgestatd')
    .description('Collects metrics of an edge node and sends them to StatsD and Graphite.')
    .version(version)
    .exitOverride()
    .configureHelp({ showGlobalOptions: true });
  const command = (name: string, description: string): Command =>
    program
      .command(name)
      .description(description)
      .exitOverride()
      .option(
        '--config <file>',
        'the configuration (default: /etc/edgestatd/edgestatd.yaml, then the one that comes with edgestatd)',
      );

  command('run', 'run the daemon in the foreground').action(async (options: Common) => {
    code = await runDaemon(await load(options));
  });
  command('once', 'run each job once and print what would be sent')
    .option('--job <name>', 'only this job')
    .option('--interval <duration>', 'run twice this far apart, and print increments and ratios', parseInterval)
    .addOption(new Option('--format <format>', 'how to print').choices(['series', 'json', 'statsd']).default('series'))
    .action(async (options: Common & { job?: string; interval?: number; format: Format }) => {
      endOnSignals();
      const config = await load(options);
      const jobs = config.jobs.filter((job) => options.job === undefined || job.name === options.job);
      if (jobs.length === 0) {
        const names = [...new Set(config.jobs.map((job) => job.name))].join(', ');
        throw new Failure('E_CONFIG', `--job ${options.job}: no job has this name; expected one of ${names}`);
      }
      const result = await once(config, jobs, openTarget, {
        format: options.format,
        intervalMs: options.interval,
        clock: systemClock,
      });
      process.stdout.write(result.stdout);
      const clean = cleaner(config);
      for (const line of result.stderr) process.stderr.write(`${clean(line)}\n`);
      code = result.failed ? 1 : 0;
    });
  command('check', 'validate the configuration, then try every job and sink')
    .option('--offline', 'only validate')
    .action(async (options: Common & { offline?: boolean }) => {
      endOnSignals();
      code = await check(await load(options), options.offline === true);
    });
  command('metrics', 'list every metric')
    .option('--json', 'as JSON')
    .action(async (options: Common & { json?: boolean }) => {
      const collectors = options.config === undefined ? builtIn : (await load(options)).collectors;
      const entries = catalogue(collectors.values());
      process.stdout.write(
        options.json === true ? `${JSON.stringify(entries, null, 2)}\n` : `${catalogueLines(entries).join('\n')}\n`,
      );
    });
  command('trace <what>', 'explain one IP, MAC, VIF, device, class, queue id, or UUID of a port or VM')
    .option('--json', 'as JSON')
    .option('--target <name>', 'only this target')
    .action(async (what: string, options: Common & { json?: boolean; target?: string }) => {
      endOnSignals();
      code = await trace(what, await load(options), options);
    });
  await program.parseAsync([...argv], { from: 'user' });
  return code;
}

function load({ config }: Common): Promise<Config> {
  return loadConfig(config ?? defaultConfigFile(), builtIn);
}

/** What a failure says may quote a secret, or what a hostile machine printed. */
function cleaner(config: Config): (text: string) => string {
  const hide = hider(config.secrets);
  return (text) => printable(hide(text));
}

async function check(config: Config, offline: boolean): Promise<number> {
  const clean = cleaner(config);
  const say = (level: string, subject: string, text: string): void =>
    void process.stdout.write(`${clean(`${level.padEnd(4)} ${subject}: ${text}`)}\n`);
  if (offline) {
    const { level, subject, text } = describeConfig(config);
    say(level, subject, text);
    return 0;
  }
  let failed = false;
  for await (const { level, subject, text } of checkAll(
    config,
    openTarget,
    targetName('local', config.targets),
    systemClock,
  )) {
    say(level, subject, text);
    failed ||= level === 'fail';
  }
  return failed ? 1 : 0;
}

async function trace(what: string, config: Config, options: { json?: boolean; target?: string }): Promise<number> {
  if (options.target !== undefined && !config.targets.has(options.target)) {
    const names = [...config.targets.keys()].join(', ');
    throw new Failure('E_CONFIG', `--target ${options.target}: no target has this name; expected one of ${names}`);
  }
  const explained = await explain(what, config, builtIn, openTarget, systemClock, options.target);
  const { stdout, whole } = options.json === true ? traceJson(explained) : traceText(what, explained);
  const hide = hider(config.secrets);
  // JSON has escaped what could drive a terminal, or break a line, except for what printable() knows beyond that.
  process.stdout.write(
    stdout
      .split('\n')
      .map((line) => printable(hide(line)))
      .join('\n'),
  );
  return whole ? 0 : 1;
}

function parseInterval(text: string): number {
  const ms = durationMs(text);
  if (ms === undefined || ms < 100) throw new InvalidArgumentError(`expected ${DURATION_FORM}, at least 100ms.`);
  return ms;
}
