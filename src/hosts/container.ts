/** What a container lacks of its machine, and the option of the engine that brings it. Said only in our own image. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { quoted } from '../text.ts';

/** The Dockerfile sets it: elsewhere a socket that is missing is no matter of mounts. */
const isContained = (env: NodeJS.ProcessEnv): boolean => env.EDGESTATD_CONTAINER === 'true';

/** Programs of collectors, which the stage `tools` of the Dockerfile installs. */
const TOOLS = new Set(['ip', 'tc', 'nsenter', 'ovs-ofctl', 'ovs-appctl']);

/** The rest of a sentence about a socket or a program, or nothing. */
export function containerAdvice(
  about: 'no socket' | 'denied socket' | 'no program',
  what: string,
  env: NodeJS.ProcessEnv = process.env,
): string {
  if (!isContained(env)) return '';
  const folder = dirname(what);
  if (about === 'no socket') return `; if it runs on the machine, start this container with -v ${folder}:${folder}`;
  if (about === 'denied socket') return '; start this container with --user UID:GID of its owner (0:0 is root)';
  return TOOLS.has(what) ? '; use the image that is built with --build-arg BASE_IMAGE=tools' : '';
}

/** A job, as far as it matters to what of the machine it sees. */
interface Viewer {
  readonly id: string;
  readonly target: string;
  readonly collector: { readonly name: string };
  readonly options: unknown;
}

/** One sentence for each job of this machine that sees the container instead, as far as that can be told. */
export function containerViews(jobs: readonly Viewer[], env: NodeJS.ProcessEnv = process.env, root = '/'): string[] {
  if (!isContained(env)) return [];
  const here = jobs.filter(({ target }) => target === 'local');
  return here.flatMap(({ id, collector: { name }, options }) => {
    const { proc } = (options ?? {}) as { readonly proc?: unknown };
    const from = typeof proc === 'string' ? proc : '/proc';
    if (name === 'process' && !hasKernelThreads(`${root}${from}`))
      return [
        `job ${id}: ${quoted(from)} shows the processes of this container alone; start it with --pid host, or with -v /proc:/host/proc:ro and proc: /host/proc`,
      ];
    const isNetwork = name === 'htb' || ((name === 'tcp' || name === 'link') && /^\/proc\//.test(from));
    if (!isNetwork || hasDevice(`${root}/sys/class/net`)) return [];
    return [
      `job ${id}: no network interface here belongs to a device, so this may be the network of the container alone; start it with --network host`,
    ];
  });
}

/** Process 2 of a machine is the father of the kernel's threads; a container has none of them. */
function hasKernelThreads(proc: string): boolean {
  try {
    return readFileSync(`${proc}/2/comm`, 'utf8').trim() === 'kthreadd';
  } catch {
    return false;
  }
}

function hasDevice(folder: string): boolean {
  try {
    return readdirSync(folder).some((name) => existsSync(`${folder}/${name}/device`));
  } catch {
    // What cannot be looked at is not known to be wrong.
    return true;
  }
}
