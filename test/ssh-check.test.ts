/** What `edgestatd check` says of a target's clock, from answers that are made up. */
import { expect, it } from 'vitest';
import type { Calls } from '../src/hosts/ssh-calls.ts';
import { checkThere } from '../src/hosts/ssh-check.ts';
import { sshTargetOptions } from '../src/hosts/ssh-options.ts';
import { shellLink } from './support/shell-wire.ts';

async function clockVerdict(date: string): Promise<string> {
  const { type: _, name: __, groups: ___, jump: ____, ...options } = sshTargetOptions.parse({ type: 'ssh' });
  const answer = async (stdout: string) => ({ status: 0, stdout, stderr: '' });
  const calls = {
    outcome: ([program]: readonly string[]) => ({
      answer: answer(program === 'date' ? date : '/usr/bin/dash\n'),
      ended: Promise.resolve(),
    }),
  } as unknown as Calls;
  const verdicts = await checkThere(shellLink(), calls, { ...options, host: 'far' }, new AbortController().signal);
  const { level, text } = verdicts[1] ?? { level: 'none', text: '' };
  return `${level} ${text}`;
}

const now = (offset: number): string => `${Math.floor(Date.now() / 1000) + offset}\n`;

it('compares the clocks', async () => {
  expect(await clockVerdict(now(0))).toBe('ok its clock agrees with ours');
  expect(await clockVerdict(now(2))).toBe('ok its clock agrees with ours');
  expect(await clockVerdict(now(600))).toMatch(/^warn its clock is (?:599|600) s ahead of ours; set it by NTP/);
  expect(await clockVerdict(now(-600))).toMatch(/^warn its clock is (?:599|600) s behind ours; set it by NTP/);
  expect(await clockVerdict('Sat Nov\n')).toMatch(/^warn date \+%s printed "Sat Nov/);
});
