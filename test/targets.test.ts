import { expect, it } from 'vitest';
import { type SshOptions, sshTargetOptions } from '../src/hosts/ssh-options.ts';
import { resolveTargets } from '../src/targets.ts';

const ssh = (options: Readonly<Record<string, unknown>> = {}): SshOptions =>
  sshTargetOptions.parse({ type: 'ssh', keyFile: '/k', ...options });
const segmentOf = (key: string, name: string | undefined): string => name ?? (key === 'local' ? 'hv00' : key);
const resolve = (written: Parameters<typeof resolveTargets>[0], inventory: Readonly<Record<string, SshOptions>> = {}) =>
  resolveTargets(written, new Map(Object.entries(inventory)), segmentOf);

it('puts this machine first, then those of the file, then those of inventories', () => {
  const { targets, faults, left } = resolve({ b: ssh() }, { a: ssh({ groups: ['compute'] }), b: ssh({ port: 9 }) });
  expect([...targets.keys()]).toEqual(['local', 'b', 'a']);
  expect(targets.get('b')).toMatchObject({ type: 'ssh', settings: { host: 'b', port: 22 } });
  expect(targets.get('a')).toMatchObject({ groups: ['compute'] });
  expect([faults, left]).toEqual([[], []]);
});

it('finds the way through other machines', () => {
  const { targets } = resolve({
    inner: ssh({ jump: 'middle', host: '10.0.0.1' }),
    middle: ssh({ jump: 'outer' }),
    outer: ssh({ host: 'gate.example', user: 'jump' }),
  });
  expect(targets.get('inner')).toMatchObject({
    settings: {
      host: '10.0.0.1',
      through: { host: 'middle', through: { host: 'gate.example', user: 'jump', port: 22 } },
    },
  });
  expect(JSON.stringify(targets.get('inner'))).not.toContain('"jump":');
});

it.each([
  [{ a: ssh({ jump: 'hv2' }), hv1: ssh() }, 'a', 'jump', 'unknown target "hv2"; did you mean "hv1"?'],
  [{ a: ssh({ jump: 'local' }) }, 'a', 'jump', 'is no target of type ssh: "local"'],
  [{ a: ssh({ jump: 'a' }) }, 'a', 'jump', 'the way goes round in a circle: a → a'],
  [{ a: ssh({ jump: 'b' }), b: ssh({ jump: 'a' }) }, 'a', 'jump', 'the way goes round in a circle: a → b → a'],
  [{ a: ssh({ keyFile: undefined }) }, 'a', 'keyFile', 'is missing'],
  [{ a: ssh({ passphrase: 'x', passphraseFile: '/x' }) }, 'a', 'passphrase', 'expected one of'],
])('tells what is wrong with %j', (written, key, option, message) => {
  const { faults, targets } = resolve(written);
  expect(faults.find((one) => one.key === key)).toMatchObject({ option, message: expect.stringContaining(message) });
  expect(targets.has(key)).toBe(false);
});

it('refuses two with one series segment: in the file as a fault, in an inventory by leaving it out', () => {
  const one = resolve({ 'a.b': ssh(), a_b: ssh() });
  expect(one.faults).toEqual([{ key: 'a_b', message: expect.stringContaining('as those of the target "a.b" are') }]);
  const two = resolve({}, { 'hv.1': ssh(), hv_1: ssh(), hv2: ssh({ jump: 'gone' }), hv00: ssh(), good: ssh() });
  expect(two.faults).toEqual([]);
  expect(two.left.map(({ key }) => key)).toEqual(['hv_1', 'hv2', 'hv00']);
  expect([...two.targets.keys()]).toEqual(['local', 'hv.1', 'good']);
});
