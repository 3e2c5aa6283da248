/** edgestatd.yaml(5): every option of the configuration, and of each collector. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { registry } from '../../collectors/registry.ts';
import { configSchema } from '../../src/schema.ts';
import { jsonSchema } from './json-schema.ts';
import { type Group, groupsOf, type Option } from './option-groups.ts';
import { bold, example, italic, item, literal, paragraph, section, subsection } from './roff.ts';

const home = resolve(import.meta.dirname, '../..');

export function configurationPage(title: string): string {
  const collectors = [...registry.values()].toSorted((one, other) => (one.name < other.name ? -1 : 1));
  return [
    title,
    section('NAME', 'edgestatd.yaml \\- configuration of edgestatd'),
    section('SYNOPSIS', italic('/etc/edgestatd/edgestatd.yaml')),
    section('DESCRIPTION', ...DESCRIPTION.map(paragraph)),
    section('OPTIONS', ...groupsOf('', jsonSchema(configSchema)).map((group) => groupText(group))),
    section(
      'COLLECTORS',
      paragraph('What may stand under `options` of a job, by its `collector`.'),
      ...collectors.flatMap(({ name, options }) =>
        groupsOf('', jsonSchema(options)).map((group) => groupText(group, name)),
      ),
    ),
    section(
      'EXAMPLES',
      paragraph('The configuration of the Debian package:'),
      example(withoutComments(readFileSync(join(home, 'config/debian/edgestatd.yaml'), 'utf8'))),
    ),
    section(
      'FILES',
      item(italic('/usr/share/doc/edgestatd/example.yaml'), 'Every option where it stands, with its default.'),
      item(italic('/usr/lib/edgestatd/config/schema.json'), 'The JSON schema, for editors.'),
    ),
    section('SEE ALSO', '.BR edgestatd (1)'),
  ].join('\n');
}

/** `collector` where it is one of a collector's own. */
function groupText({ path, about, options }: Group, collector?: string): string {
  const where = path === '' ? (collector ?? 'The file') : collector === undefined ? path : `${collector}: ${path}`;
  const rows = options.length === 0 ? [paragraph('It has no options.')] : options.map(optionText);
  return subsection(where, ...(about === '' ? [] : [paragraph(about)]), ...rows);
}

function optionText({ name, type, usual, meaning }: Option): string {
  const shown = usual === 'required' ? ' Required.' : usual === '–' ? '' : ` Default: ${plain(usual)}.`;
  const stop = meaning === '' || /[.!?)]$/.test(meaning) ? '' : '.';
  return item(`${bold(name)} (${literal(plain(type).replaceAll('`', ''))})`, `${meaning}${stop}${shown}`.trim());
}

/** The cells of a Markdown table escape what would end them. */
const plain = (text: string): string => text.replaceAll('\\|', '|');

const withoutComments = (text: string): string =>
  text
    .split('\n')
    .filter((line) => !/^\s*#/.test(line) && line.trim() !== '')
    .join('\n');

const DESCRIPTION = [
  'The configuration of edgestatd(1), in YAML 1.2. An option that does not exist is refused, with its line and the nearest name that does. `edgestatd check` tries what is written, and `systemctl reload edgestatd` takes it into use; a daemon that is told to reload goes on with its old configuration when the new one is not valid.',
  `A duration has a unit: \`500ms\`, \`10s\`, \`5m\`, \`1h\`, \`7d\`. A size has one: \`64KiB\`, \`8MiB\`, \`1GiB\`. A secret is given by reference alone: \`\${env:NAME}\` is a variable of the environment, \`\${credential:NAME}\` a file that systemd hands over (LoadCredential=), and an option of the same name with \`File\` behind names a file. \`\${env:NAME:-text}\` has a default, which a secret may not have; with an empty one an option is as if it were not there while the variable is not set or empty.`,
  'Below, `sinks[]` is an entry of the list `sinks`, and `NAME` a name that you choose.',
];
