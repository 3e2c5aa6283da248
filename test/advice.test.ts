import { expect, it } from 'vitest';
import { adviceFor } from '../src/advice.ts';
import { Failure } from '../src/errors.ts';
import { sshTargetOptions } from '../src/hosts/ssh-options.ts';
import type { TargetConfig } from '../src/targets.ts';

const { type: _, name: __, groups: ___, jump: ____, ...settings } = sshTargetOptions.parse({ type: 'ssh' });
const far: TargetConfig = { type: 'ssh', groups: [], settings: { ...settings, host: 'hv02', user: 'edge' } };

it('names the package of a program that is missing', () => {
  const missing = (program: string) =>
    new Failure('E_NOT_FOUND', `program "${program}" was not found in PATH; install it`, { argv: [program] });
  expect(adviceFor(missing('tc'))).toBe('its package is iproute2 (Debian) or iproute-tc (Red Hat)');
  expect(adviceFor(missing('/usr/bin/sudo'))).toBe('its package is sudo');
  expect(adviceFor(missing('no-such-program'))).toBeUndefined();
});

it('gives the line for sudoers on another machine, and none of that here', () => {
  const denied = new Failure('E_DENIED', 'program "ovs-ofctl" may not be run by this user', { argv: ['ovs-ofctl'] });
  expect(adviceFor(denied, far)).toContain('edge ALL=(root) NOPASSWD: /PATH/TO/ovs-ofctl');
  expect(adviceFor(denied)).toBe('give this user the right, or run as root');
});

it('says nothing a second time', () => {
  const rule = new Failure('E_DENIED', 'add this line: edge ALL=(root) NOPASSWD: /usr/bin/ovs-ofctl', { argv: ['x'] });
  const group = new Failure('E_DENIED', 'it is of "root"; add edge to the group "ovs" there', { path: '/run/x' });
  expect([adviceFor(rule, far), adviceFor(group, far)]).toEqual([undefined, undefined]);
});
