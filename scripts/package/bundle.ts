/**
 * The program as a few files instead of a thousand: most of a cold start is the look-up and reading of modules. Names are
 * kept, so that stack traces can be read, and what plugins import is in the same files.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';

/**
 * Native addons, loaded by their own modules where they are there (koffi is, the others are not), and ssh2, which looks
 * for one beside its own file; it is loaded when there is a target over SSH.
 */
const APART = ['koffi', 'ssh2', 'cpu-features', 'unix-dgram', 'modern-syslog', /\.node$/];

/** Writes `<dist>/src/{bin,cli,api}.js` and what they share, from the sources. Throws with what cannot be resolved. */
export async function bundle(root: string, dist: string): Promise<void> {
  const folder = join(dist, 'src');
  const build = await rolldown({
    input: { cli: join(root, 'src/cli.ts'), api: join(root, 'src/api.ts') },
    platform: 'node',
    external: APART,
    onLog(level, log) {
      if (level === 'warn' && log.code === 'UNRESOLVED_IMPORT') throw new Error(log.message);
    },
  });
  await build.write({
    dir: folder,
    format: 'esm',
    minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } },
    entryFileNames: '[name].js',
    // All lie in one folder: what is found beside a module is found from there too.
    chunkFileNames: '[name]-[hash].js',
  });
  await build.close();
  mkdirSync(folder, { recursive: true });
  const entry = readFileSync(join(root, 'src/bin.js'), 'utf8').replace("import('./cli.ts')", "import('./cli.js')");
  writeFileSync(join(folder, 'bin.js'), entry, { mode: 0o755 });
}
