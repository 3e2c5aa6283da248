/** Every link of every page leads somewhere. */
import { existsSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';
import { anchor } from '../scripts/generated/markdown.ts';
import { linksOf, pageOf, pages, root } from './support/markdown-pages.ts';

/** Undefined: it resolves. */
function faultOf(from: string, link: string): string | undefined {
  if (/^(?:https?|mailto):/.test(link)) return undefined;
  const [path = '', fragment] = link.split('#');
  const file = path === '' ? from : normalize(join(dirname(from), decodeURIComponent(path)));
  if (file.startsWith('..')) return 'leaves the repository';
  if (!existsSync(join(root, file))) return 'does not exist';
  if (fragment === undefined) return undefined;
  const page = pages.find((one) => one.file === file);
  if (page === undefined) return statSync(join(root, file)).isDirectory() ? 'an anchor in a folder' : undefined;
  return page.anchors.has(fragment) ? undefined : 'has no such heading';
}

describe('links', () => {
  test.each(pages.map(({ file }) => file))('of %s resolve', (file) => {
    const page = pages.find((one) => one.file === file);
    const faults = (page === undefined ? [] : linksOf(page)).flatMap((link) => {
      const fault = faultOf(file, link);
      return fault === undefined ? [] : [`${link}: ${fault}`];
    });
    expect(faults).toEqual([]);
  });

  test('are found, and wrong ones are named', () => {
    expect(pages.length).toBeGreaterThan(15);
    expect(pages.flatMap(linksOf).length).toBeGreaterThan(200);
    expect(faultOf('docs/events.md', 'nowhere.md')).toBe('does not exist');
    expect(faultOf('docs/events.md', '../../etc/passwd')).toBe('leaves the repository');
    expect(faultOf('docs/events.md', 'errors.md#e_nonsense')).toBe('has no such heading');
    expect(faultOf('docs/events.md', 'errors.md#e_timeout')).toBeUndefined();
    expect(faultOf('docs/events.md', '#rules')).toBeUndefined();
  });

  test('of images have a text for those who cannot see them', () => {
    for (const { file, prose } of pages) expect(prose.match(/!\[\s*\]\(/g), file).toBeNull();
  });

  test('every page below docs is in its index', () => {
    const index = pages.find(({ file }) => file === 'docs/README.md');
    const linked = new Set(index === undefined ? [] : linksOf(index));
    const all = pages.flatMap(({ file }) => (/^docs\/[^/]+\.md$/.test(file) ? [file.slice('docs/'.length)] : []));
    expect(all.filter((file) => file !== 'README.md' && !linked.has(file))).toEqual([]);
  });
});

test('headings become the anchors that GitHub gives them', () => {
  expect(anchor('E_TIMEOUT')).toBe('e_timeout');
  expect(anchor('Half of an event.')).toBe('half-of-an-event');
  expect(anchor('sinks[] (type: statsd)')).toBe('sinks-type-statsd');
  const page = pageOf('x.md', '# `up` is 0\n\n## Same\n\n```sh\n# no heading\n```\n\n## Same\n\n## [A](b.md) & B\n');
  expect([...page.anchors]).toEqual(['up-is-0', 'same', 'same-1', 'a--b']);
});
