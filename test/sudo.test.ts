import { describe, expect, it } from 'vitest';
import { asRoot, deniedBySudo, mayRun, needsSudo, refusalOf, ruleFor } from '../src/hosts/sudo.ts';

describe('sudo', () => {
  it('is for the programs that are named, by name or path', () => {
    const names = ['ovs-ofctl', 'rabbitmqctl'];
    expect(
      [['ovs-ofctl'], ['/usr/bin/ovs-ofctl', 'x'], ['ovs-ofctl2'], ['echo', 'ovs-ofctl']].map((argv) =>
        needsSudo(argv as [string], names),
      ),
    ).toEqual([true, true, false, false]);
    expect(asRoot(['ovs-ofctl', '-O', 'OpenFlow15'])).toEqual(['sudo', '-n', '--', 'ovs-ofctl', '-O', 'OpenFlow15']);
    expect(mayRun('-x')).toEqual(['sudo', '-n', '-l', '--', '-x']);
  });

  it.each([
    ['sudo: a password is required', 'rule'],
    ['sudo: a terminal is required to read the password; either use the -S option', 'rule'],
    ['edge is not in the sudoers file.', 'rule'],
    ['edge is not in the sudoers file.  This incident will be reported.', 'rule'],
    ["Sorry, user edge is not allowed to execute '/usr/bin/head' as root on hv01.", 'rule'],
    ['Sorry, user edge may not run sudo on hv01.', 'rule'],
    ['sudo: unable to resolve host hv01: Name or service not known\nsudo: a password is required', 'rule'],
    ['sudo: sorry, you must have a tty to run sudo', 'terminal'],
    ['sudo: ovs-ofctl: command not found', 'missing'],
    ['ovs-ofctl: br-x is not a bridge or a socket', undefined],
    ['program says: a password is required', undefined],
    ['', undefined],
  ])('is told from its program by %j', (stderr, kind) => {
    expect(refusalOf(stderr, 'edge')).toBe(kind);
  });

  it('wants a line that names the program, with what sudoers(5) takes for its own escaped', () => {
    expect(ruleFor('edgestatd', '/usr/bin/ovs-ofctl')).toBe('edgestatd ALL=(root) NOPASSWD: /usr/bin/ovs-ofctl');
    expect(ruleFor('edgestatd', '/opt/a b,c:d=e*')).toBe('edgestatd ALL=(root) NOPASSWD: /opt/a\\ b\\,c\\:d\\=e\\*');
    const about = { user: 'edge', path: '/usr/bin/head', stderr: 'x' };
    expect(deniedBySudo(['head'], { ...about, isTerminal: false }).message).toContain(
      'edge ALL=(root) NOPASSWD: /usr/bin/head',
    );
    expect(deniedBySudo(['head'], { ...about, isTerminal: true }).message).toContain('Defaults:edge !requiretty');
  });
});
