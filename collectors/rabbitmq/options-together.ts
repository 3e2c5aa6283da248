/** Options that contradict each other, or do nothing where others have that value. Pure. */
type Fault = readonly [option: string, message: string];

/** Whether a name is a pattern where `matcher` (src/text.ts) takes it. */
export const isGlob = (name: string): boolean => /[*?[]/.test(name);

interface Given {
  readonly source: 'management' | 'prometheus' | 'rabbitmqctl';
  readonly command: readonly string[];
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly passwordFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly host: 'auto' | 'own' | 'all';
  readonly vhosts?: readonly string[] | undefined;
  readonly exchanges: readonly string[];
  readonly unresponsive: boolean;
}

export function optionFaults(given: Given): Fault[] {
  return [...accessFaults(given), ...sourceFaults(given), ...ownFaults(given)];
}

function accessFaults({ user, password, passwordFile, certFile, keyFile }: Given): Fault[] {
  const faults: Fault[] = [];
  if (password !== undefined && passwordFile !== undefined)
    faults.push(['passwordFile', 'give password or passwordFile, not both']);
  for (const [name, value] of Object.entries({ password, passwordFile }))
    if (value !== undefined && user === undefined) faults.push([name, 'a password needs its user: give user too']);
  if (certFile === undefined && keyFile !== undefined)
    faults.push(['keyFile', 'a key needs its certificate: give certFile too']);
  if (certFile !== undefined && keyFile === undefined)
    faults.push(['certFile', 'a certificate needs its key: give keyFile too']);
  return faults;
}

/** Options of plugins that are asked over HTTP. */
const OVER_HTTP = ['urls', 'user', 'password', 'passwordFile', 'caFile', 'certFile', 'keyFile'] as const;

function sourceFaults(given: Given): Fault[] {
  const { source, exchanges, unresponsive, command } = given;
  const faults: Fault[] = [];
  const fault = (option: string, where: string): number =>
    faults.push([option, `does nothing with source: ${source}; leave it out, or use source: ${where}`]);
  if (source === 'rabbitmqctl') {
    const values: Readonly<Record<string, unknown>> = { ...given };
    for (const option of OVER_HTTP) if (values[option] !== undefined) fault(option, 'management or prometheus');
  } else {
    if (unresponsive) fault('unresponsive', 'rabbitmqctl');
    if (command.length > 0 && command.join(' ') !== 'rabbitmqctl') fault('command', 'rabbitmqctl');
  }
  if (source !== 'management' && exchanges.length > 0) fault('exchanges', 'management');
  return faults;
}

function ownFaults({ host, vhosts = [] }: Given): Fault[] {
  if (host !== 'own' || !vhosts.some(isGlob)) return [];
  return [['vhosts', 'expected names with host: own, which asks for single queues; give no globs, or host: all']];
}
