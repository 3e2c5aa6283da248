/** The log's vocabulary: what can be said, with which fields, and how severe it is. */
import type { Code } from './errors.ts';

/** All that is ever logged: an event's name is a stable text to search for. */
export interface EventMap {
  'daemon:started': { version: string; config: string; jobs: number; sinks: number; node: string };
  'daemon:reloaded': { config: string; kept: number; added: number; changed: number; removed: number };
  'daemon:stopping': { reason: string };
  'daemon:stopped': { seconds: number };
  'daemon:crashed': { message: string; stack?: string };
  /** The new file was refused; everything goes on as it was. */
  'config:refused': { message: string };
  /** A job that worked (or has just begun) failed, or fails for another reason than before. */
  'run:failed': { job: string; target: string; code: Code; message: string };
  'run:recovered': { job: string; target: string; failedRuns: number };
  /** A part of a reading could not be had; said once until it has gone. */
  'run:problem': { job: string; target: string; code: Code; message: string };
  'run:problem_gone': { job: string; target: string; code: Code; message: string };
  /** A tick came while the run before it was under way; said once until a run starts in time again. */
  'tick:skipped': { job: string; target: string; ticks: number };
  'tick:in_time': { job: string; target: string; skipped: number };
  /** The first datagrams of a sink went out. */
  'sink:delivering': { sink: string; to: string; metrics: number; datagrams?: number };
  'sink:down': { sink: string; to: string; code: Code; message: string };
  'sink:up': { sink: string; to: string; downSeconds: number; droppedMetrics: number };
  /** A metric of a new kind cannot be sent; said once for each reason. */
  'sink:dropped': { sink: string; reason: string; metrics: number; message: string };
  /** Batches are larger than the pace can send within their interval. */
  /** A sink was closed, at the end or by a reload: all that it did. */
  'sink:closed': { sink: string; sentMetrics: number; droppedMetrics: Readonly<Record<string, number>> };
  'sink:overrun': { sink: string; job: string; datagrams: number; seconds: number; intervalSeconds: number };
  'sink:in_pace': { sink: string };
  /** What waits on disk for this sink cannot be written or read; what does not fit into memory meanwhile is dropped. */
  'sink:spool_failed': { sink: string; code: Code; message: string };
  'sink:spool_works': { sink: string };
  /** The file was no usable database: it was renamed, and a new one begun. */
  'sink:spool_moved': { sink: string; message: string };
  /** All that waited on disk for a destination has been sent. */
  'sink:replayed': { sink: string; to: string; metrics: number; seconds: number };
  /** The file in which events wait cannot be used: what comes in is refused until it can. */
  'events:spool_failed': { code: Code; message: string };
  'events:spool_works': Record<string, never>;
  /** It was no usable database: it was renamed, and a new one begun. */
  'events:spool_moved': { message: string };
  /** Another process delivers from it, or does so no more. */
  'events:spool_shared': { message: string };
  'events:spool_ours': { message: string };
  /** Another spool was configured, or none: what waits in the old one waits on. */
  'events:left': { count: number; message: string };
  /** Events were given up: too old, or to make room; said every ten minutes at most. */
  'events:dropped': { count: number; message: string };
  /** What a rule made of a change could not be taken. */
  'events:rule_failed': { code: Code; message: string };
  /** Events wait: the destination cannot be reached, or takes none; said once for each code until it takes one. */
  'events:down': { destination: string; to: string; code: Code; message: string };
  'events:up': { destination: string; to: string; downSeconds: number };
  /** Refused for good. `unsaid`: so many more were since the last one that was said. */
  'events:dead': { destination: string; id: string; what: string; message: string; unsaid: number };
  /** The server stored an event without all of its tags and failed, so that it is sent again: one is left over there. */
  'events:halved': { destination: string; id: string; what: string; left: number };
  /** What becomes of events cannot be written into the spool, so that none is sent. */
  'events:held': { destination: string; code: Code; message: string };
  'events:resumed': { destination: string };
  'events:listening': { at: string };
  /** A socket for events cannot be listened on; tried again. */
  'events:listen_failed': { code: Code; message: string };
  /** Requests with events were refused; said again after ten minutes at most. `unsaid`: so many more meanwhile. */
  'events:refused': { at: string; status: number; message: string; unsaid: number };
  'events:watching': { folder: string };
  /** Files of the folder are no events; said once for all that are found together. `unsaid`: so many more were. */
  'events:rejected': { folder: string; file: string; message: string; unsaid: number };
  /** Files wait in the folder, which cannot be read, or whose files cannot be moved or taken; tried again. */
  'events:folder_failed': { folder: string; code: Code; message: string };
  'events:folder_works': { folder: string };
  /** Of the status page, and of the status socket once it is there after all. */
  'status:listening': { at: string };
  /** A socket on which the daemon tells of itself cannot be listened on; tried again. */
  'status:listen_failed': { code: Code; message: string };
  /** What was asked could not be answered. */
  'status:failed': { code: Code; message: string };
  'notify:failed': { message: string };
  /** Of an inventory: an entry that is none, or a pattern of targets that fits nothing. */
  'config:problem': { message: string };
  /** What jobs remember cannot be kept beyond a restart. */
  'state:failed': { code: Code; message: string };
  'state:works': Record<string, never>;
  /** What a job offered as an event could not be taken. */
  'events:offer_failed': { job: string; target: string; code: Code; message: string };
}

export const LEVELS: { readonly [Name in keyof EventMap]: 'debug' | 'info' | 'warn' | 'error' | 'fatal' } = {
  'daemon:started': 'info',
  'daemon:reloaded': 'info',
  'daemon:stopping': 'info',
  'daemon:stopped': 'info',
  'daemon:crashed': 'fatal',
  'config:refused': 'error',
  'run:failed': 'error',
  'run:recovered': 'info',
  'run:problem': 'warn',
  'run:problem_gone': 'info',
  'tick:skipped': 'warn',
  'tick:in_time': 'info',
  'sink:delivering': 'info',
  'sink:down': 'error',
  'sink:up': 'info',
  'sink:dropped': 'warn',
  'sink:closed': 'info',
  'sink:overrun': 'warn',
  'sink:in_pace': 'info',
  'sink:spool_failed': 'error',
  'sink:spool_works': 'info',
  'sink:spool_moved': 'error',
  'sink:replayed': 'info',
  'events:spool_failed': 'error',
  'events:spool_works': 'info',
  'events:spool_moved': 'error',
  'events:spool_shared': 'warn',
  'events:spool_ours': 'info',
  'events:left': 'warn',
  'events:dropped': 'warn',
  'events:rule_failed': 'error',
  'events:down': 'error',
  'events:up': 'info',
  'events:dead': 'error',
  'events:halved': 'warn',
  'events:held': 'error',
  'events:resumed': 'info',
  'events:listening': 'info',
  'events:listen_failed': 'error',
  'events:refused': 'warn',
  'events:watching': 'info',
  'events:rejected': 'warn',
  'events:folder_failed': 'error',
  'events:folder_works': 'info',
  'status:listening': 'info',
  'status:listen_failed': 'warn',
  'status:failed': 'error',
  'notify:failed': 'warn',
  'config:problem': 'warn',
  'state:failed': 'error',
  'state:works': 'info',
  'events:offer_failed': 'error',
};
