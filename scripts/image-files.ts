/**
 * Gathers what the image is made of: `node image-files.ts APPLICATION IMAGE`, run within the Dockerfile. Makes below IMAGE
 * the node binary and tini (without their symbols), the application without what never runs, and its configurations.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { runs, staysApart } from './package/prune.ts';

const [, , application = '', image = ''] = process.argv;
if (application === '' || image === '') throw new Error('expected two directories: APPLICATION IMAGE');

const programs = join(image, 'usr/local/bin');
const home = join(image, 'opt/edgestatd');

mkdirSync(programs, { recursive: true });
for (const [name, from] of [
  ['node', process.execPath],
  ['tini', '/usr/bin/tini-static'],
] as const) {
  execFileSync('strip', ['--strip-unneeded', '-o', join(programs, name), from]);
  chmodSync(join(programs, name), 0o755);
}

const isLicence = (path: string): boolean => /(?:^|\/)(?:licen[cs]e|copying|notice)[^/]*$/i.test(path);
const modules = join(application, 'node_modules');
copy(modules, join(home, 'node_modules'), (path) => (staysApart(path) && runs(path)) || isLicence(path));
copy(join(application, 'dist'), join(home, 'dist'), (path) => path.endsWith('.js'));
copy(join(application, 'config'), join(home, 'config'), (path) => path === 'edgestatd.yaml');
const isConfiguration = (path: string): boolean => path.endsWith('.yaml') && path !== 'compose.yaml';
copy(join(application, 'config/docker'), join(image, 'etc/edgestatd'), isConfiguration);
for (const name of ['package.json', 'LICENSE']) cpSync(join(application, name), join(home, name));

// There is no /usr/bin/env in a system without a shell.
const entry = join(home, 'dist/src/bin.js');
writeFileSync(entry, readFileSync(entry, 'utf8').replace(/^#!.*/, '#!/usr/local/bin/node'));
chmodSync(entry, 0o755);
symlinkSync('/opt/edgestatd/dist/src/bin.js', join(programs, 'edgestatd'));

/** The files of a folder, by their paths within it. */
function copy(from: string, to: string, isWanted: (path: string) => boolean): void {
  for (const file of readdirSync(from, { recursive: true, withFileTypes: true })) {
    const path = relative(from, join(file.parentPath, file.name));
    if (!file.isFile() || !isWanted(path)) continue;
    mkdirSync(dirname(join(to, path)), { recursive: true });
    cpSync(join(from, path), join(to, path));
  }
}
