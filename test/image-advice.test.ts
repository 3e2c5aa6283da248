import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { adviceFor } from '../src/advice.ts';
import { Failure } from '../src/errors.ts';
import { containerAdvice, containerViews } from '../src/hosts/container.ts';

const contained = { EDGESTATD_CONTAINER: 'true' };
const roots: string[] = [];
afterAll(() => {
  for (const root of roots) rmSync(root, { recursive: true, force: true });
});

/** A root with process 2 and one interface. */
function rootWith({ second, isDevice }: { second?: string; isDevice: boolean }): string {
  const root = mkdtempSync(join(tmpdir(), 'edgestatd-container-view-'));
  roots.push(root);
  for (const proc of ['proc', 'host/proc']) {
    if (second === undefined) continue;
    mkdirSync(join(root, proc, '2'), { recursive: true });
    writeFileSync(join(root, proc, '2/comm'), `${second}\n`);
  }
  mkdirSync(join(root, 'sys/class/net/eth0'), { recursive: true });
  if (isDevice) symlinkSync('/sys/devices', join(root, 'sys/class/net/eth0/device'));
  return root;
}

const job = (name: string, options: unknown = {}, target = 'local') => ({
  ...{ id: `${name}@${target}`, target, collector: { name }, options },
});

describe('in a container', () => {
  it('a socket that is missing, or not ours, is told with the option of the engine', () => {
    expect(containerAdvice('no socket', '/var/run/openvswitch/db.sock', contained)).toBe(
      '; if it runs on the machine, start this container with -v /var/run/openvswitch:/var/run/openvswitch',
    );
    expect(containerAdvice('denied socket', '/var/run/openvswitch/db.sock', contained)).toContain('--user UID:GID');
  });

  it('a program of collectors is told with the image that has it, and another is not', () => {
    expect(containerAdvice('no program', 'ovs-ofctl', contained)).toContain('BASE_IMAGE=tools');
    expect(containerAdvice('no program', 'check_load', contained)).toBe('');
  });

  it('advice for a machine is not added to that', () => {
    const say = (code: 'E_NOT_FOUND' | 'E_DENIED', text: string) =>
      adviceFor(new Failure(code, text, code === 'E_DENIED' ? { path: '/x' } : { argv: ['tc'] }));
    const missing = 'program "tc" was not found in PATH; install it or correct the option';
    expect(say('E_NOT_FOUND', missing + containerAdvice('no program', 'tc', contained))).toBeUndefined();
    expect(say('E_NOT_FOUND', missing)).toContain('iproute2');
    const denied = 'socket "/x" may not be used by this user';
    expect(say('E_DENIED', denied + containerAdvice('denied socket', '/x', contained))).toBeUndefined();
    expect(say('E_DENIED', denied)).toContain('run as root');
  });

  it('jobs that see the container instead of the machine are named', () => {
    const jobs = [
      job('process'),
      job('tcp', { proc: '/proc/1/net' }),
      job('link', { proc: '/proc/net' }),
      job('htb'),
      job('ovs'),
    ];
    const told = containerViews(jobs, contained, rootWith({ isDevice: false }));
    expect(told.map((text) => text.split(':')[0])).toEqual([
      ...['job process@local', 'job tcp@local', 'job link@local', 'job htb@local'],
    ]);
    expect(told[0]).toContain('--pid host');
    expect(told[1]).toContain('--network host');
    expect(containerViews([job('process')], contained, rootWith({ second: 'node', isDevice: true }))).toHaveLength(1);
  });

  it('jobs that see the machine, by its own or by a mount, are not, nor those of other machines', () => {
    const whole = rootWith({ second: 'kthreadd', isDevice: true });
    expect(containerViews([job('process'), job('tcp'), job('link'), job('htb')], contained, whole)).toEqual([]);
    const mounted = [job('tcp', { proc: '/host/proc/1/net' }), job('link', { proc: '/host/proc/1/net' })];
    expect(containerViews(mounted, contained, rootWith({ isDevice: false }))).toEqual([]);
    expect(
      containerViews([job('process', {}, 'hv02'), job('htb', {}, 'hv02')], contained, rootWith({ isDevice: false })),
    ).toEqual([]);
  });
});

it('elsewhere nothing of this is said', () => {
  const root = rootWith({ isDevice: false });
  expect(containerAdvice('no socket', '/run/x.sock', {})).toBe('');
  expect(containerViews([job('process'), job('htb')], {}, root)).toEqual([]);
  expect(containerViews([job('process')], { EDGESTATD_CONTAINER: '1' }, root)).toEqual([]);
});
