/** The round trip of a small command over a connection that is open: ours, and the ssh program's with ControlMaster. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock } from '../src/clock.ts';
import { Failure } from '../src/errors.ts';
import { createLinks } from '../src/hosts/ssh-links.ts';
import { sshTarget } from '../src/hosts/ssh-target.ts';
import { startSshd } from '../test/support/sshd.ts';

const ROUNDS = 5;
const EACH = 40;

export async function roundTrips(): Promise<string[]> {
  const sshd = await startSshd();
  const taken = createLinks(systemClock).take(sshd.settings());
  const target = sshTarget('hv01', sshd.settings(), taken.link);
  const end = new AbortController();
  const host = target.open(end.signal);
  const control = join(sshd.directory, 'control');
  const words = [
    ...['-F', 'none', '-o', `ControlPath=${control}`, '-o', `UserKnownHostsFile=${sshd.knownHostsFile}`],
    ...['-i', sshd.keyFile, '-p', String(sshd.port), `edge@${sshd.address}`],
  ];
  const ssh = (...command: string[]) => promisify(execFile)('ssh', [...words, ...command]);
  try {
    await ssh('-M', '-f', '-N', '-o', 'ControlPersist=yes').catch(() => {});
    const attributes = Array.from({ length: 500 }, () => '/sys/class/net/lo/mtu');
    const cases = {
      'a small file': () => host.readFile('/proc/loadavg'),
      'the program true': () => host.run(['true']),
      '500 attributes of sysfs': () => host.readFiles(attributes),
      'ssh HOST true, ControlMaster': () => ssh('true'),
      'ssh HOST cat /proc/loadavg': () => ssh('cat', '/proc/loadavg'),
    };
    const times = new Map<string, number[]>();
    for (const work of Object.values(cases)) await work();
    for (let round = 0; round < ROUNDS; round++) {
      for (const [name, work] of Object.entries(cases)) {
        const list = times.get(name) ?? [];
        times.set(name, list);
        for (let one = 0; one < EACH; one++) {
          const fromMs = performance.now();
          await work();
          list.push(performance.now() - fromMs);
        }
      }
    }
    const median = (name: keyof typeof cases): number =>
      (times.get(name) ?? []).toSorted((a, b) => a - b)[(ROUNDS * EACH) / 2] ?? Number.NaN;
    const base = median('ssh HOST true, ControlMaster');
    return Object.keys(cases).map((name) => {
      const ms = median(name as keyof typeof cases);
      return `${name}: ${ms.toFixed(2)} ms (${(ms / base).toFixed(3)} of ssh with ControlMaster)`;
    });
  } finally {
    await ssh('-O', 'exit').catch(() => {});
    end.abort(new Failure('E_ABORTED', 'the benchmark is over'));
    await host.settled();
    await target.close();
    taken.release();
    await sshd.stop();
  }
}
