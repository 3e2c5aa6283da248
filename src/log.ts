/** Typed events → pino (the only importer of pino). Everything that the daemon says passes here. */
import pino from 'pino';
import type { Code } from './errors.ts';
import { MAX_WAITING_BYTES, unblocked } from './terminal.ts';
import { printable, quoted } from './text.ts';

/** All that is ever logged: an event's name is a stable text to search for. */
export interface EventMap {
  'daemon:started': { version: string; config: string; jobs: number; sinks: number; node: string };
  'daemon:reloaded': { config: string; kept: number; added: number; changed: number; removed: number };
  'daemon:stopping': { reason: string };
  'daemon:stopped': { seconds: number };
  'daemon:crashed': { message: string; stack?: string };
  /** The new file was refused; everything goes on as it was. */
  'config:refused': { message: string };
  /** A job that worked (or has just begun) failed, or fails for another reason than before. */
  'run:failed': { job: string; target: string; code: Code; message: string };
  'run:recovered': { job: string; target: string; failedRuns: number };
  /** A part of a reading could not be had; said once until it has gone. */
  'run:problem': { job: string; target: string; code: Code; message: string };
  'run:problem_gone': { job: string; target: string; code: Code; message: string };
  /** A tick came while the run before it was under way; said once until a run starts in time again. */
  'tick:skipped': { job: string; target: string; ticks: number };
  'tick:in_time': { job: string; target: string; skipped: number };
  /** The first datagrams of a sink went out. */
  'sink:delivering': { sink: string; to: string; metrics: number; datagrams?: number };
  'sink:down': { sink: string; to: string; code: Code; message: string };
  'sink:up': { sink: string; to: string; downSeconds: number; droppedMetrics: number };
  /** A metric of a new kind cannot be sent; said once for each reason. */
  'sink:dropped': { sink: string; reason: string; metrics: number; message: string };
  /** Batches are larger than the pace can send within their interval. */
  /** A sink was closed, at the end or by a reload: all that it did. */
  'sink:closed': { sink: string; sentMetrics: number; droppedMetrics: Readonly<Record<string, number>> };
  'sink:overrun': { sink: string; job: string; datagrams: number; seconds: number; intervalSeconds: number };
  'sink:in_pace': { sink: string };
  /** What waits on disk for this sink cannot be written or read; what does not fit into memory meanwhile is dropped. */
  'sink:spool_failed': { sink: string; code: Code; message: string };
  'sink:spool_works': { sink: string };
  /** The file was no usable database: it was renamed, and a new one begun. */
  'sink:spool_moved': { sink: string; message: string };
  /** All that waited on disk for a destination has been sent. */
  'sink:replayed': { sink: string; to: string; metrics: number; seconds: number };
  /** The file in which events wait cannot be used: what comes in is refused until it can. */
  'events:spool_failed': { code: Code; message: string };
  'events:spool_works': Record<string, never>;
  /** It was no usable database: it was renamed, and a new one begun. */
  'events:spool_moved': { message: string };
  /** Another process delivers from it, or does so no more. */
  'events:spool_shared': { message: string };
  'events:spool_ours': { message: string };
  /** Another spool was configured, or none: what waits in the old one waits on. */
  'events:left': { count: number; message: string };
  /** Events were given up: too old, or to make room; said every ten minutes at most. */
  'events:dropped': { count: number; message: string };
  /** What a rule made of a change could not be taken. */
  'events:rule_failed': { code: Code; message: string };
  /** Events wait: the destination cannot be reached, or takes none; said once for each code until it takes one. */
  'events:down': { destination: string; to: string; code: Code; message: string };
  'events:up': { destination: string; to: string; downSeconds: number };
  /** Refused for good. `unsaid`: so many more were since the last one that was said. */
  'events:dead': { destination: string; id: string; what: string; message: string; unsaid: number };
  /** The server stored an event without all of its tags and failed, so that it is sent again: one is left over there. */
  'events:halved': { destination: string; id: string; what: string; left: number };
  /** What becomes of events cannot be written into the spool, so that none is sent. */
  'events:held': { destination: string; code: Code; message: string };
  'events:resumed': { destination: string };
  'events:listening': { at: string };
  /** A socket for events cannot be listened on; tried again. */
  'events:listen_failed': { code: Code; message: string };
  /** Requests with events were refused; said again after ten minutes at most. `unsaid`: so many more meanwhile. */
  'events:refused': { at: string; status: number; message: string; unsaid: number };
  'events:watching': { folder: string };
  /** Files of the folder are no events; said once for all that are found together. `unsaid`: so many more were. */
  'events:rejected': { folder: string; file: string; message: string; unsaid: number };
  /** Files wait in the folder, which cannot be read, or whose files cannot be moved or taken; tried again. */
  'events:folder_failed': { folder: string; code: Code; message: string };
  'events:folder_works': { folder: string };
  'notify:failed': { message: string };
}

export type Log = <Name extends keyof EventMap>(event: Name, fields: EventMap[Name]) => void;

const LEVELS: { readonly [Name in keyof EventMap]: 'debug' | 'info' | 'warn' | 'error' | 'fatal' } = {
  'daemon:started': 'info',
  'daemon:reloaded': 'info',
  'daemon:stopping': 'info',
  'daemon:stopped': 'info',
  'daemon:crashed': 'fatal',
  'config:refused': 'error',
  'run:failed': 'error',
  'run:recovered': 'info',
  'run:problem': 'warn',
  'run:problem_gone': 'info',
  'tick:skipped': 'warn',
  'tick:in_time': 'info',
  'sink:delivering': 'info',
  'sink:down': 'error',
  'sink:up': 'info',
  'sink:dropped': 'warn',
  'sink:closed': 'info',
  'sink:overrun': 'warn',
  'sink:in_pace': 'info',
  'sink:spool_failed': 'error',
  'sink:spool_works': 'info',
  'sink:spool_moved': 'error',
  'sink:replayed': 'info',
  'events:spool_failed': 'error',
  'events:spool_works': 'info',
  'events:spool_moved': 'error',
  'events:spool_shared': 'warn',
  'events:spool_ours': 'info',
  'events:left': 'warn',
  'events:dropped': 'warn',
  'events:rule_failed': 'error',
  'events:down': 'error',
  'events:up': 'info',
  'events:dead': 'error',
  'events:halved': 'warn',
  'events:held': 'error',
  'events:resumed': 'info',
  'events:listening': 'info',
  'events:listen_failed': 'error',
  'events:refused': 'warn',
  'events:watching': 'info',
  'events:rejected': 'warn',
  'events:folder_failed': 'error',
  'events:folder_works': 'info',
  'notify:failed': 'warn',
};

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
