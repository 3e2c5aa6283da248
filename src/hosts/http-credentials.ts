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

/** A password or PEM file; more is something else. */
const MAX_FILE_BYTES = 1024 * 1024;

export async function credentialsOf(text: string, options: HttpOptions, until: AbortSignal): Promise<Identity> {
  const url = addressOf(text);
  const read = (path: string | undefined): Promise<string | undefined> =>
    path === undefined ? Promise.resolve(undefined) : readWhole(path, until, MAX_FILE_BYTES).answer;
  const [secret, authority, certificate, key] = await Promise.all([
    read(options.password === undefined ? options.passwordFile : undefined),
    read(options.certificateAuthority === undefined ? options.certificateAuthorityFile : undefined),
    read(options.certificateFile),
    read(options.keyFile),
  ]);
  const user = options.username ?? decoded(url.username);
  const password = options.password ?? secret?.replace(/\r?\n$/, '') ?? decoded(url.password);
  url.username = '';
  url.password = '';
  const token = Buffer.from(`${user}:${password}`).toString('base64');
  const isNamed = user !== '' || password !== '';
  const certificateAuthority = options.certificateAuthority ?? authority;
  return {
    url: url.href,
    headers: isNamed ? { authorization: `Basic ${token}` } : {},
    https: {
      ...(certificateAuthority === undefined ? {} : { certificateAuthority }),
      ...(certificate === undefined ? {} : { certificate }),
      ...(key === undefined ? {} : { key }),
    },
    secrets: [...(isNamed ? [password, token] : []), ...Object.values(options.headers ?? {})].filter(
      (one) => one !== '',
    ),
  };
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
