/** What the pages name exists: metrics and series, error codes, events of the log, messages. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { registry } from '../collectors/registry.ts';
import { advised } from '../scripts/generated/actions.ts';
import { codes } from '../src/errors.ts';
import { eventMetrics } from '../src/events/event-metrics.ts';
import { LEVELS } from '../src/log-events.ts';
import type { Metric } from '../src/metric.ts';
import { selfMetrics } from '../src/self.ts';
import { inlineCode, type Page, pages, root } from './support/markdown-pages.ts';

const own: Readonly<Record<string, Metric>> = { ...selfMetrics, ...eventMetrics };
const namesOf = (metrics: Readonly<Record<string, Metric>>): ReadonlySet<string> =>
  new Set(Object.values(metrics).map(({ name }) => name));
/** Not exec: its metrics are the operator's own. */
const catalogue = new Map([
  ...[...registry.values()].flatMap(({ name, metrics }) =>
    name === 'exec' ? [] : [[name, namesOf(metrics)] as const],
  ),
  ['edgestatd', namesOf(own)] as const,
]);

/** What StatsD and Carbon put behind a name. */
const BEHIND = /\.(?:count|rate|sum|mean|median|std|lower|upper|upper_90|mean_90|count_ps)$/;
const FILES =
  /\.(?:ya?ml|md|[cm]?[jt]s|json|service|socket|conf|cfg|deb|db|log|d|py|sh|txt|example|dpkg-dist|bash|zsh|fish)$/;

/** All series of one thing. */
const DEVICE = /^(?:vif|tap|eth)[0-9]/;

/** A series, or `collector.metric`, that names a metric which does not exist. */
function unknownMetric(token: string): string | undefined {
  if (FILES.test(token)) return undefined;
  const parts = token.replace(BEHIND, '').split('.');
  const at = parts.findIndex((part) => catalogue.has(part));
  const known = catalogue.get(parts[at] ?? '');
  const last = (parts.at(-1) ?? '').replace(/_per_second$/, '').replace(/_milliseconds$/, '_seconds');
  // `<metric>`, `*` and names of labels are no metrics; nor is a collector without one.
  if (known === undefined || at === parts.length - 1 || !/^[a-z][a-z0-9_]*$/.test(last) || DEVICE.test(last))
    return undefined;
  const plain = parts.at(-1) ?? '';
  return known.has(plain) || known.has(last) ? undefined : `${parts[at]} has no metric "${plain}"`;
}

const TOKEN = /(?:[\w<>…*{}?$-]+\.)+[\w*<>{}…-]+/g;

/** Of the tables of another program's names, the first column is its own. */
const ours = (page: Page): Page =>
  page.file === 'docs/migration.md' ? { ...page, prose: page.prose.replace(/^\|[^|]*\|/gm, '|') } : page;

function seriesIn(page: Page): string[] {
  const texts = [
    ...inlineCode(ours(page)),
    ...page.blocks.filter(({ language }) => language !== 'js').map(({ text }) => text),
  ];
  return texts.flatMap((text) => [...text.matchAll(TOKEN)].map(([token]) => token));
}

describe('names', () => {
  test.each(pages.map((page) => [page.file, page] as const))('of metrics in %s exist', (_, page) => {
    expect(seriesIn(page).flatMap((token) => unknownMetric(token) ?? [])).toEqual([]);
  });

  test('of metrics are looked at, and wrong ones are noticed', () => {
    const checked = pages.flatMap(seriesIn).filter((token) => token.split('.').some((part) => catalogue.has(part)));
    expect(checked.length).toBeGreaterThan(100);
    expect(unknownMetric('htb.sent_byte')).toBe('htb has no metric "sent_byte"');
    expect(unknownMetric('stats.gauges.edge.hv01.htb.eth1.vif2_1.utilization_ratio')).toContain('utilization_ratio');
    expect(unknownMetric('….rabbitmq.broker.published')).toBeUndefined();
    expect(unknownMetric('stats.timers.edge.hv01.edgestatd.tcp.duration_milliseconds.mean')).toBeUndefined();
    expect(unknownMetric('edge.hv01.tcp.retrans_segs_per_second')).toBeUndefined();
  });

  test('of metrics in short forms exist: `.rx_dropped` beside `link.eth0.rx_bytes`', () => {
    const short = pages.flatMap((page) =>
      page.file === 'docs/migration.md'
        ? inlineCode(ours(page)).flatMap((code) => /^…?\.([a-z][a-z0-9]*(?:_[a-z0-9]+)*)$/.exec(code)?.[1] ?? [])
        : [],
    );
    const all = new Set([...catalogue.values()].flatMap((names) => [...names]));
    expect(short.filter((name) => !all.has(name) && !['rate', 'count', 'value'].includes(name))).toEqual([]);
    expect(short.length).toBeGreaterThan(20);
  });

  test('of error codes exist', () => {
    const found = pages.flatMap(({ file, text }) =>
      [...text.matchAll(/\bE_[A-Z_]+\b/g)].map(([code]) => ({ file, code })),
    );
    expect(found.filter(({ code }) => !(code in codes))).toEqual([]);
    expect(found.length).toBeGreaterThan(50);
  });

  test('of events of the log exist', () => {
    const subjects = new Set(Object.keys(LEVELS).map((name) => name.split(':')[0]));
    const named = pages.flatMap((page) =>
      inlineCode(page).flatMap((code) =>
        /^[a-z]+:[a-z_]+$/.test(code) && subjects.has(code.split(':')[0]) ? [{ file: page.file, code }] : [],
      ),
    );
    expect(named.filter(({ code }) => !(code in LEVELS))).toEqual([]);
    expect(named.length).toBeGreaterThan(10);
  });
});

describe('docs/troubleshooting.md', () => {
  const page = pages.find(({ file }) => file === 'docs/troubleshooting.md');
  const quotes = [...(page?.prose ?? '').matchAll(/^> `(.+)`$/gm)].map(([, quote = '']) => quote);
  const sources = ['src', 'collectors']
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
        .map((file) => readFileSync(join(root, folder, file), 'utf8')),
    )
    .join('\n');

  test.each(quotes)('quotes what is said: %s', (quote) => {
    const parts = quote
      .replace(/^E_[A-Z_]+: /, '')
      .split(/"?…"?/)
      .map((part) => part.replace(/^[\s:"]+|[\s:"]+$/g, ''))
      .filter((part) => part.length > 3);
    expect(parts.length).toBeGreaterThan(0);
    for (const part of parts) expect(sources.includes(part), part).toBe(true);
  });

  test('quotes some', () => {
    expect(quotes.length).toBeGreaterThan(8);
  });
});

describe('advice', () => {
  test('names no metric that does not exist where it says when one is bad', () => {
    const faults = advised().flatMap(({ name, file, metrics, actions }) => {
      const known = new Set(metrics.map((metric) => metric.name));
      const parts = new Set(metrics.flatMap((metric) => [...metric.labels, ...(metric.tags ?? [])]));
      return actions.flatMap(({ title, bad }) =>
        [...bad.matchAll(/`([a-z][a-z0-9]*(?:_[a-z0-9]+)+)`/g)].flatMap(([, word = '']) =>
          known.has(word) || parts.has(word) || SAID.has(word) || catalogue.get(name)?.has(word) === true
            ? []
            : [`${file}: ${title}: ${word}`],
        ),
      );
    });
    expect(faults).toEqual([]);
  });

  test('is specific: it names commands, and numbers', () => {
    const all = advised().flatMap(({ actions }) => actions);
    expect(all.filter((one) => /`[^`]+`/.test(one.do)).length / all.length).toBeGreaterThan(0.85);
    expect(all.filter(({ bad }) => /\d/.test(bad)).length / all.length).toBeGreaterThan(0.55);
  });
});

/** Values of labels, and options of others, in sentences that say when a metric is bad. */
const SAID = new Set([
  ...['missing_class', 'no_consumer', 'not_acked', 'ingress_policing_rate', 'timed_out'],
  ...['alarm_raised', 'queue_stuck', 'node_down', 'spool_full'],
  ...['upcall_ukey_replace', 'dumped_new_flow', 'rev_flow_table', 'netlink_overflow'],
]);
