/** What a terminal sends when keys are pressed → keys. Pure. */

export type Key = { readonly name: 'text'; readonly text: string } | { readonly name: Named };

type Named =
  | 'up'
  | 'down'
  | 'left'
  | 'right'
  | 'pageUp'
  | 'pageDown'
  | 'home'
  | 'end'
  | 'tab'
  | 'backTab'
  | 'enter'
  | 'escape'
  | 'backspace'
  | 'clear'
  | 'interrupt'
  | 'suspend'
  | 'redraw';

/** After ESC [ or ESC O: ECMA-48, and what xterm, tmux, the Linux console and PuTTY make of it. */
const SEQUENCES: Readonly<Record<string, Named>> = {
  ...{ A: 'up', B: 'down', C: 'right', D: 'left', H: 'home', F: 'end', Z: 'backTab' },
  ...{ '5~': 'pageUp', '6~': 'pageDown', '1~': 'home', '7~': 'home', '4~': 'end', '8~': 'end' },
};

const CONTROLS: Readonly<Record<string, Named>> = {
  ...{ '\u0003': 'interrupt', '\u0004': 'interrupt', '\u0008': 'backspace', '\u007f': 'backspace', '\t': 'tab' },
  ...{ '\r': 'enter', '\n': 'enter', '\u0015': 'clear', '\u001a': 'suspend', '\u000c': 'redraw' },
  ...{ '\u0002': 'pageUp', '\u0006': 'pageDown', '\u000e': 'down', '\u0010': 'up' },
};

export interface Decoded {
  readonly keys: readonly Key[];
  /** The beginning of a sequence of which the rest has not come yet; alone for a while it is the key Escape. */
  readonly rest: string;
}

const SEQUENCE = /^\u001b(?:\[([0-9;?<]*[@-~])|O([A-Za-z]))/;
const BEGINNING = /^\u001b(?:\[[0-9;?<]{0,16}|O)?$/;

export function decodeKeys(input: string): Decoded {
  const keys: Key[] = [];
  let left = input;
  while (left !== '') {
    if (BEGINNING.test(left)) return { keys, rest: left };
    const sequence = SEQUENCE.exec(left);
    if (sequence !== null) {
      // A modifier (`1;5A`) changes nothing; a sequence that is not known is no key.
      const name = SEQUENCES[(sequence[1] ?? sequence[2] ?? '').replace(/^[0-9]*;[0-9]+(?=[A-Z])/, '')];
      if (name !== undefined) keys.push({ name });
      left = left.slice(sequence[0].length);
      continue;
    }
    const [first = ''] = left;
    left = left.slice(first.length);
    const name = first === '\u001b' ? 'escape' : CONTROLS[first];
    if (name !== undefined) keys.push({ name });
    else if (!/^[\u0000-\u001f\u007f-\u009f]$/.test(first)) keys.push({ name: 'text', text: first });
  }
  return { keys, rest: '' };
}
