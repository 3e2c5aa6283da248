/** Class trees by tc(8): one program for all qdiscs, and one for the classes of each device. */
import type { Host, Kept } from '../../src/collector.ts';
import { asFailure, type Failure } from '../../src/errors.ts';
import { ofDevice } from './of-device.ts';
import { parseClasses, parseQdiscs } from './parse.ts';
import type { ClassRecord, Parsed, QdiscRecord } from './record.ts';
import type { Survey, Tree } from './tree.ts';

/** So many programs at once. */
const AT_ONCE = 4;

/** `asker` tells apart who asks for different devices: what was seen before is remembered for each. */
export async function readByTc(host: Host, wanted: (device: string) => boolean, asker: string): Promise<Survey> {
  const fresh = (): Memory => ({ json: true, broken: new Set(), qdiscs: new Set(), handles: new Map(), close() {} });
  const memory = host.keep<Memory>(`htb by tc ${asker}`, fresh);
  const { records, problems } = await wholeQdiscs(host, memory);
  const byDevice = new Map<string, QdiscRecord[]>();
  const devices = new Set<string>();
  for (const record of records) {
    const { device } = record;
    if (device === undefined || !wanted(device)) continue;
    devices.add(device);
    if (!isShaped(record)) continue;
    const there = byDevice.get(device);
    if (there === undefined) byDevice.set(device, [record]);
    else there.push(record);
  }
  for (const device of memory.handles.keys()) if (!byDevice.has(device)) memory.handles.delete(device);
  for (const device of memory.broken) if (!byDevice.has(device)) memory.broken.delete(device);
  const all = [...problems];
  const trees: Tree[] = [];
  const queue = [...byDevice];
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [device, qdiscs] = next;
      try {
        const { records: classes, problems: unread } = await wholeClasses(host, device, qdiscs, memory);
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
  return { trees, shaped: records.filter(isShaped), bare, problems: all };
}

interface Memory extends Kept {
  /** This tc knows `-j`. */
  json: boolean;
  /** Devices of whose classes it prints text into the JSON. */
  readonly broken: Set<string>;
  /** The HTB and HFSC qdiscs that the last dump had, of all devices: `device handle`. */
  qdiscs: ReadonlySet<string>;
  /** Device → the classes that its last dump had. */
  readonly handles: Map<string, ReadonlySet<string>>;
}

/** Two dumps on end that miss the same are believed; a third one always is. */
const MAX_DUMPS = 3;

/**
 * While others come and go, a dump may lack what is there, and neither the kernel nor tc says so. One that lacks
 * something of the run before is made again, since what seems to vanish and return would begin anew. What was there
 * before and is in any dump of this run is there: what is really gone is in none.
 */
async function whole<Item>(
  known: ReadonlySet<string>,
  ask: () => Promise<Parsed<Item>>,
  nameOf: (item: Item) => string | undefined,
): Promise<Parsed<Item> & { readonly names: ReadonlySet<string> }> {
  const seen = new Map<string, Item>();
  let before: string | undefined;
  for (let dump = 1; ; dump++) {
    const { records, problems } = await ask();
    const names = new Set<string>();
    for (const record of records) {
      const name = nameOf(record);
      if (name === undefined) continue;
      names.add(name);
      if (known.has(name)) seen.set(name, record);
    }
    const missing = JSON.stringify([...known].filter((name) => !names.has(name)));
    if (seen.size === known.size || missing === before || dump === MAX_DUMPS) {
      const others = [...seen].filter(([name]) => !names.has(name));
      for (const [name] of others) names.add(name);
      return { records: [...others.map(([, record]) => record), ...records], problems, names };
    }
    before = missing;
  }
}

async function wholeQdiscs(host: Host, memory: Memory): Promise<Parsed<QdiscRecord>> {
  const ask = async () => parseQdiscs(await host.run(['tc', '-s', '-d', 'qdisc', 'show']));
  const dump = await whole(memory.qdiscs, ask, (record) =>
    isShaped(record) ? `${record.device} ${record.handle}` : undefined,
  );
  memory.qdiscs = dump.names;
  return dump;
}

async function wholeClasses(
  host: Host,
  device: string,
  qdiscs: readonly QdiscRecord[],
  memory: Memory,
): Promise<Parsed<ClassRecord>> {
  const ask = () => classesOf(host, device, qdiscs, memory);
  const dump = await whole(memory.handles.get(device) ?? new Set(), ask, ({ handle }) => handle);
  memory.handles.set(device, dump.names);
  return dump;
}

/**
 * JSON has exact rates, and is what iproute2 prints from 6.2 on; 4.15 to 6.1 take `-j` and print text, and older ones
 * refuse it, which is remembered. Classes of HFSC, and for some versions those of SFQ, are text within the JSON, which
 * then is none: of such a device it is asked for text.
 */
async function classesOf(
  host: Host,
  device: string,
  qdiscs: readonly QdiscRecord[],
  memory: Memory,
): Promise<Parsed<ClassRecord>> {
  const words = ['-s', '-d', 'class', 'show', 'dev', device];
  const asText = async () => parseClasses(await host.run(['tc', ...words]));
  if (!memory.json || memory.broken.has(device) || qdiscs.some(({ kind }) => kind === 'hfsc')) return asText();
  let text: string;
  try {
    text = await host.run(['tc', '-j', ...words]);
  } catch (thrown) {
    if (!/Option \\?"-j\\?" is unknown/.test(asFailure(thrown).message)) throw thrown;
    memory.json = false;
    return asText();
  }
  const parsed = parseClasses(text);
  if (parsed.problems.length === 0 || !isBrokenJson(text)) return parsed;
  memory.broken.add(device);
  return asText();
}

function isBrokenJson(text: string): boolean {
  if (!text.trimStart().startsWith('[')) return false;
  try {
    JSON.parse(text);
    return false;
  } catch {
    return true;
  }
}

function isShaped({ kind }: QdiscRecord): boolean {
  return kind === 'htb' || kind === 'hfsc';
}

/** A device that went away between two questions is no problem: it is gone. */
function isGone({ code, evidence }: Failure): boolean {
  return code === 'E_EXIT' && /Cannot find device/.test(evidence.stderr ?? '');
}
