/** Where a text stops being JSON (RFC 8259): JavaScript's own parser does not always say. Pure. */

export interface JsonFault {
  /** Index of the first character that cannot stand there; the text's length where it ends too early. */
  readonly at: number;
  readonly expected: string;
}

/** Of a text that `JSON.parse` has refused. Goes through it once, and does not call itself. */
export function jsonFault(text: string): JsonFault {
  /** What is open: `}` or `]` would close it. */
  const open: string[] = [];
  let at = 0;
  const fault = (expected: string, where = at): JsonFault => ({ at: where, expected });
  const blanks = (): void => {
    while (' \t\n\r'.includes(text[at] ?? 'x')) at++;
  };
  for (;;) {
    blanks();
    const one = text[at];
    if (one === '{' || one === '[') {
      open.push(one === '{' ? '}' : ']');
      at++;
      blanks();
      if (text[at] !== open.at(-1)) {
        const wrong = one === '{' ? name() : undefined;
        if (wrong !== undefined) return wrong;
        continue;
      }
      at++;
      open.pop();
    } else {
      const wrong = scalar();
      if (wrong !== undefined) return wrong;
    }
    const wrong = afterValue();
    if (wrong !== undefined) return wrong;
  }

  /** A value is over: the ends of what it was in, and the comma before the next. */
  function afterValue(): JsonFault | undefined {
    for (;;) {
      blanks();
      const close = open.at(-1);
      if (close === undefined) return fault(at < text.length ? 'nothing after it' : 'JSON');
      if (text[at] === close) {
        open.pop();
        at++;
        continue;
      }
      if (text[at] !== ',') return fault(`"," or "${close}"`);
      at++;
      if (close === ']') return undefined;
      blanks();
      return name();
    }
  }

  function name(): JsonFault | undefined {
    if (text[at] !== '"') return fault('a name in double quotes');
    const wrong = string();
    if (wrong !== undefined) return wrong;
    blanks();
    if (text[at] !== ':') return fault('":"');
    at++;
    return undefined;
  }

  function scalar(): JsonFault | undefined {
    if (text[at] === '"') return string();
    const [word = ''] = /^[A-Za-z0-9.+-]{1,2000}/.exec(text.slice(at, at + 2000)) ?? [];
    if (!/^(?:true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)$/.test(word)) {
      return fault('a value: a text in double quotes, a number, true, false, null, a list or a map');
    }
    at += word.length;
    return undefined;
  }

  function string(): JsonFault | undefined {
    for (at++; at < text.length; at++) {
      const one = text[at] ?? '';
      if (one === '"') {
        at++;
        return undefined;
      }
      if (one < ' ') return fault('an escape such as \\n instead of a control character');
      if (one !== '\\') continue;
      const escaped = text[at + 1] ?? '';
      if (escaped === 'u') {
        if (!/^[0-9a-fA-F]{4}$/.test(text.slice(at + 2, at + 6))) return fault('four hexadecimal digits after \\u');
        at += 5;
      } else if ('"\\/bfnrt'.includes(escaped) && escaped !== '') at++;
      else return fault('an escape of JSON: \\" \\\\ \\/ \\b \\f \\n \\r \\t or \\u and four digits');
    }
    return fault('a text’s closing double quote');
  }
}
