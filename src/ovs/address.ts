/** IP and MAC addresses in one spelling, so that they can be compared: lower case, IPv6 by RFC 5952. Pure. */

const HOST_MASKS = new Set(['32', '255.255.255.255', '128', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff']);

/** The one address that a match stands for (`10.0.0.1`, `10.0.0.1/32`, `FE80::1`); undefined for nets and other text. */
export function exactIp(text: string | undefined): string | undefined {
  const [address = '', mask, ...more] = (text ?? '').toLowerCase().split('/');
  const isV6 = address.includes(':');
  if (more.length > 0) return undefined;
  if (mask !== undefined && (!HOST_MASKS.has(mask) || (mask === '128' || mask.includes(':')) !== isV6))
    return undefined;
  return isV6 ? ipv6(address) : ipv4(address)?.join('.');
}

/** The one MAC address that a match stands for, in lower case; undefined for masked ones and other text. */
export function exactMac(text: string | undefined): string | undefined {
  const [address = '', mask = 'ff:ff:ff:ff:ff:ff', ...more] = (text ?? '').toLowerCase().split('/');
  const isExact = mask === 'ff:ff:ff:ff:ff:ff' && more.length === 0;
  return isExact && /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/.test(address) ? address : undefined;
}

function ipv4(text: string): number[] | undefined {
  const parts = text.split('.');
  const isSound = parts.length === 4 && parts.every((part) => /^(?:0|[1-9][0-9]{0,2})$/.test(part));
  const numbers = parts.map(Number);
  return isSound && numbers.every((number) => number < 256) ? numbers : undefined;
}

function ipv6(text: string): string | undefined {
  if (text.length > 45) return undefined;
  let rest = text;
  if (text.includes('.')) {
    const at = text.lastIndexOf(':') + 1;
    const [a = 0, b = 0, c = 0, d = 0] = ipv4(text.slice(at)) ?? [Number.NaN];
    if (Number.isNaN(a)) return undefined;
    rest = `${text.slice(0, at)}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  }
  const halves = rest.split('::').map((half) => (half === '' ? [] : half.split(':')));
  const [left = [], right] = halves;
  const given = left.length + (right?.length ?? 0);
  if (halves.length > 2 || (right === undefined ? given !== 8 : given > 7)) return undefined;
  const groups = [...left, ...Array.from({ length: 8 - given }, () => '0'), ...(right ?? [])];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/.test(group))) return undefined;
  return compressed(groups.map((group) => Number.parseInt(group, 16)));
}

/** The first of the longest runs of two or more zero groups becomes `::`. */
function compressed(groups: readonly number[]): string {
  let [best, bestLength] = [0, 1];
  for (let at = 0; at < groups.length; at++) {
    let end = at;
    while (groups[end] === 0) end++;
    if (end - at > bestLength) [best, bestLength] = [at, end - at];
    at = Math.max(at, end - 1);
  }
  const hex = groups.map((group) => group.toString(16));
  if (bestLength < 2) return hex.join(':');
  return `${hex.slice(0, best).join(':')}::${hex.slice(best + bestLength).join(':')}`;
}
