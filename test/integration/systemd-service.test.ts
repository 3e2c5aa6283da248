/** The service under a real systemd as process 1: start, reload, watchdog, crash, wrong configuration, end. */
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/statsd.ts';
import { machineReason, type SystemdMachine, startMachine } from '../support/systemd-machine.ts';
import { installService, type SystemdService } from '../support/systemd-service.ts';

/** Prints every line of what comes to 127.0.0.1:8125. */
const LISTENER = `use Socket; $| = 1; socket(S, AF_INET, SOCK_DGRAM, 0) or die;
bind(S, sockaddr_in(8125, inet_aton("127.0.0.1"))) or die; print "listens\\n";
while (defined recv(S, $m, 65536, 0)) { print "$m\\n" }`;
const CONNECT = 'use Socket; socket(S, AF_UNIX, SOCK_STREAM, 0) or die; connect(S, sockaddr_un(shift)) or exit 1';

const yaml = (...jobs: readonly string[]): string =>
  `sinks: [ { type: statsd, port: 8125 } ]\njobs:\n${jobs.map((job) => `  - { collector: ${job} }\n`).join('')}`;
const TCP = 'tcp, every: 1s';

describe.skipIf(machineReason() !== undefined)('the service, under systemd as process 1', () => {
  let machine: SystemdMachine;
  let service: SystemdService;
  const lines: string[] = [];
  const shown = (property: string, pattern: RegExp): Promise<string> =>
    eventually(
      async () => {
        const value = await service.show(property);
        return pattern.test(value) ? value : undefined;
      },
      `${property} to be ${pattern}`,
      60_000,
    );

  beforeAll(async () => {
    machine = await startMachine();
    service = await installService(machine);
    const listener = machine.start(['perl', '-e', LISTENER]);
    if (listener.stdout === null) throw new Error('no output of the listener');
    createInterface({ input: listener.stdout }).on('line', (line) => lines.push(line));
    await eventually(() => (lines.includes('listens') ? true : undefined), 'the listener');
  }, 60_000);
  afterAll(() => machine?.close(), 30_000);

  it('is started when it is ready, sends, and says so', async () => {
    await service.restart({ yaml: yaml(TCP) });
    expect(await service.show('StatusText')).toBe('1 jobs, 1 sinks');
    await eventually(
      () => lines.find((line) => /^edge\.[^.]+\.edgestatd\.tcp\.up:1\|g$/.test(line)),
      'a datagram',
      30_000,
    );
  }, 90_000);

  it('lets members of its group ask for the status, and nobody else', async () => {
    expect(await machine.must('stat -c "%U:%G %a" /run/edgestatd /run/edgestatd/status.sock')).toBe(
      'edgestatd:edgestatd 750\nedgestatd:edgestatd 660\n',
    );
    const asking = (group: string): string =>
      `setpriv --reuid nobody --regid ${group} --clear-groups perl -e '${CONNECT}' /run/edgestatd/status.sock`;
    expect((await machine.sh(asking('edgestatd'))).code).toBe(0);
    expect((await machine.sh(asking('nogroup'))).code).toBe(1);
  });

  it('reloads, and goes on with what it had when the new configuration is wrong', async () => {
    const pid = await service.show('MainPID');
    await service.configure(yaml(TCP, 'link, every: 1s'));
    await machine.must('systemctl reload edgestatd');
    await shown('StatusText', /^2 jobs/);
    await service.configure('jobs: 5\n');
    await machine.must('systemctl reload edgestatd');
    expect(await shown('StatusText', /refused/)).toContain('2 jobs');
    await shown('ActiveState', /^active$/);
    expect(await service.show('MainPID')).toBe(pid);
  }, 90_000);

  it('is ended in peace, with the programs that it runs', async () => {
    const slow = 'exec, every: 1s, timeout: 20s, options: { check: slow, command: [sh, -c, "sleep 1; echo OK"] }';
    await service.restart({ yaml: yaml(slow) });
    await eventually(
      async () => ((await service.status()).jobs[0]?.runningMs === undefined ? undefined : true),
      'a run',
    );
    await machine.must('systemctl stop edgestatd');
    expect(await service.show('Result')).toBe('success');
    const journal = await service.journal();
    const last = journal.slice(journal.lastIndexOf('daemon:stopping'));
    expect(last).toContain('daemon:stopped');
    // systemd would end systemd-notify(1) and the program together with the daemon.
    expect(last).not.toMatch(/notify:failed|run:failed/);
  }, 90_000);

  it('is started again when it stands still, and when it is killed', async () => {
    await service.restart({ yaml: yaml(TCP), lines: ['WatchdogSec=3', 'RestartSec=100ms', 'TimeoutAbortSec=1'] });
    const first = await service.show('MainPID');
    await machine.must(`kill -STOP ${first}`);
    await shown('NRestarts', /^1$/);
    await shown('ActiveState', /^active$/);
    expect(await service.journal()).toMatch(/Watchdog timeout/);
    const second = await service.show('MainPID');
    expect(second).not.toBe(first);
    await machine.must(`kill -KILL ${second}`);
    await shown('NRestarts', /^2$/);
    await shown('ActiveState', /^active$/);
  }, 120_000);

  it('is not started again for a configuration that is wrong', async () => {
    await service.configure('jobs: 5\n');
    expect((await machine.sh('systemctl restart edgestatd')).code).not.toBe(0);
    await shown('ActiveState', /^failed$/);
    expect(await service.show('ExecMainStatus')).toBe('2');
    expect(await service.show('NRestarts')).toBe('0');
    expect(await service.journal()).toContain('/etc/edgestatd/edgestatd.yaml:1:');
  }, 60_000);

  it('has the type notify-reload by its drop-in, where systemd knows it', async () => {
    const version = Number(/^systemd ([0-9]+)/.exec(await machine.must('systemctl --version'))?.[1]);
    if (version >= 253) {
      await service.restart({ yaml: yaml(TCP), dropIns: ['notify-reload'] });
      expect(await service.show('Type')).toBe('notify-reload');
      await service.configure(yaml(TCP, 'link, every: 1s'));
      await machine.must('systemctl reload edgestatd');
      expect(await service.show('StatusText')).toMatch(/^2 jobs/);
    } else {
      // Why the unit itself cannot have it: an older one does not refuse the word, it starts a service of no type.
      await machine.write('/run/systemd/system/word.service', '[Service]\nType=notify-reload\nExecStart=/bin/true\n');
      await machine.must('systemctl daemon-reload');
      expect(await machine.must('systemctl show --property=Type --value word')).toBe('simple\n');
      await service.restart({ yaml: yaml(TCP), dropIns: ['notify-reload'] });
      expect(await service.show('Type')).toBe('notify');
      expect((await machine.sh('systemctl reload edgestatd')).code).not.toBe(0);
    }
  }, 60_000);
});
