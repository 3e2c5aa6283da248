/** The Debian packages, built once for a test file; without compression, as nobody keeps them. */
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { PackageName } from '../../scripts/package/control.ts';
import { buildDeb } from '../../scripts/package/deb.ts';
import { fetchRuntime, type Runtime } from '../../scripts/package/runtime.ts';
import { prepareStage } from '../../scripts/package/stage.ts';

export interface DebPackages {
  /** Builds one of them; returns its path. */
  build(name: PackageName, version: string, compression?: 'xz' | 'none'): string;
  /** The folder that would be /usr/lib/edgestatd. */
  readonly content: string;
  end(): void;
}

const root = resolve(import.meta.dirname, '../..');
/** Any second will do, as long as it is the same. */
const EPOCH = 1_790_000_000;

export async function debPackages(): Promise<DebPackages> {
  const folder = mkdtempSync(join(tmpdir(), 'edgestatd-debs-'));
  const end = (): void => rmSync(folder, { recursive: true, force: true });
  let runtime: Runtime | undefined;
  let built = 0;
  try {
    const stage = await prepareStage(root, join(folder, 'stage'));
    // Who edits a page while this runs must not make two builds differ.
    const sources = join(folder, 'sources');
    for (const name of ['config', 'docs', 'CHANGELOG.md', 'package.json'])
      cpSync(join(root, name), join(sources, name), { recursive: true });
    return {
      content: stage.content,
      build(name, version, compression = 'none') {
        const isBundle = name === 'edgestatd-bundle';
        if (isBundle) runtime ??= fetchRuntime(sources, join(folder, 'runtime'));
        const out = join(folder, String(built++));
        mkdirSync(out);
        const carried = isBundle ? runtime : undefined;
        return buildDeb({ root: sources, name, version, epoch: EPOCH, stage, runtime: carried, out, compression });
      },
      end,
    };
  } catch (error) {
    end();
    throw error;
  }
}
