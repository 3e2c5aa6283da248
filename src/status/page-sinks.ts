/** What the page says of sinks, events and the process. */
import type { EventsStatus, SinkStatus, StatusDocument } from './document.ts';
import { ageText, cellText } from './page-cell.ts';
import { type Html, html, name } from './page-html.ts';
import { stateMark } from './page-jobs.ts';

export function sinkSection({ sinks }: StatusDocument): Html {
  const rows = sinks.map((sink) => {
    const dropped = Object.entries(sink.droppedMetrics).filter(([, count]) => count > 0);
    const lost = dropped.reduce((sum, [, count]) => sum + count, 0);
    const why = dropped.map(([reason, count]) => `${count} ${reason}`).join(', ');
    return html`<tr><th scope="row">${name(sink.name)}</th><td>${stateMark(sink.state)}</td><td class="name">${name(sink.to)}</td><td class="number">${cellText(sink.sentMetrics, 'number')}</td><td class="number">${cellText(sink.sentBytes, 'bytes')}B</td><td class="number ${lost > 0 ? 'warn' : ''}">${lost > 0 ? html`<span class="mark" aria-hidden="true">△</span>` : undefined}${cellText(lost, 'number')}</td><td class="name">${why === '' ? '–' : why}</td><td class="name">${waiting(sink)}</td></tr>
`;
  });
  return html`<section class="panel" id="sinks" data-part><h2 id="sinks-title">Sinks</h2>
<div class="scroll" id="sinks-scroll" tabindex="0" role="region" aria-labelledby="sinks-title"><table>
<thead><tr><th scope="col">sink</th><th scope="col">state</th><th scope="col">to</th><th scope="col" class="number">sent</th><th scope="col" class="number">bytes</th><th scope="col" class="number">dropped</th><th scope="col">why</th><th scope="col">on disk</th></tr></thead>
<tbody>${rows}</tbody></table></div></section>`;
}

function waiting({ spool }: SinkStatus): string {
  if (spool === undefined) return '–';
  const age = spool.oldestSeconds === undefined ? '' : `, the oldest ${cellText(spool.oldestSeconds, 'seconds')}`;
  return `${cellText(spool.metrics, 'number')} metrics, ${cellText(spool.bytes, 'bytes')}B${age}`;
}

export function eventSection({ spool, bytes, destinations }: EventsStatus): Html {
  const size = bytes === undefined ? 'its size is unknown' : `${cellText(bytes, 'bytes')}B`;
  const rows = destinations.map(
    (one) =>
      html`<tr><th scope="row">${name(one.name)}</th><td>${stateMark(one.problem === undefined ? 'up' : 'down')}</td><td class="number">${one.waiting ?? '–'}</td><td class="number">${one.oldestSeconds === undefined ? '–' : cellText(one.oldestSeconds, 'seconds')}</td><td class="number ${(one.dead ?? 0) > 0 ? 'bad' : ''}">${(one.dead ?? 0) > 0 ? html`<span class="mark" aria-hidden="true">▲</span>` : undefined}${one.dead ?? '–'}</td><td class="number">${one.delivered}</td></tr>
`,
  );
  return html`<section class="panel" id="events" data-part><div class="heading"><h2 id="events-title">Events</h2><p class="dim">spool ${name(spool)}, ${size}</p></div>
<div class="scroll" id="events-scroll" tabindex="0" role="region" aria-labelledby="events-title"><table>
<thead><tr><th scope="col">destination</th><th scope="col">state</th><th scope="col" class="number">waiting</th><th scope="col" class="number">oldest</th><th scope="col" class="number">dead</th><th scope="col" class="number">delivered</th></tr></thead>
<tbody>${rows}</tbody></table></div></section>`;
}

export function processSection(status: StatusDocument): Html {
  const { rssBytes, heapUsedBytes, cpuSeconds, eventLoopDelayP99Seconds: late } = status.process;
  const uptime = Math.max(1, (status.nowMs - status.startedAtMs) / 1000);
  const facts: readonly (readonly [string, string])[] = [
    ['up for', ageText(status.startedAtMs, status.nowMs)],
    ...(status.reloadedAtMs === undefined
      ? []
      : [['reloaded', `${ageText(status.reloadedAtMs, status.nowMs)} ago`] as const]),
    ['resident memory', `${cellText(rssBytes, 'bytes')}B`],
    ['heap', `${cellText(heapUsedBytes, 'bytes')}B`],
    ['CPU since the start', `${cellText(cpuSeconds, 'seconds')}, ${cellText(cpuSeconds / uptime, 'ratio')} of a core`],
    ...(late === undefined ? [] : [['timers late by (p99)', cellText(late, 'seconds')] as const]),
    ['process', `${status.pid}, Node.js ${status.node}`],
    ['configuration', status.config],
  ];
  return html`<section class="panel" id="process" data-part><h2>edgestatd ${status.version}</h2>
<dl>${facts.map(([term, fact]) => html`<div><dt>${term}</dt><dd>${name(fact)}</dd></div>`)}</dl></section>`;
}
