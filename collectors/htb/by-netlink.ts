/** Class trees by rtnetlink(7): three kinds of dumps, and no program. */
import type { Host } from '../../src/collector.ts';
import { asFailure, type Failure } from '../../src/errors.ts';
import { classesRequest, linksRequest, qdiscsRequest } from './netlink.ts';
import { decodeClasses } from './netlink-class.ts';
import { decodeLinks } from './netlink-link.ts';
import { decodeQdiscs } from './netlink-qdisc.ts';
import { ofDevice } from './of-device.ts';
import type { QdiscRecord } from './record.ts';
import type { Forest, Tree } from './tree.ts';

export async function readByNetlink(host: Host, wanted: (device: string) => boolean): Promise<Forest> {
  const qdiscs = decodeQdiscs(await host.netlink(qdiscsRequest()));
  const shaped = qdiscs.records.filter(({ kind }) => kind === 'htb' || kind === 'hfsc');
  const problems: Failure[] = [...qdiscs.problems];
  const trees: Tree[] = [];
  // Names are looked up after the qdiscs: a device that is gone meanwhile has none, and is left out.
  const links = decodeLinks(await host.netlink(linksRequest()));
  problems.push(...links.problems);
  const names = new Map(links.records.map(({ ifindex, name }) => [ifindex, name]));
  const byIndex = new Map<number, QdiscRecord[]>();
  for (const record of shaped) {
    const { ifindex } = record;
    const device = ifindex === undefined ? undefined : names.get(ifindex);
    if (ifindex === undefined || device === undefined || !wanted(device)) continue;
    const there = byIndex.get(ifindex);
    if (there === undefined) byIndex.set(ifindex, [record]);
    else there.push(record);
  }
  for (const [ifindex, own] of byIndex) {
    const device = names.get(ifindex) ?? '';
    try {
      const { records, problems: unread } = decodeClasses(await host.netlink(classesRequest(ifindex)));
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
  return { trees, bare: qdiscs.problems.length > 0 ? [] : bare, problems };
}
