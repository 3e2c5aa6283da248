/** What happens to a hypervisor, for tests of the htb collector. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Testbed, VIFS } from './testbed.ts';

/** The filters that stand for set_queue, after Open vSwitch has made the tree anew (the testbed's are gone with it). */
export async function addFilters({ inside }: Testbed): Promise<void> {
  const lines = Object.values(VIFS).map(
    ({ address, classId }) =>
      `filter add dev eth1 parent 1: protocol ip u32 match ip src ${address}/32 flowid ${classId}`,
  );
  await inside('hv', ['tc', '-batch', '-'], { input: `${lines.join('\n')}\n` });
}

/** A device with a plain HTB tree, which leads to 10.9.0.2: 1:10, and 1:20 that takes the rest four packets at a time. */
export async function plainDevice({ inside, namespaces }: Testbed, device: string): Promise<void> {
  const ip = async (place: 'hv' | 'ext', ...lines: string[]): Promise<unknown> =>
    inside(place, ['ip', '-batch', '-'], { input: `${lines.join('\n')}\n` });
  await ip(
    'hv',
    `link add ${device} type veth peer name far netns ${namespaces.ext}`,
    `addr add 10.9.0.1/24 dev ${device}`,
    `link set ${device} up`,
  );
  await ip('ext', 'addr add 10.9.0.2/24 dev far', 'link set far up');
  const tree = [
    `qdisc add dev ${device} root handle 1: htb default 20`,
    `class add dev ${device} parent 1: classid 1:1 htb rate 10mbit`,
    `class add dev ${device} parent 1:1 classid 1:10 htb rate 1mbit ceil 10mbit`,
    `class add dev ${device} parent 1:1 classid 1:20 htb rate 1mbit ceil 2mbit`,
    `qdisc add dev ${device} parent 1:20 handle 20: pfifo limit 4`,
  ];
  await inside('hv', ['tc', '-batch', '-'], { input: `${tree.join('\n')}\n` });
  // What waits for the other end's address is not in the tree.
  await inside('hv', ['ping', '-q', '-c', '1', '-w', '5', '10.9.0.2']);
}

/** A hundred datagrams of a thousand bytes at once, to where a plain device leads. */
export async function burst({ inside }: Testbed): Promise<void> {
  const script =
    '$s = IO::Socket::INET->new(Proto => "udp", PeerAddr => "10.9.0.2:9"); send($s, "x" x 1000, 0) for 1..100';
  await inside('hv', ['perl', '-MIO::Socket::INET', '-e', script]);
}

/** While a daemon is stopped (SIGSTOP) it answers nobody and follows nothing, as one that is overloaded. */
export async function withStopped<Value>(
  { rundir }: Testbed,
  daemon: 'ovs-vswitchd' | 'ovsdb-server',
  work: () => Promise<Value>,
): Promise<Value> {
  const pid = Number(readFileSync(join(rundir, `${daemon}.pid`), 'utf8'));
  if (!Number.isSafeInteger(pid) || pid <= 1) throw new Error(`${daemon}.pid does not hold a process id`);
  process.kill(pid, 'SIGSTOP');
  try {
    return await work();
  } finally {
    process.kill(pid, 'SIGCONT');
  }
}
