/** Every collector: one import, one line. Only `src/daemon.ts` (and tests) imports this. */
import type { Collector } from '../src/collector.ts';
import { exec } from './exec/index.ts';
import { htb } from './htb/index.ts';
import { link } from './link/index.ts';
import { nagios } from './nagios/index.ts';
import { ovs } from './ovs/index.ts';
import { ovsKmod } from './ovs_kmod/index.ts';
import { namedProcesses } from './process/index.ts';
import { rabbitmq } from './rabbitmq/index.ts';
import { tcp } from './tcp/index.ts';

const all: readonly Collector[] = [exec, htb, link, nagios, ovs, ovsKmod, namedProcesses, rabbitmq, tcp];

export const registry: ReadonlyMap<string, Collector> = new Map(all.map((collector) => [collector.name, collector]));
