/** Class trees by tc(8): one program for all qdiscs, and one for the classes of each device. */
import type { Host, Kept } from '../../src/collector.ts';
import { asFailure, type Failure } from '../../src/errors.ts';
import { ofDevice } from './of-device.ts';
import { parseClasses, parseQdiscs } from './parse.ts';
import type { ClassRecord, Parsed, QdiscRecord } from './record.ts';
import type { Forest, Tree } from './tree.ts';

/** So many programs at once. */
const AT_ONCE = 4;
const ARE_SHAPED: ReadonlySet<string> = new Set(['htb', 'hfsc']);

export async function readByTc(host: Host, wanted: (device: string) => boolean): Promise<Forest> {
  const { records, problems } = parseQdiscs(await host.run(['tc', '-s', '-d', 'qdisc', 'show']));
  const byDevice = new Map<string, QdiscRecord[]>();
  const devices = new Set<string>();
  for (const record of records) {
    const { kind, device } = record;
    if (device === undefined || !wanted(device)) continue;
    devices.add(device);
    if (!ARE_SHAPED.has(kind)) continue;
    const there = byDevice.get(device);
    if (there === undefined) byDevice.set(device, [record]);
    else there.push(record);
  }
  const memory = host.keep<Memory>('htb by tc', () => ({ json: true, handles: new Map(), close() {} }));
  for (const device of memory.handles.keys()) if (!byDevice.has(device)) memory.handles.delete(device);
  const all = [...problems];
  const trees: Tree[] = [];
  const queue = [...byDevice];
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [device, qdiscs] = next;
      try {
        const { records: classes, problems: unread } = await wholeDump(host, device, qdiscs, memory);
        trees.push({ device, qdiscs, classes });
        all.push(...unread.map((problem) => ofDevice(problem, device)));
      } catch (thrown) {
        const failure = asFailure(thrown);
        if (!isGone(failure)) all.push(ofDevice(failure, device));
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  trees.sort((a, b) => (a.device < b.device ? -1 : 1));
  const bare = problems.length > 0 ? [] : [...devices].filter((device) => !byDevice.has(device));
  return { trees, bare, problems: all };
}

interface Memory extends Kept {
  /** This tc knows `-j`. */
  json: boolean;
  /** Device → the classes that its last dump had. */
  readonly handles: Map<string, ReadonlySet<string>>;
}

/** Two dumps that miss the same classes are believed; a third one always is. */
const MAX_DUMPS = 3;

/**
 * While classes come and go, a dump may lack others that are there, and neither the kernel nor tc says so. One that
 * lacks a class of the run before is made again, since what seems to vanish and return would begin anew.
 */
async function wholeDump(
  host: Host,
  device: string,
  qdiscs: readonly QdiscRecord[],
  memory: Memory,
): Promise<Parsed<ClassRecord>> {
  const known = memory.handles.get(device) ?? new Set();
  let missing = Number.POSITIVE_INFINITY;
  for (let dump = 1; ; dump++) {
    const parsed = parseClasses(await classText(host, device, qdiscs, memory));
    const handles = new Set(parsed.records.map(({ handle }) => handle));
    const before = missing;
    missing = [...known].filter((handle) => !handles.has(handle)).length;
    if (missing > 0 && missing !== before && dump < MAX_DUMPS) continue;
    memory.handles.set(device, handles);
    return parsed;
  }
}

/**
 * JSON has exact rates, and is what iproute2 prints from 6.2 on; 4.15 to 6.1 take `-j` and print text, and older ones
 * refuse it, which is remembered. Of HFSC classes there is text in the JSON.
 */
async function classText(host: Host, device: string, qdiscs: readonly QdiscRecord[], memory: Memory): Promise<string> {
  const words = ['-s', '-d', 'class', 'show', 'dev', device];
  if (!memory.json || qdiscs.some(({ kind }) => kind === 'hfsc')) return host.run(['tc', ...words]);
  try {
    return await host.run(['tc', '-j', ...words]);
  } catch (thrown) {
    if (!/Option \\?"-j\\?" is unknown/.test(asFailure(thrown).message)) throw thrown;
    memory.json = false;
    return host.run(['tc', ...words]);
  }
}

/** A device that went away between two questions is no problem: it is gone. */
function isGone({ code, evidence }: Failure): boolean {
  return code === 'E_EXIT' && /Cannot find device/.test(evidence.stderr ?? '');
}
