/** Whether a job watches the whole broker, or only the queues of this machine; and what those are called. */
import type { Host } from '../../src/collector.ts';
import { asFailure } from '../../src/errors.ts';
import { managementUrls } from './management-client.ts';
import type { RabbitmqOptions } from './options.ts';
import type { QueueName } from './record.ts';

/** Present where KVM can run machines, and on Xen's control domain. */
const KVM = '/sys/class/misc/kvm/dev';
const XEN = '/proc/xen/capabilities';

export interface Decision {
  readonly own: boolean;
  /** For `check`. */
  readonly why: string;
}

export async function decide(host: Host, options: RabbitmqOptions): Promise<Decision> {
  if (options.host !== 'auto') return { own: options.host === 'own', why: `host: ${options.host}` };
  if (options.source !== 'management') return { own: false, why: `source: ${options.source} asks for every queue` };
  if (managementUrls(options).some(isLoopback)) return { own: false, why: 'the broker is this machine' };
  if (await exists(host, KVM)) return { own: true, why: `this is a hypervisor (${KVM})` };
  if (await exists(host, XEN, 'control_d')) return { own: true, why: `this is a hypervisor (${XEN})` };
  return { own: false, why: 'this is no hypervisor' };
}

export function isLoopback(url: string): boolean {
  const { hostname } = new URL(url);
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.[0-9.]+$/.test(hostname);
}

async function exists(host: Host, path: string, saying = ''): Promise<boolean> {
  try {
    return (await host.readFile(path)).includes(saying);
  } catch (thrown) {
    const { code } = asFailure(thrown);
    if (code === 'E_NOT_FOUND' || code === 'E_DENIED') return false;
    throw thrown;
  }
}

/** The kernel's name of that machine is what nova calls its host, unless it was told otherwise. */
export async function hostNameOf(host: Host, { hostName }: RabbitmqOptions): Promise<string> {
  return hostName ?? (await host.readFile('/proc/sys/kernel/hostname')).trim();
}

export function ownQueues(hostName: string, { vhosts = ['/', 'nova'], hostQueues }: RabbitmqOptions): QueueName[] {
  const names = hostQueues.map((form) => form.replaceAll('{host}', () => hostName));
  return vhosts.flatMap((vhost) => names.map((name) => ({ vhost, name })));
}
