/** The unit and its drop-ins as systemd itself judges them, and whether docs/security.md tells the same. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const config = new URL('../config/', import.meta.url).pathname;
const UNIT = 'edgestatd.service';
const SYSTEM_UNITS = '/lib/systemd/system';
const dropIns = readdirSync(join(config, 'systemd')).map((file) => basename(file, '.conf'));
const document = readFileSync(new URL('../docs/security.md', import.meta.url), 'utf8');
/** Without it there is nothing to ask; in CI test/support/packages.ts has installed it. */
const version = Number(
  /^systemd ([0-9]+)/.exec(spawnSync('systemd-analyze', ['--version']).stdout?.toString() ?? '')?.[1],
);
if (Number.isNaN(version) && process.env.CI !== undefined) throw new Error('systemd-analyze is not installed');

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'edgestatd-unit-'));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** A root with the unit, these drop-ins, and as much of a system as the unit refers to. */
function rootWith(names: readonly string[]): string {
  const root = mkdtempSync(join(scratch, 'root-'));
  const units = join(root, 'etc/systemd/system');
  mkdirSync(join(units, `${UNIT}.d`), { recursive: true });
  copyFileSync(join(config, UNIT), join(units, UNIT));
  for (const name of names) copyFileSync(join(config, `systemd/${name}.conf`), join(units, `${UNIT}.d/${name}.conf`));
  mkdirSync(join(root, SYSTEM_UNITS), { recursive: true });
  for (const file of readdirSync(SYSTEM_UNITS))
    if (/\.(target|slice)$/.test(file))
      writeFileSync(join(root, SYSTEM_UNITS, file), readFileSync(join(SYSTEM_UNITS, file)));
  for (const program of ['usr/bin/edgestatd', 'bin/kill']) {
    mkdirSync(join(root, program, '..'), { recursive: true });
    writeFileSync(join(root, program), '#!/bin/sh\n');
    chmodSync(join(root, program), 0o755);
  }
  return root;
}

/** What systemd-analyze(1) has to say; nothing is good. */
function complaintsOf(names: readonly string[]): string {
  const root = rootWith(names);
  const { stdout, stderr, status } = spawnSync('systemd-analyze', ['verify', '--man=no', `--root=${root}`, UNIT], {
    encoding: 'utf8',
  });
  // What the machine's own targets and slices are told is not ours.
  const ours = `${stdout}${stderr}`.split('\n').filter((line) => line.includes('edgestatd'));
  return status === 0 ? ours.join('\n') : `status ${status}: ${stdout}${stderr}`;
}

/** The overall number of systemd-analyze security: 0 is the least that a service is exposed, 10 the most. */
function exposureOf(names: readonly string[]): number {
  const unit = join(rootWith(names), 'etc/systemd/system', UNIT);
  const out = execFileSync('systemd-analyze', ['security', '--offline=true', '--no-pager', unit], { encoding: 'utf8' });
  const number = /Overall exposure level for edgestatd\.service: ([0-9]+\.[0-9])/.exec(out)?.[1];
  if (number === undefined) throw new Error(`no number in ${out}`);
  return Number(number);
}

/** The rows of the table of drop-ins: its first cell names the file, its last one the number. */
function documented(): Record<string, number> {
  const rows = document.matchAll(/^\| *`?([a-z-]+\.conf|edgestatd\.service)`? *\|.*\| *([0-9]+\.[0-9]) *\|$/gm);
  return Object.fromEntries([...rows].map(([, name = '', number]) => [name, Number(number)]));
}

const directives = (text: string): string[] => text.split('\n').filter((line) => /^[A-Z][A-Za-z]+=/.test(line));

describe.skipIf(Number.isNaN(version))('the unit, to systemd-analyze', () => {
  it('is right', () => {
    expect(complaintsOf([])).toBe('');
  });

  it('is exposed by at most 2.0', () => {
    expect(exposureOf([])).toBeLessThanOrEqual(2);
  });

  it.each(dropIns)('is right with the drop-in %s', (name) => {
    const told = complaintsOf([name]);
    if (name === 'notify-reload' && version < 253) expect(told).toContain('Failed to parse');
    else expect(told).toBe('');
  });

  // Newer versions of systemd judge more; the numbers of the document are those of Debian 12.
  it.skipIf(version !== 252)('has the numbers that docs/security.md tells', () => {
    const found = Object.fromEntries([
      [UNIT, exposureOf([])],
      ...dropIns.map((name) => [`${name}.conf`, exposureOf([name])]),
    ]);
    expect(documented()).toEqual(found);
  });
});

describe('the drop-ins', () => {
  it.each(dropIns)('%s says who needs it, why, and what it gives away', (name) => {
    const text = readFileSync(join(config, `systemd/${name}.conf`), 'utf8');
    for (const word of ['# For: ', '# Why: ', '# Gives: ']) expect(text).toContain(word);
    expect(directives(text).length).toBeGreaterThan(0);
    expect(text).toMatch(/^\[Service\]$/m);
  });

  it('give a capability to the service only within its bound', () => {
    for (const name of dropIns) {
      const all = directives(readFileSync(join(config, `systemd/${name}.conf`), 'utf8'));
      const [ambient, bound] = ['AmbientCapabilities=', 'CapabilityBoundingSet='].map((key) =>
        all.find((line) => line.startsWith(key))?.slice(key.length),
      );
      if (ambient !== undefined) expect(bound, name).toBe(ambient);
    }
  });

  it('are all in docs/security.md, and no other', () => {
    expect(Object.keys(documented()).sort()).toEqual([UNIT, ...dropIns.map((name) => `${name}.conf`)].sort());
  });
});
