/** /usr/share/doc/PACKAGE/copyright: our licence, and that of each module that the package carries. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isShipped, staysApart } from './prune.ts';

interface Part {
  readonly files: string;
  /** The module. */
  readonly name: string;
  readonly licence: string;
  readonly text: string;
}

/** Modules below node_modules, those of scopes too. */
function modulesBelow(folder: string): string[] {
  return readdirSync(folder)
    .flatMap((name) =>
      name.startsWith('@') ? readdirSync(join(folder, name)).map((inner) => `${name}/${inner}`) : [name],
    )
    .filter((name) => isShipped(name) && existsSync(join(folder, name, 'package.json')))
    .toSorted();
}

/** The files of a folder that state a licence. */
function licenceText(folder: string): string {
  const names = readdirSync(folder).filter((name) => /^(?:LICEN[CS]E|COPYING|NOTICE)/i.test(name));
  return names
    .toSorted()
    .map((name) => readFileSync(join(folder, name), 'utf8').trim())
    .join('\n\n');
}

function partOf(modules: string, name: string): Part {
  const manifest = JSON.parse(readFileSync(join(modules, name, 'package.json'), 'utf8'));
  const licence = typeof manifest.license === 'string' ? manifest.license : 'see-below';
  const author = typeof manifest.author === 'string' ? manifest.author : (manifest.author?.name ?? '');
  const unsaid = `Declared as ${licence} in its package.json${author === '' ? '' : `, by ${author}`}; it has no other text.`;
  return {
    files: staysApart(`${name}/`) ? `usr/lib/edgestatd/node_modules/${name}/*` : 'usr/lib/edgestatd/dist/src/*',
    name,
    licence: licence.replaceAll(/[()]/g, '').replaceAll(/\s+/g, '-'),
    text: licenceText(join(modules, name)) || unsaid,
  };
}

/** A text as a field of a control file goes on: indented, empty lines as dots, nothing that drives a terminal. */
const continued = (text: string): string =>
  text
    .replaceAll(/\r\n?/g, '\n')
    .replaceAll(/[^\P{Cc}\n\t]/gu, '')
    .split('\n')
    .map((line) => (line.trim() === '' ? ' .' : ` ${line.trimEnd()}`))
    .join('\n');

function stanza({ files, name, licence, text }: Part): string {
  const holders = text.split('\n').filter((line) => /^\s*(?:Copyright|\(c\)|©)/i.test(line));
  const copyright =
    holders.length === 0 ? 'see the text of the licence' : holders.map((line) => line.trim()).join('; ');
  return `Files: ${files}\nComment: ${name}\nCopyright: ${copyright}\nLicense: ${licence}\n${continued(text)}\n`;
}

const OURS = `Files: *
Copyright: the edgestatd authors
License: Apache-2.0
 On Debian systems, the full text of the Apache License version 2.0 is in
 /usr/share/common-licenses/Apache-2.0.
`;

/** The text. `nodeLicence` is that of the Node.js which the package carries too. */
export function copyrightText(modules: string, nodeLicence?: string): string {
  const parts = modulesBelow(modules).map((name) => partOf(modules, name));
  const node: Part[] =
    nodeLicence === undefined
      ? []
      : [{ files: 'usr/lib/edgestatd/bin/node', name: 'Node.js', licence: 'Node.js', text: nodeLicence }];
  const head = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: edgestatd\n`;
  return [head, OURS, ...[...parts, ...node].map(stanza)].join('\n');
}
