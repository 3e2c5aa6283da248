/**
 * Builds the Debian packages `edgestatd` and `edgestatd-bundle` for this machine's architecture, with dpkg-deb:
 *
 *   npm run package:deb [-- --out FOLDER] [--version VERSION] [--only NAME]
 *
 * The same sources make the same bytes: times are SOURCE_DATE_EPOCH, or that of the last commit.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { packageNames } from './package/control.ts';
import { buildDeb } from './package/deb.ts';
import { runProgram } from './package/run-program.ts';
import { fetchRuntime } from './package/runtime.ts';
import { prepareStage } from './package/stage.ts';

const USAGE = 'usage: npm run package:deb [-- --out FOLDER] [--version VERSION] [--only edgestatd|edgestatd-bundle]';
const root = resolve(import.meta.dirname, '..');

/** deb-version(7): upstream version and revision. */
export function debianVersion(): string {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  // A pre-release sorts before its release by a tilde.
  return `${String(version).replace('-', '~')}-1`;
}

/** Seconds since the epoch. */
export function sourceEpoch(env: NodeJS.ProcessEnv = process.env): number {
  const given = env.SOURCE_DATE_EPOCH;
  const text = given ?? runProgram('git', ['log', '-1', '--format=%ct'], { cwd: root }).trim();
  if (/^\d{1,12}$/.test(text)) return Number(text);
  throw new Error(`SOURCE_DATE_EPOCH is ${JSON.stringify(text)}; expected seconds since the epoch`);
}

async function main(words: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...words],
    options: { out: { type: 'string' }, version: { type: 'string' }, only: { type: 'string' } },
  });
  const { out = join(root, 'dist-deb'), version = debianVersion(), only } = values;
  if (!/^[0-9][A-Za-z0-9.+~]*-[A-Za-z0-9.+~]+$/.test(version)) {
    console.error(`--version ${JSON.stringify(version)}: expected a version of a Debian package, such as 0.2.0-1`);
    return 2;
  }
  const names = packageNames.filter((name) => only === undefined || name === only);
  if (names.length === 0) {
    console.error(`--only ${JSON.stringify(only)}: expected one of ${packageNames.join(', ')}`);
    return 2;
  }
  const epoch = sourceEpoch();
  const folder = mkdtempSync(join(tmpdir(), 'edgestatd-package-'));
  try {
    const stage = await prepareStage(root, folder);
    for (const name of names) {
      const runtime = name === 'edgestatd-bundle' ? fetchRuntime(root, join(folder, 'runtime')) : undefined;
      const file = buildDeb({ root, name, version, epoch, stage, runtime, out: resolve(out) });
      const sum = createHash('sha256').update(readFileSync(file)).digest('hex');
      console.log(`${file}  ${(statSync(file).size / 1024 / 1024).toFixed(1)} MiB  sha256 ${sum}`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return 0;
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === import.meta.filename) {
  try {
    process.exitCode = await main(process.argv.slice(2));
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    const isUsage = code?.startsWith('ERR_PARSE_ARGS') === true;
    console.error(isUsage ? `${message}\n${USAGE}` : `package:deb: ${message}`);
    process.exitCode = isUsage ? 2 : 1;
  }
}
