/** What is wrong with an `events` section that its schema cannot see. Pure. */
import type { Collector } from '../collector.ts';
import { selfMetrics } from '../self.ts';
import { metricNamed, watchedBy } from './changes.ts';
import { eventMetrics } from './event-metrics.ts';
import { type DestinationOptions, destinationsOf, type EventsOptions } from './options.ts';

interface Fault {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

export function eventFaults(options: EventsOptions, collectors: ReadonlyMap<string, Collector>): Fault[] {
  return [...doubledNames(options), ...wrongAccess(options), ...wrongRules(options, collectors)];
}

/** Where the destination with this index of `destinationsOf` stands. */
function placeOf({ graphite }: EventsOptions, index: number): readonly (string | number)[] {
  if (graphite === undefined) return ['destinations', index];
  return index === 0 ? ['graphite'] : ['destinations', index - 1];
}

function doubledNames(options: EventsOptions): Fault[] {
  const firsts = new Map<string, number>();
  return destinationsOf(options).flatMap(({ name }, index) => {
    const first = firsts.get(name);
    if (first === undefined) firsts.set(name, index);
    if (first === undefined) return [];
    const other = placeOf(options, first).join('.');
    const message = `events.${other} is named ${JSON.stringify(name)} too; give this destination a "name" of its own`;
    return [{ path: placeOf(options, index), message }];
  });
}

function wrongAccess(options: EventsOptions): Fault[] {
  return destinationsOf(options).flatMap((one, index) => {
    const path = placeOf(options, index);
    return faultsOfAccess(one).map((message) => ({ path, message }));
  });
}

function faultsOfAccess(one: DestinationOptions): string[] {
  const { user, password, passwordFile, token, tokenFile, certFile, keyFile, headers } = one;
  const hasPassword = password !== undefined || passwordFile !== undefined;
  const hasToken = token !== undefined || tokenFile !== undefined;
  const { username, password: inUrl } = new URL(one.url);
  return [
    ...(inUrl === '' && username === '' ? [] : ['"url" has a user in it; give "user" and "passwordFile" instead']),
    ...(password !== undefined && passwordFile !== undefined ? ['expected one of "password" and "passwordFile"'] : []),
    ...(token !== undefined && tokenFile !== undefined ? ['expected one of "token" and "tokenFile"'] : []),
    ...(hasPassword !== (user !== undefined) ? ['"user" and "passwordFile" belong together'] : []),
    ...(hasPassword && hasToken ? ['expected either a user with his password or a token'] : []),
    ...((certFile === undefined) !== (keyFile === undefined) ? ['"certFile" and "keyFile" belong together'] : []),
    ...(hasToken && Object.keys(headers).some((name) => name.toLowerCase() === 'authorization')
      ? ['expected either a token or a header "authorization"']
      : []),
  ];
}

function wrongRules({ rules }: EventsOptions, collectors: ReadonlyMap<string, Collector>): Fault[] {
  return rules.flatMap((rule, index) => {
    if (rule.metric === undefined) return [];
    return watchedBy(rule).watched.flatMap(({ metric }) => {
      const found = metricNamed(metric, collectors, { ...selfMetrics, ...eventMetrics });
      return typeof found === 'string' ? [{ path: ['rules', index, 'metric'], message: found }] : [];
    });
  });
}
