/** What a shell's answer about files means, where no real machine can be made to give it at will. */
import { expect, it } from 'vitest';
import { listThere } from '../src/hosts/ssh-files.ts';
import type { Question } from '../src/hosts/ssh-shell.ts';
import type { Shells } from '../src/hosts/ssh-shells.ts';

/** A shell that tells these kinds, and these names. */
const shells = (kinds: readonly string[], names: string): Shells => ({
  async take() {
    const ask = ({ onToken }: Question) => {
      for (const text of kinds) onToken?.({ letter: 'k', text });
      const answer = { stdout: Buffer.from(names), stderr: '' };
      return { answer: Promise.resolve(answer), soFar: () => answer };
    };
    const ended = new Promise<never>(() => {});
    return { shell: { ask, tell() {}, isBusy: () => false, isOpen: () => true, destroy() {}, ended }, release() {} };
  },
  close() {},
});
const list = (kinds: readonly string[], names = '') =>
  listThere(shells(kinds, names), '/proc/7/fd', new AbortController().signal, 1000);

it('takes a directory that vanishes while it is listed for gone, and not for empty', async () => {
  await expect(list(['d', 'n'])).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
  await expect(list(['d', 'x', 'n'])).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
  await expect(list(['d', 'n'], '/proc/7/fd/0\0')).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
  await expect(list(['d', 'x'])).rejects.toMatchObject({ code: 'E_DENIED' });
  expect(await list(['d'])).toEqual([]);
  expect(await list(['d'], '/proc/7/fd/1\0/proc/7/fd/0\0')).toEqual(['0', '1']);
});
