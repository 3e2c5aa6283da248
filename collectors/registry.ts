/** Every collector: one import, one line. Only `src/daemon.ts` (and tests) imports this. */
import type { Collector } from '../src/collector.ts';
import { htb } from './htb/index.ts';
import { ovs } from './ovs/index.ts';
import { rabbitmq } from './rabbitmq/index.ts';
import { tcp } from './tcp/index.ts';

const all: readonly Collector[] = [htb, ovs, rabbitmq, tcp];

export const registry: ReadonlyMap<string, Collector> = new Map(all.map((collector) => [collector.name, collector]));
