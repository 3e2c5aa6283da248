import { describe, expect, test } from 'vitest';
import { createMeasure, measureStatus } from './measure.ts';
import { noDepth, type Status } from './record.ts';

const of = (vhost: string) => ({
  vhost: { ...noDepth, vhost, messages: 1, running: true, counts: undefined },
  exchange: { vhost, exchange: 'nova', publishedIn: 1, publishedOut: 1 },
});
const [mine, other] = [of('mine'), of('other')];
const status: Status = {
  broker: undefined,
  vhosts: [mine.vhost, other.vhost],
  nodes: [],
  exchanges: [mine.exchange, other.exchange],
  links: [],
  problems: [],
};

/** Which scopes of which vhosts are sent. */
function sent(wanted?: (vhost: string) => boolean): string[] {
  const to = createMeasure();
  measureStatus(to, status, undefined, undefined, wanted);
  return [...new Set(to.samples.map(({ labels = {} }) => `${labels.scope} ${labels.vhost}`))];
}

describe('the vhosts of a status', () => {
  test('are all sent, unless some are wanted', () => {
    expect(sent()).toEqual(['vhost mine', 'vhost other', 'exchange mine', 'exchange other']);
  });

  test('that are not wanted are not sent, nor are their exchanges', () => {
    expect(sent((vhost) => vhost === 'mine')).toEqual(['vhost mine', 'exchange mine']);
  });
});
