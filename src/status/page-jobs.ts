/** What the page says of jobs, and of all that is wrong. */
import type { JobStatus, ProblemStatus, StatusDocument } from './document.ts';
import { addressOf, type View } from './page-address.ts';
import { ageText, cellText, clockText } from './page-cell.ts';
import { type Html, html, name } from './page-html.ts';

interface Trouble extends ProblemStatus {
  readonly where: string;
}

const TROUBLES = 20;

/** What is wrong now, the newest above; what ended a run comes first. Undefined: nothing is. */
export function troubleSection({ jobs, sinks, events, nowMs }: StatusDocument): Html | undefined {
  const all: readonly Trouble[] = [
    ...jobs.flatMap(({ id, problems }) => problems.map((one) => ({ ...one, where: id }))),
    ...sinks.flatMap(({ name: sink, problem }) =>
      problem === undefined ? [] : [{ ...problem, where: `sink ${sink}` }],
    ),
    ...(events?.destinations ?? []).flatMap(({ name: destination, problem }) =>
      problem === undefined ? [] : [{ ...problem, where: `events to ${destination}` }],
    ),
  ];
  if (all.length === 0) return undefined;
  const sorted = all.toSorted((one, other) => Number(other.fatal) - Number(one.fatal) || other.sinceMs - one.sinceMs);
  const rows = sorted.slice(0, TROUBLES).map(
    ({ where, code, message, sinceMs, fatal }) =>
      html`<tr><th scope="row">${name(where)}</th><td class="${fatal ? 'bad' : 'warn'}"><span class="mark" aria-hidden="true">${fatal ? '▲' : '△'}</span>${code}</td><td class="number"><span title="${clockText(sinceMs)}">${ageText(sinceMs, nowMs)}</span></td><td class="message">${message}</td></tr>
`,
  );
  const rest = all.length - rows.length;
  return html`<section class="panel" id="troubles" data-part><div class="heading"><h2 id="troubles-title">What is wrong</h2><p class="dim">${all.length} ${all.length === 1 ? 'problem' : 'problems'}</p></div>
<div class="scroll" id="troubles-scroll" tabindex="0" role="region" aria-labelledby="troubles-title"><table>
<thead><tr><th scope="col">where</th><th scope="col">code</th><th scope="col" class="number">for</th><th scope="col">what</th></tr></thead>
<tbody>${rows}</tbody></table></div>${rest > 0 ? html`<p class="more">${rest} more are not shown; <code>edgestatd status --json</code> has all</p>` : undefined}</section>`;
}

/** With hundreds of jobs, those that are well say nothing. */
const QUIET_JOBS = 12;

export function jobSection({ jobs, nowMs }: StatusDocument, view: View): Html {
  const loud = jobs.filter((job) => job.state === 'down' || job.problems.length > 0 || isLong(job));
  const quiet = jobs.filter((job) => !loud.includes(job));
  const showsAll = view.jobs === 'all' || quiet.length <= QUIET_JOBS;
  const hidden = showsAll ? 0 : quiet.length;
  const shown = [...loud, ...(showsAll ? quiet : [])];
  const count = (state: JobStatus['state']): number => jobs.filter((job) => job.state === state).length;
  const tally = [`${count('up')} up`, ...(['down', 'waiting'] as const).map((state) => `${count(state)} ${state}`)];
  const more = addressOf({ ...view, jobs: view.jobs === 'all' ? undefined : 'all' });
  return html`<section class="panel" id="jobs" data-part><div class="heading"><h2 id="jobs-title">Jobs</h2><p class="dim">${tally.join(', ')}</p></div>
${shown.length === 0 ? undefined : jobTable(shown, nowMs)}
${hidden > 0 ? html`<p class="more"><a id="jobs-more" href="${more}#jobs">show ${hidden} jobs that have no problem</a></p>` : undefined}
${view.jobs === 'all' && quiet.length > QUIET_JOBS ? html`<p class="more"><a id="jobs-more" href="${more}#jobs">show only jobs with problems</a></p>` : undefined}
</section>`;
}

function jobTable(jobs: readonly JobStatus[], nowMs: number): Html {
  const titles = ['took', 'samples', 'runs', 'failed', 'skipped'];
  return html`<div class="scroll" id="jobs-scroll" tabindex="0" role="region" aria-labelledby="jobs-title"><table>
<thead><tr><th scope="col">job</th><th scope="col">state</th><th scope="col">each</th><th scope="col" class="number">last run</th>${titles.map((title) => html`<th scope="col" class="number">${title}</th>`)}</tr></thead>
<tbody>${jobs.map((job) => jobRow(job, nowMs))}</tbody></table></div>`;
}

function jobRow(job: JobStatus, nowMs: number): Html {
  const age = job.lastRunAtMs === undefined ? undefined : ageText(job.lastRunAtMs, nowMs);
  const took = job.durationMs === undefined ? undefined : cellText(job.durationMs / 1000, 'seconds');
  const counts = [job.runs, job.failedRuns, job.skippedTicks].map((one) => cellText(one, 'number'));
  const cells = [age, took, job.samples === undefined ? undefined : cellText(job.samples, 'number'), ...counts];
  return html`<tr><th scope="row">${name(job.id)}</th><td>${jobMark(job)}</td><td class="name">${name(job.schedule)}</td>${cells.map((text) => html`<td class="number">${text ?? '–'}</td>`)}</tr>
`;
}

/** A run that lasts longer than the interval: it hangs, or is too much for it. */
function isLong({ runningMs = 0, intervalMs }: JobStatus): boolean {
  return runningMs > intervalMs;
}

function jobMark(job: JobStatus): Html {
  if (!isLong(job)) return stateMark(job.state);
  const age = cellText(Math.round((job.runningMs ?? 0) / 1000), 'seconds');
  return html`<span class="warn"><span class="mark" aria-hidden="true">△</span> running ${age}</span>`;
}

const MARKS = { up: ['✓', 'ok'], down: ['▲', 'bad'], waiting: ['…', 'dim'] } as const;

export function stateMark(state: keyof typeof MARKS): Html {
  const [mark, grade] = MARKS[state];
  return html`<span class="${grade}"><span class="mark" aria-hidden="true">${mark}</span> ${state}</span>`;
}
