import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Host } from '../../src/collector.ts';
import { Failure } from '../../src/errors.ts';
import { absentHost } from '../../test/support/absent-host.ts';
import { tcp } from './index.ts';

const read = (name: string): string => readFileSync(join(import.meta.dirname, 'testdata/kernel6.18', name), 'utf8');
const PAIRS = read('snmp') + read('netstat');

/** Answers programs by their words joined, and files of which `-` is missing. */
function hostOf(programs: (command: string) => string | Promise<string>, files: Record<string, string> = {}): Host {
  const missing = (what: string) => new Failure('E_NOT_FOUND', `${what} is not there`);
  const all: Record<string, string> = {
    '/proc/net/snmp': read('snmp'),
    '/proc/net/netstat': read('netstat'),
    ...files,
  };
  return {
    ...absentHost,
    run: async (argv) => programs(argv.join(' ')),
    async readFile(path) {
      const text = all[path];
      if (text === undefined || text === '-') throw missing(path);
      return text;
    },
  };
}

const noPrograms = (): string => {
  throw new Failure('E_NOT_FOUND', 'no programs here');
};
const collect = async (host: Host, options: object = {}) => {
  const { samples, problems = [] } = await tcp.collect({
    host,
    options: tcp.options.parse(options),
    atMs: 0,
    readAtMs: 0,
    elapsedMs: () => 0,
  });
  const namespaces = [...new Set(samples.map(({ labels }) => labels.namespace ?? '(own)'))].sort();
  return { samples, namespaces, problems: problems.map(({ code, message }) => `${code} ${message}`) };
};

test('no program is run and no other file is read unless an option asks for it', async () => {
  const { problems, namespaces } = await collect(hostOf(noPrograms));
  expect(problems).toEqual([]);
  expect(namespaces).toEqual(['(own)']);
});

test('a run without either file fails with the first reason', async () => {
  const host = hostOf(noPrograms, { '/proc/net/snmp': '-', '/proc/net/netstat': '-' });
  await expect(collect(host)).rejects.toMatchObject({ code: 'E_NOT_FOUND', message: '/proc/net/snmp is not there' });
  const empty = hostOf(noPrograms, { '/proc/net/snmp': '', '/proc/net/netstat': '' });
  await expect(collect(empty)).rejects.toMatchObject({ code: 'E_PARSE', message: '/proc/net/snmp: no Tcp in it' });
});

test('one file that is missing or empty is a problem, and the other is read', async () => {
  const missing = await collect(hostOf(noPrograms, { '/proc/net/netstat': '-' }));
  expect(missing.problems).toEqual(['E_NOT_FOUND /proc/net/netstat is not there']);
  expect(missing.samples.length).toBeGreaterThan(10);
  const empty = await collect(hostOf(noPrograms, { '/proc/net/snmp': '' }));
  expect(empty.problems).toEqual(['E_PARSE /proc/net/snmp: no Tcp in it']);
});

test('IPv6 that is off is a problem of snmp6 alone', async () => {
  const { problems } = await collect(hostOf(noPrograms), { snmp6: true });
  expect(problems).toEqual(['E_NOT_FOUND /proc/net/snmp6 is not there']);
});

/** `ip netns list` answers each text in turn, and the last one from then on. */
function inNamespaces(lists: readonly string[], answer: (command: string) => string): (command: string) => string {
  let asked = 0;
  return (command) => {
    if (command !== 'ip netns list') return answer(command);
    const text = lists[Math.min(asked, lists.length - 1)] ?? '';
    asked += 1;
    return text;
  };
}

const denied = (): string => {
  throw new Failure('E_EXIT', 'nsenter ended with status 1');
};

test('only the namespaces that match are entered, by nsenter and cat', async () => {
  const commands: string[] = [];
  const answer = (command: string): string => {
    commands.push(command);
    return PAIRS;
  };
  const host = hostOf(inNamespaces(['qrouter-1 (id: 0)\nblue\n'], answer));
  expect((await collect(host, { namespaces: ['q*'] })).namespaces).toEqual(['(own)', 'qrouter-1']);
  expect(commands).toEqual(['nsenter --net=/run/netns/qrouter-1 -- cat /proc/net/snmp /proc/net/netstat']);
});

test('a namespace that was deleted meanwhile is no problem; one that is still there is', async () => {
  const answer = (command: string): string => (command.includes('/gone ') ? denied() : PAIRS);
  const gone = await collect(hostOf(inNamespaces(['gone\nblue\n', 'blue\n'], answer)), { namespaces: ['*'] });
  expect(gone).toMatchObject({ problems: [], namespaces: ['(own)', 'blue'] });
  const there = await collect(hostOf(inNamespaces(['gone\nblue\n'], answer)), { namespaces: ['*'] });
  expect(there.problems).toEqual(['E_EXIT namespace "gone": nsenter ended with status 1']);
});

test('when the second list fails too, the problem stays and nothing else is lost', async () => {
  let lists = 0;
  const host = hostOf((command) => {
    if (command !== 'ip netns list') return denied();
    lists += 1;
    return lists === 1 ? 'blue\n' : denied();
  });
  const { problems, namespaces } = await collect(host, { namespaces: ['*'] });
  expect(problems).toEqual(['E_EXIT namespace "blue": nsenter ended with status 1']);
  expect(namespaces).toEqual(['(own)']);
  expect(lists).toBe(2);
});

test('an answer without statistics is a problem of its namespace', async () => {
  const { problems } = await collect(hostOf(inNamespaces(['blue\n'], () => '')), { namespaces: ['*'] });
  expect(problems).toEqual(['E_PARSE namespace "blue": /proc/net/snmp /proc/net/netstat: no Tcp, no TcpExt in it']);
});

test('a namespace without IPv6 keeps its other numbers', async () => {
  const answer = (command: string): string => (command.endsWith('snmp6') ? denied() : PAIRS);
  const host = hostOf(inNamespaces(['blue\n'], answer), { '/proc/net/snmp6': read('snmp6') });
  const { problems, namespaces } = await collect(host, { namespaces: ['*'], snmp6: true });
  expect(problems).toEqual(['E_EXIT namespace "blue": nsenter ended with status 1']);
  expect(namespaces).toEqual(['(own)', 'blue']);
});

test('at most eight namespaces are read at once, and all of them', async () => {
  const names = Array.from({ length: 50 }, (_, index) => `ns${index}`);
  let now = 0;
  let most = 0;
  const host = hostOf(async (command) => {
    if (command === 'ip netns list') return `${names.join('\n')}\n`;
    now += 1;
    most = Math.max(most, now);
    await new Promise((resolve) => setImmediate(resolve));
    now -= 1;
    return PAIRS;
  });
  const { namespaces, problems } = await collect(host, { namespaces: ['*'] });
  expect(most).toBe(8);
  expect(problems).toEqual([]);
  expect(namespaces).toEqual(['(own)', ...names].sort());
});
