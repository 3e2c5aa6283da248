/** The status document as a screen for people: what is wrong above, then jobs, sinks, events and the process. Pure. */
import { type Line, plain } from '../top/line.ts';
import type { EventsStatus, ProblemStatus, SinkStatus, StatusDocument } from './document.ts';
import { FORMAT } from './document-read.ts';
import { ageText, cellText } from './page-cell.ts';
import { jobLines } from './screen-jobs.ts';
import { type Cell, columnLines, type Width, wrapped } from './screen-line.ts';

const EMPTY: Line = [plain('')];

export function statusLines(status: StatusDocument, width: Width): Line[] {
  const { nowMs, health, jobs, sinks, events } = status;
  return [
    ...headLines(status, width),
    ...health.reasons.flatMap((reason) => wrapped(reason, 2, 'bad', width)),
    ...processLines(status, width),
    EMPTY,
    ...jobLines(jobs, nowMs, width),
    EMPTY,
    ...sinkLines(sinks, nowMs, width),
    ...(events === undefined ? [] : [EMPTY, ...eventLines(events, nowMs, width)]),
  ];
}

/** Health in words; also what `--healthy` says. */
export function healthWords({ health }: Pick<StatusDocument, 'health'>): string {
  return health.healthy ? 'healthy' : 'NOT HEALTHY';
}

function headLines(status: StatusDocument, width: Width): Line[] {
  const { version, machine, health, format } = status;
  const text = `edgestatd ${version === '' ? 'of an unknown version' : version} on ${machine}: ${healthWords(status)}`;
  const strange = `its status has the form ${format}, of which this command knows ${FORMAT}: what follows may be incomplete; use the edgestatd that the daemon is`;
  return [
    ...wrapped(text, 0, health.healthy ? 'bold' : 'bad', width),
    ...(format === FORMAT ? [] : wrapped(strange, 2, 'warn', width)),
  ];
}

function processLines({ process, pid, node, config, startedAtMs, reloadedAtMs, nowMs }: StatusDocument, width: Width) {
  const { rssBytes, cpuSeconds, eventLoopDelayP99Seconds: late } = process;
  // What an older daemon does not tell is left out.
  const facts = [
    ...(startedAtMs > 0 ? [`up ${ageText(startedAtMs, nowMs)}`] : []),
    ...(reloadedAtMs === undefined ? [] : [`reloaded ${ageText(reloadedAtMs, nowMs)} ago`]),
    ...(pid > 0 ? [`pid ${pid}`] : []),
    ...(rssBytes > 0 ? [`${cellText(rssBytes, 'bytes')}B resident`] : []),
    ...(cpuSeconds > 0 ? [`CPU ${cellText(cpuSeconds, 'seconds')}`] : []),
    ...(late === undefined ? [] : [`timers late by ${cellText(late, 'seconds')}`]),
    ...(node === '' ? [] : [`Node.js ${node}`]),
    ...(config === '' ? [] : [config]),
  ];
  return facts.length === 0 ? [] : wrapped(facts.join(', '), 2, 'dim', width);
}

function problemOf({ code, message, sinceMs }: ProblemStatus, nowMs: number, width: Width): Line[] {
  return wrapped(`${code} for ${ageText(sinceMs, nowMs)}: ${message}`, 4, 'bad', width);
}

/** A head, and rows each with what is wrong there below it. */
function withProblems(
  lines: readonly Line[],
  problems: readonly (ProblemStatus | undefined)[],
  nowMs: number,
  width: Width,
): Line[] {
  const [head = [], ...rows] = lines;
  return [
    head,
    ...rows.flatMap((row, index) => {
      const problem = problems[index];
      return problem === undefined ? [row] : [row, ...problemOf(problem, nowMs, width)];
    }),
  ];
}

function sinkLines(sinks: readonly SinkStatus[], nowMs: number, width: Width): Line[] {
  const rows = sinks.map((sink): Cell[] => {
    const { state, spool, droppedMetrics } = sink;
    const style = state === 'down' ? 'bad' : sink.problem === undefined ? 'plain' : 'warn';
    const dropped = Object.entries(droppedMetrics).filter(([, count]) => count > 0);
    const sum = dropped.reduce((total, [, count]) => total + count, 0);
    const reasons = dropped.map(([reason]) => reason).join(' ');
    const age = spool?.oldestSeconds === undefined ? '' : ` ${cellText(Math.round(spool.oldestSeconds), 'seconds')}`;
    return [
      { text: sink.name === sink.to ? sink.name : `${sink.name} ${sink.to}`, style },
      { text: state === 'down' ? 'DOWN' : sink.problem === undefined ? 'up' : 'partly', style },
      { text: cellText(sink.sentMetrics, 'number') },
      { text: sum === 0 ? '0' : `${cellText(sum, 'number')} ${reasons}`, style: sum > 0 ? 'warn' : 'plain' },
      { text: spool === undefined ? '–' : `${cellText(spool.metrics, 'number')}${age}` },
    ];
  });
  const heads = [
    { title: sinks.length === 1 ? 'sink' : 'sinks' },
    { title: 'state' },
    { title: 'sent', right: true as const },
    { title: 'dropped', right: true as const },
    { title: 'on disk', right: true as const },
  ];
  const problems = sinks.map(({ problem }) => problem);
  return withProblems(columnLines(heads, rows, width), problems, nowMs, width);
}

function eventLines({ spool, bytes, destinations }: EventsStatus, nowMs: number, width: Width): Line[] {
  const size = bytes === undefined ? 'it cannot be read now' : `${cellText(bytes, 'bytes')}B`;
  const rows = destinations.map(({ name, problem, waiting, oldestSeconds, dead, delivered }): Cell[] => [
    { text: name, style: problem === undefined ? 'plain' : 'bad' },
    { text: problem === undefined ? 'up' : 'DOWN', style: problem === undefined ? 'plain' : 'bad' },
    {
      text: String(waiting ?? '–'),
      style: (waiting ?? 0) > 0 && problem !== undefined ? 'warn' : 'plain',
    },
    { text: cellText(oldestSeconds === undefined ? null : Math.round(oldestSeconds), 'seconds') },
    { text: String(dead ?? '–'), style: (dead ?? 0) > 0 ? 'warn' : 'plain' },
    { text: String(delivered) },
  ]);
  const heads = [
    { title: 'events to' },
    { title: 'state' },
    { title: 'waiting', right: true as const },
    { title: 'oldest', right: true as const },
    { title: 'dead', right: true as const },
    { title: 'delivered', right: true as const },
  ];
  const problems = destinations.map(({ problem }) => problem);
  return [
    ...wrapped(`events wait in ${spool} (${size})`, 0, bytes === undefined ? 'warn' : 'plain', width),
    ...(rows.length === 0 ? [] : withProblems(columnLines(heads, rows, width), problems, nowMs, width)),
  ];
}
