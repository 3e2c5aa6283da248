/** Records of the node that `rabbitmqctl status` ran on, and of its cluster. Pure. */
import { amount, type Fields, fieldsOf, flagIn, listOf, textIn } from './json.ts';
import { type BrokerRecord, type NodeRecord, noDepth } from './record.ts';

export interface CtlStatus {
  readonly broker: BrokerRecord;
  readonly nodes: readonly NodeRecord[];
}

/** `status` and `cluster_status --formatter json` (3.8 to 4.3; the latter undefined: not known). */
export function statusOfJson(status: unknown, cluster: unknown): CtlStatus {
  const fields = fieldsOf(status);
  const whole = fieldsOf(cluster);
  const running = names(whole.running_nodes);
  const own = ownNode(fields) ?? (running.length === 1 ? running[0] : undefined);
  const alarms = [...listOf(fields.alarms), ...listOf(whole.alarms)].map(fieldsOf);
  const areKnown = Array.isArray(fields.alarms) || Array.isArray(whole.alarms);
  const about = (node: string): Shared => ({
    partitions: cluster === undefined ? undefined : names(fieldsOf(whole.partitions)[node]).length,
    memoryAlarm: alarmOf(alarms, 'memory', node, areKnown),
    diskAlarm: alarmOf(alarms, 'disk', node, areKnown),
    drained: drainedOf(whole, node),
  });
  const others = new Set([...names(whole.disk_nodes), ...names(whole.ram_nodes), ...running]);
  if (own !== undefined) others.delete(own);
  return {
    broker: brokerOf(fields, areKnown ? alarms.length > 0 : undefined, cluster !== undefined && others.size === 0),
    nodes: [
      ...(own === undefined ? [] : [nodeOf(own, fields, about(own))]),
      ...[...others].map((node): NodeRecord => {
        const isRunning = running.includes(node);
        return { ...nodeOf(node, none, isRunning ? about(node) : nothing), running: isRunning };
      }),
    ],
  };
}

type Shared = Pick<NodeRecord, 'partitions' | 'memoryAlarm' | 'diskAlarm' | 'drained'>;

const none: Fields = {};
const nothing: Shared = { partitions: undefined, memoryAlarm: undefined, diskAlarm: undefined, drained: undefined };

function names(value: unknown): readonly string[] {
  return listOf(value).filter((name): name is string => typeof name === 'string' && name !== '');
}

/** No field says it: every listener does, and in most set-ups the directory of the data. */
function ownNode(fields: Fields): string | undefined {
  for (const listener of listOf(fields.listeners)) {
    const node = textIn(fieldsOf(listener), 'node');
    if (node !== undefined) return node;
  }
  const last = textIn(fields, 'data_directory')?.split('/').at(-1);
  return last?.includes('@') ? last : undefined;
}

function alarmOf(alarms: readonly Fields[], resource: string, node: string, areKnown: boolean): boolean | undefined {
  if (!areKnown) return undefined;
  return alarms.some((alarm) => alarm.resource === resource && alarm.node === node);
}

function drainedOf(cluster: Fields, node: string): boolean | undefined {
  const text = textIn(fieldsOf(cluster.maintenance_status), node);
  return text === undefined ? undefined : text === 'under maintenance';
}

function nodeOf(node: string, fields: Fields, { partitions, memoryAlarm, diskAlarm, drained }: Shared): NodeRecord {
  const files = fieldsOf(fields.file_descriptors);
  const processes = fieldsOf(fields.processes);
  const memory = fieldsOf(fields.memory);
  const strategy = textIn(memory, 'strategy') ?? textIn(fields, 'vm_memory_calculation_strategy') ?? 'rss';
  return {
    node,
    running: true,
    memoryAlarm,
    diskAlarm,
    partitions,
    fdUsed: amount(files, 'total_used'),
    fdTotal: amount(files, 'total_limit') || undefined,
    socketsUsed: amount(files, 'sockets_used'),
    socketsTotal: amount(files, 'sockets_limit') || undefined,
    processesUsed: amount(processes, 'used'),
    processesTotal: amount(processes, 'limit'),
    memoryUsedBytes: amount(fieldsOf(memory.total), strategy) ?? amount(memory, 'total'),
    memoryLimitBytes: amount(fields, 'vm_memory_high_watermark_limit'),
    diskFreeBytes: amount(fields, 'disk_free'),
    diskFreeLimitBytes: amount(fields, 'disk_free_limit'),
    runQueue: amount(fields, 'run_queue'),
    uptimeSeconds: amount(fields, 'uptime'),
    schemaRamTransactions: undefined,
    schemaDiskTransactions: undefined,
    drained: flagIn(fields, 'is_under_maintenance') ?? drained,
    peers: [],
  };
}

/** `totals` counts the node's own connections, and the queues of all nodes. */
function brokerOf(fields: Fields, alarm: boolean | undefined, isAlone: boolean): BrokerRecord {
  const totals = fieldsOf(fields.totals);
  return {
    ...noDepth,
    version: textIn(fields, 'rabbitmq_version'),
    counts: undefined,
    churn: undefined,
    connections: isAlone ? amount(totals, 'connection_count') : undefined,
    channels: undefined,
    consumers: undefined,
    exchanges: undefined,
    queues: amount(totals, 'queue_count'),
    alarm,
    countsMessages: false,
  };
}

/**
 * `status` up to 3.7: Erlang terms, `{run_queue,0}`. Only single numbers are looked for, each by its name; undefined: it
 * is no such text.
 */
export function statusOfTerms(text: string): CtlStatus | undefined {
  const cut = text.slice(0, 200_000);
  const numberAfter = (pattern: RegExp): number | undefined => {
    const found = pattern.exec(cut)?.[1];
    return found === undefined ? undefined : Number(found);
  };
  const version = /\{rabbit,"RabbitMQ","([0-9A-Za-z.+~-]{1,40})"\}/.exec(cut)?.[1];
  const node = /^Status of node '?([^\s']{1,255}?)'? \.\.\.$/m.exec(cut)?.[1];
  const alarms = /\{alarms,\[([^\]]*)\]/.exec(cut)?.[1];
  if (version === undefined && !/\{run_queue,\s*[0-9]/.test(cut)) return undefined;
  const pair = (outer: string, inner: string): number | undefined =>
    numberAfter(new RegExp(`\\{${outer},\\s*\\[[^\\]]{0,200}\\{${inner},([0-9]{1,15})\\}`));
  const one = (name: string): number | undefined => numberAfter(new RegExp(`\\{${name},\\s*([0-9]{1,15})\\}`));
  const record = nodeOf(node ?? '', none, nothing);
  const own: NodeRecord = {
    ...record,
    fdUsed: pair('file_descriptors', 'total_used'),
    fdTotal: pair('file_descriptors', 'total_limit'),
    socketsUsed: pair('file_descriptors', 'sockets_used'),
    socketsTotal: pair('file_descriptors', 'sockets_limit'),
    processesUsed: pair('processes', 'used'),
    processesTotal: pair('processes', 'limit'),
    memoryUsedBytes: pair('memory', 'total'),
    memoryLimitBytes: one('vm_memory_limit'),
    diskFreeBytes: one('disk_free'),
    diskFreeLimitBytes: one('disk_free_limit'),
    runQueue: one('run_queue'),
    uptimeSeconds: one('uptime'),
    memoryAlarm: alarms === undefined ? undefined : /\bmemory\b/.test(alarms),
    diskAlarm: alarms === undefined ? undefined : /\bdisk\b/.test(alarms),
  };
  const broker = brokerOf(none, alarms === undefined ? undefined : alarms.trim() !== '', false);
  return { broker: { ...broker, version }, nodes: node === undefined ? [] : [own] };
}
