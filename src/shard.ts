/** Which part of the targets this edgestatd measures, where several share them: `shard: "i/n"`. Pure. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { Failure } from './errors.ts';
import { quoted } from './text.ts';

export interface Shard {
  /** From 0 on. */
  readonly index: number;
  readonly count: number;
}

const MAX_COUNT = 1000;
const FORM = 'expected "i/n": the number of this one, from 0 on, or a name that ends with it (edgestatd-2), and of all';

/**
 * `2/5`, or `edgestatd-2/5` as the pods of a StatefulSet and the instances of a systemd template are named. `E_CONFIG`
 * says what is wrong.
 */
export function parseShard(text: string): Shard {
  const wrong = (why: string): never => {
    throw new Failure('E_CONFIG', `${why}; found ${quoted(text)}`);
  };
  const [, own = '', all = ''] = /^(.*)\/([^/]*)$/s.exec(text.trim()) ?? wrong(FORM);
  const number = /^(?:[^/]+[-_@])?([0-9]{1,9})$/s.exec(own.trim())?.[1] ?? wrong(FORM);
  const count = /^[0-9]{1,9}$/.test(all.trim()) ? Number(all) : wrong(FORM);
  const index = Number(number);
  if (count < 1 || count > MAX_COUNT) wrong(`expected 1 to ${MAX_COUNT} shards`);
  if (index >= count) wrong(`expected a number from 0 to ${count - 1} before the "/", as shards are counted from 0`);
  return { index, count };
}

export const shardOption = z.string().transform((text, context): Shard => {
  try {
    return parseShard(text);
  } catch (thrown) {
    context.addIssue({ code: 'custom', message: (thrown as Error).message });
    return z.NEVER;
  }
});

/**
 * Rendezvous hashing: of all shards a target belongs to the one whose hash together with its name is the highest. So one
 * more shard takes 1/n of the targets, from all others alike, and no target moves between those.
 */
export function keepsTarget(name: string, { index, count }: Shard): boolean {
  const own = weight(name, index);
  for (let other = 0; other < count; other++) {
    if (other === index) continue;
    const theirs = weight(name, other);
    if (theirs > own || (theirs === own && other < index)) return false;
  }
  return true;
}

/** 48 bits, which a number holds exactly. */
function weight(name: string, index: number): number {
  return createHash('sha256').update(`${index} ${name}`).digest().readUIntBE(0, 6);
}
