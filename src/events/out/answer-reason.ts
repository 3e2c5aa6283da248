/** Why a server could not do something, from the page or text that it answers with. Pure. */
import { withoutAny } from '../../hosts/http-text.ts';
import { printable } from '../../text.ts';

/** Longer reasons are cut. */
const MAX_REASON = 400;
/** So much of a page that nobody knows is looked at. */
const MAX_PAGE = 8192;
const MAX_LINE = 2000;

export interface Raised {
  /** The exception's class, without its module: `OperationalError`. */
  readonly name: string;
  readonly message: string;
}

/** What graphite-web's page for status 500 says was raised: the last line of the trace that names an exception. */
export function raisedIn(page: string): Raised | undefined {
  return inTrace(page) ?? onDebugPage(page);
}

/** The class stands at the beginning of a line, after which more lines may explain; the lines of the trace are indented. */
function inTrace(page: string): Raised | undefined {
  const begin = page.indexOf('<pre>');
  const end = page.indexOf('</pre>', begin);
  if (begin === -1 || end === -1) return undefined;
  const lines = unescaped(page.slice(begin + 5, end)).split('\n');
  if (!lines.some((line) => line.startsWith('Traceback '))) return undefined;
  for (const line of lines.toReversed()) {
    const [, name, message = ''] = EXCEPTION.exec(line.slice(0, MAX_LINE)) ?? [];
    if (name !== undefined) return { name, message: message.trim() };
  }
  return undefined;
}

/** `django.db.utils.DataError: value too long`, or `AssertionError` alone; and no `DETAIL: …` that databases add. */
const EXCEPTION = /^(?:[A-Za-z_]\w*\.)*([A-Z]+[a-z]\w*)(?::(.*))?$/;

/** Django's own page, where `DEBUG` is on: `<title>DataError at /events/</title>`. */
function onDebugPage(page: string): Raised | undefined {
  const [, name] = /<title>\s*([A-Z]\w*)\s+at\s+\//.exec(page) ?? [];
  if (name === undefined) return undefined;
  const [, message = ''] = /<pre class="exception_value">([^<]*)/.exec(page) ?? [];
  return { name, message: unescaped(message).trim() };
}

/** The reason in any answer, as one printable line without secrets: an exception, a field of JSON, or the text of a page. */
export function reasonIn(text: string, secrets: readonly string[]): string {
  const raised = raisedIn(text);
  const found =
    raised === undefined
      ? (messageIn(text) ?? withoutMarkup(text))
      : `${raised.name}${raised.message === '' ? '' : `: ${raised.message}`}`;
  const clean = withoutAny(secrets, found).replace(/\s+/g, ' ').trim();
  return printable(clean.length > MAX_REASON ? `${clean.slice(0, MAX_REASON)}…` : clean);
}

function messageIn(text: string): string | undefined {
  try {
    const { error, message, reason } = JSON.parse(text) as Record<string, unknown>;
    const texts = [error, message, reason].filter((one) => typeof one === 'string' && one !== '');
    return texts.length === 0 ? undefined : texts.join(': ');
  } catch {
    return undefined;
  }
}

function withoutMarkup(whole: string): string {
  const text = whole.slice(0, MAX_PAGE);
  if (!/^\s*</.test(text)) return text;
  const [, title] = /<title[^>]*>([^<]*)/i.exec(text) ?? [];
  const rest = text.replace(/<(script|style|title|head)\b[\s\S]*?<\/\1\s*>/gi, ' ').replace(/<[^>]*>/g, ' ');
  return unescaped(title === undefined ? rest : `${title}: ${rest}`);
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', amp: '&', nbsp: ' ' };

function unescaped(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]{1,6})|#([0-9]{1,7})|(lt|gt|quot|amp|nbsp));/gi, (whole, hex, decimal, name) => {
    if (name !== undefined) return ENTITIES[String(name).toLowerCase()] ?? whole;
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}
