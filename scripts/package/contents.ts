/** The files of a package, laid out in a folder as they will lie in the root of a machine. */
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { completion, shells } from '../../src/completion.ts';
import { buildProgram } from '../../src/program.ts';
import { manFiles } from '../generated/man.ts';
import { debianChangelog } from './changelog.ts';
import type { PackageName } from './control.ts';
import { copyrightText } from './licences.ts';
import type { Runtime } from './runtime.ts';
import { copyLibrary, filesBelow, type Stage } from './stage.ts';

const COMPLETIONS = {
  bash: 'usr/share/bash-completion/completions/edgestatd',
  zsh: 'usr/share/zsh/vendor-completions/_edgestatd',
  fish: 'usr/share/fish/vendor_completions.d/edgestatd.fish',
} as const;

export interface Contents {
  readonly root: string;
  readonly name: PackageName;
  readonly version: string;
  /** Seconds: the date of the Debian changelog. */
  readonly epoch: number;
  readonly stage: Stage;
  /** Only in edgestatd-bundle. */
  readonly runtime: Runtime | undefined;
}

/** Writes everything but DEBIAN/ below `tree`. */
export function layOut(contents: Contents, tree: string): void {
  const { root, stage, runtime } = contents;
  const put = (path: string, text: string | Buffer): void => {
    const to = join(tree, path);
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(to, text);
  };
  const copy = (from: string, path: string): void => put(path, readFileSync(join(root, from)));

  copyLibrary(stage, join(tree, 'usr/lib/edgestatd'));
  copy('config/debian/edgestatd.sh', 'usr/bin/edgestatd');
  if (runtime !== undefined) {
    mkdirSync(join(tree, 'usr/lib/edgestatd/bin'));
    copyFileSync(runtime.node, join(tree, 'usr/lib/edgestatd/bin/node'));
  }
  copy('config/debian/edgestatd.yaml', 'etc/edgestatd/edgestatd.yaml');
  copy('config/edgestatd.service', 'usr/lib/systemd/system/edgestatd.service');
  copy('config/debian/edgestatd.sysusers', 'usr/lib/sysusers.d/edgestatd.conf');
  copy('config/debian/edgestatd.tmpfiles', 'usr/lib/tmpfiles.d/edgestatd.conf');
  const program = buildProgram(() => {});
  for (const shell of shells) put(COMPLETIONS[shell], completion(program, shell));
  for (const [file, text] of manFiles(root)) {
    const page = basename(file);
    put(`usr/share/man/man${page.at(-1)}/${page}.gz`, compressed(text));
  }
  putDocuments(contents, put);
  setModes(tree);
}

function putDocuments(
  { root, name, version, epoch, stage, runtime }: Contents,
  put: (path: string, text: string | Buffer) => void,
): void {
  const folder = `usr/share/doc/${name}`;
  // The same in both packages, of which one alone can be there, so that one path may be told to all.
  const shared = 'usr/share/doc/edgestatd';
  put(`${folder}/copyright`, copyrightText(stage.modules, runtime?.licence));
  put(`${folder}/changelog.gz`, compressed(readFileSync(join(root, 'CHANGELOG.md'), 'utf8')));
  put(`${folder}/changelog.Debian.gz`, compressed(debianChangelog(name, version, epoch)));
  put(`${shared}/example.yaml`, readFileSync(join(root, 'config/example.yaml')));
  for (const file of readdirSync(join(root, 'docs')).filter((one) => one.endsWith('.md')))
    put(`${shared}/${file}`, readFileSync(join(root, 'docs', file)));
  // Drop-ins for systemd, dashboards, alert rules and the Ansible role: to copy from.
  for (const from of ['systemd', 'grafana', 'graphite-web', 'alerts', 'ansible'])
    for (const file of filesBelow(join(root, 'config', from)))
      put(`${shared}/${from}/${file}`, readFileSync(join(root, 'config', from, file)));
  const overrides = join(root, 'config/debian', `${name}.lintian-overrides`);
  if (existsSync(overrides)) put(`usr/share/lintian/overrides/${name}`, readFileSync(overrides));
}

/** As `gzip -n9`: without a name and a time. */
const compressed = (text: string): Buffer => gzipSync(text, { level: 9 });

/** The same whoever builds, with whatever umask. */
function setModes(tree: string): void {
  for (const entry of readdirSync(tree, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const runs = entry.isDirectory() || /\/usr\/(?:bin|lib\/edgestatd\/bin)\/[^/]+$/.test(path);
    chmodSync(path, runs ? 0o755 : 0o644);
  }
}
