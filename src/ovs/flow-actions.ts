/** The actions of a flow (ovs-actions(7)) → the queues that its packets are put into. Pure. */
import { unquoted } from './openflow-text.ts';

export interface QueueAction {
  readonly queue: number;
  /** The OpenFlow port that is left by, where the action itself says it: a number, `LOCAL`, or a name. */
  readonly port?: string;
}

/** The parts of a text between separators (any of these characters), none of which stands in parentheses or quotes. */
export function topLevel(text: string, separators: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let quoted = false;
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const one = text[at] ?? '';
    if (quoted) {
      if (one === '\\') at++;
      else if (one === '"') quoted = false;
    } else if (one === '"') quoted = true;
    else if (one === '(') depth++;
    else if (one === ')') depth = Math.max(0, depth - 1);
    else if (depth === 0 && separators.includes(one)) {
      parts.push(text.slice(from, at));
      from = at + 1;
    }
  }
  parts.push(text.slice(from));
  return parts;
}

/** Nested deeper than this nobody writes clones. */
const MAX_DEPTH = 8;
/** `PORT:QUEUE`; `PORTqQUEUE` from Open vSwitch 1.4 to 2.0. */
const ENQUEUE = /^enqueue:(.+)[:q]([0-9]{1,10})$/;
/** Lists of actions that are carried out as they are; those of `learn(…)` belong to the flow that it makes. */
const NESTED = /^(?:clone|write_actions)\((.*)\)$/s;

/** A queue that the next action replaces is left out: nothing is sent by it. */
export function queuesOf(actions: string, depth = 0): QueueAction[] {
  // Most flows have none, and this is many times faster than looking closely.
  if (!actions.includes('queue')) return [];
  const all = topLevel(actions, ',').map((action) => action.trim());
  return all.flatMap((action, at): QueueAction[] => {
    const [, inside] = NESTED.exec(action) ?? [];
    if (inside !== undefined) return depth < MAX_DEPTH ? queuesOf(inside, depth + 1) : [];
    const [, to = '', enqueued] = ENQUEUE.exec(action) ?? [];
    if (enqueued !== undefined) return [{ queue: Number(enqueued), port: unquoted(to) }];
    const [, set] = /^set_queue:([0-9]{1,10})$/.exec(action) ?? [];
    const [next = '', then] = all.slice(at + 1, at + 3);
    if (set === undefined || next === 'pop_queue' || /^set_queue:[0-9]/.test(next)) return [];
    // How OpenFlow 1.1 and later spell enqueue.
    const [, port] = then === 'pop_queue' ? (/^output:([^[\]]+)$/.exec(next) ?? []) : [];
    return [{ queue: Number(set), ...(port === undefined ? {} : { port: unquoted(port) }) }];
  });
}
