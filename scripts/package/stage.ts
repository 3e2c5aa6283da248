/** What both packages carry below /usr/lib/edgestatd, compiled and collected in a folder. */
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { bundle } from './bundle.ts';
import { runs, staysApart } from './prune.ts';
import { runProgram } from './run-program.ts';

export interface Stage {
  /** node_modules of production, whole: licences are read from there. */
  readonly modules: string;
  /** The content of /usr/lib/edgestatd. */
  readonly content: string;
}

/** Bundles and collects below `folder`, which must be empty. Throws with what the bundler or npm said. */
export async function prepareStage(root: string, folder: string): Promise<Stage> {
  const modules = installModules(root, join(folder, 'modules'));
  const content = join(folder, 'content');
  await bundle(root, join(content, 'dist'));
  for (const file of filesBelow(modules)) {
    if (!staysApart(file) || !runs(file)) continue;
    const to = join(content, 'node_modules', file);
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(join(modules, file), to);
  }
  writeFileSync(join(content, 'package.json'), manifest(root));
  mkdirSync(join(content, 'config'));
  for (const file of ['edgestatd.yaml', 'schema.json'])
    copyFileSync(join(root, 'config', file), join(content, 'config', file));
  return { modules, content };
}

/** What the program reads of package.json: its version, and that its files are modules. */
function manifest(root: string): string {
  const { name, version, license, type, engines, exports } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  );
  return `${JSON.stringify({ name, version, license, type, engines, exports }, null, 2)}\n`;
}

/** The modules of the lock file, from npm's cache or registry; no script of any of them is run. */
function installModules(root: string, folder: string): string {
  mkdirSync(folder, { recursive: true });
  for (const file of ['package.json', 'package-lock.json']) copyFileSync(join(root, file), join(folder, file));
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error', '--prefer-offline'];
  runProgram('npm', ['ci', '--omit=dev', '--ignore-scripts', ...quiet], { cwd: folder });
  return join(folder, 'node_modules');
}

/** Paths of the files below a folder, from there, sorted. */
export function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .toSorted();
}

/** Copies the stage's content to where a package has it. */
export function copyLibrary(stage: Stage, to: string): void {
  cpSync(stage.content, to, { recursive: true });
}
