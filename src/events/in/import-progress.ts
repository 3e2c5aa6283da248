/** The line that shows on a terminal how far an import is. */
import type { Clock } from '../../clock.ts';
import { unblocked } from '../../terminal.ts';
import { printable } from '../../text.ts';
import type { ImportCounts } from './import.ts';

export interface Progress {
  show(counts: ImportCounts): void;
  /** Takes the line away, so that what is said next stands alone. */
  clear(): void;
}

interface Terminal extends NodeJS.WritableStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface ProgressOptions {
  /** Of what: a file's name. */
  readonly name: string;
  readonly readBytes: () => number;
  readonly totalBytes: number | undefined;
}

/** More would only flicker. */
const EVERY_MS = 100;
const BAR = 20;

/** Shows nothing where the stream is no terminal, or one that cannot move its cursor. */
export function createProgress(terminal: Terminal, options: ProgressOptions, clock: Clock): Progress {
  if (terminal.isTTY !== true || process.env.TERM === 'dumb') return { show: () => {}, clear: () => {} };
  const stream = unblocked(terminal);
  const beginMs = clock.monotonicMs();
  let lastMs = Number.NEGATIVE_INFINITY;
  let isShown = false;
  return {
    show(counts) {
      const nowMs = clock.monotonicMs();
      if (nowMs - lastMs < EVERY_MS) return;
      lastMs = nowMs;
      // The last column of a terminal is left free: some begin a new line behind it.
      const line = progressLine(counts, options, nowMs - beginMs).slice(0, Math.max(20, (stream.columns ?? 80) - 1));
      stream.write(`\r${line}\u001b[K`);
      isShown = true;
    },
    clear() {
      if (isShown) stream.write('\r\u001b[K');
      isShown = false;
    },
  };
}

/** `deploys.csv [=====     ] 25 %  1,500 events  3,000/s  2 faulty` */
export function progressLine(counts: ImportCounts, options: ProgressOptions, elapsedMs: number): string {
  const { name, readBytes, totalBytes } = options;
  const whole = (count: number): string => Math.round(count).toLocaleString('en-US');
  const parts = [printable(name)];
  if (totalBytes === undefined) parts.push(`${whole(readBytes() / 1024)} KiB`);
  else {
    const share = totalBytes === 0 ? 1 : Math.min(1, readBytes() / totalBytes);
    const full = Math.floor(share * BAR);
    parts.push(`[${'='.repeat(full)}${' '.repeat(BAR - full)}] ${Math.floor(share * 100)} %`);
  }
  parts.push(` ${whole(counts.read)} events`);
  if (elapsedMs > 0) parts.push(` ${whole((counts.read * 1000) / elapsedMs)}/s`);
  if (counts.faulty > 0) parts.push(` ${whole(counts.faulty)} faulty`);
  return parts.join(' ');
}
