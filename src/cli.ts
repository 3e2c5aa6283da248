/** argv and exit codes only. 0: done. 1: something failed. 2: wrong usage or configuration. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { catalogue, catalogueLines } from './catalogue.ts';
import { systemClock } from './clock.ts';
import { check, cleaner, load, trace } from './commands.ts';
import type { Config } from './config.ts';
import { builtIn } from './daemon.ts';
import { Failure } from './errors.ts';
import { eventsOf, type Post, postEvent, type SpoolFlags, spoolCommand } from './events/commands.ts';
import { type Import, importInto } from './events/in/import-command.ts';
import { type Format, once } from './once.ts';
import { openTarget } from './open-target.ts';
import { runDaemon } from './process.ts';
import { printable } from './text.ts';
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
    } else if (error instanceof Failure && error.code !== 'E_BUG') {
      process.stderr.write(`edgestatd: ${error.code}: ${printable(error.message)}\n`);
      code = 1;
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
  const command: Declare = (name, description, parent = program) =>
    parent
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
    .option('--write', 'also write: one marked test event to each destination, one marked point to each Carbon')
    .action(async (options: Common & { offline?: boolean; write?: boolean }) => {
      endOnSignals();
      code = await check(await load(options), options);
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
  addEventCommands(program, command, (result) => {
    code = result;
  });
  await program.parseAsync([...argv], { from: 'user' });
  return code;
}

/** Declares a command that takes --config. */
type Declare = (name: string, description: string, parent?: Command) => Command;

function addEventCommands(program: Command, command: Declare, done: (code: number) => void): void {
  const event = program.command('event').description('events such as deploys: post, import, spool').exitOverride();
  const collect = (value: string, before: readonly string[]): string[] => [...before, value];
  const say = (config: Config, lines: readonly string[], to: NodeJS.WriteStream): void => {
    const clean = cleaner(config);
    for (const line of lines) to.write(`${clean(line)}\n`);
  };

  command('post', 'take one event; done when it is on the disk', event)
    .requiredOption('--what <text>', 'what happened, on one line')
    .option('--tag <tag>', 'a tag; may stand several times', collect, [])
    .option('--when <when>', 'seconds since the epoch, ISO 8601 with a zone, or a time ago (-90m); default: now')
    .option('--data <text>', 'more about it')
    .option('--id <id>', 'makes it the same event however often it is posted')
    .action(async (options: Common & Post) => {
      const config = await load(options);
      const { printed, notes } = await postEvent(eventsOf(config), options, systemClock);
      say(config, printed, process.stdout);
      say(config, notes, process.stderr);
    });
  command(
    'import [file]',
    'take events of a file (JSON lines or CSV; - is stdin), or of the tags of a git repository',
    event,
  )
    .option('--git <repository>', 'one event for each tag')
    .option('--tags <glob>', 'only these tags; may stand several times', collect, [])
    .addOption(
      new Option('--format <format>', 'default: by the name of the file, or what it begins with').choices([
        'jsonl',
        'csv',
      ]),
    )
    .option('--strict', 'take nothing when a row is wrong')
    .action(async (file: string | undefined, options: Common & Omit<Import, 'file'>) => {
      endOnSignals();
      const config = await load(options);
      const { printed, notes, failed } = await importInto(eventsOf(config), { ...options, file }, systemClock);
      say(config, printed, process.stdout);
      say(config, notes, process.stderr);
      done(failed ? 1 : 0);
    });
  command('spool [action] [ids...]', 'show what waits and what is dead; retry or drop it', event)
    .option('--json', 'as JSON')
    .option('--all', 'every dead event')
    .option('--destination <name>', 'only at this destination')
    .option('--waiting', 'drop: also what waits')
    .action(async (action: string | undefined, ids: string[], options: Common & SpoolFlags) => {
      const config = await load(options);
      say(config, spoolCommand(eventsOf(config), { action, ids, ...options }, systemClock), process.stdout);
    });
}

function parseInterval(text: string): number {
  const ms = durationMs(text);
  if (ms === undefined || ms < 100) throw new InvalidArgumentError(`expected ${DURATION_FORM}, at least 100ms.`);
  return ms;
}
