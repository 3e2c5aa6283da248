/** The manual pages: what a reader of them sees, and that what they are made of cannot break them. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { registry } from '../collectors/registry.ts';
import { manFiles } from '../scripts/generated/man.ts';
import { escaped, example, item, literal, prose, section, titleLine } from '../scripts/generated/roff.ts';
import { buildProgram } from '../src/program.ts';
import { configShape } from '../src/schema.ts';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '..');
const pages = [...manFiles(root)].map(([file, text]) => [basename(file), text] as const);
let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'edgestatd-man-'));
  for (const [name, text] of pages) writeFileSync(join(folder, name), text);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What a terminal of 80 columns shows, without bold. */
async function shown(file: string): Promise<string> {
  const { stdout } = await run('mandoc', ['-Tutf8', '-O', 'width=78', file]);
  return stdout.replaceAll(/.\x08/gu, '');
}
const flat = (text: string): string => text.replaceAll(/\s+/g, ' ');

describe.each(pages)('%s', (name) => {
  it('has nothing that mandoc would warn of', async () => {
    const { stdout } = await run('mandoc', ['-Tlint', '-Wwarning', join(folder, name)]);
    expect(stdout).toBe('');
  });

  it('is shown by man(1) too', async () => {
    const env = { ...process.env, MANPAGER: 'cat', PAGER: 'cat', MANWIDTH: '80', LC_ALL: 'C.UTF-8' };
    const { stdout, stderr } = await run('man', ['--warnings', '-l', join(folder, name)], { env });
    expect(stderr).toBe('');
    expect(stdout).toContain('SEE ALSO');
  });
});

it('edgestatd(1) tells every command, every option, exit codes, files and signals', async () => {
  const text = await shown(join(folder, 'edgestatd.1'));
  const program = buildProgram(() => {});
  const commands = program.commands.flatMap((one) => (one.commands.length === 0 ? [one] : one.commands));
  expect(commands.length).toBeGreaterThan(8);
  for (const command of commands) {
    expect(text).toMatch(new RegExp(`^ {3}edgestatd (?:event )?${command.name()}$`, 'm'));
    for (const { long } of command.options) expect(text).toMatch(new RegExp(`^ {7}${long}\\b`, 'm'));
  }
  for (const words of ['EXIT STATUS', '/var/lib/edgestatd/', 'SIGHUP', 'NO_COLOR', '--id build-4711'])
    expect(text).toContain(words);
  expect(flat(text)).toContain(`\${credential:NAME}`);
});

it('edgestatd.yaml(5) tells every option of the file and of each collector, with its default', async () => {
  const text = await shown(join(folder, 'edgestatd.yaml.5'));
  for (const name of Object.keys(configShape)) expect(text).toMatch(new RegExp(`^ {7}${name} \\(`, 'm'));
  for (const name of registry.keys()) expect(text).toMatch(new RegExp(`^ {3}${name}$`, 'm'));
  expect(flat(text)).toMatch(/gracePeriod \(duration\) .*? Default: "10s"\./);
  expect(flat(text)).toContain('state: /var/lib/edgestatd/state.db');
});

describe('roff', () => {
  const HOSTILE = '.so /etc/passwd\n\'br\n\\fBbold\\fR \\n[.F] \\*[x] a-b `c-d` \u001b[31mred\u0007 … – ü "q" ^~';
  const render = async (text: string): Promise<string> => {
    const file = join(folder, 'hostile.1');
    writeFileSync(file, `${titleLine('x "y', 1, '2026-01-01', '1.0', 'm')}\n${text}\n`);
    expect((await run('mandoc', ['-Tlint', '-Werror', file])).stdout).toBe('');
    return flat(await shown(file));
  };

  it('prints what it is given, whatever stands in it', async () => {
    const text = await render(section('ONE', prose(HOSTILE), item(literal('--a-b'), HOSTILE), example(HOSTILE)));
    expect(text.split('.so /etc/passwd').length).toBe(4);
    expect(text).toContain("'br \\fBbold\\fR \\n[.F] \\*[x] a-b c-d [31mred");
    expect(text).toContain('– ü "q" ^~');
    expect(text).toContain('--a-b');
  });

  it('leaves no control character and no byte beyond ASCII', () => {
    expect(escaped(HOSTILE)).toMatch(/^[\x20-\x7e]*$/);
    for (const [, text] of pages) expect(text).toMatch(/^[\x20-\x7e\n]*$/);
  });

  it('begins no line with a request but its own', () => {
    const lines = prose(`${'word '.repeat(40)}.so x 'br ${'.hidden '.repeat(30)}`).split('\n');
    expect(lines.length).toBeGreaterThan(4);
    for (const line of lines) expect(line).not.toMatch(/^[.']/);
  });
});
