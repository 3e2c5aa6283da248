/** Delivery over TLS, with certificates of our own. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createExchange } from '../src/hosts/http-exchange.ts';
import {
  happened,
  type Rig,
  type RigOptions,
  type ScriptedServer,
  scriptedServer,
  startRig,
} from './support/events-delivery.ts';

const folder = mkdtempSync(join(tmpdir(), 'edgestatd-delivery-tls-'));
const at = (name: string): string => join(folder, name);

function certificate(name: string): { key: Buffer; cert: Buffer } {
  writeFileSync(
    at(`${name}.cnf`),
    `[req]\ndistinguished_name=d\nx509_extensions=e\nprompt=no\n[d]\nCN=${name}\n[e]\nsubjectAltName=IP:127.0.0.1\n`,
  );
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', at(`${name}.key`)];
  execFileSync(
    'openssl',
    ['req', '-x509', ...key, '-days', '2', '-config', at(`${name}.cnf`), '-out', at(`${name}.pem`)],
    {
      stdio: 'pipe',
    },
  );
  return { key: readFileSync(at(`${name}.key`)), cert: readFileSync(at(`${name}.pem`)) };
}

describe('over TLS', () => {
  let server: ScriptedServer;
  let strict: ScriptedServer;
  let rig: Rig | undefined;
  beforeAll(async () => {
    const ours = certificate('ours');
    const client = certificate('client');
    server = await scriptedServer(0, ours);
    strict = await scriptedServer(0, { ...ours, requestCert: true, rejectUnauthorized: true, ca: client.cert });
  });
  afterEach(async () => {
    await rig?.close();
  });
  afterAll(async () => {
    await Promise.all([server?.close(), strict?.close()]);
    rmSync(folder, { recursive: true, force: true });
  });
  const start = (options: RigOptions): Rig => {
    rig = startRig({ url: server.url, ...options });
    return rig;
  };

  it('events are delivered to whom is trusted, over connections that are kept', async () => {
    const { accept, delivery, settled } = start({ caFile: at('ours.pem'), concurrency: 2 });
    accept(...Array.from({ length: 20 }, (_, n) => happened(`e${n}`, n)));
    delivery.wake();
    await settled();
    expect(server.rows).toHaveLength(20);
    expect(server.connections).toBeLessThanOrEqual(2);
  });

  it('an answer that is lost is asked for', async () => {
    const before = server.rows.length;
    const take = server.onPost;
    server.onPost = (_, store) => {
      server.onPost = take;
      store();
      return 'drop';
    };
    const { accept, delivery, settled, clock, kept } = start({ caFile: at('ours.pem') });
    accept(happened('lost', 50));
    delivery.wake();
    while (delivery.counts().failures.size === 0) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(30_000);
    await settled();
    expect(server.rows).toHaveLength(before + 1);
    expect(delivery.counts().found).toBe(1);
    expect(kept.names()).toEqual([]);
  });

  it('a request that waited for the connection of another one was sent', async () => {
    const take = server.onPost;
    server.onPost = ({ what }, store) => {
      store();
      return what === 'second' ? 'drop' : 'take';
    };
    const exchange = createExchange({ certificateAuthorityFile: at('ours.pem') }, { connections: 1, timeoutMs: 5000 });
    const ask = (what: string) =>
      exchange.ask(
        { url: server.url, accept: '*/*', body: JSON.stringify({ what, tags: [], data: '', when: 1 }), maxBytes: 100 },
        new AbortController().signal,
      );
    const [first, second] = await Promise.all([ask('first'), ask('second')]);
    exchange.close();
    server.onPost = take;
    expect(first).toMatchObject({ kind: 'answered', status: 200 });
    expect(second).toMatchObject({ kind: 'failed', wasSent: true });
  });

  it.each([
    ['whom nobody trusts', () => server, {}],
    ['who wants a certificate of this side', () => strict, { caFile: at('ours.pem') }],
  ])('nothing is sent to one %s, and nothing is doubtful', async (_, which, options) => {
    const { url, asked } = which();
    const before = asked.length;
    const { accept, delivery, kept, states } = start({ url, ...options });
    accept(happened('never', 100));
    delivery.wake();
    expect((await kept.next('events:down')).code).toBe('E_AUTH');
    while (states().never !== 'waiting') await new Promise((resolve) => setImmediate(resolve));
    expect(asked).toHaveLength(before);
  });
});
