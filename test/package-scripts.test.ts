/** The shell scripts of the packages, and what does not need a package to be seen. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { debianChangelog, rfc2822 } from '../scripts/package/changelog.ts';
import { controlText, debianArchitecture } from '../scripts/package/control.ts';
import { libraryDependencies } from '../scripts/package/libraries.ts';
import { sourceEpoch } from '../scripts/package-deb.ts';

const root = resolve(import.meta.dirname, '..');
const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});
function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'edgestatd-scripts-'));
  folders.push(folder);
  return folder;
}

it.each([
  ...['preinst', 'postinst', 'prerm', 'postrm', 'edgestatd.sh'].map((name) => `config/debian/${name}`),
  'scripts/newcomer.sh',
])('%s is plain sh in which shellcheck finds nothing', (file) => {
  expect(execFileSync('shellcheck', ['--shell=sh', file], { cwd: root, encoding: 'utf8' })).toBe('');
});

it.each(['preinst', 'postinst', 'prerm', 'postrm'])('%s refuses what dpkg never says', (name) => {
  const { status, stderr } = spawnSync('sh', [join(root, 'config/debian', name), 'frobnicate'], { encoding: 'utf8' });
  expect(status).toBe(1);
  expect(stderr).toBe(`${name}: unknown argument: frobnicate\n`);
});

it('package:deb says what is wrong with its options, and builds nothing', () => {
  const run = (...argv: string[]) =>
    spawnSync(process.execPath, ['scripts/package-deb.ts', ...argv], { cwd: root, encoding: 'utf8' });
  expect(run('--only', 'nginx')).toMatchObject({ status: 2, stdout: '' });
  expect(run('--version', '1.0; rm -rf /').stderr).toContain('expected a version of a Debian package');
  expect(run('--fast').stderr).toContain('usage: npm run package:deb');
});

it('SOURCE_DATE_EPOCH sets the time; what is none is refused', () => {
  expect(sourceEpoch({ SOURCE_DATE_EPOCH: '1790000000' })).toBe(1_790_000_000);
  expect(() => sourceEpoch({ SOURCE_DATE_EPOCH: 'yesterday' })).toThrow('expected seconds since the epoch');
  expect(rfc2822(0)).toBe('Thu, 01 Jan 1970 00:00:00 +0000');
});

it('libraries are asked for in the versions whose symbols are used', () => {
  const file = join(scratch(), 'addon');
  writeFileSync(file, '\0GLIBC_2.9\0GLIBC_2.28\0GLIBCXX_3.4.26\0libgcc_s.so.1\0');
  expect(libraryDependencies([file])).toEqual(['libc6 (>= 2.28)', 'libgcc-s1', 'libstdc++6 (>= 9)']);
  writeFileSync(file, '\0GLIBCXX_3.4.99\0');
  expect(() => libraryDependencies([file])).toThrow('GLIBCXX_3.4.99');
});

it('control and changelog are what dpkg reads', () => {
  const folder = scratch();
  writeFileSync(join(folder, 'changelog'), debianChangelog('edgestatd', '0.1.0-1', 1_790_000_000));
  const head = execFileSync('dpkg-parsechangelog', ['-l', join(folder, 'changelog'), '-S', 'Version'], {
    encoding: 'utf8',
  });
  expect(head.trim()).toBe('0.1.0-1');
  const text = controlText('edgestatd-bundle', '0.1.0-1', ['libc6 (>= 2.28)'], 1000);
  for (const line of text.trimEnd().split('\n')) expect(line).toMatch(/^(?:[A-Z][A-Za-z-]+: \S.*| \S.*)$/);
  expect(() => debianArchitecture('s390x')).toThrow('expected x64 or arm64');
});
