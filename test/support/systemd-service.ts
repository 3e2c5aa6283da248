/** edgestatd as the unit starts it, on a machine of its own: with drop-ins and a configuration of the test. */
import { readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import type { JobStatus, StatusDocument } from '../../src/status/document.ts';
import { eventually } from './statsd.ts';
import type { SystemdMachine } from './systemd-machine.ts';

const config = new URL('../../config/', import.meta.url).pathname;
const UNIT = '/etc/systemd/system/edgestatd.service';
/** The package's launcher finds a Node.js; here it is the checkout's. */
const LAUNCHER = `#!/bin/sh
exec /usr/lib/edgestatd/node_modules/node/bin/node /usr/lib/edgestatd/src/bin.js "$@"
`;

export interface SystemdService {
  /**
   * Starts it anew with these drop-ins of config/systemd and `lines` in one more, and waits until every job has run.
   * Resolves with the jobs by name.
   */
  restart(options: RestartOptions): Promise<Readonly<Record<string, JobStatus>>>;
  configure(yaml: string): Promise<void>;
  /** What the daemon's socket says. */
  status(): Promise<StatusDocument>;
  /** A property of the unit. */
  show(property: string): Promise<string>;
  journal(): Promise<string>;
}

export interface RestartOptions {
  readonly dropIns?: readonly string[];
  readonly lines?: readonly string[];
  readonly yaml: string;
}

/** Installs the unit, its user and the command. */
export async function installService(machine: SystemdMachine): Promise<SystemdService> {
  await machine.write('/usr/bin/edgestatd', LAUNCHER, '0755');
  await machine.write(UNIT, readFileSync(join(config, 'edgestatd.service'), 'utf8'));
  await machine.write(
    '/usr/lib/sysusers.d/edgestatd.conf',
    readFileSync(join(config, 'debian/edgestatd.sysusers'), 'utf8'),
  );
  await machine.must('systemd-sysusers edgestatd.conf && ip link set lo up');
  const socket = join(machine.root, 'run/edgestatd/status.sock');
  const status = async (): Promise<StatusDocument> => JSON.parse(await get(socket, '/status')) as StatusDocument;
  const show = async (property: string): Promise<string> =>
    (await machine.must(`systemctl show --property=${property} --value edgestatd`)).trim();
  const journal = (): Promise<string> => machine.must('journalctl --unit=edgestatd --output=cat --no-pager --lines=25');
  const configure = (yaml: string): Promise<void> => machine.write('/etc/edgestatd/edgestatd.yaml', yaml);
  return {
    status,
    show,
    journal,
    configure,
    async restart({ dropIns = [], lines = [], yaml }) {
      rmSync(join(machine.root, `${UNIT}.d`), { recursive: true, force: true });
      for (const name of dropIns)
        await machine.write(`${UNIT}.d/${name}.conf`, readFileSync(join(config, `systemd/${name}.conf`), 'utf8'));
      if (lines.length > 0) await machine.write(`${UNIT}.d/test.conf`, `[Service]\n${lines.join('\n')}\n`);
      await configure(yaml);
      await machine
        .must('systemctl daemon-reload && systemctl reset-failed && systemctl restart edgestatd')
        .catch(async (error: Error) => {
          throw new Error(`${error.message}\n${await journal()}`);
        });
      const pid = Number(await show('MainPID'));
      let last: StatusDocument | undefined;
      const jobs = await eventually(
        async () => {
          last = await status().catch(() => undefined);
          const isDone = last?.pid === pid && last.jobs.every(({ runs }) => runs >= 1);
          return isDone ? last?.jobs : undefined;
        },
        `a run of every job of process ${pid}`,
        60_000,
      ).catch(async (error: Error) => {
        throw new Error(`${error.message}; ${JSON.stringify(last?.jobs)}\n${await journal()}`);
      });
      return Object.fromEntries(jobs.map((one) => [one.name, one]));
    },
  };
}

function get(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath, path, timeout: 5000 }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
      answer.on('error', reject);
    });
    asking.on('error', reject);
    asking.on('timeout', () => asking.destroy(new Error(`${socketPath} does not answer`)));
    asking.end();
  });
}
