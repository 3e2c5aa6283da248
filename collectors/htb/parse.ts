/** What `tc class show` and `tc qdisc show` print → records, text or JSON, whichever it is. Pure. */
import type { ClassRecord, Parsed, QdiscRecord } from './record.ts';
import { parseClassJson, parseQdiscJson } from './tc-json.ts';
import { parseClassText, parseQdiscText } from './tc-text.ts';

/** The HTB and HFSC classes of one device: `tc -s -d class show dev DEVICE`, with `-j` or without. */
export function parseClasses(text: string): Parsed<ClassRecord> {
  return isJson(text) ? parseClassJson(text) : parseClassText(text);
}

/** The qdiscs of all devices: `tc -s -d qdisc show`, with `-j` or without. */
export function parseQdiscs(text: string): Parsed<QdiscRecord> {
  return isJson(text) ? parseQdiscJson(text) : parseQdiscText(text);
}

/** `-j` alone does not tell: iproute2 4.15 to 6.1 take it and print text. */
function isJson(text: string): boolean {
  let at = 0;
  while (at < text.length && text.charCodeAt(at) <= 32) at += 1;
  return text[at] === '[';
}
