/** The body of an HTTP answer → text or JSON. Pure. */
import { Failure } from '../errors.ts';
import { quoted } from '../text.ts';

type Secrets = readonly string[];

/** `html`: the server calls it a page. `secrets`: what was asked with, which no message may repeat. */
export function textOf(body: Buffer, html: boolean, url: string, secrets: Secrets = []): string {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw new Failure('E_PARSE', `${url} answered with bytes that are no UTF-8`, { url });
  }
  if (html || isHtml(text)) throw page(text, url, secrets);
  return text;
}

export function jsonOf(body: Buffer, html: boolean, url: string, secrets: Secrets = []): unknown {
  const text = textOf(body, html && !isJson(body.toString('utf8')), url, secrets);
  try {
    return JSON.parse(text);
  } catch {
    const found =
      text.trim() === '' ? 'an empty body' : `something else than JSON: ${quoted(withoutAny(secrets, text), 80)}`;
    throw new Failure('E_PARSE', `${url} answered with ${found}`, { url });
  }
}

export function isHtml(text: string): boolean {
  return /^\s*<(?:!doctype\s+html|html)\b/i.test(text);
}

/** Some servers call everything a page. */
function isJson(text: string): boolean {
  return /^\s*[[{]/.test(text);
}

/** Before it is cut: half of a secret would not be known as one. Names of queues may hold any text, so data is left as it is. */
export function withoutAny(secrets: Secrets, text: string): string {
  const forms = new Set(secrets.flatMap((secret) => [secret, encoded(secret), JSON.stringify(secret).slice(1, -1)]));
  // A short one may be a part of a longer one, whose rest would stay.
  const longestFirst = [...forms].filter((form) => form !== '').sort((one, other) => other.length - one.length);
  return longestFirst.reduce((rest, form) => rest.replaceAll(form, '***'), text);
}

function encoded(secret: string): string {
  try {
    return encodeURIComponent(secret);
  } catch {
    // Half of a surrogate pair, which no URL can carry.
    return '';
  }
}

function page(text: string, url: string, secrets: Secrets): Failure {
  const [, title = ''] = /<title[^>]*>([^<]*)/i.exec(withoutAny(secrets, text).slice(0, 4096)) ?? [];
  const named = title.trim() === '' ? '' : ` titled ${quoted(title.trim(), 80)}`;
  const message = `${url} answered with an HTML page${named}, which a login, a proxy or another server sends; check the URL`;
  return new Failure('E_PARSE', message, { url });
}
