import fc from 'fast-check';
import { expect, test } from 'vitest';
import { namespacesIn } from './namespaces.ts';

test('takes one name a line, with and without the id that iproute2 prints behind it', () => {
  expect(namespacesIn('blue\nqrouter-9f1c (id: 3)\nqdhcp-5b7d (id: -1)\n')).toEqual([
    'blue',
    'qrouter-9f1c',
    'qdhcp-5b7d',
  ]);
  expect(namespacesIn('blue\r\nred\r\n')).toEqual(['blue', 'red']);
  expect(namespacesIn('no end of line')).toEqual(['no end of line']);
  expect(namespacesIn('twice\ntwice\n')).toEqual(['twice']);
  expect(namespacesIn('')).toEqual([]);
});

test('an id is only what stands at the end', () => {
  expect(namespacesIn('a (id: 1) b\n')).toEqual(['a (id: 1) b']);
  expect(namespacesIn('a (id: x)\n')).toEqual(['a (id: x)']);
});

test('what would lead out of /run/netns is no namespace', () => {
  expect(namespacesIn('..\n.\n../../proc/1/ns/net\n/etc\na/b\nnul\0\n\n (id: 2)\ngood\n')).toEqual(['good']);
  expect(namespacesIn('../x (id: 1)\n.. (id: 1)\n')).toEqual([]);
});

test('never throws, and never lets a path out', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
      for (const name of namespacesIn(text)) {
        expect(name).not.toMatch(/[/\0\n]/);
        expect(['', '.', '..']).not.toContain(name);
      }
    }),
  );
});
