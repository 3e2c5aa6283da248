/** Class trees by rtnetlink(7): three kinds of dumps, and no program. */
import type { Host } from '../../src/collector.ts';
import { asFailure, type Failure } from '../../src/errors.ts';
import { classesRequest, linksRequest, qdiscsRequest } from './netlink.ts';
import { decodeClasses } from './netlink-class.ts';
import { decodeLinks, type LinkRecord } from './netlink-link.ts';
import { decodeQdiscs } from './netlink-qdisc.ts';
import { ofDevice } from './of-device.ts';
import type { Parsed, QdiscRecord } from './record.ts';
import type { Survey, Tree } from './tree.ts';

export async function readByNetlink(host: Host, wanted: (device: string) => boolean): Promise<Survey> {
  const dump = await host.netlink(qdiscsRequest());
  // Names are looked up after the qdiscs: a device that is gone meanwhile has none, and is left out.
  const links = await readLinks(host);
  const names = namesOf(links);
  const qdiscs = decodeQdiscs(dump, names);
  const problems: Failure[] = [...qdiscs.problems, ...links.problems];
  const trees: Tree[] = [];
  const shaped = qdiscs.records.filter(({ kind }) => kind === 'htb' || kind === 'hfsc');
  const byIndex = new Map<number, QdiscRecord[]>();
  for (const record of shaped) {
    const { ifindex, device } = record;
    if (ifindex === undefined || device === undefined || !wanted(device)) continue;
    const there = byIndex.get(ifindex);
    if (there === undefined) byIndex.set(ifindex, [record]);
    else there.push(record);
  }
  for (const [ifindex, own] of byIndex) {
    const device = names.get(ifindex) ?? '';
    try {
      const { records, problems: unread } = decodeClasses(await host.netlink(classesRequest(ifindex)), ifindex);
      trees.push({ device, qdiscs: own, classes: records });
      problems.push(...unread.map((problem) => ofDevice(problem, device)));
    } catch (thrown) {
      const failure = asFailure(thrown);
      // ENODEV: it went away between two questions.
      if (failure.code !== 'E_NOT_FOUND') problems.push(ofDevice(failure, device));
    }
  }
  trees.sort((a, b) => (a.device < b.device ? -1 : 1));
  const taken = new Set(shaped.map(({ ifindex }) => ifindex));
  const bare = links.records.filter(({ ifindex, name }) => wanted(name) && !taken.has(ifindex)).map(({ name }) => name);
  return {
    trees: await withoutGone(host, trees),
    shaped,
    bare: qdiscs.problems.length > 0 ? [] : bare,
    problems,
  };
}

async function readLinks(host: Host): Promise<Parsed<LinkRecord>> {
  return decodeLinks(await host.netlink(linksRequest()));
}

function namesOf({ records }: Parsed<LinkRecord>): ReadonlyMap<number, string> {
  return new Map(records.map(({ ifindex, name }) => [ifindex, name]));
}

/** Of a device that has just gone away the kernel says not that, but that there are no classes. */
async function withoutGone(host: Host, trees: readonly Tree[]): Promise<readonly Tree[]> {
  if (trees.every(({ classes }) => classes.length > 0)) return trees;
  const still = namesOf(await readLinks(host));
  return trees.filter(({ classes, qdiscs }) => classes.length > 0 || still.has(qdiscs[0]?.ifindex ?? -1));
}
