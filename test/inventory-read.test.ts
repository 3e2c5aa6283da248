/** Inventories as they are read: files and programs → checked targets, and what is left out. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Failure } from '../src/errors.ts';
import { type InventorySurroundings, readInventories } from '../src/inventory/inventory.ts';
import { inventoryOptions } from '../src/inventory/options.ts';

const folder = mkdtempSync(join(tmpdir(), 'edgestatd-inventory-'));
beforeAll(() => mkdirSync(join(folder, 'directory')));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const none: InventorySurroundings = { withheld: [] };

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const read = (sources: unknown[], around = none) => readInventories(inventoryOptions.parse(sources), around);
const shell = (script: string, timeout = '30s') => ({ command: ['sh', '-c', script], timeout });

async function refusal(sources: unknown[], around = none): Promise<string> {
  const failure = await read(sources, around).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(failure).toBeInstanceOf(Failure);
  expect(failure).toMatchObject({ code: 'E_CONFIG' });
  return (failure as Failure).message;
}

describe('options', () => {
  it.each([
    [{}, 'expected exactly one of "file" and "command"'],
    [{ file: '/a', command: ['b'] }, 'expected exactly one of "file" and "command"'],
    [{ file: 'a' }, 'expected an absolute path'],
    [{ file: '/a', defaults: { host: 'x' } }, 'Unrecognized key: "host"'],
    [{ file: '/a', defaults: { port: 0 } }, 'Too small'],
    [{ file: '/a', groups: ['a b'] }, 'is no name'],
    [{ file: '/a', frmat: 'map' }, 'Unrecognized key'],
    [{ command: [] }, 'Too small'],
  ])('%j: %s', (source, message) => {
    const { error } = inventoryOptions.safeParse([source]);
    expect(error?.issues.map((issue) => issue.message).join()).toContain(message);
  });

  it('give nothing that was not given', () => {
    expect(inventoryOptions.parse([{ file: '/a' }])).toEqual([
      { file: '/a', timeout: 30_000, format: 'auto', defaults: {}, override: {}, groups: [] },
    ]);
  });
});

describe('targets', () => {
  it('have what the inventory gives, else the defaults, and above all what overrides', async () => {
    const path = file('hosts.ini', '[compute]\nhv01 root@192.0.2.1:2222\nhv02\n');
    const { targets, problems } = await read([
      { file: path, defaults: { user: 'edge', port: 23 }, override: { user: 'edgestatd' }, groups: ['site1'] },
    ]);
    expect(problems).toEqual([]);
    expect([...targets.keys()]).toEqual(['hv01', 'hv02']);
    expect(targets.get('hv01')).toMatchObject({
      ...{ type: 'ssh', host: '192.0.2.1', port: 2222, user: 'edgestatd', groups: ['site1', 'compute'] },
      ...{ knownHostsFile: '/etc/edgestatd/known_hosts', hostKeys: 'strict', maxSessions: 8, sudo: [] },
    });
    expect(targets.get('hv02')).toMatchObject({ port: 23, user: 'edgestatd' });
    expect(targets.get('hv02')).not.toHaveProperty('host');
  });

  it('are the same again when nothing has changed', async () => {
    const path = file('again.yaml', 'b: { host: 192.0.2.2 }\na: { groups: [x] }\nc: { port: 0 }\n');
    const first = await read([{ file: path }, shell('echo d; echo e')]);
    const second = await read([{ file: path }, shell('echo d; echo e')]);
    expect(second).toEqual(first);
    expect([...second.targets.keys()]).toEqual([...first.targets.keys()]);
    expect([...first.targets.keys()]).toEqual(['b', 'a', 'd', 'e']);
  });

  it('that are wrong are told of and left out', async () => {
    const path = file(
      'wrong.yaml',
      [
        'hv01: { port: 99999 }',
        'hv02: { host: "{{ inventory_hostname }}.example.org" }',
        'hv03: { keyfile: /x }',
        'hv04: { keyFile: id_rsa }',
        'hv05: { passphrase: swordfish }',
        'local: {}',
        'a.b: {}',
        'a_b: {}',
        'taken: {}',
        'ok: {}',
      ].join('\n'),
    );
    const { targets, problems } = await read([{ file: path }, shell('echo ok')], { withheld: [], taken: ['taken'] });
    expect([...targets.keys()]).toEqual(['a.b', 'ok']);
    expect(problems.map(({ where, message }) => `${where.replace(folder, '')}: ${message}`)).toEqual([
      '/wrong.yaml:1:1: hv01 is left out: port: Too big: expected number to be <=65535; found "99999"',
      '/wrong.yaml:2:1: hv02 is left out: host: expected an address or a host name; found "{{ inventory_hostname }}.example.org" (a template, which nothing here resolves)',
      '/wrong.yaml:3:1: hv03 is left out: Unrecognized key: "keyfile"',
      '/wrong.yaml:4:1: hv04 is left out: keyFile: expected an absolute path; found "id_rsa"',
      '/wrong.yaml:5:1: hv05 is left out: passphrase: give it as passphraseFile, or by reference in "defaults" of the inventory',
      '/wrong.yaml:6:1: local is left out: its series are called "local", as those of the target local are',
      `/wrong.yaml:8:1: a_b is left out: its series are called "a_b", as those of a.b (${path}:7:1) are`,
      '/wrong.yaml:9:1: taken is left out: its series are called "taken", as those of the target taken are',
      `sh -c echo ok:1: ok is left out: its series are called "ok", as those of ok (${path}:10:1) are`,
    ]);
  });

  it('that are wrong by the thousand are told of in few lines', async () => {
    const path = file('many', Array.from({ length: 1000 }, (_, index) => `a:${index}:b`).join('\n'));
    const { problems } = await read([{ file: path }]);
    expect(problems).toHaveLength(21);
    expect(problems.at(-1)).toEqual({ where: path, message: '… and 980 more such problems' });
  });
});

describe('a source that fails as a whole', () => {
  it.each([
    ['missing', 'does not exist; it is an inventory of targets'],
    ['directory', 'is no file; a program that lists targets is a "command"'],
  ])('file: %s', async (name, message) => {
    expect(await refusal([{ file: join(folder, name) }])).toBe(`${join(folder, name)}: ${message}`);
  });

  it('is told with the others that fail', async () => {
    const empty = file('empty', '\n');
    const broken = file('broken.yaml', 'a: [\n');
    const message = await refusal([{ file: empty }, { file: broken }, { file: file('good', 'hv01\n') }]);
    expect(message.split('\n')).toEqual([
      `${empty}: is empty; expected at least one host`,
      expect.stringMatching(/broken\.yaml:\d+:\d+: /),
    ]);
  });

  it.each([
    [['sh', '-c', 'echo no such site >&2; exit 3'], 'ended with status 3: "no such site"'],
    [['no-such-program-of-ours', '--list'], 'no-such-program-of-ours --list: the program was not found'],
    [['sh', '-c', 'true'], 'is empty; expected at least one host'],
    [['sh', '-c', 'kill -9 $$'], 'was ended by SIGKILL'],
  ])('command: %j', async (command, message) => {
    expect(await refusal([{ command }])).toContain(message);
  });

  it('command that never ends is ended, with what it started', async () => {
    const pid = join(folder, 'pid');
    const message = await refusal([shell(`sleep 600 & echo $! >${pid}; sleep 600`, '500ms')]);
    expect(message).toContain('it did not end within 0.5 s');
    expect(existsSync(`/proc/${readFileSync(pid, 'utf8').trim()}/exe`)).toBe(false);
  });

  it('command that is stopped', async () => {
    const controller = new AbortController();
    const reading = refusal([shell('sleep 600')], { withheld: [], stop: controller.signal });
    controller.abort(new Failure('E_ABORTED', 'the daemon is stopping'));
    expect(await reading).toContain('the daemon is stopping');
  });
});

describe('a command', () => {
  it('sees a UTF-8 locale, which Ansible asks for, and no secrets', async () => {
    process.env.EDGESTATD_TEST_SECRET = 'swordfish';
    try {
      const script = 'echo "hv-$LC_ALL-x$EDGESTATD_TEST_SECRET"';
      const { targets } = await read([shell(script)], { withheld: ['EDGESTATD_TEST_SECRET'] });
      expect([...targets.keys()]).toEqual(['hv-C.UTF-8-x']);
    } finally {
      delete process.env.EDGESTATD_TEST_SECRET;
    }
  });

  it('may print any format', async () => {
    const { targets } = await read([shell(`echo '{"_meta": {"hostvars": {"hv01": {"ansible_host": "192.0.2.1"}}}}'`)]);
    expect(targets.get('hv01')).toMatchObject({ host: '192.0.2.1' });
  });
});
