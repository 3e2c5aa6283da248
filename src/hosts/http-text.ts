/** The body of an HTTP answer → text or JSON. Pure. */
import { Failure } from '../errors.ts';
import { quoted } from '../text.ts';

/** `html`: the server calls it a page. */
export function textOf(body: Buffer, html: boolean, url: string): string {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw new Failure('E_PARSE', `${url} answered with bytes that are no UTF-8`, { url });
  }
  if (html || isHtml(text)) throw page(text, url);
  return text;
}

export function jsonOf(body: Buffer, html: boolean, url: string): unknown {
  const text = textOf(body, html && !isJson(body.toString('utf8')), url);
  try {
    return JSON.parse(text);
  } catch {
    const found = text.trim() === '' ? 'an empty body' : `something else than JSON: ${quoted(text, 80)}`;
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

function page(text: string, url: string): Failure {
  const [, title = ''] = /<title[^>]*>([^<]*)/i.exec(text.slice(0, 4096)) ?? [];
  const named = title.trim() === '' ? '' : ` titled ${quoted(title.trim(), 80)}`;
  const message = `${url} answered with an HTML page${named}, which a login, a proxy or another server sends; check the URL`;
  return new Failure('E_PARSE', message, { url });
}
