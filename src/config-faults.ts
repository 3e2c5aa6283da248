/** What the parts of a configuration say of each other, which no schema of one of them can see. */
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import type { Collector } from './collector.ts';
import type { Complaint, ConfigFile } from './config-file.ts';
import { eventFaults } from './events/faults.ts';
import type { FileConfig } from './schema.ts';
import { spoolPath } from './sinks/carbon-options.ts';
import type { TargetConfig } from './targets.ts';

/** What the target's segment of a series is made from. */
export function targetName(key: string, targets: ReadonlyMap<string, Pick<TargetConfig, 'name'>>): string {
  return nameOf(key, targets.get(key)?.name);
}

export function nameOf(key: string, name: string | undefined): string {
  if (name !== undefined || key !== 'local') return name ?? key;
  return hostname().split('.')[0] || 'localhost';
}

/** Two jobs, or two sinks, with one name: neither could be told from the other in series and logs. */
export function doubled(data: FileConfig, read: ConfigFile): Complaint[] {
  const complaints: Complaint[] = [];
  const look = (section: 'jobs' | 'sinks', names: readonly string[]): void => {
    const firsts = new Map<string, number>();
    for (const [index, name] of names.entries()) {
      const first = firsts.get(name);
      if (first === undefined) {
        firsts.set(name, index);
        continue;
      }
      const what = section === 'jobs' ? 'job' : 'sink';
      complaints.push(
        read.complain(
          [section, index],
          `${section}[${first}] is named ${JSON.stringify(name)} too; give this ${what} a "name" of its own`,
        ),
      );
    }
  };
  look(
    'jobs',
    data.jobs.map((job) => job.name ?? job.collector),
  );
  look(
    'sinks',
    data.sinks.map((sink) => sink.name ?? sink.type),
  );
  return complaints;
}

/** One file is one spool: a second user of it would find it held, or be none of its kind. */
export function sharedFiles({ sinks, events }: FileConfig, read: ConfigFile): Complaint[] {
  const users = new Map<string, string>();
  if (events !== undefined) users.set(resolve(events.spool), 'events.spool');
  return sinks.flatMap((sink, index) => {
    if (sink.type !== 'carbon') return [];
    const file = resolve(spoolPath({ ...sink, name: sink.name ?? sink.type }));
    const other = users.get(file);
    if (other === undefined) users.set(file, `sinks[${index}]`);
    if (other === undefined) return [];
    return [
      read.complain(['sinks', index], `its spool ${file} is that of ${other} too; give one of them another "spool"`),
    ];
  });
}

/** The one that comes second could never listen there. */
export function sharedPort({ status, events }: FileConfig, read: ConfigFile): Complaint[] {
  const { listen: own, socket } = status;
  const { listen: theirs } = events ?? {};
  const isPort = own !== undefined && theirs?.port === own.port && theirs.address === own.address;
  const isSocket = typeof socket === 'string' && theirs?.socket === socket;
  return [
    ...(isPort
      ? [read.complain(['status', 'listen'], 'is that of events.listen too; give one of them another port')]
      : []),
    ...(isSocket
      ? [read.complain(['status', 'socket'], 'is that of events.listen too; give one of them another path')]
      : []),
  ];
}

/** What the parts of `events` say of each other, and of the collectors. */
export function wrongEvents(
  data: FileConfig,
  read: ConfigFile,
  collectors: ReadonlyMap<string, Collector>,
): Complaint[] {
  if (data.events === undefined) return [];
  return eventFaults(data.events, collectors).map(({ path, message }) => read.complain(['events', ...path], message));
}
