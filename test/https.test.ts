/** HTTP over TLS, with certificates of our own. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { createServer, type Server, type ServerOptions } from 'node:https';
import { createServer as createTcp, type Server as TcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HttpOptions } from '../src/collector.ts';
import { Failure } from '../src/errors.ts';
import { localTarget } from '../src/hosts/local.ts';

const folder = mkdtempSync(join(tmpdir(), 'edgestatd-https-'));
const at = (name: string): string => join(folder, name);
const openssl = (...words: string[]): void => void execFileSync('openssl', words, { cwd: folder, stdio: 'pipe' });
const key = (name: string): void =>
  openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', `${name}.key`);

function authority(name: string): void {
  key(name);
  openssl(
    ...['req', '-x509', '-new', '-key', `${name}.key`, '-subj', `/CN=${name}`, '-days', '2', '-out', `${name}.pem`],
  );
}

function certificate(name: string, ca: string, names: string, days = '2'): void {
  key(name);
  openssl('req', '-new', '-key', `${name}.key`, '-subj', `/CN=${name}`, '-out', `${name}.csr`);
  writeFileSync(at(`${name}.ext`), `subjectAltName=${names}\n`);
  const signed = ['x509', '-req', '-in', `${name}.csr`, '-CA', `${ca}.pem`, '-CAkey', `${ca}.key`, '-CAcreateserial'];
  openssl(...signed, '-days', days, '-extfile', `${name}.ext`, '-out', `${name}.pem`);
}

const servers: (Server | TcpServer)[] = [];
async function listen(server: Server | TcpServer, scheme = 'https'): Promise<string> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `${scheme}://127.0.0.1:${(server.address() as { port: number }).port}`;
}
const serve = (name: string, more: ServerOptions = {}): Promise<string> =>
  listen(
    createServer(
      { key: readFileSync(at(`${name}.key`)), cert: readFileSync(at(`${name}.pem`)), ...more },
      (_, answer) => answer.end('{"ok":true}'),
    ),
  );

beforeAll(() => {
  authority('ours');
  authority('theirs');
  certificate('good', 'ours', 'IP:127.0.0.1');
  certificate('elsewhere', 'ours', 'DNS:broker.example');
  certificate('expired', 'ours', 'IP:127.0.0.1', '-1');
  certificate('client', 'ours', 'DNS:monitor');
  certificate('stranger', 'theirs', 'DNS:monitor');
});
afterAll(() => {
  for (const server of servers) {
    if ('closeAllConnections' in server) server.closeAllConnections();
    server.close();
  }
  rmSync(folder, { recursive: true, force: true });
});

const host = localTarget('here').open(new AbortController().signal);
const trusting: HttpOptions = { certificateAuthorityFile: at('ours.pem') };

async function failureOf(url: string, options: HttpOptions = trusting): Promise<Failure> {
  const thrown = await host.getJson(url, options).then(
    (value) => value,
    (error) => error,
  );
  expect(thrown).toBeInstanceOf(Failure);
  // What the client throws holds the whole request.
  if ((thrown as Failure).code !== 'E_NOT_FOUND') expect((thrown as Failure).cause).toBeUndefined();
  return thrown as Failure;
}

describe('a server’s certificate', () => {
  it('is accepted by the authority that is named, as a file or as text', async () => {
    const url = await serve('good');
    expect(await host.getJson(url, trusting)).toEqual({ ok: true });
    const certificateAuthority = readFileSync(at('ours.pem'), 'utf8');
    expect(await host.getText(url, { certificateAuthority })).toBe('{"ok":true}');
  });

  it('of an authority that is not named says what to do', async () => {
    const url = await serve('good');
    for (const options of [{}, { certificateAuthorityFile: at('theirs.pem') }]) {
      const { code, message } = await failureOf(url, options);
      expect(code).toBe('E_AUTH');
      expect(message).toMatch(
        /^https:\S+: its certificate is of no authority that is trusted here \(\w+\); name .* "caFile"$/,
      );
    }
  });

  it('that has expired, or is for another name, is told', async () => {
    const old = await failureOf(await serve('expired'));
    expect([old.code, old.message]).toEqual(['E_AUTH', expect.stringContaining('its certificate has expired')]);
    const other = await failureOf(await serve('elsewhere'));
    expect(other.code).toBe('E_AUTH');
    expect(other.message).toContain('its certificate is for other names than "127.0.0.1"');
    expect(other.message).toContain('"caFile"');
  });

  it('is looked at with an authority that cannot be read or used', async () => {
    const url = await serve('good');
    expect((await failureOf(url, { certificateAuthorityFile: at('gone.pem') })).code).toBe('E_NOT_FOUND');
    writeFileSync(at('bad.pem'), 's3cret is no PEM');
    const broken = await failureOf(url, { ...trusting, certificateFile: at('client.pem'), keyFile: at('bad.pem') });
    expect(broken.code).toBe('E_AUTH');
    expect(broken.message).toContain('the certificate, key or authority of this side cannot be used');
    expect(broken.message).not.toContain('s3cret');
  });
});

describe('a server that wants a client certificate', () => {
  const client: HttpOptions = { ...trusting, certificateFile: at('client.pem'), keyFile: at('client.key') };
  const wanting = (version: 'TLSv1.2' | 'TLSv1.3') =>
    serve('good', {
      ...{ requestCert: true, rejectUnauthorized: true, ca: readFileSync(at('ours.pem')) },
      ...{ minVersion: version, maxVersion: version },
    });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('gets one, renewed between two requests, over %s', async (version) => {
    const url = await wanting(version);
    expect(await host.getJson(url, client)).toEqual({ ok: true });
    expect(await host.getJson(url, client)).toEqual({ ok: true });
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('says so when there is none, over %s', async (version) => {
    const { message } = await failureOf(await wanting(version));
    expect(message).toMatch(/client certificate/);
  });
});

describe('the wrong scheme', () => {
  it('https to a port that speaks http', async () => {
    const url = await listen(createHttp((_, answer) => answer.end('{}')));
    const { code, message } = await failureOf(url);
    expect([code, message]).toEqual(['E_CONNECT', expect.stringContaining('speaks no TLS')]);
    expect(message).toContain('http://');
  });

  it('http to a port that speaks https', async () => {
    const { code, message } = await failureOf((await serve('good')).replace('https:', 'http:'));
    expect(code).toBe('E_CONNECT');
    expect(message).toContain('https://');
  });

  it('http to something that speaks neither', async () => {
    const url = await listen(
      createTcp((socket) => socket.on('error', () => {}).end('SSH-2.0-OpenSSH_9.6\r\n')),
      'http',
    );
    const { code, message } = await failureOf(url);
    expect([code, message]).toEqual(['E_CONNECT', expect.stringContaining('speaks no HTTP')]);
  });
});
