/** Typed events → pino (the only importer of pino). Everything that the daemon says passes here. */
import pino from 'pino';
import { type EventMap, LEVELS } from './log-events.ts';
import { MAX_WAITING_BYTES, unblocked } from './terminal.ts';
import { printable, quoted } from './text.ts';

export type Log = <Name extends keyof EventMap>(event: Name, fields: EventMap[Name]) => void;

export const logLevels = ['debug', 'info', 'warn', 'error', 'fatal'] as const;
export type LogLevel = (typeof logLevels)[number];

export interface LogOptions {
  readonly level: LogLevel;
  /** 1 (stdout) or 2 (stderr). */
  readonly descriptor: 1 | 2;
  /** `journald`: JSON behind syslog level prefixes; `pretty`: for people; `json`: for everything else. */
  readonly form: 'json' | 'journald' | 'pretty';
  readonly colour: boolean;
}

export interface Logger {
  readonly log: Log;
  /** Values that must never be written, wherever they turn up. */
  hide(secrets: readonly string[]): void;
  setLevel(level: LogLevel): void;
  /** Waits until what was logged is written. */
  flush(): Promise<void>;
}

/** pino's level numbers → sd-daemon(3) prefixes. */
const SYSLOG: Readonly<Record<number, string>> = { 20: '<7>', 30: '<6>', 40: '<4>', 50: '<3>', 60: '<2>' };

/** Blots secrets out of a text, in whatever form a message carries them: as they are, quoted, or in a URL. */
export function hider(secrets: readonly string[]): (text: string) => string {
  // Short words would blot out half of every line, and are no secrets.
  const forms = secrets
    .filter((secret) => secret.length >= 4)
    .flatMap((secret) => [
      secret,
      JSON.stringify(secret).slice(1, -1),
      quoted(secret, secret.length).slice(1, -1),
      encodeURIComponent(secret.toWellFormed()),
    ]);
  // The longest first: the rest of a secret that begins with another one must not stay.
  const hidden = [...new Set(forms)].sort((a, b) => b.length - a.length);
  return (text) => hidden.reduce((clean, form) => clean.replaceAll(form, '[redacted]'), text);
}

export function createLogger(options: LogOptions): Logger {
  const destination = pino.destination({ dest: options.descriptor, sync: false });
  // A closed pipe must not end the daemon.
  destination.on('error', (error: NodeJS.ErrnoException) => {
    writing = false;
    broken ||= error.code === 'EPIPE';
  });
  let hide = hider([]);
  // What is handed over, and not known to be written: nothing more can be written to a pipe that broke.
  let writing = false;
  let broken = false;
  destination.on('drain', () => {
    writing = false;
  });
  // A terminal is written to by the stream that can be made not to wait for it.
  const terminal = options.descriptor === 1 ? process.stdout : process.stderr;
  const show = (line: string): void => {
    writing = false;
    if (unblocked(terminal).writableLength < MAX_WAITING_BYTES) terminal.write(line);
  };
  const stream = {
    [Symbol.for('pino.metadata')]: true,
    lastLevel: 30,
    write(text: string) {
      writing = !broken;
      const line = guarded(text);
      if (options.form === 'pretty') show(pretty(line, options.colour));
      else destination.write(options.form === 'journald' ? `${SYSLOG[this.lastLevel] ?? ''}${line}` : line);
    },
  };
  const logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  );
  return {
    log(event, fields) {
      // Hidden in the fields and not in the line: a secret of digits or braces would break the JSON.
      const clean = Object.entries(fields).map(([name, value]) => [
        name,
        typeof value === 'string' ? hide(value) : value,
      ]);
      logger[LEVELS[event]]({ event, ...Object.fromEntries(clean) });
    },
    hide(secrets) {
      hide = hider(secrets);
    },
    setLevel(level) {
      logger.level = level;
    },
    flush: () =>
      new Promise((resolve) => {
        if (!writing) return resolve();
        destination.once('drain', () => resolve());
        destination.once('error', () => resolve());
      }),
  };
}

/** JSON escapes C0; what else could drive a terminal or turn a line around is escaped here. */
function guarded(line: string): string {
  return `${printable(line.endsWith('\n') ? line.slice(0, -1) : line)}\n`;
}

const COLOURS: Readonly<Record<string, string>> = { debug: '90', info: '32', warn: '33', error: '31', fatal: '31;1' };

function pretty(line: string, colour: boolean): string {
  const { time, level, event, message, ...fields } = JSON.parse(line) as Record<string, string>;
  const paint = (text: string, code: string): string => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const rest = Object.entries(fields).map(
    ([name, value]) => `${name}=${printable(typeof value === 'object' ? JSON.stringify(value) : String(value))}`,
  );
  const head = `${paint(String(time).slice(11, 23), '90')} ${paint(String(level).padEnd(5), COLOURS[String(level)] ?? '0')}`;
  const said = message === undefined ? '' : ` ${printable(message)}`;
  return `${head} ${paint(String(event), '1')}${said}${rest.length > 0 ? paint(` ${rest.join(' ')}`, '90') : ''}\n`;
}
