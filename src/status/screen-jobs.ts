/** Jobs on the status screen: each, or where there are hundreds, those that are in trouble and the rest in sums. Pure. */
import type { Line } from '../top/line.ts';
import { plain, styled } from '../top/line.ts';
import type { JobStatus } from './document.ts';
import { ageText, cellText } from './page-cell.ts';
import { type Cell, columnLines, type Heading, type Width, wrapped } from './screen-line.ts';

/** More jobs are not shown one by one. */
const MAX_LISTED = 30;
/** Of those in trouble. */
const MAX_TROUBLED = 20;
/** Problems of one job. */
const MAX_PROBLEMS = 5;

export function jobLines(jobs: readonly JobStatus[], nowMs: number, width: Width): Line[] {
  const count = (state: JobStatus['state']): number => jobs.filter((job) => job.state === state).length;
  const down = count('down');
  const troubled = jobs.filter(isTroubled).toSorted(worstFirst);
  const partly = troubled.length - down;
  const tally = [
    `${jobs.length} ${jobs.length === 1 ? 'job' : 'jobs'}: ${count('up')} up`,
    ...(partly > 0 ? [`${partly} of them with problems`] : []),
    ...(down > 0 ? [`${down} down`] : []),
    ...(count('waiting') > 0 ? [`${count('waiting')} waiting for their first run`] : []),
  ].join(', ');
  const title = wrapped(tally, 0, down > 0 ? 'bad' : partly > 0 ? 'warn' : 'bold', width);
  if (jobs.length <= MAX_LISTED) return [...title, ...listed(jobs, nowMs, width)];
  const shown = troubled.slice(0, MAX_TROUBLED);
  const more = troubled.length - shown.length;
  return [
    ...title,
    ...columnLines(SUM_HEADS, sumsOf(jobs, nowMs), width),
    ...(shown.length > 0 ? [[plain('')], ...wrapped('in trouble', 0, 'bold', width)] : []),
    ...(shown.length > 0 ? listed(shown, nowMs, width) : []),
    ...(more > 0 ? wrapped(`… and ${more} more; --json has all`, 2, 'dim', width) : []),
  ];
}

function isTroubled({ state, problems }: JobStatus): boolean {
  return state === 'down' || problems.length > 0;
}

/** Those that fail above, and of them those that have failed the longest. */
function worstFirst(one: JobStatus, other: JobStatus): number {
  const failing = Number(other.state === 'down') - Number(one.state === 'down');
  return failing === 0 ? since(one) - since(other) : failing;
}

function since({ problems }: JobStatus): number {
  return problems.reduce((least, { sinceMs }) => Math.min(least, sinceMs), Number.POSITIVE_INFINITY);
}

const HEADS: readonly Heading[] = [
  { title: 'job' },
  { title: 'state' },
  { title: 'last run', right: true },
  { title: 'took', right: true },
  { title: 'samples', right: true },
  { title: 'every', right: true },
  { title: 'runs', right: true },
  { title: 'failed', right: true },
  { title: 'skipped', right: true },
];

function listed(jobs: readonly JobStatus[], nowMs: number, width: Width): Line[] {
  const [head = [], ...rows] = columnLines(
    HEADS,
    jobs.map((job) => cellsOf(job, nowMs)),
    width,
  );
  const lines: Line[] = [head];
  for (const [index, job] of jobs.entries()) {
    lines.push(rows[index] ?? [], ...problemLines(job, nowMs, width));
  }
  return lines;
}

function cellsOf(job: JobStatus, nowMs: number): Cell[] {
  const { state, runningMs = 0, lastRunAtMs, durationMs, samples } = job;
  // A run that outlasts its interval is what there is to see.
  const isLong = runningMs > job.intervalMs;
  const partly = state === 'up' && job.problems.length > 0;
  const style = state === 'down' ? 'bad' : partly || isLong ? 'warn' : 'plain';
  const word = state === 'down' ? 'DOWN' : partly ? 'partly' : state;
  return [
    { text: job.id, style },
    { text: isLong ? `running ${cellText(Math.round(runningMs / 1000), 'seconds')}` : word, style },
    { text: lastRunAtMs === undefined ? '–' : ageText(lastRunAtMs, nowMs) },
    { text: cellText(durationMs === undefined ? null : durationMs / 1000, 'seconds') },
    { text: state === 'up' ? String(samples ?? '–') : '–' },
    { text: job.schedule },
    { text: String(job.runs) },
    { text: String(job.failedRuns), style: job.failedRuns > 0 ? 'warn' : 'plain' },
    { text: String(job.skippedTicks), style: job.skippedTicks > 0 ? 'warn' : 'plain' },
  ];
}

function problemLines({ problems, lastSuccessAtMs }: JobStatus, nowMs: number, width: Width): Line[] {
  const shown = problems.slice(0, MAX_PROBLEMS).flatMap(({ code, message, sinceMs, fatal }) => {
    const never = fatal && lastSuccessAtMs === undefined ? ', never succeeded' : '';
    const text = `${code} for ${ageText(sinceMs, nowMs)}${never}: ${message}`;
    return wrapped(text, 4, fatal ? 'bad' : 'warn', width);
  });
  const more = problems.length - MAX_PROBLEMS;
  return more > 0 ? [...shown, [plain('    '), styled('dim', `… and ${more} more`)]] : shown;
}

const SUM_HEADS: readonly Heading[] = [
  { title: 'job' },
  { title: 'up', right: true },
  { title: 'down', right: true },
  { title: 'partly', right: true },
  { title: 'waiting', right: true },
  { title: 'oldest run', right: true },
  { title: 'samples', right: true },
];

/** One row for each name of a job, over its targets. */
function sumsOf(jobs: readonly JobStatus[], nowMs: number): Cell[][] {
  const byName = Map.groupBy(jobs, ({ name }) => name);
  return [...byName].map(([name, all]) => {
    const down = all.filter(({ state }) => state === 'down').length;
    const partly = all.filter((job) => job.state === 'up' && job.problems.length > 0).length;
    const waiting = all.filter(({ state }) => state === 'waiting').length;
    const runs = all.flatMap(({ lastRunAtMs }) => lastRunAtMs ?? []);
    const oldest = runs.reduce((least, atMs) => Math.min(least, atMs), Number.POSITIVE_INFINITY);
    const samples = all.reduce((sum, one) => sum + (one.state === 'up' ? (one.samples ?? 0) : 0), 0);
    return [
      { text: name, style: down > 0 ? 'bad' : 'plain' },
      { text: String(all.length - down - waiting) },
      { text: String(down), style: down > 0 ? 'bad' : 'plain' },
      { text: String(partly), style: partly > 0 ? 'warn' : 'plain' },
      { text: String(waiting) },
      { text: runs.length === 0 ? '–' : ageText(oldest, nowMs) },
      { text: String(samples) },
    ];
  });
}
