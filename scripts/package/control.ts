/** The control files of a package: what it is, needs and replaces. */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { filesBelow } from './stage.ts';

export const packageNames = ['edgestatd', 'edgestatd-bundle'] as const;
export type PackageName = (typeof packageNames)[number];

export const MAINTAINER = 'The edgestatd maintainers <maintainers@edgestatd.example>';
/** Debian's name of the machine that builds; the addon and the runtime are for it alone. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

export function debianArchitecture(arch: string = process.arch): string {
  const found = ARCHITECTURES[arch];
  if (found === undefined)
    throw new Error(`no package is made for ${arch}; expected ${Object.keys(ARCHITECTURES).join(' or ')}`);
  return found;
}

const ABOUT: Readonly<Record<PackageName, string>> = {
  edgestatd: ` It runs on the Node.js of the system, 22.13 or newer. Where there is none,
 install edgestatd-bundle, which brings its own.`,
  'edgestatd-bundle': ` This package brings its own Node.js and runs on any Debian or Ubuntu that has
 the libraries it depends on.`,
};

/** `libraries` are the dependencies of what is no JavaScript. */
export function controlText(
  name: PackageName,
  version: string,
  libraries: readonly string[],
  installedKib: number,
): string {
  const other = packageNames.find((one) => one !== name) ?? '';
  const node = name === 'edgestatd' ? ['nodejs (>= 22.13)'] : [];
  const ours = name === 'edgestatd' ? '' : `Provides: edgestatd (= ${version})\n`;
  return `Package: ${name}
Version: ${version}
Architecture: ${debianArchitecture()}
Maintainer: ${MAINTAINER}
Installed-Size: ${installedKib}
Depends: ${[...libraries, ...node, 'passwd'].join(', ')}
Recommends: iproute2
Suggests: openvswitch-switch
${ours}Conflicts: ${other}
Replaces: ${other}
Section: net
Priority: optional
Description: metrics collector daemon for OpenStack-style edge nodes
 Collects on a schedule from HTB classes, Open vSwitch, RabbitMQ, the TCP
 stack, interfaces and processes, on this machine or over SSH, turns totals
 into increments and ratios, and sends them to StatsD, or to Carbon through a
 spool.
 Deploys and other events go to Graphite.
 .
${ABOUT[name]}
`;
}

/** Lines as md5sum(1) prints them; dpkg -V compares with them. */
export function md5sums(tree: string): string {
  return filesBelow(tree)
    .filter((file) => !file.startsWith('DEBIAN/') && !file.startsWith('etc/'))
    .map(
      (file) =>
        `${createHash('md5')
          .update(readFileSync(join(tree, file)))
          .digest('hex')}  ${file}\n`,
    )
    .join('');
}

/** What the files take on a disk of blocks of 1 KiB. */
export function installedKib(tree: string): number {
  return filesBelow(tree).reduce((sum, file) => sum + Math.ceil(statSync(join(tree, file)).size / 1024), 0);
}
