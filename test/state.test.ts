import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openState, type State } from '../src/state.ts';
import { fakeClock } from './support/fake-clock.ts';
import { keptLog } from './support/sink-log.ts';

let folder = '';
const open: State[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'edgestatd-state-'));
});
afterEach(() => {
  for (const state of open.splice(0)) state.close();
  rmSync(folder, { recursive: true, force: true });
});

function state(path: string | undefined, clock = fakeClock()) {
  const log = keptLog();
  const value = openState(path, { clock, log: log.log });
  open.push(value);
  return { value, log, clock };
}

it('remembers beyond an end, in a file that nobody else may read', () => {
  const path = join(folder, 'state.db');
  const first = state(path);
  expect(first.value.read('nagios@local')).toBeUndefined();
  first.value.write('nagios@local', 'one');
  first.value.write('nagios@local', 'two\0"\n');
  first.value.close();
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const second = state(path);
  expect(second.value.read('nagios@local')).toBe('two\0"\n');
  expect(second.value.read('nagios@hv02')).toBeUndefined();
  expect(second.log.names()).toEqual([]);
});

it('remembers in memory where no file is configured, and takes that along when one is', () => {
  const path = join(folder, 'state.db');
  const { value } = state(undefined);
  value.write('a', '1');
  expect(value.read('a')).toBe('1');
  value.use(path);
  value.close();
  expect(state(path).value.read('a')).toBe('1');
});

it('tells a file that cannot be used once, works on in memory, and writes all when it can be used', async () => {
  const blocked = join(folder, 'file');
  writeFileSync(blocked, '');
  const path = join(blocked, 'state.db');
  const { value, log, clock } = state(path);
  value.write('a', '1');
  await clock.advance(60_000);
  value.write('a', '2');
  expect(value.read('a')).toBe('2');
  expect(log.names()).toEqual(['state:failed']);
  expect(log.of('state:failed')[0]?.message).toContain('after a restart jobs begin without their past');
  rmSync(blocked);
  mkdirSync(blocked);
  chmodSync(blocked, 0o700);
  await clock.advance(60_000);
  value.write('b', '3');
  expect(log.names()).toEqual(['state:failed', 'state:works']);
  value.close();
  const later = state(path).value;
  expect([later.read('a'), later.read('b')]).toEqual(['2', '3']);
});

it('leaves the file to the process that has it', () => {
  const path = join(folder, 'state.db');
  const first = state(path);
  first.value.write('a', 'mine');
  const second = state(path);
  second.value.write('a', 'other');
  expect(second.log.of('state:failed')[0]).toMatchObject({ code: 'E_SPOOL' });
  expect(second.log.of('state:failed')[0]?.message).toContain('in use by another process');
  first.value.close();
  second.value.close();
  expect(state(path).value.read('a')).toBe('mine');
});

it('moves a file aside that is no database, and begins anew', () => {
  const path = join(folder, 'state.db');
  writeFileSync(path, 'this is no database at all, and far longer than a header of one '.repeat(50));
  const { value } = state(path);
  value.write('a', '1');
  value.close();
  expect(readdirSync(folder).some((name) => name.startsWith('state.db.corrupt-'))).toBe(true);
  expect(state(path).value.read('a')).toBe('1');
});

it('forgets jobs that are gone for long, and none that is there, however long it had nothing to write', () => {
  const path = join(folder, 'state.db');
  const first = state(path, fakeClock(Date.UTC(2026, 0, 1)));
  first.value.write('gone', '1');
  first.value.write('silent', '2');
  first.value.close();
  const second = state(path, fakeClock(Date.UTC(2026, 1, 15)));
  expect(second.value.read('silent')).toBe('2');
  second.value.close();
  const third = state(path, fakeClock(Date.UTC(2026, 1, 15)));
  expect([third.value.read('gone'), third.value.read('silent')]).toEqual([undefined, '2']);
});
