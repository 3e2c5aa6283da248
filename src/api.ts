/** What a plugin may import from `edgestatd`: the contract and the parsing primitives, and nothing else. */

/** The options of a collector are a zod schema; this is the copy that edgestatd itself uses. */
export { z } from 'zod';
export {
  type Collector,
  type Context,
  defineCollector,
  duration as durationOption,
  type FilePart,
  type Hop,
  type Host,
  type HttpOptions,
  type Kept,
  type Lasting,
  type Memo,
  type NetlinkRequest,
  type Offer,
  type Outcome,
  type Reading,
  secret as secretOption,
  type Trace,
  type Verdict,
} from './collector.ts';
export { type Code, type Evidence, Failure } from './errors.ts';
export {
  counter,
  derived,
  duration,
  gauge,
  growth,
  type Kind,
  type Labels,
  type Metric,
  type Operand,
  rate,
  ratio,
  type Sample,
  sample,
} from './metric.ts';
export { integer, lines, matcher, printable, quoted, words } from './text.ts';
