/** The Node.js of edgestatd-bundle: the version that the tests run on, from the npm registry, with its licence. */
import { chmodSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runProgram } from './run-program.ts';

export interface Runtime {
  /** The path of the program, without its symbols. */
  readonly node: string;
  readonly licence: string;
}

/** Fetches it into `folder`, or takes it from npm's cache. */
export function fetchRuntime(root: string, folder: string): Runtime {
  const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const version: unknown = devDependencies.node;
  if (typeof version !== 'string' || !/^\d+\.\d+\.\d+$/.test(version))
    throw new Error(`package.json: devDependencies.node is ${JSON.stringify(version)}; expected an exact version`);
  mkdirSync(folder, { recursive: true });
  const name = `node-linux-${process.arch}@${version}`;
  const file = runProgram('npm', ['pack', name, '--prefer-offline', '--silent'], { cwd: folder }).trim();
  runProgram('tar', ['--extract', '--file', file, '--no-same-owner', 'package/bin/node', 'package/LICENSE'], {
    cwd: folder,
  });
  const node = join(folder, 'package/bin/node');
  runProgram('strip', ['--strip-unneeded', '--enable-deterministic-archives', node]);
  chmodSync(node, 0o755);
  return { node, licence: readFileSync(join(folder, 'package/LICENSE'), 'utf8').trim() };
}
