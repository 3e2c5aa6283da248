/** What goes wrong on the way to a Carbon, as Failures that say what to do. Pure. */
import { Failure, systemCode } from '../errors.ts';

const UNTRUSTED = new Set([
  ...['UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ...['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'CERT_UNTRUSTED', 'CERT_SIGNATURE_FAILURE'],
]);

/** A connection that did not come about. */
export function connectionFailure(thrown: unknown, to: string, tls: boolean): Failure {
  const code = codeOf(thrown);
  const told = (kind: 'E_AUTH' | 'E_CONNECT' | 'E_TIMEOUT', message: string): Failure =>
    new Failure(kind, `${to}${message}`);
  if (code === 'ECONNREFUSED') return told('E_CONNECT', ': nobody listens there; start Carbon, or correct the port');
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return told('E_CONNECT', `: its name has no address (${code})`);
  if (code === 'ETIMEDOUT') return told('E_TIMEOUT', ' does not answer (ETIMEDOUT); is it the right address?');
  if (UNTRUSTED.has(code)) {
    const advice = 'name the certificate of the authority that signed it as "caFile"';
    return told('E_AUTH', `: its certificate is of no authority that is trusted here (${code}); ${advice}`);
  }
  if (code === 'CERT_HAS_EXPIRED') return told('E_AUTH', `: its certificate has expired (${code}); renew it there`);
  if (code === 'CERT_NOT_YET_VALID') {
    return told('E_AUTH', `: its certificate is not valid yet (${code}); compare the clocks of both machines`);
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return told('E_AUTH', `: its certificate is for other names (${code}); use one of those as the destination`);
  }
  if (/^ERR_OSSL_|^ERR_CRYPTO|KEY_VALUES_MISMATCH/.test(code)) {
    const advice = 'check that the configured files are PEM and belong together';
    return told('E_AUTH', `: the certificate, key or authority of this side cannot be used (${code}); ${advice}`);
  }
  if (/ALERT_/.test(code)) {
    return told('E_AUTH', ` refuses the TLS handshake (${code}); it may want "certFile" and "keyFile"`);
  }
  if (tls && /^(?:EPROTO|ECONNRESET|ERR_SSL)/.test(code)) {
    return told('E_CONNECT', `: TLS did not come about (${code}); Carbon itself speaks none, a proxy before it does`);
  }
  if (/CERT|ERR_TLS/.test(code)) return told('E_AUTH', `: its certificate is not accepted (${code})`);
  return told('E_CONNECT', ` cannot be reached (${code})`);
}

/** A file of this side that cannot be read. */
export function fileFailure(thrown: unknown, path: string): Failure {
  const code = codeOf(thrown);
  if (code === 'EACCES') return new Failure('E_DENIED', `${path} may not be read by this user`, { path });
  return new Failure('E_NOT_FOUND', `${path} cannot be read (${code})`, { path });
}

/** A name with several addresses fails with all of their errors at once. */
function codeOf(thrown: unknown): string {
  const own = systemCode(thrown);
  if (own === 'EPROTO') return tlsCode((thrown as unknown as Error).message);
  if (own !== undefined) return own;
  const [first] = thrown instanceof AggregateError ? thrown.errors : [];
  return systemCode(first) ?? 'unknown error';
}

/** `write EPROTO 140:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:…` → `ERR_SSL_WRONG_VERSION_NUMBER` */
function tlsCode(message: string): string {
  const [, reason] = /:SSL routines:[^:]*:([a-z0-9/ ]+):/i.exec(message) ?? [];
  return reason === undefined ? 'EPROTO' : `ERR_SSL_${reason.toUpperCase().replaceAll(/[/ ]/g, '_')}`;
}
