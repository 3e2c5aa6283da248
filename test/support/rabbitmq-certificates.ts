/** A throw-away certificate authority, and what it signed for a broker on 127.0.0.1 and for a client of it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { output } from './testbed-keeper.ts';

export interface Certificates {
  readonly caFile: string;
  readonly server: { readonly certFile: string; readonly keyFile: string };
  readonly client: { readonly certFile: string; readonly keyFile: string };
}

export async function makeCertificates(folder: string): Promise<Certificates> {
  mkdirSync(folder, { recursive: true });
  const file = (name: string): string => join(folder, name);
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const caFile = file('ca.pem');
  await output([
    ...['openssl', 'req', '-x509', ...newKey, '-days', '2', '-subj', '/CN=edgestatd test CA'],
    ...['-keyout', file('ca.key'), '-out', caFile],
  ]);
  const signed = async (name: string, serial: string): Promise<Certificates['client']> => {
    const [certFile, keyFile, request, extensions] = ['pem', 'key', 'csr', 'ext'].map((end) =>
      file(`${name}.${end}`),
    ) as [string, string, string, string];
    const usage = `extendedKeyUsage=${name}Auth\n`;
    writeFileSync(extensions, `subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n${usage}`);
    await output(['openssl', 'req', ...newKey, '-subj', `/CN=${name}`, '-keyout', keyFile, '-out', request]);
    await output([
      ...['openssl', 'x509', '-req', '-in', request, '-CA', caFile, '-CAkey', file('ca.key')],
      ...['-set_serial', serial, '-days', '2', '-extfile', extensions, '-out', certFile],
    ]);
    return { certFile, keyFile };
  };
  const [server, client] = await Promise.all([signed('server', '1'), signed('client', '2')]);
  return { caFile, server, client };
}
