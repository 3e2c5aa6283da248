/**
 * Builds the image with the engine that is there: `npm run image [-- ARGUMENTS OF THE BUILD]`, such as
 * `--build-arg BASE_IMAGE=tools`. Its tag is edgestatd:VERSION.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

/** Without `--format docker` the last two leave the health check out. */
const ENGINES: Readonly<Record<string, readonly string[]>> = {
  docker: ['build'],
  podman: ['build', '--format', 'docker'],
  buildah: ['build', '--format', 'docker'],
};

const isThere = (program: string): boolean => spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;
const git = spawnSync('git', ['rev-parse', 'HEAD'], { cwd: root, encoding: 'utf8' });
const revision = git.status === 0 ? git.stdout.trim() : 'unknown';
const found = Object.entries(ENGINES).find(([program]) => isThere(program));
if (found === undefined) {
  console.error(
    `No engine builds images here: expected one of ${Object.keys(ENGINES).join(', ')} in PATH; install one.`,
  );
  process.exitCode = 1;
} else {
  const [engine, words] = found;
  const labels = ['--build-arg', `VERSION=${version}`, '--build-arg', `REVISION=${revision}`];
  const argv = [...words, '--tag', `edgestatd:${version}`, ...labels, ...process.argv.slice(2), '.'];
  console.error(`${engine} ${argv.join(' ')}`);
  const { status, error } = spawnSync(engine, argv, { cwd: root, stdio: 'inherit' });
  if (error !== undefined) console.error(error.message);
  process.exitCode = status ?? 1;
}
