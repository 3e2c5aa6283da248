/** What the commands of the command line do, behind their options. */
import { checkAll, describeConfig } from './check.ts';
import { systemClock } from './clock.ts';
import { type Config, defaultConfigFile, loadConfig } from './config.ts';
import { targetName } from './config-faults.ts';
import { builtIn } from './daemon.ts';
import { Failure } from './errors.ts';
import { hider } from './log.ts';
import { openTarget } from './open-target.ts';
import { printable } from './text.ts';
import { explain, traceJson, traceText } from './trace.ts';

export function load({ config }: { readonly config?: string }): Promise<Config> {
  return loadConfig(config ?? defaultConfigFile(), builtIn);
}

/** What a failure says may quote a secret, or what a hostile machine printed. */
export function cleaner(config: Config): (text: string) => string {
  const hide = hider(config.secrets);
  return (text) => printable(hide(text));
}

export async function check(
  config: Config,
  { offline = false, write = false }: { offline?: boolean; write?: boolean },
): Promise<number> {
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
    write,
  )) {
    say(level, subject, text);
    failed ||= level === 'fail';
  }
  return failed ? 1 : 0;
}

export async function trace(
  what: string,
  config: Config,
  options: { json?: boolean; target?: string },
): Promise<number> {
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
