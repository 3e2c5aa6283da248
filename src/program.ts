/** The command line: every command with its options, and what it calls. */
import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { catalogue, catalogueLines } from './catalogue.ts';
import { systemClock } from './clock.ts';
import { check, cleaner, load, trace } from './commands.ts';
import { completion, type Shell, shells } from './completion.ts';
import type { Config } from './config.ts';
import { builtIn } from './daemon.ts';
import { Failure } from './errors.ts';
import { eventsOf, type Post, postEvent, type SpoolFlags, spoolCommand } from './events/commands.ts';
import { type Import, importInto } from './events/in/import-command.ts';
import { type Format, once } from './once.ts';
import { openTarget } from './open-target.ts';
import { runDaemon } from './process.ts';
import type { StatusFlags } from './status/command.ts';
import type { TopFlags } from './top/command.ts';
import { DURATION_FORM, durationMs } from './units.ts';
import { version } from './version.ts';

interface Common {
  readonly config?: string;
}

/** A command that is interrupted ends the programs that it runs: `hosts/program.ts` does so at the exit. */
function endOnSignals(): void {
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
}

/** Every command with its options. `done` gets the exit code of the one that is run. */
export function buildProgram(done: (code: number) => void): Command {
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
    done(await runDaemon(await load(options)));
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
      done(result.failed ? 1 : 0);
    });
  command('check', 'validate the configuration, then try every job and sink')
    .option('--offline', 'only validate')
    .option('--write', 'also write: one marked test event to each destination, one marked point to each Carbon')
    .action(async (options: Common & { offline?: boolean; write?: boolean }) => {
      endOnSignals();
      done(await check(await load(options), options));
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
      done(await trace(what, await load(options), options));
    });
  command('status', 'show what the running daemon does: jobs, problems, sinks, events')
    .option('--json', 'as JSON')
    .option('--watch', 'again every two seconds, until it is interrupted')
    .option('--healthy', 'only say whether it does its work; exit code 1 when it does not')
    .option('--socket <path>', 'the socket of the daemon (default: as the configuration says)')
    .action(async (options: Common & StatusFlags) => {
      endOnSignals();
      // What a daemon never needs is not loaded by it.
      const { showStatus } = await import('./status/command.ts');
      done(await showStatus(options));
    });
  command('top', 'live tables of what the running daemon measures')
    .option('--table <name>', 'which table; "list" lists them')
    .option('--sort <column>', 'by which column, label, or target')
    .option('--best', 'the best rows above')
    .option('--filter <text>', 'only rows whose names hold this text')
    .option('--target <name>', 'only this target')
    .option('--interval <duration>', 'how often it is drawn anew', parseInterval, 1000)
    .option('--lines <number>', 'at most so many rows; default: as many as fit', parseCount)
    .option('--once', 'print it once; so it does where the output is no terminal')
    .option('--socket <path>', 'the socket of the daemon (default: as the configuration says)')
    .action(async (options: Common & TopFlags) => {
      const { showTop } = await import('./top/command.ts');
      done(await showTop(options));
    });
  addEventCommands(program, command, done);
  program
    .command('completion')
    .description('print the completion of a shell')
    .exitOverride()
    .addArgument(new Argument('<shell>').choices(shells))
    .action((shell: Shell) => {
      process.stdout.write(completion(program, shell));
      done(0);
    });
  return program;
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

function parseCount(text: string): number {
  if (!/^[1-9][0-9]{0,4}$/.test(text)) throw new InvalidArgumentError('expected a whole number from 1 to 99999.');
  return Number(text);
}
