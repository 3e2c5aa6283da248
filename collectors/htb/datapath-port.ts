/** By which port an address sends now, where no flow says it: from the datapath's own flows. */
import type { Host } from '../../src/collector.ts';
import { asFailure } from '../../src/errors.ts';
import { patient } from '../../src/ovs/patience.ts';
import { unixctl } from '../../src/ovs/unixctl.ts';

/** An address that nothing else knows is not worth more of an operator's time. */
const SECONDS = 2;

/**
 * `ovs-appctl dpctl/dump-flows --names filter=…` (ovs-vswitchd(8)): `in_port(vif2.1),…,ipv4(src=10.0.0.37,…)`. Asked
 * only by an operator: with many flows it costs vswitchd time. Undefined: nothing was sent lately, or it cannot tell.
 * `E_TIMEOUT`: vswitchd hangs, or has very many.
 */
export async function datapathPort(host: Host, rundir: string, ip: string): Promise<string | undefined> {
  const field = ip.includes(':') ? 'ipv6_src' : 'nw_src';
  try {
    const vswitchd = patient(await unixctl(host, rundir, 'ovs-vswitchd'), 'ovs-vswitchd', SECONDS);
    try {
      const type = ip.includes(':') ? 'ipv6' : 'ip';
      return portIn(await vswitchd.call('dpctl/dump-flows', '--names', `filter=${type},${field}=${ip}`), ip);
    } finally {
      vswitchd.close();
    }
  } catch (thrown) {
    const failure = asFailure(thrown);
    if (failure.code === 'E_TIMEOUT') throw failure;
    return undefined;
  }
}

/** The only port by which packets with this source came in; undefined: none, or several. */
export function portIn(text: string, ip: string): string | undefined {
  const ports = new Set<string>();
  for (const line of text.split('\n')) {
    const [, port] = /(?:^|,)in_port\(("(?:[^"\\]|\\.)*"|[^()"]+)\)/.exec(line) ?? [];
    // A port may be called anything.
    const unnamed = line.replaceAll(/"(?:[^"\\]|\\.)*"/g, '');
    const [, source] = /(?:^|,)ipv[46]\(src=([0-9a-f.:]+)[,)/]/.exec(unnamed) ?? [];
    if (port === undefined || source !== ip) continue;
    ports.add(port.startsWith('"') ? unescaped(port) : port);
  }
  const [first] = ports;
  return ports.size === 1 ? first : undefined;
}

function unescaped(text: string): string {
  try {
    return String(JSON.parse(text));
  } catch {
    return text;
  }
}
