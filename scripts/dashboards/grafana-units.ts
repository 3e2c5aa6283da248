/** Units of the catalogue → those of Grafana, where it has one; else the unit is written behind the number. */

const known: Readonly<Record<string, string>> = {
  bytes: 'bytes',
  bytes_per_second: 'Bps',
  'bits per second': 'bps',
  bits_per_second: 'bps',
  packets_per_second: 'pps',
  seconds: 's',
  // Seconds of CPU in each second.
  seconds_per_second: 'percentunit',
  ratio: 'percentunit',
  boolean: 'none',
};

export function grafanaUnit(unit: string): string {
  const own = known[unit];
  if (own !== undefined) return own;
  const words = unit.replace(/_per_(second|minute)$/, (_, what: string) => (what === 'second' ? '/s' : '/min'));
  return `suffix: ${words.replaceAll('_', ' ')}`;
}
