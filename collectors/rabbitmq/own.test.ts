import { describe, expect, test } from 'vitest';
import type { Host } from '../../src/collector.ts';
import { Failure } from '../../src/errors.ts';
import { options } from './options.ts';
import { decide, hostNameOf, isLoopback, ownQueues } from './own.ts';

const KVM = '/sys/class/misc/kvm/dev';
const XEN = '/proc/xen/capabilities';
const HOSTNAME = '/proc/sys/kernel/hostname';

function machine(files: Readonly<Record<string, string | Failure>>): Host {
  return {
    async readFile(path: string) {
      const content = files[path] ?? new Failure('E_NOT_FOUND', `${path} does not exist`);
      if (content instanceof Failure) throw content;
      return content;
    },
  } as unknown as Host;
}
const settings = (more: Readonly<Record<string, unknown>> = {}) =>
  options.parse({ urls: ['http://broker1:15672'], ...more });

describe('host: auto', () => {
  test.each([
    ['with KVM', { [KVM]: '10:232\n' }, true],
    ['as Xen’s control domain', { [XEN]: 'control_d\n' }, true],
    ['as a guest of Xen', { [XEN]: '' }, false],
    ['without either', {}, false],
    [
      'where neither may be read',
      { [KVM]: new Failure('E_DENIED', 'no'), [XEN]: new Failure('E_DENIED', 'no') },
      false,
    ],
  ])('a machine %s that asks another one: own is right? %#', async (_, files, own) => {
    expect((await decide(machine(files), settings())).own).toBe(own);
  });

  test('the broker on this machine itself: all', async () => {
    const host = machine({ [KVM]: '10:232\n' });
    expect((await decide(host, options.parse({}))).own).toBe(false);
    const some = ['http://broker1:15672', 'http://localhost:15672'];
    expect((await decide(host, settings({ urls: some }))).own).toBe(false);
  });

  test.each(['prometheus', 'rabbitmqctl'])('%s tells of every queue anyway: all', async (source) => {
    expect((await decide(machine({ [KVM]: '10:232\n' }), settings({ source, urls: undefined }))).own).toBe(false);
  });

  test('a machine that cannot be asked is no machine without a hypervisor', async () => {
    const host = machine({ [KVM]: new Failure('E_CONNECT', 'away') });
    await expect(decide(host, settings())).rejects.toMatchObject({ code: 'E_CONNECT' });
  });
});

test('what is configured is what is done, and the machine is not looked at', async () => {
  const host = machine({ [KVM]: new Failure('E_CONNECT', 'away') });
  expect(await decide(host, settings({ host: 'all' }))).toMatchObject({ own: false });
  expect(await decide(host, settings({ host: 'own', source: 'prometheus' }))).toMatchObject({ own: true });
});

test.each([
  ['http://localhost:15672', true],
  ['http://127.0.0.1:15672', true],
  ['http://127.3.2.1:15672', true],
  ['http://[::1]:15672', true],
  ['http://LOCALHOST:15672', true],
  ['http://127.0.0.1.example:15672', false],
  ['http://localhost.example:15672', false],
  ['http://broker1:15672', false],
  ['http://[2001:db8::1]:15672', false],
])('%s is this machine: %s', (url, is) => {
  expect(isLoopback(url)).toBe(is);
});

describe('names', () => {
  test('the kernel’s, unless it is configured', async () => {
    const host = machine({ [HOSTNAME]: 'hv07.example\n' });
    expect(await hostNameOf(host, settings())).toBe('hv07.example');
    expect(await hostNameOf(host, settings({ hostName: 'hv07' }))).toBe('hv07');
  });

  test('nova’s queue in both of the vhosts that deployments use', () => {
    expect(ownQueues('hv07', settings())).toEqual([
      { vhost: '/', name: 'compute.hv07' },
      { vhost: 'nova', name: 'compute.hv07' },
    ]);
  });

  test('each form in each vhost; a host name is no pattern of a replacement', () => {
    const hostQueues = ['compute.{host}', '{host}.{host}'];
    expect(ownQueues('a$&b', settings({ vhosts: ['/'], hostQueues })).map(({ name }) => name)).toEqual([
      ...['compute.a$&b', 'a$&b.a$&b'],
    ]);
  });
});
