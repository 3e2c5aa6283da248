/** What to do about a failure, where its message itself cannot know. Pure. */
import type { Code, Failure } from './errors.ts';
import type { TargetConfig } from './targets.ts';

/** Program → packages of Debian and of Red Hat. */
const PACKAGES: Readonly<Record<string, readonly [debian: string, redHat: string]>> = {
  tc: ['iproute2', 'iproute-tc'],
  ip: ['iproute2', 'iproute'],
  ss: ['iproute2', 'iproute'],
  nsenter: ['util-linux', 'util-linux'],
  'ovs-ofctl': ['openvswitch-common', 'openvswitch'],
  'ovs-appctl': ['openvswitch-common', 'openvswitch'],
  'ovs-vsctl': ['openvswitch-switch', 'openvswitch'],
  'ovs-vswitchd': ['openvswitch-switch', 'openvswitch'],
  rabbitmqctl: ['rabbitmq-server', 'rabbitmq-server'],
  modinfo: ['kmod', 'kmod'],
  sudo: ['sudo', 'sudo'],
  rpm: ['rpm', 'rpm'],
};

const ADVICE: Partial<Record<Code, string>> = {
  E_TIMEOUT: 'raise the timeout of the job, or find out what hangs',
  E_OUTPUT_SIZE: 'narrow the options of the job',
  E_BUG: 'please report this with the log',
};

/** One half of a sentence, or undefined. `target`: where it happened. */
export function adviceFor({ code, evidence, message }: Failure, target?: TargetConfig): string | undefined {
  // What the container lacks is said already, by the wall that met it.
  if (/--user UID:GID|BASE_IMAGE=tools/.test(message)) return undefined;
  const program = evidence.argv?.[0];
  if (code === 'E_NOT_FOUND' && program !== undefined && message.includes('not found in PATH')) {
    const [debian, redHat] = PACKAGES[baseName(program)] ?? [];
    if (debian === undefined) return undefined;
    return debian === redHat ? `its package is ${debian}` : `its package is ${debian} (Debian) or ${redHat} (Red Hat)`;
  }
  if (code !== 'E_DENIED') return ADVICE[code];
  // The message says already what to do: the rule, or the group.
  if (/NOPASSWD|\bgroup\b/.test(message)) return undefined;
  if (target?.type !== 'ssh') return 'give this user the right, or run as root';
  const { user, sudo } = target.settings;
  if (program === undefined) return `give the user ${user} there the right (a group that has it), or log in as another`;
  if (sudo.includes(baseName(program))) return undefined;
  const line = `${user} ALL=(root) NOPASSWD: /PATH/TO/${baseName(program)}`;
  return `put ${baseName(program)} into "sudo" of this target, and there into sudoers: ${line}`;
}

function baseName(program: string): string {
  return program.slice(program.lastIndexOf('/') + 1);
}
