/** A key → what the reader has chosen then. Pure. */
import type { TableHead } from '../status/document.ts';
import type { Key } from './keys.ts';
import { chosenTable, type Sorting, sortable, sortingOf, sortOf, type View } from './view.ts';

/** What is there to choose from. */
export interface Choices {
  readonly heads: readonly TableHead[];
  /** Targets of the table, in the order in which `t` goes through them. */
  readonly targets: readonly string[];
  /** Rows that fit on the screen, and rows that there are. */
  readonly page: number;
  readonly found: number;
}

export type Pressed = View | 'quit' | 'suspend' | 'redraw';

/** Longer than any name. */
const MAX_FILTER = 200;

export function press(view: View, key: Key, choices: Choices): Pressed {
  if (key.name === 'interrupt') return 'quit';
  if (key.name === 'suspend' || key.name === 'redraw') return key.name;
  if (view.typed !== undefined) return type(view, view.typed, key);
  if (view.showsHelp) return { ...view, showsHelp: false };
  return key.name === 'text' ? letter(view, key.text, choices) : named(view, key.name, choices);
}

/** While a filter is typed it is used already. */
function type(view: View, typed: string, key: Key): View {
  const change = (next: string): View => ({ ...view, typed: next, offset: 0 });
  switch (key.name) {
    case 'text':
      return typed.length + key.text.length <= MAX_FILTER ? change(typed + key.text) : view;
    case 'backspace':
      return change([...typed].slice(0, -1).join(''));
    case 'clear':
      return change('');
    case 'escape':
      return { ...view, typed: undefined, filter: '', offset: 0 };
    case 'enter':
      return { ...view, typed: undefined, filter: typed };
    default:
      return view;
  }
}

function named(view: View, name: Exclude<Key['name'], 'text'>, choices: Choices): View {
  const { page } = choices;
  switch (name) {
    case 'up':
      return scrolled(view, -1, choices);
    case 'down':
      return scrolled(view, 1, choices);
    case 'pageUp':
      return scrolled(view, -page, choices);
    case 'pageDown':
      return scrolled(view, page, choices);
    case 'home':
      return { ...view, offset: 0 };
    case 'end':
      return scrolled(view, choices.found, choices);
    case 'right':
    case 'tab':
      return turned(view, 1, choices);
    case 'left':
    case 'backTab':
      return turned(view, -1, choices);
    case 'escape':
      return { ...view, filter: '', offset: 0 };
    default:
      return view;
  }
}

function letter(view: View, text: string, choices: Choices): Pressed {
  switch (text) {
    case 'q':
    case 'Q':
      return 'quit';
    case '?':
    case 'h':
      return { ...view, showsHelp: true };
    case 'j':
      return scrolled(view, 1, choices);
    case 'k':
      return scrolled(view, -1, choices);
    case ' ':
      return scrolled(view, choices.page, choices);
    case 'g':
      return { ...view, offset: 0 };
    case 'G':
      return scrolled(view, choices.found, choices);
    case 's':
    case '>':
      return sortedBy(view, 1, choices);
    case 'S':
    case '<':
      return sortedBy(view, -1, choices);
    case 'r':
      return reversed(view, choices);
    case '/':
      return { ...view, typed: view.filter };
    case 't':
      return aimed(view, choices);
    case 'p':
      return { ...view, isPaused: !view.isPaused };
    default:
      return numbered(view, text, choices);
  }
}

/** `1` to `9`, and `0` for the tenth. */
function numbered(view: View, text: string, { heads }: Choices): View {
  const head = /^[0-9]$/.test(text) ? heads[(Number(text) + 9) % 10] : undefined;
  return head === undefined ? view : shown(view, head);
}

function shown(view: View, { name }: TableHead): View {
  return { ...view, table: name, offset: 0 };
}

function scrolled(view: View, by: number, { page, found }: Choices): View {
  return { ...view, offset: Math.max(0, Math.min(view.offset + by, found - page)) };
}

/** Goes to the next table that has rows; where none has, to the next one. */
function turned(view: View, by: 1 | -1, { heads }: Choices): View {
  const now = chosenTable(view, heads);
  const some = heads.some(({ rows }) => rows > 0) ? heads.filter((one) => one.rows > 0 || one === now) : heads;
  const next = now === undefined ? undefined : some.at((some.indexOf(now) + by) % some.length);
  return next === undefined ? view : shown(view, next);
}

function resorted(view: View, { name }: TableHead, sorting: Sorting): View {
  return { ...view, sortings: new Map([...view.sortings, [name, sorting]]), offset: 0 };
}

function sortedBy(view: View, by: 1 | -1, { heads }: Choices): View {
  const head = chosenTable(view, heads);
  if (head === undefined) return view;
  // Tags have no key: few of them are on the screen.
  const tags: readonly string[] = head.tags;
  const all = sortable(head).filter((title) => !tags.includes(title));
  const sort = all.at((all.indexOf(sortOf(view, head)) + by) % all.length);
  return resorted(view, head, { sort, order: sortingOf(view, head.name).order });
}

function reversed(view: View, { heads }: Choices): View {
  const head = chosenTable(view, heads);
  if (head === undefined) return view;
  const { sort, order } = sortingOf(view, head.name);
  return resorted(view, head, { sort, order: order === 'worst' ? 'best' : 'worst' });
}

/** All targets, then one after the other. */
function aimed(view: View, { targets }: Choices): View {
  const at = view.target === undefined ? -1 : targets.indexOf(view.target);
  const isLast = view.target !== undefined && (at < 0 || at === targets.length - 1);
  return { ...view, target: isLast ? undefined : targets[at + 1], offset: 0 };
}
