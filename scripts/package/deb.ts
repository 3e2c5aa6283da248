/** A laid out tree → a .deb, the same bytes for the same tree. */
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Contents, layOut } from './contents.ts';
import { controlText, debianArchitecture, installedKib, md5sums } from './control.ts';
import { libraryDependencies } from './libraries.ts';
import { runProgram } from './run-program.ts';
import { filesBelow } from './stage.ts';

const SCRIPTS = ['preinst', 'postinst', 'prerm', 'postrm'] as const;

export interface Packing extends Contents {
  /** The folder that the package is written to. */
  readonly out: string;
  /** For tests, to which a minute matters more than a size. */
  readonly compression?: 'xz' | 'none';
}

/** Builds one package; returns its path. */
export function buildDeb(packing: Packing): string {
  const { root, name, version, epoch, out, compression = 'xz' } = packing;
  const folder = mkdtempSync(join(tmpdir(), 'edgestatd-deb-'));
  try {
    const tree = join(folder, 'tree');
    mkdirSync(tree);
    // The root of the package's archive takes its mode from here.
    chmodSync(tree, 0o755);
    layOut(packing, tree);
    const native = filesBelow(tree).filter((file) => file.endsWith('.node') || file.endsWith('/bin/node'));
    const libraries = libraryDependencies(native.map((file) => join(tree, file)));
    const control = join(tree, 'DEBIAN');
    const texts = {
      control: controlText(name, version, libraries, installedKib(tree)),
      conffiles: '/etc/edgestatd/edgestatd.yaml\n',
      md5sums: md5sums(tree),
    };
    mkdirSync(control);
    chmodSync(control, 0o755);
    for (const [file, text] of Object.entries(texts)) {
      writeFileSync(join(control, file), text);
      chmodSync(join(control, file), 0o644);
    }
    for (const script of SCRIPTS) {
      copyFileSync(join(root, 'config/debian', script), join(control, script));
      chmodSync(join(control, script), 0o755);
    }
    mkdirSync(out, { recursive: true });
    const file = join(out, `${name}_${version}_${debianArchitecture()}.deb`);
    // dpkg-deb sorts the members itself, and takes the newest time that a member may have from the environment.
    runProgram('dpkg-deb', ['--root-owner-group', `-Z${compression}`, '--build', tree, file], {
      env: { SOURCE_DATE_EPOCH: String(epoch) },
    });
    return file;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
