/** Where events are delivered to: a graphite-web or a Grafana, asked and told over HTTP. */
import { systemClock } from '../../clock.ts';
import { createExchange } from '../../hosts/http-exchange.ts';
import type { DestinationOptions } from '../options.ts';
import type { Destination } from './delivery-destination.ts';
import { createGrafana } from './grafana.ts';
import { createGraphite } from './graphite.ts';

export type { Destination, Found } from './delivery-destination.ts';
export type NamedOptions = DestinationOptions & { readonly name: string };

export function createDestination(options: NamedOptions, wallMs = systemClock.wallMs): Destination {
  const { user, password, passwordFile, token, tokenFile, headers, caFile, certFile, keyFile } = options;
  const credentials = {
    ...{ username: user, password, passwordFile, token, tokenFile, headers },
    ...{ certificateAuthorityFile: caFile, certificateFile: certFile, keyFile },
  };
  const exchange = createExchange(credentials, { connections: options.concurrency, timeoutMs: options.timeout });
  return options.type === 'grafana'
    ? createGrafana(options, exchange, wallMs)
    : createGraphite(options, exchange, wallMs);
}
