import fc from 'fast-check';
import { expect, it } from 'vitest';
import { agrees, anyAgrees } from '../src/scope.ts';

it('looking many scopes up finds what comparing with each would find', () => {
  const value = fc.constantFrom(undefined, '', 'a', 'b', 'null', '["a"]');
  const labels = fc.record({ scope: value, vhost: value, queue: value }, { requiredKeys: [] });
  fc.assert(
    fc.property(fc.array(labels, { maxLength: 8 }), labels, (scopes, one) => {
      expect(anyAgrees(scopes)(one)).toBe(scopes.some((scope) => agrees(scope, one)));
    }),
  );
});

it('no scope covers nothing, and the empty one everything', () => {
  expect(anyAgrees([])({ queue: 'a' })).toBe(false);
  expect(anyAgrees([{}])({ queue: 'a' })).toBe(true);
});
