/** What could not be read of one dump, bounded: a broken program must not flood the log. Pure. */
import { Failure } from '../../src/errors.ts';
import { quoted } from '../../src/text.ts';

const MAX_PROBLEMS = 10;

export interface Faults {
  /** `line` counts from 1; `text` is what was found there. */
  add(what: string, line?: number, text?: string): void;
  problems(): Failure[];
}

export function createFaults(source: string): Faults {
  const found: Failure[] = [];
  let more = 0;
  return {
    add(what, line, text) {
      if (found.length >= MAX_PROBLEMS) {
        more += 1;
        return;
      }
      const where = line === undefined ? source : `${source} line ${line}`;
      const shown = text === undefined ? '' : `, found ${quoted(text)}`;
      const evidence = {
        ...(line === undefined ? {} : { line }),
        ...(text === undefined ? {} : { text: text.slice(0, 500) }),
      };
      found.push(new Failure('E_PARSE', `${where}: ${what}${shown}`, evidence));
    },
    problems() {
      if (more === 0) return found;
      return [...found, new Failure('E_PARSE', `${source}: ${more} more faults`, { count: more })];
    },
  };
}
