/** bond/show and lacp/show → records. Pure. Members were called slaves until Open vSwitch 2.15. */
import { lines } from '../../src/text.ts';

export interface BondMember {
  readonly name: string;
  readonly enabled: boolean | undefined;
  readonly active: boolean;
  readonly mayEnable: boolean | undefined;
}

export interface Bond {
  readonly port: string;
  readonly members: readonly BondMember[];
}

const HEAD = /^---- (.+) ----$/;

export function parseBonds(text: string): Bond[] {
  type Member = { -readonly [Key in keyof BondMember]: BondMember[Key] };
  const found: { port: string; members: Member[] }[] = [];
  for (const line of lines(text)) {
    const [, port] = HEAD.exec(line) ?? [];
    if (port !== undefined) found.push({ port, members: [] });
    const members = found.at(-1)?.members;
    if (members === undefined) continue;
    const [, name, state] = /^(?:member|slave) (.+): (enabled|disabled)$/.exec(line) ?? [];
    if (name !== undefined) members.push({ name, enabled: state === 'enabled', active: false, mayEnable: undefined });
    const member = members.at(-1);
    if (member === undefined) continue;
    if (/^\s+active (?:member|slave)$/.test(line)) member.active = true;
    const [, may] = /^\s+may_enable: (true|false)$/.exec(line) ?? [];
    if (may !== undefined) member.mayEnable = may === 'true';
  }
  return found;
}

export interface LacpMember {
  readonly name: string;
  /** `current` (PDUs arrive in time), `expired` or `defaulted`. */
  readonly status: string;
  readonly attached: boolean;
  /** `activity timeout aggregation synchronized collecting distributing defaulted expired`; undefined: not printed. */
  readonly actor: ReadonlySet<string> | undefined;
  readonly partner: ReadonlySet<string> | undefined;
  /** All zero: no partner was ever heard. */
  readonly partnerId: string | undefined;
}

export interface Lacp {
  readonly port: string;
  readonly negotiated: boolean | undefined;
  readonly members: readonly LacpMember[];
}

export function parseLacp(text: string): Lacp[] {
  type Member = { -readonly [Key in keyof LacpMember]: LacpMember[Key] };
  const found: { port: string; negotiated: boolean | undefined; members: Member[] }[] = [];
  for (const line of lines(text)) {
    const [, port] = HEAD.exec(line) ?? [];
    if (port !== undefined) found.push({ port, negotiated: undefined, members: [] });
    const bond = found.at(-1);
    if (bond === undefined) continue;
    const [, status] = /^\s+status: (.*)$/.exec(line) ?? [];
    if (status !== undefined) bond.negotiated = status.split(' ').includes('negotiated');
    const [, name, current = '', attached] =
      /^(?:member|slave): (.+): (current|expired|defaulted) (attached|detached)$/.exec(line) ?? [];
    if (name !== undefined) {
      const unknown = { actor: undefined, partner: undefined, partnerId: undefined };
      bond.members.push({ name, status: current, attached: attached === 'attached', ...unknown });
    }
    const member = bond.members.at(-1);
    const [, who, what, value = ''] = /^\s+(actor|partner) (state|sys_id):(.*)$/.exec(line) ?? [];
    if (member === undefined || who === undefined) continue;
    if (what === 'state') member[who === 'actor' ? 'actor' : 'partner'] = new Set(value.split(' ').filter(Boolean));
    else if (who === 'partner') member.partnerId = value.trim();
  }
  return found;
}
