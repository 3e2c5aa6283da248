/**
 * Grafana, as its documentation and source describe it (HTTP API "Annotations"; pkg/api/annotations.go): a scripted one,
 * since there is none to be run here.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDestination } from '../src/events/out/destination.ts';
import {
  happened,
  NOON,
  quiet,
  type Reply,
  type Rig,
  type Row,
  type ScriptedServer,
  scriptedServer,
  soon,
  startRig,
} from './support/events-delivery.ts';

interface Annotation {
  readonly id: number;
  readonly time: number;
  readonly text: string;
  readonly tags: readonly string[];
  /** Its tags were not linked to it. */
  readonly isHalf: boolean;
}

let server: ScriptedServer;
let rig: Rig;
let annotations: Annotation[];
const token = 'glsa_0123456789';

beforeEach(async () => {
  annotations = [];
  server = await scriptedServer();
  server.onPost = (row) => post(row);
  server.onGet = ({ url, headers }) => {
    if (headers.authorization !== `Bearer ${token}`) return json(401, { message: 'Invalid API key' });
    expect(url.pathname).toBe('/below/api/annotations');
    const [from, to] = [Number(url.searchParams.get('from')), Number(url.searchParams.get('to'))];
    const tags = pairs(url.searchParams.getAll('tags'));
    const found = annotations
      .filter(({ time }) => time >= from && time <= to)
      .filter((one) => tags.every((tag) => !one.isHalf && one.tags.includes(tag)));
    return json(200, found.slice(0, Number(url.searchParams.get('limit') ?? 100)));
  };
  rig = startRig({ type: 'grafana', url: `http://127.0.0.1:${server.port}/below/`, token });
});
afterEach(async () => {
  await rig.close();
  await server.close();
});

function json(status: number, body: object): Reply {
  return { status, headers: { 'content-type': 'application/json; charset=UTF-8' }, body: JSON.stringify(body) };
}

/** Keys and values; a key without a value has no colon. */
function pairs(tags: readonly string[]): string[] {
  return tags.map((tag) => tag.replace(/^([^:]+):$/, '$1'));
}

function post({ what, data, tags, when }: Row, isHalf = false): Reply {
  // Go does not decode a fraction into an int64.
  if (!Number.isInteger(when)) return json(400, { message: 'bad request data' });
  if (!Array.isArray(tags)) return json(400, { message: 'Failed to save Graphite annotation' });
  const id = annotations.length + 1;
  const text = data === '' ? what : `${what}\n${data}`;
  annotations.push({ id, time: when * 1000, text, tags: pairs(tags), isHalf });
  return json(200, { message: 'Graphite annotation added', id });
}

describe('Grafana', () => {
  it('takes an event at its second, as one text, from who has the token', async () => {
    rig.accept(happened('deploy of web', 0.75, { data: 'by anna' }), happened('b', 1, { tags: ['a:', 'b:c'] }));
    rig.delivery.wake();
    await rig.settled();
    expect(annotations).toMatchObject([
      { time: NOON * 1000, text: 'deploy of web\nby anna', tags: ['deploy', 'app'] },
      { time: (NOON + 1) * 1000, text: 'b', tags: ['a', 'b:c'] },
    ]);
    const [asked] = server.asked;
    expect(asked?.url.pathname).toBe('/below/api/annotations/graphite');
    expect(asked?.headers).toMatchObject({ authorization: `Bearer ${token}`, 'content-type': 'application/json' });
  });

  it.each([true, false])('is asked for what it may have taken (it had: %s), and has it once', async (isStored) => {
    server.onPost = (row) => {
      if (server.posts().length > 1) return post(row);
      if (isStored) post(row);
      return 'drop';
    };
    rig.accept(happened('a', 0.5, { tags: ['a:', 'x'] }));
    rig.delivery.wake();
    await soon(() => rig.delivery.counts().failures.size > 0, 'the loss');
    await quiet();
    await rig.clock.advance(30_000);
    await rig.settled();
    expect(annotations).toHaveLength(1);
    expect(rig.delivery.counts().found).toBe(isStored ? 1 : 0);
  });

  it('is sent an event again whose tags it did not write', async () => {
    server.onPost = (row) => {
      if (server.posts().length > 1) return post(row);
      post(row, true);
      return json(500, { message: 'Failed to save Graphite annotation' });
    };
    rig.accept(happened('a'));
    rig.delivery.wake();
    await soon(() => rig.delivery.counts().failures.size > 0, 'the failure');
    await quiet();
    await rig.clock.advance(10_000);
    await rig.settled();
    expect(annotations.map(({ isHalf }) => isHalf)).toEqual([true, false]);
    expect(rig.kept.of('events:halved')).toHaveLength(1);
  });

  it('that answers 200 with something else than its receipt has taken nothing', async () => {
    let isProxy = true;
    server.onPost = (row) => (isProxy ? { status: 200, body: 'ok' } : post(row));
    rig.accept(happened('a'));
    rig.delivery.wake();
    await soon(() => rig.delivery.isDown, 'the answer');
    isProxy = false;
    await quiet();
    await rig.clock.advance(10_000);
    await rig.settled();
    expect(annotations).toHaveLength(1);
  });
});

describe('a probe', () => {
  it('says whether it answers and accepts who asks, and posts nothing', async () => {
    const url = `http://127.0.0.1:${server.port}/below`;
    const good = createDestination({ ...rig.options, url });
    expect(await good.probe(AbortSignal.timeout(5000))).toMatchObject({ level: 'ok' });
    const bad = createDestination({ ...rig.options, url, token: 'glsa_wrong' });
    const verdict = await bad.probe(AbortSignal.timeout(5000));
    expect(verdict.level).toBe('fail');
    expect(verdict.text).toMatch(/\(401\): Invalid API key; check user and password, or the token/);
    expect(verdict.text).not.toContain('glsa_wrong');
    expect(server.posts()).toEqual([]);
    good.close();
    bad.close();
  });
});
