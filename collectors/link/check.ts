/** For `edgestatd check`: what can be read, what cannot, and what that leaves unknown. */
import type { Context, Verdict } from '../../src/collector.ts';
import { asFailure } from '../../src/errors.ts';
import { quoted } from '../../src/text.ts';
import { bondsOf, listBonds } from './bonds.ts';
import { memoryOf, readInterfaces } from './interfaces.ts';
import { compare, type Look, lookAt, witnesses } from './look.ts';
import { type LinkOptions, selector } from './options.ts';
import { LACP_MODE } from './parse-bonding.ts';

type Tried = Context<LinkOptions>;

export async function checkLink(context: Tried): Promise<readonly Verdict[]> {
  const { host, options } = context;
  const isWanted = selector(options);
  let look: Look;
  try {
    look = await lookAt(host, options, isWanted);
  } catch (thrown) {
    const { code, message } = asFailure(thrown);
    return [{ level: 'fail', text: `${code}: ${message}; sys and proc say where to look` }];
  }
  const verdicts: Verdict[] = look.problems.map(({ code, message }) => {
    return { level: 'fail', text: `${code}: ${message}` };
  });
  const names = [...(look.inSys ?? look.dev?.names ?? [])];
  const wanted = names.filter(isWanted);
  const some = `${wanted.length} of ${names.length} interfaces are measured`;
  if (wanted.length === 0) verdicts.push({ level: 'warn', text: `${some}: see include and exclude` });
  else verdicts.push({ level: 'ok', text: some });
  verdicts.push(...(await namespaces(context, look)));
  if (look.inSys !== undefined && look.foreign === undefined) verdicts.push(...(await attributes(context, wanted)));
  verdicts.push(...(await details(context, wanted)));
  return verdicts;
}

async function namespaces({ host, options }: Tried, { inSys, dev, foreign }: Look): Promise<Verdict[]> {
  if (inSys === undefined || dev === undefined) return [];
  const names = witnesses(inSys, dev.names, selector(options));
  const compared = foreign === undefined ? await compare(host, options, names) : undefined;
  const failure = foreign ?? (compared?.kind === 'foreign' ? compared.failure : undefined);
  if (failure !== undefined) return [{ level: 'fail', text: `${failure.code}: ${failure.message}` }];
  const same =
    compared?.kind === 'same' ? 'the same interfaces' : 'interfaces of the same names, which count nothing yet';
  return [{ level: 'ok', text: `${options.sys} and ${options.proc} show ${same}` }];
}

async function attributes({ host, options }: Tried, wanted: readonly string[]): Promise<Verdict[]> {
  const memory = { ...memoryOf(host, options), counts: undefined };
  const { interfaces, problems } = await readInterfaces(host, options, wanted, memory);
  const verdicts: Verdict[] = problems.map(({ code, message }) => {
    return { level: 'fail', text: `${code}: ${message}; run as a user who may read it` };
  });
  const [first] = interfaces;
  if (first === undefined) return verdicts;
  const counts = ['carrier_up_count', 'carrier_changes'].find((one) => first.texts.has(one));
  if (counts === undefined)
    verdicts.push({ level: 'warn', text: 'this kernel does not count changes of the carrier (3.15 and later do)' });
  return verdicts;
}

/** What only root, or CAP_NET_ADMIN, is told. */
async function details({ host, options }: Tried, wanted: readonly string[]): Promise<Verdict[]> {
  const { proc } = options;
  const bonds = await listBonds(host, options);
  const names = wanted.filter((name) => bonds.has(name));
  const [vlans, ...texts] = await host.readFiles([
    `${proc}/vlan/config`,
    ...names.map((name) => `${proc}/bonding/${name}`),
  ]);
  const verdicts: Verdict[] = [];
  if (typeof vlans === 'object' && vlans.code !== 'E_NOT_FOUND')
    verdicts.push({ level: 'warn', text: `${vlans.code}: ${vlans.message}; without it vlan_id is not known` });
  const found = bondsOf(proc, names, texts);
  for (const { code, message } of found.problems) verdicts.push({ level: 'warn', text: `${code}: ${message}` });
  for (const { name, mode, partner, slaves } of found.bonds) {
    const hides = mode === LACP_MODE && partner === undefined && slaves.every((slave) => slave.state === undefined);
    const text = `bond ${quoted(name)}: ${slaves.length} slaves`;
    if (hides)
      verdicts.push({ level: 'warn', text: `${text}; its LACP partner is told to CAP_NET_ADMIN alone (root)` });
    else verdicts.push({ level: 'ok', text });
  }
  return verdicts;
}
