import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../src/clock.ts';
import { carbonSink } from '../src/sinks/carbon.ts';
import { checkCarbon } from '../src/sinks/carbon-check.ts';
import { carbonSinkOptions } from '../src/sinks/carbon-options.ts';
import { type CarbonReceiver, startCarbonReceiver } from './support/carbon-receiver.ts';
import { point } from './support/points.ts';
import { type Certificates, makeCertificates } from './support/rabbitmq-certificates.ts';
import { keptLog } from './support/sink-log.ts';

let directory = '';
let certificates: Certificates;
const endings: (() => unknown)[] = [];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'edgestatd-carbon-tls-'));
  certificates = await makeCertificates(join(directory, 'certificates'));
});
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function receiver(asksForCertificate = false): Promise<CarbonReceiver> {
  const { server, caFile } = certificates;
  const [cert, key, ca] = [server.certFile, server.keyFile, caFile].map((file) => readFileSync(file));
  const client = { requestCert: asksForCertificate, rejectUnauthorized: asksForCertificate };
  const started = await startCarbonReceiver({ tls: { cert, key, ca, ...client } });
  endings.push(() => started.stop());
  return started;
}

function sinkTo(destination: string, over: Record<string, unknown>) {
  const { log, ...kept } = keptLog();
  const spool = join(directory, `${endings.length}-${destination.replaceAll(/[^0-9]/g, '')}.db`);
  const options = carbonSinkOptions.parse({ type: 'carbon', destinations: [destination], tls: true, spool, ...over });
  const sink = carbonSink({ ...options, name: 'carbon' }, systemClock, log);
  endings.push(() => sink.close(300));
  sink.write({ job: 'job', atMs: 1_700_000_000_000, intervalMs: 10_000, points: [point('e.a', 1)] });
  return { sink, options: { ...options, name: 'carbon' }, ...kept };
}

describe('a carbon sink over TLS', () => {
  it('delivers to who has a certificate of the configured authority, and knows what was read', async () => {
    const carbon = await receiver();
    for (const host of ['127.0.0.1', 'localhost']) {
      const { next, sink } = sinkTo(`${host}:${carbon.port}`, { caFile: certificates.caFile });
      await next('sink:delivering');
      await sink.close(2000);
      expect(sink.counts()).toMatchObject({ sentMetrics: 1, waiting: undefined });
    }
    expect(carbon.lines).toEqual(['e.a 1 1700000000', 'e.a 1 1700000000']);
  });

  it('sends nothing to who has another, and says what to do', async () => {
    const carbon = await receiver();
    const { next, sink, options } = sinkTo(`127.0.0.1:${carbon.port}`, {});
    const down = await next('sink:down');
    expect(down).toMatchObject({ code: 'E_AUTH' });
    expect(down.message).toMatch(/certificate is of no authority that is trusted here .*"caFile"/);
    expect(sink.counts().sentMetrics).toBe(0);
    const [verdict] = await checkCarbon(options, 'e', systemClock, false);
    expect(verdict).toEqual({ level: 'fail', text: down.message });
    expect(carbon.lines).toEqual([]);
  });

  it('shows its own certificate to who asks for one, and says so where it has none', async () => {
    const carbon = await receiver(true);
    const { caFile, client } = certificates;
    const { next } = sinkTo(`127.0.0.1:${carbon.port}`, { caFile, ...client });
    await next('sink:delivering');
    const without = sinkTo(`localhost:${carbon.port}`, { caFile });
    const down = await without.next('sink:down');
    expect(down).toMatchObject({ code: 'E_AUTH' });
    expect(down.message).toContain('it may want "certFile" and "keyFile"');
    expect(carbon.lines).toHaveLength(1);
  });

  it('says what is wrong with a file, and with an end that speaks no TLS', async () => {
    const missing = await sinkTo('127.0.0.1:1', { caFile: '/nowhere/ca.pem' }).next('sink:down');
    expect(missing).toMatchObject({ code: 'E_NOT_FOUND', message: '/nowhere/ca.pem cannot be read (ENOENT)' });
    const plain = await startCarbonReceiver();
    endings.push(() => plain.stop());
    // It waits for a line, and the handshake for an answer.
    const { caFile } = certificates;
    const silent = sinkTo(`127.0.0.1:${plain.port}`, { caFile, connectTimeout: '300ms' });
    expect(await silent.next('sink:down')).toMatchObject({ code: 'E_TIMEOUT' });
  });
});
