/** For `edgestatd check`: sockets, permissions, programs and versions, and options that will fail. */
import type { Context, Verdict } from '../../src/collector.ts';
import { asFailure } from '../../src/errors.ts';
import { openflow } from '../../src/ovs/openflow.ts';
import { databaseSocket, ovsdb, type Snapshot } from '../../src/ovs/ovsdb.ts';
import { patient } from '../../src/ovs/patience.ts';
import { unixctl } from '../../src/ovs/unixctl.ts';
import { lines, matcher, quoted } from '../../src/text.ts';
import { DAEMONS } from './daemons.ts';
import { layoutOf } from './layout.ts';
import type { OvsOptions } from './options.ts';
import { parseVersion } from './parse.ts';
import { statisticsInterval } from './rows.ts';

type Tried = Context<OvsOptions>;

export async function checkOvs(context: Tried): Promise<readonly Verdict[]> {
  const { host, options } = context;
  const verdicts: Verdict[] = [];
  let snapshot: Snapshot | undefined;
  try {
    snapshot = await ovsdb(host, databaseSocket(options)).snapshot();
    if (snapshot.stale !== undefined) throw snapshot.stale;
    verdicts.push({ level: 'ok', text: `database ${quoted(databaseSocket(options))}: answers` });
    verdicts.push(rhythmOf(statisticsInterval(snapshot.tables), context.intervalMs));
  } catch (thrown) {
    verdicts.push(await databaseTrouble(context, thrown));
  }
  for (const name of DAEMONS) verdicts.push(await daemonVerdict(context, name));
  const ofctl = await programVerdict(context);
  verdicts.push(ofctl);
  if (ofctl.level === 'ok' && snapshot !== undefined) verdicts.push(...(await bridgeVerdicts(context, snapshot)));
  return verdicts;
}

function rhythmOf(seconds: number, intervalMs: number | undefined): Verdict {
  const rhythm = `ovs-vswitchd writes statistics every ${seconds} s`;
  if (intervalMs === undefined || intervalMs >= seconds * 1000) return { level: 'ok', text: rhythm };
  return { level: 'warn', text: `${rhythm}, and the job runs every ${intervalMs / 1000} s: give it a longer interval` };
}

async function databaseTrouble({ host, options }: Tried, thrown: unknown): Promise<Verdict> {
  const { code, message } = asFailure(thrown);
  // Of another machine the failure has said whose it is.
  if (code !== 'E_DENIED' || message.includes('group')) return { level: 'fail', text: `${code}: ${message}` };
  const owner = await host.run(['stat', '-c', '%U:%G %a', '--', databaseSocket(options)]).catch(() => '');
  const told = owner === '' ? '' : `; it belongs to ${quoted(owner.trim())}`;
  return {
    level: 'fail',
    text: `${code}: ${message}${told}: run as its owner, or as a member of its group if that may write`,
  };
}

async function daemonVerdict({ host, options: { rundir } }: Tried, name: (typeof DAEMONS)[number]): Promise<Verdict> {
  try {
    const control = patient(await unixctl(host, rundir, name), name, 2);
    try {
      const version = parseVersion(await control.call('version'));
      return { level: 'ok', text: `${name}: runs as process ${control.pid}, version ${version ?? 'unknown'}` };
    } finally {
      control.close();
    }
  } catch (thrown) {
    const { code, message } = asFailure(thrown);
    const advice =
      code === 'E_DENIED' && !message.includes('group')
        ? '; its control socket is for root, or for the user that it runs as'
        : '';
    return { level: name === 'ovs-vswitchd' ? 'fail' : 'warn', text: `${code}: ${message}${advice}` };
  }
}

async function programVerdict({ host }: Tried): Promise<Verdict> {
  try {
    const [first = ''] = lines(await host.run(['ovs-ofctl', '--version']));
    return { level: 'ok', text: `ovs-ofctl: ${parseVersion(first) ?? quoted(first)}` };
  } catch (thrown) {
    const { code, message } = asFailure(thrown);
    return { level: 'warn', text: `${code}: ${message}; without it nothing is told of flows and OpenFlow ports` };
  }
}

/** One bridge says whether the sockets may be used, and every group of flows is tried once. */
async function bridgeVerdicts({ host, options }: Tried, { tables }: Snapshot): Promise<Verdict[]> {
  const { bridges } = layoutOf(tables, options);
  const [first] = bridges;
  if (first === undefined) return [{ level: 'warn', text: 'no bridge is there that `bridges` matches' }];
  const client = openflow(host, options.rundir);
  const tried = async (about: string, ask: () => Promise<unknown>): Promise<Verdict> => {
    try {
      await ask();
      return { level: 'ok', text: `${about}: answered` };
    } catch (thrown) {
      const { code, message } = asFailure(thrown);
      return { level: 'fail', text: `${about}: ${code}: ${message}` };
    }
  };
  const verdicts = [await tried(`bridge ${quoted(first.name)} by OpenFlow`, () => client.tables(first))];
  for (const { name, match, bridges: globs } of options.flows) {
    const wanted = matcher(globs);
    const bridge = bridges.find((one) => wanted(one.name));
    const about = `group ${quoted(name)} of flows`;
    if (bridge === undefined)
      verdicts.push({ level: 'warn', text: `${about}: no bridge is there that it is asked of` });
    else verdicts.push(await tried(about, () => client.aggregate(bridge, match)));
  }
  return verdicts;
}
