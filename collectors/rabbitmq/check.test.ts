import { expect, test } from 'vitest';
import type { Context } from '../../src/collector.ts';
import { Failure } from '../../src/errors.ts';
import { check } from './check.ts';
import { options } from './options.ts';

const KVM = '/sys/class/misc/kvm/dev';
const missing = (): Failure => new Failure('E_NOT_FOUND', 'not there', { status: 404 });

/** Warnings about `vhosts`, on a machine that has KVM or not. */
async function warned(isHypervisor: boolean, more: Readonly<Record<string, unknown>>): Promise<string[]> {
  const host = {
    async readFile(path: string) {
      if (path === KVM && isHypervisor) return '10:232\n';
      throw missing();
    },
    async getJson(url: string) {
      const { pathname } = new URL(url);
      if (pathname === '/api/whoami') return { name: 'edge', tags: ['monitoring'] };
      if (pathname === '/api/overview') return { object_totals: { queues: 0 } };
      if (pathname === '/api/vhosts') return [];
      throw missing();
    },
  };
  const settings = options.parse({ urls: ['http://broker1:15672'], user: 'edge', hostName: 'hv07', ...more });
  const context = { host, options: settings, elapsedMs: () => 0 } as unknown as Context<typeof settings>;
  const verdicts = await check(context);
  return verdicts.flatMap(({ level, text }) => (level === 'warn' && text.startsWith('vhosts:') ? [text] : []));
}

test('on a hypervisor, each glob of vhosts is said to be taken as a name, and what to do', async () => {
  const found = await warned(true, { vhosts: ['nova*', '/', 'c[12]'] });
  expect(found).toHaveLength(2);
  expect(found[0]).toMatch(/"nova\*".*literally.*give names in vhosts, or set host: all/);
  expect(found[1]).toContain('"c[12]"');
});

test.each<[why: string, isHypervisor: boolean, more: Readonly<Record<string, unknown>>]>([
  ['names are names', true, { vhosts: ['/', 'nova'] }],
  ['none are given', true, {}],
  ['the whole broker is watched, with globs', false, { vhosts: ['nova*'] }],
  ['that was asked for', true, { vhosts: ['nova*'], host: 'all' }],
])('nothing, where %s', async (_, isHypervisor, more) => {
  expect(await warned(isHypervisor, more)).toEqual([]);
});
