/** The lines of numbers that tc(8) prints below a class or a qdisc. Pure. */
import { integer } from '../../src/text.ts';
import { sizeOf } from './rates.ts';
import { type Count, MAX_U32 } from './record.ts';

/** What the lines below one class or qdisc said so far. */
export interface Stats {
  sentBytes: Count | undefined;
  sentPackets: Count | undefined;
  dropped: number | undefined;
  overlimits: number | undefined;
  requeues: number | undefined;
  backlogBytes: number | undefined;
  backlogPackets: number | undefined;
  lended: number | undefined;
  borrowed: number | undefined;
  giants: number | undefined;
  tokens: number | undefined;
  ctokens: number | undefined;
  /** HFSC says it here. */
  level: number | undefined;
  /** Bits of the kinds of line that were there. */
  seen: number;
}

export function noStats(): Stats {
  return {
    ...{ sentBytes: undefined, sentPackets: undefined, dropped: undefined, overlimits: undefined, requeues: undefined },
    ...{ backlogBytes: undefined, backlogPackets: undefined, lended: undefined, borrowed: undefined },
    ...{ giants: undefined, tokens: undefined, ctokens: undefined, level: undefined, seen: 0 },
  };
}

const SENT =
  /^Sent ([0-9]+) bytes ([0-9]+) pkts? \(dropped ([0-9]+), overlimits ([0-9]+)(?: requeues ([0-9]+))? ?\)\s*$/;
/** Behind an estimator's rate there is no blank in 4.15 to 4.19. */
const BACKLOG = /backlog ([0-9][0-9.e+]{0,20}[KMG]?b) ([0-9]+)p(?: requeues [0-9]+)?\s*$/;
const ESTIMATE = /^rate [0-9]+\S*bit [0-9]+pps\s*$/;
const LENDED = /^lended: ([0-9]+) borrowed: ([0-9]+) giants: ([0-9]+)\s*$/;
const TOKENS = /^tokens: (-?[0-9]+) ctokens: (-?[0-9]+)\s*$/;
const HFSC = /^period [0-9]+ (?:work [0-9]+ bytes )?(?:rtwork [0-9]+ bytes )?level ([0-9]+)\s*$/;

/**
 * Takes one line without its leading blanks. Returns what is wrong with it, or undefined: it was taken, or it is none
 * of these lines.
 */
export function takeLine(stats: Stats, line: string): string | undefined {
  switch (line.charCodeAt(0)) {
    case 83 /* S */:
      return line.startsWith('Sent ') ? once(stats, 1, takeSent(stats, line)) : undefined;
    case 114 /* r */:
      if (!line.startsWith('rate ') || ESTIMATE.test(line)) return undefined;
      return line.includes('backlog ') ? once(stats, 2, takeBacklog(stats, line)) : 'expected "rate R Npps"';
    case 98 /* b */:
      return line.startsWith('backlog ') ? once(stats, 2, takeBacklog(stats, line)) : undefined;
    case 108 /* l */:
      return line.startsWith('lended:') ? once(stats, 4, takeLended(stats, line)) : undefined;
    case 116 /* t */:
      return line.startsWith('tokens:') ? once(stats, 8, takeTokens(stats, line)) : undefined;
    case 112 /* p */:
      return line.startsWith('period ') ? once(stats, 16, takeHfsc(stats, line)) : undefined;
    default:
      return undefined;
  }
}

/** A line that comes twice is another class's, whose own first line got lost: neither is sure. */
function once(stats: Stats, kind: number, wrong: string | undefined): string | undefined {
  const again = (stats.seen & kind) !== 0;
  stats.seen |= kind;
  if (!again) return wrong;
  const seen = stats.seen;
  Object.assign(stats, noStats(), { seen });
  return 'expected the next class or qdisc before another line of this kind';
}

function takeSent(stats: Stats, line: string): string | undefined {
  const match = SENT.exec(line);
  if (match === null) return 'expected "Sent B bytes P pkt (dropped D, overlimits O requeues R)"';
  stats.sentBytes = total(match[1]);
  stats.sentPackets = total(match[2]);
  stats.dropped = narrow(match[3]);
  stats.overlimits = narrow(match[4]);
  stats.requeues = narrow(match[5]);
  const all = stats.sentBytes !== undefined && stats.sentPackets !== undefined && stats.dropped !== undefined;
  const rest = stats.overlimits !== undefined && (match[5] === undefined || stats.requeues !== undefined);
  return all && rest ? undefined : 'expected counters of 64 and 32 bits';
}

function takeBacklog(stats: Stats, line: string): string | undefined {
  const match = BACKLOG.exec(line);
  if (match === null) return 'expected "backlog S Np requeues R"';
  const bytes = sizeOf(match[1]);
  const packets = narrow(match[2]);
  if (bytes === undefined || packets === undefined || bytes > MAX_U32 + 512) return 'expected a backlog of 32 bits';
  stats.backlogBytes = bytes;
  stats.backlogPackets = packets;
  return undefined;
}

function takeLended(stats: Stats, line: string): string | undefined {
  const match = LENDED.exec(line);
  if (match === null) return 'expected "lended: N borrowed: N giants: N"';
  stats.lended = narrow(match[1]);
  stats.borrowed = narrow(match[2]);
  stats.giants = narrow(match[3]);
  const all = stats.lended !== undefined && stats.borrowed !== undefined && stats.giants !== undefined;
  return all ? undefined : 'expected counters of 32 bits';
}

function takeTokens(stats: Stats, line: string): string | undefined {
  const match = TOKENS.exec(line);
  if (match === null) return 'expected "tokens: N ctokens: N"';
  stats.tokens = signed(match[1]);
  stats.ctokens = signed(match[2]);
  return stats.tokens !== undefined && stats.ctokens !== undefined ? undefined : 'expected tokens of 32 bits';
}

function takeHfsc(stats: Stats, line: string): string | undefined {
  const match = HFSC.exec(line);
  if (match === null) return 'expected "period N work N bytes rtwork N bytes level N"';
  stats.level = narrow(match[1]);
  return undefined;
}

/** A 64-bit counter. */
export function total(text: string | undefined): Count | undefined {
  // Up to 15 digits are exact, and most are.
  if (text !== undefined && text.length <= 15) return Number(text);
  return integer(text);
}

/** A 32-bit counter. */
export function narrow(text: string | undefined): number | undefined {
  if (text === undefined || text.length > 10) return undefined;
  const value = Number(text);
  return value <= MAX_U32 ? value : undefined;
}

function signed(text: string | undefined): number | undefined {
  if (text === undefined || text.length > 11) return undefined;
  const value = Number(text);
  return value >= -(2 ** 31) && value < 2 ** 31 ? value : undefined;
}
