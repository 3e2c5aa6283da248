/** Runs what the pages print, in a machine of its own (docs-sandbox.sh). Needs root, and no kernel module. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './markdown-pages.ts';

export interface Ran {
  readonly status: number;
  /** stdout and stderr, as they came. */
  readonly output: string;
}

/** Runs the texts one after the other, whether or not one before failed. `prepare` runs before them, and must not fail. */
export async function runInSandbox(texts: readonly string[], prepare?: string): Promise<readonly Ran[]> {
  const directory = mkdtempSync(join(tmpdir(), 'edgestatd-docs-run-'));
  try {
    for (const folder of ['bin', 'blocks']) mkdirSync(join(directory, folder));
    const program = (name: string, text: string): void =>
      writeFileSync(join(directory, 'bin', name), text, { mode: 0o755 });
    program('edgestatd', `#!/bin/sh\nexec '${process.execPath}' '${join(root, 'src/bin.js')}' "$@"\n`);
    program('systemctl', readFileSync(new URL('./docs-systemctl.sh', import.meta.url), 'utf8'));
    const name = (at: number): string => String(at).padStart(2, '0');
    for (const [at, text] of texts.entries()) writeFileSync(join(directory, 'blocks', `${name(at)}.sh`), text);
    if (prepare !== undefined) writeFileSync(join(directory, 'prepare.sh'), prepare);
    const script = new URL('./docs-sandbox.sh', import.meta.url).pathname;
    const namespaces = ['--mount', '--net', '--uts', '--pid', '--fork', '--kill-child', '--mount-proc'];
    // A test runner that is killed takes it with it.
    const argv = ['--pdeathsig', 'KILL', 'unshare', ...namespaces, 'sh', script, root, directory, process.execPath];
    const child = spawn('setpriv', argv, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`, LC_ALL: 'C.UTF-8' },
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        said += chunk.toString();
      });
    const [code] = await once(child, 'close');
    if (code !== 0) throw new Error(`the sandbox ended with ${code}: ${said}`);
    return texts.map((_, at) => ({
      status: Number(readFileSync(join(directory, 'results', `${name(at)}.status`), 'utf8')),
      output: readFileSync(join(directory, 'results', `${name(at)}.out`), 'utf8'),
    }));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
