/** The Ansible role, applied to a machine with a real systemd and the real package. */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { debPackages } from '../support/deb-packages.ts';
import { eventually } from '../support/statsd.ts';
import { machineReason, type Ran, type SystemdMachine, startMachine } from '../support/systemd-machine.ts';

const ansible = new URL('../../config/ansible', import.meta.url).pathname;
const hasAnsible = spawnSync('ansible-playbook', ['--version']).status === 0;
if (!hasAnsible && process.env.CI !== undefined) throw new Error('ansible-core is not installed');

/** Takes events as graphite-web does, and prints them. */
const GRAPHITE = `
import http.server
class Events(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        print(self.rfile.read(int(self.headers['content-length'])).decode().replace('\\n', ' '))
        self.send_response(200)
        self.send_header('content-length', '0')
        self.end_headers()
    def log_message(self, *words):
        pass
http.server.HTTPServer(('127.0.0.1', 9000), Events).serve_forever()
`;

type Variables = Readonly<Record<string, unknown>>;
const config = (jobs: readonly unknown[]): Variables => ({
  prefix: 'edge',
  state: '/var/lib/edgestatd/state.db',
  sinks: [{ type: 'statsd', port: 8125 }],
  events: {
    spool: '/var/lib/edgestatd/spool.db',
    graphite: { url: 'http://127.0.0.1:9000/events/' },
    listen: { port: 8126 },
  },
  jobs,
});
const TCP = { collector: 'tcp', every: '1s' };
const LINK = { collector: 'link', every: '1s' };

describe.skipIf(!hasAnsible)('the playbooks', () => {
  it.each(['site.yml', 'deploy.yml'])('%s is right, with the example of an inventory', (name) => {
    const argv = ['-i', 'inventory.example.ini', '--syntax-check', name];
    expect(execFileSync('ansible-playbook', argv, { cwd: ansible, encoding: 'utf8' })).toContain(name);
  });

  it('need the modules of ansible-core alone', () => {
    const files = execFileSync('find', [ansible, '-name', '*.yml'], { encoding: 'utf8' }).trim().split('\n');
    const modules = files.flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(/^ +([a-z_]+(?:\.[a-z_]+){2}):/gm)].map(([, name = '']) => name),
    );
    expect(modules.length).toBeGreaterThan(15);
    expect(modules.filter((name) => !name.startsWith('ansible.builtin.'))).toEqual([]);
  });
});

describe.skipIf(!hasAnsible || machineReason() !== undefined)('the role', () => {
  let machine: SystemdMachine;
  const FILE = '/root/edgestatd-bundle_0.1.0-1_all.deb';
  const base: Variables = { edgestatd_package: 'edgestatd-bundle', edgestatd_config: config([TCP]) };

  const play = async (variables: Variables, ...more: readonly string[]): Promise<Ran> => {
    await machine.write('/root/variables.json', JSON.stringify({ ...base, ...variables }));
    return machine.sh(
      `cd /root/ansible && LC_ALL=C.UTF-8 ANSIBLE_PIPELINING=1 ANSIBLE_GATHER_SUBSET='!all' ansible-playbook -i /root/hosts.ini -e @/root/variables.json ${more.join(' ')} site.yml`,
    );
  };
  const applied = async (variables: Variables, ...more: readonly string[]): Promise<number> => {
    const { code, stdout, stderr } = await play(variables, ...more);
    expect(code, `${stdout}${stderr}`).toBe(0);
    return Number(/changed=([0-9]+)/.exec(stdout)?.[1]);
  };
  const there = (path: string): string => readFileSync(join(machine.root, path), 'utf8');
  const pid = async (): Promise<string> => (await machine.must('systemctl show -p MainPID --value edgestatd')).trim();

  beforeAll(async () => {
    machine = await startMachine({ withCheckout: false });
    const debs = await debPackages();
    try {
      copyFileSync(debs.build('edgestatd-bundle', '0.1.0-1'), join(machine.root, FILE));
    } finally {
      debs.end();
    }
    const tar = execFileSync('tar', ['--create', '--directory', ansible, '.'], { maxBuffer: 2 ** 24 });
    await machine.write('/root/ansible.tar.b64', tar.toString('base64'));
    await machine.must(
      'mkdir /root/ansible && base64 -d /root/ansible.tar.b64 | tar -x -C /root/ansible --exclude ./group_vars',
    );
    const host = 'target ansible_connection=local ansible_python_interpreter=/usr/bin/python3';
    await machine.write('/root/hosts.ini', `[edgestatd]\n${host}\n[control]\ntarget\n`);
    await machine.must('ip link set lo up && useradd oncall');
  }, 240_000);
  afterAll(() => machine?.close(), 30_000);

  it('rehearses without a trace, installs, and then has nothing more to do', async () => {
    const secrets = {
      edgestatd_package: FILE,
      edgestatd_secrets: { rabbitmq: 'the password' },
      edgestatd_operators: ['oncall'],
    };
    expect(await applied({ ...secrets, edgestatd_operators: [] }, '--check')).toBeGreaterThan(0);
    expect(existsSync(join(machine.root, 'usr/bin/edgestatd'))).toBe(false);

    const installed = await play(secrets, '--diff', '-vv');
    expect(installed.code, `${installed.stdout}${installed.stderr}`).toBe(0);
    expect(`${installed.stdout}${installed.stderr}`).not.toContain('the password');
    expect(await machine.must('systemctl is-active edgestatd && systemctl is-enabled edgestatd')).toBe(
      'active\nenabled\n',
    );
    expect(await machine.must('stat -c "%U %a" /etc/edgestatd/secrets/rabbitmq')).toBe('edgestatd 400\n');
    expect(await machine.must('id -nG oncall')).toContain('edgestatd');
    const running = await pid();
    expect(await applied(secrets)).toBe(0);
    expect(await pid()).toBe(running);
  }, 240_000);

  it('reloads for a configuration, and restarts for a drop-in', async () => {
    const before = await pid();
    const both = { edgestatd_config: config([TCP, LINK]) };
    expect(await applied(both, '--check', '--diff')).toBeGreaterThan(0);
    expect(there('/etc/edgestatd/edgestatd.yaml')).not.toContain('link');
    await applied(both);
    await eventually(
      async () =>
        (await machine.must('systemctl show -p StatusText --value edgestatd')).includes('2 jobs') || undefined,
      'the reload',
    );
    expect(await pid()).toBe(before);

    const more = { ...both, edgestatd_dropins: ['processes'], edgestatd_service_lines: ['Nice=7'] };
    await applied(more);
    expect(await pid()).not.toBe(before);
    const shown = await machine.must('systemctl show -p ProtectProc -p Nice edgestatd');
    expect(shown.trim().split('\n').sort()).toEqual(['Nice=7', 'ProtectProc=default']);
    await applied(both);
    expect(await machine.must('systemctl show -p ProtectProc --value edgestatd')).toBe('invisible\n');
  }, 240_000);

  it('refuses a wrong configuration, and leaves the right one in its place', async () => {
    const before = there('/etc/edgestatd/edgestatd.yaml');
    const running = await pid();
    const { code, stdout } = await play({ edgestatd_config: config([{ ...TCP, evry: '1s' }]) });
    expect(code).not.toBe(0);
    expect(stdout).toContain('unknown key; did you mean');
    expect(there('/etc/edgestatd/edgestatd.yaml')).toBe(before);
    expect(await pid()).toBe(running);
  }, 120_000);

  it('refuses wrong variables, each in one message, before it changes anything', async () => {
    const { code, stdout } = await play({
      ...{ edgestatd_dropins: 'nagios', edgestatd_secrets: { '../../shadow': 'oyster' } },
      ...{ edgestatd_config: [], edgestatd_operators: 'oncall', edgestatd_groups: { adm: true } },
      ...{ edgestatd_enabled: 'perhaps', edgestatd_package: 'rm -rf', edgestatd_service_lines: 'Nice=7' },
      edgestatd_config_file: 'own.yaml',
    });
    expect(code).not.toBe(0);
    for (const said of [
      'edgestatd_package: expected the name of a package',
      'edgestatd_config: expected a map',
      'edgestatd_config_file: expected the name of a file, and then no edgestatd_config beside it',
      'edgestatd_secrets: expected a map of file names',
      'edgestatd_dropins: expected a list of some of bonds, ',
      'edgestatd_service_lines: expected a list of lines',
      'edgestatd_groups: expected a list of groups',
      'edgestatd_operators: expected a list of users',
      'edgestatd_enabled: expected true or false',
    ])
      expect(stdout.split(said)).toHaveLength(2);
    expect(stdout).not.toContain('oyster');
    expect(stdout).toMatch(/changed=0/);
    const mistyped = await play({ edgestatd_dropins: ['nagois'] });
    expect(mistyped.stdout.match(/edgestatd_[a-z_]+: expected [a-z]+/g)).toEqual(['edgestatd_dropins: expected a']);
  }, 120_000);

  it('knows the drop-ins that there are', () => {
    const tasks: { vars?: Record<string, unknown> }[] = parse(
      readFileSync(join(ansible, 'roles/edgestatd/tasks/check.yml'), 'utf8'),
    );
    const known = tasks.map(({ vars }) => vars?.edgestatd_known_dropins).find((one) => one !== undefined);
    const files = readdirSync(join(ansible, '../systemd')).map((file) => file.replace(/[.]conf$/, ''));
    expect(known).toEqual(files.sort());
  });

  it('leaves services alone where systemd does not run', async () => {
    await machine.must('systemctl stop edgestatd');
    await applied({ edgestatd_config: config([LINK]) }, '-e', 'ansible_service_mgr=none');
    expect((await machine.sh('systemctl is-active edgestatd')).stdout).toBe('inactive\n');
    expect(there('/etc/edgestatd/edgestatd.yaml')).not.toContain('tcp');
    await machine.must('systemctl start edgestatd');
  }, 120_000);

  it('has an example of a deploy that says when it began and when it ended', async () => {
    const since = Math.floor(Date.now() / 1000);
    const posted: { what: string; when: number; tags: unknown }[] = [];
    const graphite = machine.start(['python3', '-u', '-c', GRAPHITE]);
    if (graphite.stdout === null) throw new Error('no output of the receiver');
    createInterface({ input: graphite.stdout }).on('line', (line) => posted.push(JSON.parse(line)));
    await machine.must(
      'cd /root/ansible && LC_ALL=C.UTF-8 ansible-playbook -i /root/hosts.ini -e what=neutron deploy.yml',
    );
    const of = (what: string): Promise<{ when: number; tags: unknown }> =>
      eventually(() => posted.find((event) => event.what === what), what, 60_000);
    const [begin, end] = [await of('deploy neutron begins'), await of('deploy neutron ends')];
    expect(begin.tags).toEqual(['deploy', 'neutron']);
    expect(begin.when).toBeGreaterThanOrEqual(since);
    expect(end.when).toBeGreaterThanOrEqual(begin.when);
  }, 120_000);
});
