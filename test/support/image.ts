/**
 * The image of the Dockerfile, built by buildah in a store of its own from bases that are made here: no registry of
 * images is asked. npm and apt are reached as this machine reaches them. Needs root.
 */
import { execFile } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { debianRoot } from './debian-root.ts';

const run = promisify(execFile);
const maxBuffer = 64 * 1024 * 1024;
const root = fileURLToPath(new URL('../..', import.meta.url));

/** What an engine would be told of an image. */
export interface ImageConfig {
  readonly Env: readonly string[];
  readonly Entrypoint: readonly string[];
  readonly Cmd: readonly string[];
  readonly User: string;
  readonly Labels: Readonly<Record<string, string>>;
  readonly Healthcheck: { readonly Test: readonly string[] };
}

export interface Images {
  /** Builds the Dockerfile on a base (`base`, or one of its stages); returns the name of the image. */
  build(name: string, base: string): Promise<string>;
  config(image: string): Promise<ImageConfig>;
  /** A writable copy of its root file system. */
  unpack(image: string): Promise<string>;
  /** Bytes of the layers as a registry would keep them: `gzip -6`. */
  compressedBytes(folder: string): Promise<number>;
  /** Unmounts and removes everything. */
  end(): Promise<void>;
}

/** A store that is kept, for who changes the Dockerfile and does not want to wait for npm each time. */
const { EDGESTATD_IMAGE_STORE: kept } = process.env;

export async function imageStore(): Promise<Images> {
  const folder = kept ?? mkdtempSync(join(tmpdir(), 'edgestatd-images-'));
  const store = (driver: string) => {
    const places = ['--root', join(folder, 'root'), '--runroot', join(folder, 'run'), '--storage-driver', driver];
    return async (argv: readonly string[]): Promise<string> =>
      (await run('buildah', [...places, ...argv], { cwd: root, maxBuffer })).stdout.trim();
  };
  const buildah = store('overlay');
  const end = async (): Promise<void> => {
    await buildah(['rm', '--all']).catch(() => undefined);
    await run('sh', [
      '-c',
      'for m in $(grep -o " $1/[^ ]*" /proc/self/mounts | sort -r); do umount -l "$m"; done',
      'sh',
      folder,
    ]);
    if (kept === undefined) rmSync(folder, { recursive: true, force: true });
  };
  try {
    const there = await buildah(['images', '--quiet', 'localhost/node']).catch(() => '');
    if (there === '') await makeBases(buildah, folder);
  } catch (error) {
    await end();
    throw error;
  }
  return {
    async build(name, base) {
      const image = `localhost/${name}`;
      const on = base === 'base' ? 'localhost/base' : base;
      const bases = ['NODE_IMAGE=localhost/node', 'TOOLS_IMAGE=localhost/node', `BASE_IMAGE=${on}`];
      const given = [...bases, 'VERSION=1.2.3'].flatMap((one) => ['--build-arg', one]);
      const how = ['--format', 'docker', '--isolation', 'chroot', '--layers', '--disable-compression', '--pull-never'];
      await buildah(['bud', ...how, ...given, '--tag', image, '.']);
      return image;
    },
    async config(image) {
      return JSON.parse(await buildah(['inspect', '--type', 'image', image])).Docker.config;
    },
    async unpack(image) {
      const container = await buildah(['from', '--pull-never', image]);
      return buildah(['mount', container]);
    },
    async compressedBytes(at) {
      const { stdout } = await run('sh', ['-c', 'tar -C "$1" -cf - . | gzip -6 | wc -c', 'sh', at], { maxBuffer });
      return Number(stdout);
    },
    end,
  };
}

type Buildah = (argv: readonly string[]) => Promise<string>;

/** `node`: Debian with node and npm. `base`: a C library and libstdc++, and neither shell nor any other program. */
async function makeBases(buildah: Buildah, folder: string): Promise<void> {
  const debian = await debianRoot();
  try {
    const bare = await commit(buildah, 'base', async (to) => {
      const list = join(folder, 'files');
      const script = `cd "$1" && chroot . dpkg -L libc6 libgcc-s1 libstdc++6 base-files |
        while read -r path; do if [ -f ".$path" ]; then echo ".$(chroot . readlink -f "$path")"; echo ".$path"; fi; done |
        sort -u >"$3" && tar -ch -T "$3" -f - | tar -x -C "$2" -f - && mkdir -p "$2/run" "$2/tmp" "$2/var" && chmod 1777 "$2/tmp" && ln -sfn /run "$2/var/run"`;
      await run('sh', ['-c', script, 'sh', debian.path, to, list]);
      writeFileSync(join(to, 'etc/passwd'), 'root:x:0:0:root:/root:/sbin/nologin\n');
    });
    const env = await addNode(debian.path, folder);
    const fill = async (to: string): Promise<void> => void (await run('cp', ['-a', `${debian.path}/.`, to]));
    const whole = await commit(buildah, 'node', fill, env);
    if (bare === whole) throw new Error('both bases are one image');
  } finally {
    await debian.end();
  }
}

async function commit(
  buildah: Buildah,
  name: string,
  fill: (folder: string) => Promise<void>,
  env: readonly string[] = [],
): Promise<string> {
  const container = await buildah(['from', 'scratch']);
  await fill(await buildah(['mount', container]));
  const all = ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', ...env];
  await buildah(['config', ...all.flatMap((one) => ['--env', one]), container]);
  return buildah(['commit', '--quiet', '--disable-compression', '--rm', container, `localhost/${name}`]);
}

/** The node binary of our own modules, npm from its registry, and how this machine reaches that: also as variables. */
async function addNode(debian: string, folder: string): Promise<readonly string[]> {
  const local = join(debian, 'usr/local');
  const node = join(dirname(createRequire(import.meta.url).resolve('node/package.json')), 'bin/node');
  copyFileSync(node, join(local, 'bin/node'));
  const npm = join(folder, 'npm');
  await run('npm', ['install', '--prefix', npm, '--no-audit', '--no-fund', '--loglevel=error', 'npm@11']);
  cpSync(join(npm, 'node_modules/npm'), join(local, 'lib/node_modules/npm'), { recursive: true });
  symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(local, 'bin/npm'));
  const settings: string[] = [];
  for (const name of ['registry', 'cafile', 'proxy', 'https-proxy']) {
    const value = (await run('npm', ['config', 'get', name])).stdout.trim();
    if (['', 'null', 'undefined'].includes(value)) continue;
    settings.push(`${name}=${value}`);
    if (name === 'cafile') bring(value, debian);
  }
  writeFileSync(join(debian, 'root/.npmrc'), `${settings.join('\n')}\n`);
  const { NODE_EXTRA_CA_CERTS: authorities = '' } = process.env;
  bring(authorities, debian);
  return authorities === '' ? [] : [`NODE_EXTRA_CA_CERTS=${authorities}`];
}

function bring(file: string, debian: string): void {
  if (!existsSync(file)) return;
  mkdirSync(join(debian, dirname(file)), { recursive: true });
  copyFileSync(file, join(debian, file));
}
