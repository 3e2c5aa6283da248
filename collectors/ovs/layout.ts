/** The rows of the database → which bridges, ports and interfaces there are, and what their series are labelled. Pure. */
import { numberIn, type Row, type Tables, textIn, textsIn } from '../../src/ovs/database.ts';
import { matcher } from '../../src/text.ts';
import type { OvsOptions } from './options.ts';

export interface InterfaceLabels {
  readonly bridge: string;
  /** Undefined where the port is called like its only interface. */
  readonly port: string | undefined;
  readonly interface: string;
}

export interface Interface {
  readonly name: string;
  readonly row: Row;
  readonly labels: InterfaceLabels;
}

export interface Bond {
  readonly labels: { readonly bridge: string; readonly port: string };
  /** By the interface's name; without those that are not to be measured. */
  readonly members: ReadonlyMap<string, InterfaceLabels>;
}

export interface Bridge {
  readonly name: string;
  readonly row: Row;
  readonly protocols: readonly string[];
  /** By the OpenFlow port; undefined: not to be measured. */
  readonly ports: ReadonlyMap<number, InterfaceLabels | undefined>;
}

export interface Layout {
  readonly bridges: readonly Bridge[];
  /** By name, which is unique in the database. */
  readonly interfaces: ReadonlyMap<string, Interface>;
  /** By the port's name: those with several interfaces, and those that speak LACP. */
  readonly bonds: ReadonlyMap<string, Bond>;
  readonly hasLacp: boolean;
}

type Choice = Pick<OvsOptions, 'bridges' | 'excludeBridges' | 'interfaces' | 'excludeInterfaces'>;

export function layoutOf(tables: Tables, choice: Choice): Layout {
  const wantsBridge = chosen(choice.bridges, choice.excludeBridges);
  const wantsInterface = chosen(choice.interfaces, choice.excludeInterfaces);
  const rows = (table: string, uuids: readonly string[]): Row[] =>
    uuids.map((uuid) => tables.get(table)?.get(uuid)).filter((row) => row !== undefined);
  const bridges: Bridge[] = [];
  const interfaces = new Map<string, Interface>();
  const bonds = new Map<string, Bond>();
  let hasLacp = false;

  for (const row of tables.get('Bridge')?.values() ?? []) {
    const bridge = textIn(row.name);
    if (bridge === undefined || !wantsBridge(bridge)) continue;
    const ports = new Map<number, InterfaceLabels | undefined>();
    for (const portRow of rows('Port', textsIn(row.ports))) {
      const port = textIn(portRow.name) ?? '';
      const uuids = textsIn(portRow.interfaces);
      const members = new Map<string, InterfaceLabels>();
      for (const interfaceRow of rows('Interface', uuids)) {
        const name = textIn(interfaceRow.name);
        if (name === undefined) continue;
        const labels = wantsInterface(name)
          ? { bridge, port: port === name ? undefined : port, interface: name }
          : undefined;
        const ofport = numberIn(interfaceRow.ofport);
        if (ofport !== undefined && ofport >= 0) ports.set(ofport, labels);
        if (labels === undefined) continue;
        interfaces.set(name, { name, row: interfaceRow, labels });
        members.set(name, labels);
      }
      const speaksLacp = ['active', 'passive'].includes(textIn(portRow.lacp) ?? 'off');
      hasLacp ||= speaksLacp;
      if (uuids.length > 1 || speaksLacp) bonds.set(port, { labels: { bridge, port }, members });
    }
    bridges.push({ name: bridge, row, protocols: textsIn(row.protocols), ports });
  }
  return { bridges, interfaces, bonds, hasLacp };
}

function chosen(include: readonly string[], exclude: readonly string[]): (name: string) => boolean {
  const [included, excluded] = [matcher(include), matcher(exclude)];
  return (name) => included(name) && !excluded(name);
}
