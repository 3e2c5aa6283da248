/** Directories, parts of files and many small files of this machine. */
import { execFileSync, spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Failure } from '../src/errors.ts';
import { localTarget } from '../src/hosts/local.ts';
import type { OpenHost } from '../src/hosts/target.ts';

let folder = '';
let end = new AbortController();
let host: OpenHost;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'edgestatd-files-'));
  end = new AbortController();
  host = localTarget('hv01').open(end.signal);
});
afterEach(async () => {
  end.abort(new Failure('E_ABORTED', 'over'));
  await host.settled();
  rmSync(folder, { recursive: true, force: true });
});

const failure = (code: string, message: string) =>
  expect.objectContaining({ code, message: expect.stringContaining(message) });

it('lists a directory, sorted, with hidden and strange names', async () => {
  for (const name of ['b', 'a', '.hidden', 'with blank', 'new\nline', '-n']) writeFileSync(join(folder, name), '');
  expect(await host.list(folder)).toEqual(['-n', '.hidden', 'a', 'b', 'new\nline', 'with blank']);
  mkdirSync(join(folder, 'empty'));
  expect(await host.list(join(folder, 'empty'))).toEqual([]);
  await expect(host.list(join(folder, 'none'))).rejects.toEqual(failure('E_NOT_FOUND', 'does not exist'));
  await expect(host.list(join(folder, 'a'))).rejects.toEqual(failure('E_NOT_FOUND', ''));
});

it('reads many small files in their order, each with its own failure', async () => {
  writeFileSync(join(folder, 'one'), 'first\n');
  writeFileSync(join(folder, 'empty'), '');
  writeFileSync(join(folder, 'large'), 'x'.repeat(64 * 1024 + 1));
  writeFileSync(join(folder, 'whole'), 'y'.repeat(64 * 1024));
  const paths = ['one', 'none', 'empty', 'large', '.', 'whole'].map((name) => join(folder, name));
  expect(await host.readFiles(paths)).toEqual([
    'first\n',
    failure('E_NOT_FOUND', 'does not exist'),
    '',
    failure('E_OUTPUT_SIZE', '65536'),
    failure('E_NOT_FOUND', 'is a directory'),
    'y'.repeat(64 * 1024),
  ]);
  expect(await host.readFiles([])).toEqual([]);
  const attributes = ['mtu', 'operstate'].map((name) => `/sys/class/net/lo/${name}`);
  expect(await host.readFiles(attributes)).toEqual([expect.stringMatching(/^[0-9]+\n$/), 'unknown\n']);
});

/** Megabytes, which the kernel gives in pieces of a page. Not every kernel has it. */
const LARGE = '/sys/kernel/btf/vmlinux';
const hasLarge = spawnSync('head', ['-c', '70000', LARGE]).stdout?.length === 70_000;

it.skipIf(!hasLarge)('takes no piece of a file below /sys for the whole of it', async () => {
  expect(await host.readFiles([LARGE])).toEqual([failure('E_OUTPUT_SIZE', '65536')]);
});

it('reads a part of a file, and knows it again under another name', async () => {
  const path = join(folder, 'log');
  writeFileSync(path, '0123456789');
  const first = await host.readPart(path, 2, 5);
  expect([Buffer.from(first.bytes).toString(), first.size]).toEqual(['23456', 10]);
  expect(Buffer.from((await host.readPart(path, 8, 100)).bytes).toString()).toBe('89');
  expect(await host.readPart(path, 11, 5)).toEqual({ bytes: Buffer.alloc(0), size: 10, identity: first.identity });
  expect(await host.readPart(path, 0, 0)).toMatchObject({ size: 10, bytes: Buffer.alloc(0) });
  renameSync(path, `${path}.1`);
  writeFileSync(path, 'new');
  expect((await host.readPart(`${path}.1`, 0, 1)).identity).toBe(first.identity);
  const other = await host.readPart(path, 0, 10);
  expect(other.identity).not.toBe(first.identity);
  appendFileSync(path, '!');
  expect(await host.readPart(path, 3, 10)).toMatchObject({ size: 4, identity: other.identity });
  truncateSync(path, 1);
  expect(await host.readPart(path, 3, 10)).toMatchObject({ size: 1, bytes: Buffer.alloc(0) });
});

it('refuses what is no file, and what may not be read', async () => {
  await expect(host.readPart(folder, 0, 1)).rejects.toEqual(failure('E_NOT_FOUND', 'is a directory'));
  await expect(host.readPart(join(folder, 'none'), 0, 1)).rejects.toEqual(failure('E_NOT_FOUND', 'does not exist'));
  execFileSync('mkfifo', [join(folder, 'fifo')]);
  await expect(host.readPart(join(folder, 'fifo'), 0, 1)).rejects.toEqual(failure('E_NOT_FOUND', 'no regular file'));
});

it('ends with the run', async () => {
  end.abort(new Failure('E_TIMEOUT', 'the deadline passed'));
  const late = { code: 'E_TIMEOUT' };
  await expect(host.list(folder)).rejects.toMatchObject(late);
  await expect(host.readFiles([folder])).rejects.toMatchObject(late);
  await expect(host.readPart(folder, 0, 1)).rejects.toMatchObject(late);
  await expect(host.outcome(['true'], [1])).rejects.toMatchObject(late);
});

it('gives the status of a program where that is an answer', async () => {
  const sh = (script: string, statuses: readonly number[]) => host.outcome(['sh', '-c', script], statuses);
  expect(await sh('echo out; echo err >&2; exit 2', [1, 2])).toEqual({ status: 2, stdout: 'out\n', stderr: 'err' });
  expect(await sh('exit 0', [1])).toMatchObject({ status: 0 });
  await expect(sh('exit 3', [1, 2])).rejects.toMatchObject({ code: 'E_EXIT', evidence: { exitCode: 3 } });
  await expect(sh('kill -9 $$', [0, 137])).rejects.toMatchObject({ code: 'E_EXIT', evidence: { signal: 'SIGKILL' } });
  await expect(host.outcome(['no-such-program'], [1])).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
});
