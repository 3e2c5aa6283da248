/** Who asks over HTTP, and whom it trusts: from options, from files that may be renewed at any time, and from the URL. */
import type { HttpOptions } from '../collector.ts';
import { Failure } from '../errors.ts';
import { readWhole } from './file.ts';

/** What a request is made with. */
export interface Identity {
  /** Without user and password: they travel in a header. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly https: { readonly certificateAuthority?: string; readonly certificate?: string; readonly key?: string };
  /** What an answer may repeat, and nobody may be shown. */
  readonly secrets: readonly string[];
}

/** How a request says who asks: beside the options of a collector, a bearer token. */
export type Credentials = HttpOptions & {
  readonly token?: string | undefined;
  /** Read at each request; one newline at its end is none of it. */
  readonly tokenFile?: string | undefined;
};

/** A password, token or PEM file; more is something else. */
const MAX_FILE_BYTES = 1024 * 1024;

export async function credentialsOf(text: string, options: Credentials, until: AbortSignal): Promise<Identity> {
  const url = addressOf(text);
  const read = (path: string | undefined): Promise<string | undefined> =>
    path === undefined ? Promise.resolve(undefined) : readWhole(path, until, MAX_FILE_BYTES).answer;
  const [bearer, secret, authority, certificate, key] = await Promise.all([
    read(options.token === undefined ? options.tokenFile : undefined),
    read(options.password === undefined ? options.passwordFile : undefined),
    read(options.certificateAuthority === undefined ? options.certificateAuthorityFile : undefined),
    read(options.certificateFile),
    read(options.keyFile),
  ]);
  const user = options.username ?? decoded(url.username);
  const password = options.password ?? secret?.replace(/\r?\n$/, '') ?? decoded(url.password);
  url.username = '';
  url.password = '';
  const pair = Buffer.from(`${user}:${password}`).toString('base64');
  const isNamed = user !== '' || password !== '';
  const token = tokenOf(options.token ?? bearer?.replace(/\r?\n$/, ''));
  const certificateAuthority = options.certificateAuthority ?? authority;
  return {
    url: url.href,
    headers:
      token !== undefined ? { authorization: `Bearer ${token}` } : isNamed ? { authorization: `Basic ${pair}` } : {},
    https: {
      ...(certificateAuthority === undefined ? {} : { certificateAuthority }),
      ...(certificate === undefined ? {} : { certificate }),
      ...(key === undefined ? {} : { key }),
    },
    secrets: [token ?? '', ...(isNamed ? [password, pair] : []), ...Object.values(options.headers ?? {})].filter(
      (one) => one !== '',
    ),
  };
}

/** What stands after `Bearer`: nothing that could end the header, or be two words. */
function tokenOf(token: string | undefined): string | undefined {
  if (token === undefined || /^[\x21-\x7e]+$/.test(token)) return token;
  throw new Failure(
    'E_CONFIG',
    'the bearer token is empty, or holds a blank, a line break or a character that no token has',
  );
}

/** What does not parse is not shown: a password may be what is wrong with it. */
function addressOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  throw new Failure('E_CONFIG', 'the address to ask is no URL; expected http://HOST:PORT or https://HOST:PORT');
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
