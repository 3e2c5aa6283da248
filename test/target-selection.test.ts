/** `targets:` of a job: names, globs, groups and what is taken away. */
import { describe, expect, it } from 'vitest';
import { selectTargets } from '../src/target-selection.ts';

const targets = new Map(
  Object.entries({
    local: [],
    hv02: ['compute', 'rack-b'],
    hv01: ['compute', 'rack-a'],
    st01: ['storage', 'rack-a'],
    compute: [],
    'hv10.example.org': ['compute'],
  }).map(([name, groups]) => [name, { groups }]),
);
const namesOf = (...patterns: string[]) => selectTargets(patterns, targets).names;

describe('targets are selected', () => {
  it.each([
    [['hv01'], ['hv01']],
    [['local'], ['local']],
    [
      ['st01', 'hv01', 'st01'],
      ['st01', 'hv01'],
    ],
    [['hv*'], ['hv01', 'hv02', 'hv10.example.org']],
    [['hv0[!1]'], ['hv02']],
    [['group:compute'], ['hv01', 'hv02', 'hv10.example.org']],
    [['group:rack-*'], ['hv01', 'hv02', 'st01']],
    [
      ['st01', '*'],
      ['st01', 'compute', 'hv01', 'hv02', 'hv10.example.org'],
    ],
    [
      ['local', 'hv0*'],
      ['local', 'hv01', 'hv02'],
    ],
    [
      ['hv*', '!hv01'],
      ['hv02', 'hv10.example.org'],
    ],
    [
      ['!hv01', 'hv*'],
      ['hv02', 'hv10.example.org'],
    ],
    [['*', '!group:compute', '!compute'], ['st01']],
    [['group:compute', '!group:rack-a', '!*.example.org'], ['hv02']],
    [['compute'], ['compute']],
  ])('%j', (patterns, names) => {
    expect(selectTargets(patterns, targets)).toEqual({ names, unknown: [], empty: [] });
  });

  it('this machine by no glob, as no inventory lists it', () => {
    expect(namesOf('*')).not.toContain('local');
    expect(namesOf('loc*')).toEqual([]);
  });

  it('in one order, however the inventory is ordered', () => {
    const turned = new Map([...targets].toReversed());
    for (const patterns of [['*'], ['group:compute', 'st*'], ['hv02', 'hv*']])
      expect(selectTargets(patterns, turned)).toEqual(selectTargets(patterns, targets));
  });
});

describe('what matches nothing', () => {
  it.each([
    [['hv03'], 'unknown target "hv03"; did you mean "hv02"?'],
    [['storage'], 'unknown target "storage"; a group has this name: did you mean "group:storage"?'],
    [['a\nb'], 'unknown target "a\\u000ab"; there are local, hv02, hv01, st01, compute, hv10.example.org'],
    [['!hv01'], 'nothing is named that it could be taken from; add "*"'],
  ])('is a mistake: %j', (patterns, message) => {
    expect(selectTargets(patterns, targets)).toEqual({ names: [], unknown: [{ index: 0, message }], empty: [] });
  });

  it.each([
    [['hv01', 'db*'], 1, '"db*" matches no target; there are local, hv02, hv01, st01, compute, hv10.example.org'],
    [['hv01', 'group:compte'], 1, 'unknown group "compte"; did you mean "compute"?'],
    [['hv01', 'group:x*'], 1, '"x*" matches no group; there are compute, rack-b, rack-a, storage'],
    [['hv01', '!hv99'], 1, 'unknown target "hv99"; did you mean "hv02"?'],
    [['hv01', '!h*', '!st01'], 0, 'nothing is left: what is behind "!" takes all targets away'],
  ])('may be so for now: %j', (patterns, index, message) => {
    const { unknown, empty } = selectTargets(patterns, targets);
    expect(unknown).toEqual([]);
    expect(empty).toEqual([{ index, message }]);
  });

  it('is told in one line, however many there are', () => {
    const many = new Map(Array.from({ length: 5000 }, (_, index) => [`hv${index}`, { groups: ['all-of-them'] }]));
    const { unknown } = selectTargets(['quite-different'], many);
    expect(unknown[0]?.message).toMatch(/hv11 and 4988 more$/);
    expect(selectTargets(['group:all-of-them'], many).names).toHaveLength(5000);
  });
});
