/** Inventories of SSH targets: every format, from text to hosts. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Failure } from '../src/errors.ts';
import { addressOf, expanded, nameFault } from '../src/inventory/entry.ts';
import { parseInventory } from '../src/inventory/parse.ts';

const testdata = fileURLToPath(new URL('./testdata/inventory/', import.meta.url));

/** Hosts without where they stand, and the problems as lines. */
function parsed(text: string, format?: Parameters<typeof parseInventory>[2], source = 'inv') {
  const { hosts, problems } = parseInventory(source, text, format);
  return {
    hosts: Object.fromEntries([...hosts].map(([name, { options, groups }]) => [name, { options, groups }])),
    problems: problems.map(({ where, message }) => `${where}: ${message}`),
  };
}

describe('addresses', () => {
  it.each([
    ['192.0.2.1', { host: '192.0.2.1' }],
    ['hv01.example.org', { host: 'hv01.example.org' }],
    ['root@hv01:2222', { host: 'hv01', user: 'root', port: 2222 }],
    ['2001:db8::1', { host: '2001:db8::1' }],
    ['fe80::1%eth0', { host: 'fe80::1%eth0' }],
    ['[2001:db8::1]', { host: '2001:db8::1' }],
    ['me@[2001:db8::1]:22', { host: '2001:db8::1', user: 'me', port: 22 }],
    ['a@b@hv01', { host: 'hv01', user: 'a@b' }],
  ])('%s', (text, address) => {
    expect(addressOf(text)).toEqual(address);
  });

  it.each(['', '@', '@hv01', 'me@', 'hv01:', 'hv01:ssh', 'hv 01', '[::1', '[]:22', 'hv01:123456'])('not %j', (text) => {
    expect(addressOf(text)).toBeUndefined();
  });
});

it.each([
  `hv01 ansible_become_pass="Sup3r"x"`,
  'hv01\n[all:vars]\nansible_password: Sup3r',
  'hv01 192.0.2.1 ansible_password: Sup3r',
  'hv01 ansible_password=a Sup3r',
  'all:\n  vars:\n    ansible_password: Sup3r: x\n',
  'all:\n  vars:\n    ansible_password: "Sup3r\n',
  '{"all": {"vars": {"ansible_password": "Sup3r"}, "hosts": ["hv01"], }',
])('what is said of %j shows no password', (text) => {
  let told = '';
  try {
    told = JSON.stringify(parseInventory('inv', text).problems);
  } catch (thrown) {
    told = String((thrown as Error).message);
  }
  expect(told).toMatch(/inv/);
  expect(told).not.toContain('Sup3r');
});

describe('ranges', () => {
  it('are refused where a few lines of them would name millions of hosts', () => {
    const text = Array.from({ length: 40 }, (_, index) => `row${index}-[1:4096]`).join('\n');
    expect(() => parseInventory('inv', text)).toThrow('inv:13: with this there are more than 50000 hosts');
    const ansible = JSON.stringify({ all: { hosts: text.split('\n') } });
    expect(() => parseInventory('inv', ansible)).toThrow('more than 50000 hosts');
  });

  it.each([
    ['hv[01:03]', ['hv01', 'hv02', 'hv03']],
    ['hv[9:11]', ['hv9', 'hv10', 'hv11']],
    ['hv[0:8:4].dc', ['hv0.dc', 'hv4.dc', 'hv8.dc']],
    ['[a:c]x', ['ax', 'bx', 'cx']],
    ['r[1:2]n[1:2]', ['r1n1', 'r1n2', 'r2n1', 'r2n2']],
    ['plain', ['plain']],
    ['[::1]', ['[::1]']],
  ])('%s', (text, names) => {
    expect(expanded(text, 100)).toEqual(names);
  });

  it('are bounded, and never empty', () => {
    for (const text of ['hv[1:101]', 'hv[3:1]', 'a[1:20]b[1:20]', 'hv[0:99999999999999999999]', '[1:1]'.repeat(200)])
      expect(expanded(text, 100)).toBeUndefined();
  });
});

it('a name is what a target may be called', () => {
  expect(nameFault('hv01.example-1_x')).toBeUndefined();
  for (const name of ['', 'a b', 'ä', 'a/b', 'x'.repeat(254), 'a\n'])
    expect(nameFault(name)).toContain('is no name; expected letters');
});

describe('Ansible', () => {
  const ini = readFileSync(`${testdata}ansible2.14-hosts.ini`, 'utf8');
  const shared = { keyFile: '/etc/edgestatd/id_ed25519' };
  const compute = { options: { ...shared, user: 'edgestatd' }, groups: ['compute', 'edge'] };
  const expected = {
    'bastion.example.org': { options: { user: 'jump' }, groups: [] },
    'hv01.example.org': compute,
    'hv02.example.org': compute,
    'hv03.example.org': compute,
    'hv04.example.org': {
      ...compute,
      options: { ...compute.options, host: '192.0.2.14', port: 2222 },
    },
    'st01.example.org': { options: { ...shared, user: 'admin', host: '2001:db8::21' }, groups: ['edge', 'storage'] },
  };

  it.each(['hosts.ini', 'list.json', 'export.json', 'list.yml'])('the same hosts are in %s', (file) => {
    const text = readFileSync(`${testdata}ansible2.14-${file}`, 'utf8');
    const { hosts, problems } = parsed(text, 'auto', file);
    expect(hosts).toEqual(expected);
    expect(problems).toHaveLength(2);
    expect(problems.toSorted()).toEqual([
      expect.stringMatching(/hv01\.example\.org, .*: ansible_ssh_common_args is not used/),
      expect.stringContaining('localhost: ansible_connection is "local", which is not SSH (the target "local" is this'),
    ]);
  });

  it('the INI file says where its hosts stand', () => {
    const { hosts } = parseInventory('/etc/hosts.ini', ini);
    expect(hosts.get('hv02.example.org')?.where).toBe('/etc/hosts.ini:6');
  });

  it('a host outranks its groups, and a group those above it', () => {
    const text = [
      'all:',
      '  vars: { ansible_user: everyone, ansible_port: 1 }',
      '  children:',
      '    site:',
      '      vars: { ansible_user: site, ansible_host: nowhere }',
      '      children: { rack: { vars: { ansible_user: rack }, hosts: { hv01: { ansible_host: 192.0.2.1 }, hv02: } } }',
      '    b: { vars: { ansible_port: 3 }, hosts: { hv02: } }',
      '    a: { vars: { ansible_port: 2 }, hosts: { hv02: } }',
    ].join('\n');
    expect(parsed(text)).toEqual({
      hosts: {
        hv01: { options: { user: 'rack', host: '192.0.2.1', port: 1 }, groups: ['rack', 'site'] },
        hv02: { options: { user: 'rack', host: 'nowhere', port: 3 }, groups: ['a', 'b', 'rack', 'site'] },
      },
      problems: [],
    });
  });

  it('variables of ours win, and unknown ones are told', () => {
    const text = JSON.stringify({
      _meta: {
        hostvars: {
          hv01: { ansible_user: 'root', edgestatd_user: 'edgestatd', edgestatd_sudo: 'tc, ip', edgestatd_port: '23' },
          hv02: { edgestatd_sudo: ['tc'], edgestatd_jmp: 'bastion', edgestatd_passphrase: 'secret', other: {} },
        },
      },
    });
    const { hosts, problems } = parsed(text);
    expect(hosts.hv01?.options).toEqual({ user: 'edgestatd', sudo: ['tc', 'ip'], port: 23 });
    expect(hosts.hv02?.options).toEqual({ sudo: ['tc'] });
    expect(problems).toEqual([
      'inv: hv02: the variable "edgestatd_jmp" is none of ours; did you mean "edgestatd_jump"?',
      'inv: hv02: the variable "edgestatd_passphrase" is none of ours; give passphraseFile, or "passphrase" of the inventory by reference',
    ]);
  });

  it('what is wrong with one entry leaves the others', () => {
    const text = JSON.stringify({
      _meta: { hostvars: { 'hv 1': {}, hv02: 'x', hv03: {} } },
      web: { hosts: ['hv04', 5, 'a/b'], children: ['web', 'db'], vars: [], more: 1 },
      db: { children: ['web'] },
      old: ['hv05'],
      wrong: 5,
      'b c': {},
    });
    const { hosts, problems } = parsed(text);
    expect(Object.keys(hosts)).toEqual(['hv04', 'hv05', 'hv03']);
    expect(hosts.hv04?.groups).toEqual(['web']);
    expect(problems.map((one) => one.replace(/^inv:\d+:\d+: /, ''))).toEqual([
      'is passed over; expected one of hosts, children, vars',
      'expected a map of variables',
      'expected the name of a host',
      expect.stringContaining('"a/b" is no name'),
      'the group stands within itself',
      'the group stands within itself',
      'expected a group: a map with hosts, children and vars',
      expect.stringContaining('"b c" is no name'),
      expect.stringContaining('"hv 1" is no name'),
      'is left out: expected a map of variables, or nothing',
    ]);
  });

  it('very long JSON is read without places, and as the short one', () => {
    const hostvars = Object.fromEntries(
      Array.from({ length: 3000 }, (_, index) => [
        `hv${index}`,
        { ansible_host: `10.0.0.${index % 250}`, pad: 'x'.repeat(99) },
      ]),
    );
    const { hosts } = parseInventory('inv', JSON.stringify({ _meta: { hostvars } }));
    expect(hosts.size).toBe(3000);
    expect(hosts.get('hv7')).toEqual({ options: { host: '10.0.0.7' }, groups: [], where: 'inv' });
  });
});

describe('a map', () => {
  it('has options of targets, addresses or nothing', () => {
    const text = [
      'hv01: { host: 192.0.2.1, sudo: [tc], groups: [compute] }',
      'hv02: edgestatd@192.0.2.2:2222',
      'hv03:',
      'hv04: { type: ssh, name: four }',
    ].join('\n');
    expect(parsed(text)).toEqual({
      hosts: {
        hv01: { options: { host: '192.0.2.1', sudo: ['tc'] }, groups: ['compute'] },
        hv02: { options: { host: '192.0.2.2', user: 'edgestatd', port: 2222 }, groups: [] },
        hv03: { options: {}, groups: [] },
        hv04: { options: { name: 'four' }, groups: [] },
      },
      problems: [],
    });
  });

  it('or is a list', () => {
    const text = '- { name: hv01, host: 192.0.2.1 }\n- root@hv02:22\n- { name: hv01 }\n- { host: x }\n- 5\n- "a b"\n';
    expect(parsed(text)).toEqual({
      hosts: {
        hv01: { options: { host: '192.0.2.1' }, groups: [] },
        hv02: { options: { host: 'hv02', user: 'root', port: 22 }, groups: [] },
      },
      problems: [
        'inv:3:3: hv01 is left out: the name stands at inv:1:3 already',
        'inv:4:3: expected a target with a "name" (a text: quote numbers)',
        'inv:5:3: expected a target with a "name" (a text: quote numbers)',
        'inv:6:3: expected [user@]host[:port], found "a b"',
      ],
    });
  });

  it('tells what is wrong with an entry, and where', () => {
    const text = 'hv01: { type: local }\n"hv 2": {}\nhv03: [1]\nhv04: "a:b"\nhv05: { groups: x }\nhv06: {}\n';
    const { hosts, problems } = parsed(text);
    expect(Object.keys(hosts)).toEqual(['hv06']);
    expect(problems).toEqual([
      'inv:1:1: "hv01" is left out: type: expected ssh, found "local"',
      expect.stringMatching(/^inv:2:1: "hv 2" is left out: "hv 2" is no name/),
      'inv:3:1: "hv03" is left out: expected the options of a target',
      'inv:4:1: "hv04" is left out: expected [user@]host[:port], found "a:b"',
      'inv:5:1: "hv05" is left out: groups: expected a list of names',
    ]);
  });

  it('with a key that stands twice is none', () => {
    expect(() => parseInventory('inv.yaml', 'hv01:\nhv01:\n')).toThrow(/inv\.yaml:2:1: the key "hv01" stands twice/);
  });
});

describe('lines', () => {
  it('are names and addresses', () => {
    const text = [
      '# all of them',
      '192.0.2.1   # the first',
      'root@hv02:2222',
      'hv03 192.0.2.3',
      'hv04 me@[2001:db8::4]:22 edgestatd_sudo=tc,ip',
      'hv05 2001:db8::5',
      'hv06 ansible_host=192.0.2.6 rack=7',
      'hv07 ansible_ssh_private_key_file="/etc/a b"',
      '',
    ].join('\r\n');
    expect(parsed(text)).toEqual({
      hosts: {
        '192.0.2.1': { options: {}, groups: [] },
        hv02: { options: { user: 'root', port: 2222 }, groups: [] },
        hv03: { options: { host: '192.0.2.3' }, groups: [] },
        hv04: { options: { host: '2001:db8::4', user: 'me', port: 22, sudo: ['tc', 'ip'] }, groups: [] },
        hv05: { options: { host: '2001:db8::5' }, groups: [] },
        hv06: { options: { host: '192.0.2.6' }, groups: [] },
        hv07: { options: { keyFile: '/etc/a b' }, groups: [] },
      },
      problems: [],
    });
  });

  it('tell what is wrong, and where', () => {
    const text = [
      'hv01',
      'hv01 192.0.2.1',
      'hv02 a:b',
      '[::1]:22',
      'hv03 x y',
      "hv04 'x",
      '[a b]',
      'hv05',
      '[ok:what]',
      'hv06',
      '[ok]',
      'hv07',
      'hv[1:3] 192.0.2.1',
      'hv[3:1]',
      '[ok:children]',
      'ok',
      '[ok:vars]',
      'ansible_user = "me"  # who',
      'nothing',
    ].join('\n');
    expect(parsed(text)).toEqual({
      hosts: {
        hv01: { options: {}, groups: [] },
        hv07: { options: { user: 'me' }, groups: ['ok'] },
      },
      problems: [
        'inv:2: hv01 is left out: the name stands at inv:1 already',
        'inv:3: "hv02" is left out: expected [user@]host[:port], found "a:b"',
        'inv:4: ::1 is left out: write a name before the address',
        'inv:5: "hv03" is left out: word 3 of its line is no variable=value',
        `inv:6: a quotation mark (') is not closed in the line that begins with "hv04"`,
        expect.stringMatching(/^inv:7: the section "\[a b\]" is left out: "a b" is no name/),
        'inv:9: the section "[ok:what]" is left out: expected [group], [group:children] or [group:vars]',
        'inv:13: "hv[1:3]" is left out: several names cannot have the one address "192.0.2.1"',
        'inv:14: "hv[3:1]": expected a range of at most 4096 names',
        'inv:16: the group "ok" is left out: it stands within itself',
        'inv:19: expected variable=value in the line that begins with "nothing"',
      ],
    });
  });
});

describe('the format', () => {
  it.each([
    ['{"hv01": {}}', 'inv'],
    ['["hv01"]', 'inv'],
    ['[\n  {"name": "hv01"}\n]', 'inv'],
    ['---\n# x\nhv01:\n', 'inv'],
    ['- hv01\n', 'inv'],
    ['hv01: ~', '/etc/inv.yml'],
    ['hv01\n', '/etc/inv'],
    ['[web]\nhv01\n', '/etc/inv.ini'],
    ['# {\nhv01 ansible_host=x\n', 'inv'],
    ['all: { hosts: { hv01: } }', 'inv'],
    ['all:\n  hosts:\n    hv01:\n', 'inv'],
    ['\ufeffhv01\n', 'inv'],
  ])('of %j is found out', (text, source) => {
    expect(Object.keys(parsed(text, 'auto', source).hosts)).toEqual(['hv01']);
  });

  it('is what was said', () => {
    expect(Object.keys(parsed('hosts:', 'map').hosts)).toEqual(['hosts']);
    expect(parsed('hv01: {}', 'ansible')).toEqual({ hosts: {}, problems: ['inv: names no host'] });
    expect(parsed('- hv01', 'lines').hosts).toEqual({});
  });

  it('a text that is none is refused as a whole', () => {
    for (const text of ['', ' \n\n']) expect(() => parseInventory('inv', text)).toThrow('inv: is empty');
    for (const text of ['# nothing\n', '---\n# nothing\n...\n'])
      expect(() => parseInventory('inv.yaml', text)).toThrow('inv.yaml: is empty; expected at least one host');
    expect(() => parseInventory('inv.yaml', 'a: [')).toThrow(Failure);
    expect(parsed('# nothing', 'lines').problems).toEqual(['inv: names no host']);
    expect(parsed('5', 'map').problems).toEqual(['inv: expected a map of targets by their names, or a list of them']);
  });

  it('whatever the text, there are hosts with names, problems with places, or a Failure', () => {
    const word = fc.oneof(
      fc.constantFrom(
        'hv01',
        '[',
        ']',
        ':',
        'hosts',
        '{',
        '}',
        '"',
        '=',
        '\n',
        ' ',
        '- ',
        '_meta',
        '__proto__',
        '[1:3]',
        '@',
        '#',
        'vars',
        'children',
      ),
      fc.string({ maxLength: 4 }),
    );
    const text = fc.array(word, { maxLength: 40 }).map((words) => words.join(''));
    fc.assert(
      fc.property(text, fc.constantFrom('auto', 'ansible', 'map', 'lines'), (one, format) => {
        let first: ReturnType<typeof parseInventory>;
        try {
          first = parseInventory('inv', one, format);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(Failure);
          expect((thrown as Failure).code).toBe('E_CONFIG');
          return;
        }
        for (const name of first.hosts.keys()) expect(nameFault(name)).toBeUndefined();
        for (const { where, message } of first.problems) {
          expect(where).toMatch(/^inv/);
          expect(message).not.toMatch(/[\n\u0000]/);
        }
        // A reload that changes nothing changes nothing.
        expect(parseInventory('inv', one, format)).toEqual(first);
      }),
      { numRuns: 500 },
    );
  });
});
