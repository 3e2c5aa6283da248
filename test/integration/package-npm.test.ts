/** The npm package: packed from the sources, installed with production modules alone into a prefix of its own, and run. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
let folder = '';
let prefix = '';
let packed: readonly string[] = [];

const SOURCES = [
  ...[
    'package.json',
    'package-lock.json',
    'tsconfig.json',
    'tsconfig.build.json',
    'src',
    'collectors',
    'config',
    'docs',
  ],
  ...['README.md', 'CHANGELOG.md', 'LICENSE'],
];

/** npm, with the Node.js of these tests, and nothing of the npm that may have started them. */
function npm(argv: readonly string[], cwd: string): string {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('npm_'));
  const PATH = `${dirname(process.execPath)}:${process.env.PATH}`;
  const env = { ...Object.fromEntries(own), PATH, npm_config_update_notifier: 'false' };
  return execFileSync('npm', argv, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'edgestatd-npm-'));
  // A copy: packing compiles into dist/, which others may be reading.
  const sources = join(folder, 'sources');
  mkdirSync(sources);
  for (const name of SOURCES) cpSync(join(root, name), join(sources, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(sources, 'node_modules'));
  npm(['pack', '--pack-destination', folder, '--silent'], sources);
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? '';
  packed = execFileSync('tar', ['--list', '--file', join(folder, tarball)], { encoding: 'utf8' })
    .trim()
    .split('\n');
  prefix = join(folder, 'prefix');
  mkdirSync(prefix);
  // The scripts of its modules would look for a compiler, for addons that are optional.
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'];
  npm(['install', '--global', '--prefix', prefix, ...quiet, join(folder, tarball)], folder);
}, 180_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function edgestatd(...argv: string[]): { status: number | null; stdout: string; stderr: string } {
  const env = { PATH: `${dirname(process.execPath)}:/usr/sbin:/usr/bin:/sbin:/bin`, HOME: folder };
  return spawnSync(join(prefix, 'bin/edgestatd'), argv, { cwd: folder, env, encoding: 'utf8' });
}

it('holds what runs and what is read, and nothing for developers', () => {
  for (const file of [
    'dist/src/bin.js',
    'dist/src/api.d.ts',
    'config/edgestatd.yaml',
    'config/man/edgestatd.1',
    'LICENSE',
  ])
    expect(packed).toContain(`package/${file}`);
  expect(packed.filter((file) => /\.test\.|testdata|^package\/(?:test|bench|scripts|src)\//.test(file))).toEqual([]);
  expect(packed.filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))).toEqual([]);
  const modules = join(prefix, 'lib/node_modules/edgestatd/node_modules');
  expect(existsSync(join(modules, 'zod'))).toBe(true);
  for (const name of ['typescript', 'vitest', 'node', '@biomejs']) expect(existsSync(join(modules, name))).toBe(false);
});

it('says its version', () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  expect(edgestatd('--version')).toMatchObject({ status: 0, stdout: `${version}\n`, stderr: '' });
});

it('checks its own configuration, and measures this machine once', () => {
  expect(edgestatd('check', '--offline')).toMatchObject({ status: 0, stderr: '' });
  const once = edgestatd('once', '--job', 'tcp');
  expect(once.status).toBe(0);
  expect(once.stdout).toMatch(/^edge\.[\w-]+\.tcp\.curr_estab \d+ gauge/m);
});

it('brings its manual pages', () => {
  expect(existsSync(join(prefix, 'share/man/man1/edgestatd.1'))).toBe(true);
});
