/** What goes wrong over HTTP and TLS, as Failures that say what to do and never who asked with what. Pure. */
import { Failure, systemCode } from '../errors.ts';
import { quoted } from '../text.ts';
import { isHtml, withoutAny } from './http-text.ts';

const MAX_REASON = 200;

/** `body`: the beginning of the answer. `secrets`: what is cut out of it. */
export function statusFailure(status: number, url: string, body: string, secrets: readonly string[]): Failure {
  const evidence = { url, status };
  const why = reasonIn(body, secrets);
  if (status === 401) {
    return new Failure('E_AUTH', `${url} does not accept the user or password (401)${why}`, evidence);
  }
  if (status === 403) return new Failure('E_DENIED', `${url} forbids this user the request (403)${why}`, evidence);
  if (status === 404) return new Failure('E_NOT_FOUND', `${url} does not exist there (404)${why}`, evidence);
  if (status >= 300 && status < 400) {
    const message = `${url} redirects (${status}), which is not followed; configure the final URL`;
    return new Failure('E_HTTP_STATUS', message, evidence);
  }
  return new Failure('E_HTTP_STATUS', `${url} answered with status ${status}${why}`, evidence);
}

/** `: "not_authorised: Login failed"`, or nothing: what a server says of its refusal, if that is short and meant for us. */
function reasonIn(body: string, secrets: readonly string[]): string {
  const text = (isHtml(body) ? '' : (fieldsOf(body) ?? body)).trim();
  if (text === '') return '';
  return `: ${quoted(withoutAny(secrets, text), MAX_REASON - 1)}`;
}

function fieldsOf(body: string): string | undefined {
  try {
    const { error, reason, message } = JSON.parse(body) as Record<string, unknown>;
    const texts = [error, reason, message].filter((one) => typeof one === 'string' && one !== '');
    return texts.length === 0 ? undefined : texts.join(': ');
  } catch {
    return undefined;
  }
}

const UNTRUSTED = new Set([
  ...['UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ...['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'CERT_UNTRUSTED', 'CERT_SIGNATURE_FAILURE'],
]);

/** The client's errors hold the request with its headers, so none of them is kept as a cause. */
export function requestFailure(thrown: unknown, { protocol, hostname }: URL, url: string): Failure {
  // What made the connection has said why there is none.
  if (thrown instanceof Error && thrown.cause instanceof Failure) return located(thrown.cause, url);
  const code = rootCode(thrown);
  const failure = (kind: 'E_AUTH' | 'E_CONNECT' | 'E_TIMEOUT', message: string): Failure =>
    new Failure(kind, `${url}${message}`, { url });
  if (code === 'ETIMEDOUT' || code === 'ERR_GOT_REQUEST_TIMEOUT')
    return failure('E_TIMEOUT', ' did not answer in time');
  if (UNTRUSTED.has(code)) {
    const advice = 'name the certificate of the authority that signed it as "caFile"';
    return failure('E_AUTH', `: its certificate is of no authority that is trusted here (${code}); ${advice}`);
  }
  if (code === 'CERT_HAS_EXPIRED') {
    return failure('E_AUTH', `: its certificate has expired (${code}); renew it there, or that of its authority`);
  }
  if (code === 'CERT_NOT_YET_VALID') {
    return failure('E_AUTH', `: its certificate is not valid yet (${code}); compare the clocks of both machines`);
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const advice = 'use a name in the URL that the certificate has, with its authority as "caFile"';
    return failure('E_AUTH', `: its certificate is for other names than ${quoted(hostname)} (${code}); ${advice}`);
  }
  if (/ALERT_(?:.*CERTIFICATE|UNKNOWN_CA)/.test(code)) {
    const advice = 'configure a certificate and key of this side ("certFile", "keyFile") that the server accepts';
    return failure('E_AUTH', ` wants a client certificate, and has none that it accepts (${code}); ${advice}`);
  }
  if (/ALERT_HANDSHAKE_FAILURE/.test(code)) {
    const advice = 'it may want a client certificate ("certFile", "keyFile"), or no cipher is common to both';
    return failure('E_AUTH', ` refuses the TLS handshake (${code}); ${advice}`);
  }
  if (/^ERR_OSSL_|^ERR_CRYPTO|KEY_VALUES_MISMATCH/.test(code)) {
    const advice = 'check that the configured files are PEM and belong together';
    return failure('E_AUTH', `: the certificate, key or authority of this side cannot be used (${code}); ${advice}`);
  }
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST/.test(code)) {
    return failure('E_CONNECT', `: what listens there speaks no TLS (${code}); does the URL begin with http://?`);
  }
  if (/CERT|ERR_TLS/.test(code)) return failure('E_AUTH', `: its certificate is not accepted (${code})`);
  if (/^ERR_SSL/.test(code) || code === 'EPROTO') return failure('E_CONNECT', `: TLS did not come about (${code})`);
  if (code.startsWith('HPE_')) {
    const advice = protocol === 'http:' ? '; does the URL begin with https://?' : '';
    return failure('E_CONNECT', `: what answers there speaks no HTTP (${code})${advice}`);
  }
  if (code === 'ERR_HTTP_CONTENT_LENGTH_MISMATCH' || code === 'ECONNRESET' || code === 'EPIPE') {
    const tls = protocol === 'http:' ? 'if the port speaks TLS, use https://' : 'it may want a client certificate';
    return failure('E_CONNECT', `: the connection was cut before the answer was complete (${code}); ${tls}`);
  }
  return failure('E_CONNECT', `: ${code}`);
}

/** The code of the system, of TLS or of the HTTP parser, which the client may have wrapped. */
function rootCode(thrown: unknown): string {
  let code = 'unknown error';
  let one = thrown;
  for (let depth = 0; depth < 5 && typeof one === 'object' && one !== null; depth++) {
    const own = systemCode(one);
    if (own === 'EPROTO') return tlsCode((one as unknown as Error).message);
    if (own !== undefined && (!own.startsWith('ERR_GOT_') || code === 'unknown error')) code = own;
    if (own === 'ERR_GOT_REQUEST_TIMEOUT') break;
    one = 'cause' in one ? one.cause : undefined;
  }
  return code;
}

/** `write EPROTO 140:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:…` → `ERR_SSL_WRONG_VERSION_NUMBER` */
function tlsCode(message: string): string {
  const [, reason] = /:SSL routines:[^:]*:([a-z0-9/ ]+):/i.exec(message) ?? [];
  return reason === undefined ? 'EPROTO' : `ERR_SSL_${reason.toUpperCase().replaceAll(/[/ ]/g, '_')}`;
}

export function located(failure: Failure, url: string): Failure {
  const message = failure.evidence.url === url ? `${url} ${failure.message}` : `${url}: ${failure.message}`;
  return new Failure(failure.code, message, { ...failure.evidence, url });
}

/** A URL for messages: without user, password and query. */
export function withoutSecrets(text: string): string {
  if (!URL.canParse(text)) return 'an address that is no URL';
  const { protocol, host, pathname } = new URL(text);
  // A password with a slash in it makes a host of the user, and a path of the rest.
  return pathname.includes('@') ? `${protocol}//…` : `${protocol}//${host}${pathname}`;
}
