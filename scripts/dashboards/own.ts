/** edgestatd itself: whether its jobs succeed, what it sends, what it lost, and what it costs. */
import type { Catalogue } from './catalogue.ts';
import { everAbove, times, top, type Wrap } from './graphite-functions.ts';
import { type Dashboard, line } from './model.ts';

export function own(catalogue: Catalogue): Dashboard {
  const self = catalogue.of('edgestatd');
  type More = { readonly wrap?: Wrap; readonly called?: string; readonly unit?: string };
  const of = (what: string, name: string, more: More = {}) => line(self(name), { [what]: '*' }, ['target', what], more);
  const host = (name: string, more: More = {}) => line(self(name), {}, ['target'], more);
  return {
    id: 'edgestatd-itself',
    title: 'edgestatd itself',
    question: 'Does it run everywhere, do its jobs succeed, and does everything arrive?',
    variables: [],
    rows: [
      {
        title: 'Jobs',
        panels: [
          {
            title: 'Jobs whose last run succeeded',
            about: 'A line that ends: nothing arrives from there any more.',
            ...{ kind: 'states', width: 24, lines: [of('job', 'up')] },
          },
          {
            title: 'Failures and problems, by code',
            about: 'What each code means is in docs/errors.md.',
            lines: [line(self('problems'), { job: '*', code: '*' }, ['target', 'job', 'code'], { wrap: everAbove(0) })],
          },
          { title: 'Duration, the ten longest', lines: [of('job', 'duration_seconds', { wrap: top(10) })] },
          { title: 'Samples', lines: [of('job', 'samples', { wrap: top(10) })] },
          {
            title: 'Ticks that were skipped',
            lines: [of('job', 'skipped_ticks', { wrap: times(60), unit: 'ticks_per_minute' })],
            warnAbove: 0,
          },
        ],
      },
      {
        title: 'Sinks',
        panels: [
          { title: 'Metrics sent', lines: [of('sink', 'sent_metrics')] },
          {
            title: 'Metrics dropped, by reason',
            lines: [line(self('dropped_metrics'), { sink: '*', reason: '*' }, ['target', 'sink', 'reason'])],
            warnAbove: 0,
          },
          { title: 'Bytes sent', lines: [of('sink', 'sent_bytes')] },
          {
            title: 'Batches larger than the pace',
            lines: [of('sink', 'pace_overrun', { wrap: times(60), unit: 'batches_per_minute' })],
            warnAbove: 0,
          },
          {
            title: 'Metrics that wait on disk, and that were sent again',
            lines: [
              of('sink', 'spooled_metrics', { called: 'wait' }),
              of('sink', 'resent_metrics', { called: 'again, per second' }),
            ],
          },
          { title: 'How long the oldest of them waits', lines: [of('sink', 'spool_age_seconds')] },
        ],
      },
      {
        title: 'Events',
        panels: [
          {
            title: 'Events not delivered',
            lines: [
              of('destination', 'events_waiting', { called: 'wait' }),
              of('destination', 'events_dead', { called: 'dead' }),
            ],
          },
          { title: 'How long the oldest waits', lines: [of('destination', 'events_oldest_seconds')] },
          { title: 'Spool of events can be written', kind: 'states', lines: [host('events_spool_usable')] },
          {
            title: 'Events refused, and given up',
            lines: [of('way', 'events_refused', { called: 'refused' }), host('events_dropped', { called: 'given up' })],
            warnAbove: 0,
          },
        ],
      },
      {
        title: 'Process',
        panels: [
          { title: 'CPU', lines: [host('cpu_seconds')] },
          {
            title: 'Memory',
            lines: [host('rss_bytes', { called: 'resident' }), host('heap_used_bytes', { called: 'heap' })],
          },
          { title: 'How late timers fire', lines: [host('event_loop_delay_p99_seconds')] },
          { title: 'Time since the start', lines: [host('uptime_seconds')] },
        ],
      },
    ],
  };
}
