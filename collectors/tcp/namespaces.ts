/** The output of `ip netns list` → names of network namespaces. Pure. */
import { lines } from '../../src/text.ts';

/**
 * One name a line, since iproute2 4.x with ` (id: N)` behind it where the namespace has an id.
 * A name is a file name below /run/netns (ip-netns(8)), so one with `/`, `.` or `..` is none.
 */
export function namespacesIn(text: string): string[] {
  const names = lines(text).map((line) => line.replace(/ \(id: -?[0-9]+\)$/, ''));
  return [...new Set(names)].filter((name) => name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name));
}
