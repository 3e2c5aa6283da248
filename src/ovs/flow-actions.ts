/** The actions of a flow (ovs-actions(7)) → the queues that its packets are put into, the tables they go to. Pure. */
import { unquoted } from './openflow-text.ts';

export interface QueueAction {
  readonly queue: number;
  /** The OpenFlow port that is left by, where the action itself says it: a number, `LOCAL`, or a name. */
  readonly port?: string;
}

const [QUOTE, BACKSLASH, OPEN, CLOSE] = [34, 92, 40, 41];

/** The parts of a text between separators (one or two characters), none of which stands in parentheses or quotes. */
export function topLevel(text: string, separators: string): string[] {
  const parts: string[] = [];
  const [one, other] = [separators.charCodeAt(0), separators.charCodeAt(1)];
  let depth = 0;
  let quoted = false;
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (quoted) {
      if (code === BACKSLASH) at++;
      else if (code === QUOTE) quoted = false;
    } else if (code === one || code === other) {
      if (depth > 0) continue;
      parts.push(text.slice(from, at));
      from = at + 1;
    } else if (code === QUOTE) quoted = true;
    else if (code === OPEN) depth++;
    else if (code === CLOSE) depth = Math.max(0, depth - 1);
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
    if (!action.includes('queue:')) return [];
    const [, to = '', enqueued] = ENQUEUE.exec(action) ?? [];
    if (enqueued !== undefined) return [{ queue: Number(enqueued), port: unquoted(to) }];
    const [, set] = /^set_queue:([0-9]{1,10})$/.exec(action) ?? [];
    if (set === undefined) return [];
    const [next = '', then] = all.slice(at + 1, at + 3);
    if (next === 'pop_queue' || /^set_queue:[0-9]/.test(next)) return [];
    // How OpenFlow 1.1 and later spell enqueue.
    const [, port] = then === 'pop_queue' ? (/^output:([^[\]]+)$/.exec(next) ?? []) : [];
    return [{ queue: Number(set), ...(port === undefined ? {} : { port: unquoted(port) }) }];
  });
}

/** A table that packets go on to. */
export interface Onward {
  readonly table: number;
  /** Registers, metadata, tunnel id and VLAN as written before: as printed, or empty where it cannot be told. */
  readonly written: ReadonlyMap<string, string>;
}

const ONWARD = /^(?:resubmit\([^(),]*,([0-9]{1,3})(?:,ct)?\)|goto_table:([0-9]{1,3}))$/;

/** In the order of the actions: only what is certain, which `ct(table=10)` is not. */
export function onwardOf(actions: string): Onward[] {
  const found: Onward[] = [];
  follow(actions, new Map(), 0, found);
  return found;
}

function follow(actions: string, written: Map<string, string>, depth: number, found: Onward[]): void {
  if (!actions.includes('resubmit(') && !actions.includes('goto_table:')) return;
  for (const part of topLevel(actions, ',')) {
    const action = part.trim();
    if (action.startsWith('resubmit(') || action.startsWith('goto_table:')) {
      const [, resubmitted, gone = resubmitted] = ONWARD.exec(action) ?? [];
      if (gone !== undefined) found.push({ table: Number(gone), written: new Map(written) });
    } else if (action.startsWith('clone(')) {
      // What a clone writes is its own.
      if (depth < MAX_DEPTH) follow(action.slice('clone('.length, -1), new Map(written), depth + 1, found);
    } else if (/->|vlan|metadata|tunnel|^pop|^multipath|^bundle/.test(action)) write(action, written);
  }
}

const EXACT = /^(?:load|set_field):([0-9a-fx]+)->([A-Za-z_]+[0-9]*)(?:\[\])?$/;
const INSTRUCTION = /^(write_metadata|set_tunnel(?:64)?|mod_vlan_vid):([0-9a-fx]+)$/;
const INSTRUCTED: ReadonlyMap<string, string> = new Map([
  ...([
    ['write_metadata', 'metadata'],
    ['set_tunnel', 'tun_id'],
    ['set_tunnel64', 'tun_id'],
  ] as const),
  ['mod_vlan_vid', 'dl_vlan'],
]);
/** Where an action writes to, whatever it writes: `move:…->NXM_NX_REG0[0..15]`, `pop:…`, `multipath(…,NXM_NX_REG0[])`. */
const TARGET = /(?:->|^pop:)([A-Za-z_]+[0-9]*)(?:\[[0-9.]*\])?$/;
const COMPUTED = /^(?:multipath|bundle_load)\(.*,([A-Za-z_]+[0-9]*)(?:\[[0-9.]*\])?\)$/;

function write(action: string, written: Map<string, string>): void {
  const [, value = '', exactly] = EXACT.exec(action) ?? [];
  const [, word = '', number = ''] = INSTRUCTION.exec(action) ?? [];
  const instructed = INSTRUCTED.get(word);
  if (instructed !== undefined) written.set(instructed, number);
  else if (exactly !== undefined) {
    const [field, ...more] = fieldsOf(exactly);
    if (field !== undefined) written.set(field, more.length === 0 && field !== 'dl_vlan' ? value : '');
    for (const one of more) written.set(one, '');
  } else if (/^(?:strip|push|pop|mod)_vlan/.test(action)) written.set('dl_vlan', '');
  else if (action.startsWith('write_metadata:')) written.set('metadata', '');
  else for (const field of fieldsOf((TARGET.exec(action) ?? COMPUTED.exec(action))?.[1] ?? '')) written.set(field, '');
}

/** By the names that a match has: several where they are parts of one (`xreg0` is `reg0` and `reg1`). */
function fieldsOf(name: string): string[] {
  const [, kind = '', digits = ''] =
    /^(NXM_NX_REG|reg|OXM_OF_PKT_REG|xreg|NXM_NX_XXREG|xxreg)([0-9]{1,2})$/.exec(name) ?? [];
  if (kind !== '') {
    const parts = /xxreg$/i.test(kind) ? 4 : /xreg$|PKT_REG$/.test(kind) ? 2 : 1;
    return Array.from({ length: parts }, (_, index) => `reg${Number(digits) * parts + index}`);
  }
  if (name === 'metadata' || name === 'OXM_OF_METADATA') return ['metadata'];
  if (/^(?:tun_id|tunnel_id|NXM_NX_TUN_ID|OXM_OF_TUNNEL_ID)$/.test(name)) return ['tun_id'];
  return /vlan/i.test(name) ? ['dl_vlan'] : [];
}
