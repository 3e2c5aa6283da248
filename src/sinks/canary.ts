/**
 * Proof that a StatsD server reads every metric of a datagram: a few gauges with values of our own are sent in one
 * datagram, as the sink would, and read back over the admin port. Gauges, because they survive a flush.
 */
import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import type { Verdict } from '../collector.ts';
import { asFailure } from '../errors.ts';
import { gauge } from '../metric.ts';
import type { Point } from '../point.ts';
import { pack } from './pack.ts';
import { packing } from './packing.ts';
import { ask, badLinesIn, gaugeIn } from './statsd-admin.ts';
import type { StatsdSinkOptions } from './statsd-options.ts';
import { udpPeer } from './udp.ts';

const POLL_MS = 50;
const POLLS = 40;
/** Time for the server's machine to say that nobody listens. */
const REFUSAL_MS = 200;
const MAX_ADDRESSES = 3;

/** `base` is the path under which the canary's gauges appear; they are deleted again at the server. */
export async function checkStatsd(options: StatsdSinkOptions, base: string, clock: Clock): Promise<Verdict> {
  const { host, port, adminPort } = options;
  const to = `${host}:${port}`;
  const canary = [1, 2, 3].map((number) => ({
    name: `check_canary_${number}`,
    value: (number === 3 ? -1 : 1) * randomInt(1e6, 1e9),
  }));
  const points = canary.map(({ name, value }): Point => {
    const metric = gauge(name, { unit: 'number', help: '', source: '' });
    return { path: `${base}.${name}`, base, metric, labels: {}, value };
  });
  const { datagrams } = pack(points, { ...packing(options), tags: 'none' });
  const before = await ask(host, adminPort, 'stats').then(badLinesIn, asFailure);

  let refused = false;
  const peer = udpPeer(host, port, clock, () => {
    refused = true;
  });
  try {
    // A name may have several addresses: after a refusal the peer takes another one.
    for (let attempt = 0; attempt < MAX_ADDRESSES && (attempt === 0 || refused); attempt++) {
      refused = false;
      await peer.ready();
      for (const { payload } of datagrams) {
        const error = await new Promise<Error | null>((resolve) => peer.send(payload, resolve));
        if (error !== null) return { level: 'fail', text: `${to}: the datagram could not be sent: ${error.message}` };
      }
      await sleep(REFUSAL_MS);
    }
  } catch (thrown) {
    return { level: 'fail', text: asFailure(thrown).message };
  } finally {
    peer.close();
  }
  if (refused)
    return { level: 'fail', text: `${to}: nobody listens there; start the server, or correct host and port` };
  if (before instanceof Error) {
    const text = `${to}: ${datagrams.length} datagram(s) sent; whether they arrived is not known, as the admin port does not answer (${before.message})`;
    return { level: 'warn', text };
  }
  const names = points.map(({ path }) => path);
  const want = canary.map(({ value }) => value);
  const got = await readBack(host, adminPort, names, want);
  const after = await ask(host, adminPort, 'stats').then(badLinesIn, () => undefined);
  await ask(host, adminPort, `delgauges ${names.join(' ')}`).catch(() => {});
  const way = datagrams.length === 1 ? 'one datagram' : `${datagrams.length} datagrams`;
  return verdict(to, want, got, (after ?? 0) - (before ?? 0), way);
}

async function readBack(
  host: string,
  port: number,
  names: readonly string[],
  want: readonly number[],
): Promise<(number | undefined)[]> {
  let got: (number | undefined)[] = [];
  for (let poll = 0; poll < POLLS; poll++) {
    const answer = await ask(host, port, 'gauges').catch(() => '');
    got = names.map((name) => gaugeIn(answer, name));
    if (got.every((value, index) => value === want[index])) break;
    await sleep(POLL_MS);
  }
  return got;
}

function verdict(
  to: string,
  want: readonly number[],
  got: readonly (number | undefined)[],
  badLines: number,
  way: string,
): Verdict {
  const arrived = got.filter((value, index) => value === want[index]).length;
  const malformed = badLines > 0 ? `, and the server counted ${badLines} malformed line(s) meanwhile` : '';
  if (arrived === want.length) {
    if (badLines > 0)
      return { level: 'warn', text: `${to}: all ${arrived} metrics of ${way} arrived${malformed} (another client's?)` };
    return { level: 'ok', text: `${to}: all ${arrived} metrics of ${way} arrived, none malformed` };
  }
  const [first] = got;
  const mixed =
    way === 'one datagram' &&
    first !== undefined &&
    want.includes(first) &&
    got.slice(1).every((value) => value === undefined);
  if (mixed) {
    const text = `${to}: the server reads only one metric of a datagram and mixes in the others, as StatsD before 0.4.0 does; set "packing: single" for this sink`;
    return { level: 'fail', text };
  }
  const hint =
    arrived === 0
      ? '; does the admin port belong to the server on this UDP port?'
      : '; set "packing: single" if the server is old';
  return { level: 'fail', text: `${to}: ${arrived} of ${want.length} metrics of ${way} arrived${malformed}${hint}` };
}
