/** What every host must answer alike, wherever it is: asked of a far one and of this machine, in a directory of both. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Failure } from '../../src/errors.ts';
import type { Argv, Host } from '../../src/host.ts';

/** File names that break quoting, framing, globs or options. */
export const hostileNames: readonly string[] = [
  ...[
    "it's",
    'a "b" c',
    'new\nline',
    '\n',
    'back\\slash',
    '\\',
    '$(id)',
    '`id`',
    '~',
    '-n',
    '--',
    '*',
    '?',
    '[a]',
    '!x',
  ],
  ...[' lead', 'trail ', '#c', ';', '&', '|', '>', 'ünï', '\u{1f980}', '.hidden', '...', 'E=1', '\t', '%s', "'", "''"],
  ...['x'.repeat(255)],
];

const script = (text: string, ...words: string[]): Argv => ['sh', '-c', text, 'sh', ...words];

export const programs: Readonly<Record<string, Argv>> = {
  'no output': ['true'],
  'no newline at the end': ['printf', '%s', 'abc'],
  'newlines alone': ['printf', '\n\n'],
  'words of all kinds': ['printf', '[%s]', ...hostileNames, '', 'a\rb'],
  'a status': script('echo out; echo "bad thing" >&2; exit 3'),
  'a status without a word': ['false'],
  'the status that means absent': script('echo mine >&2; exit 127'),
  'the status that means denied': script('exit 126'),
  'the status that means late': script('exit 124'),
  SIGKILL: script('kill -9 $$'),
  SIGTERM: script('kill $$'),
  SIGABRT: script('ulimit -c 0; kill -ABRT $$'),
  'no such program': ['edgestatd-no-such-program', '--x'],
  'no such path': ['/nonexistent/program'],
  'a directory': ['/etc'],
  'no input': ['cat'],
  'much on stderr': script('head -c 100000 /dev/zero | tr "\\0" e >&2; exit 1'),
  'much on both': script('i=0; while [ $i -lt 3000 ]; do echo out$i; echo err$i >&2; i=$((i+1)); done'),
  'a megabyte': ['seq', '1', '150000'],
  'no UTF-8': ['printf', 'a\\377\\000b\\303'],
  locale: script('echo "$LC_ALL $LANG $LC_TIME"'),
  'a word of an option': ['echo', '-n', '-e', 'a\\nb'],
  'a name of a builtin': ['test', '-d', '/etc'],
  'a keyword': ['if', 'x'],
};

export interface Ground {
  readonly directory: string;
  close(): Promise<void>;
}

/** Files of every kind below a directory that exists. */
export async function makeGround(directory: string): Promise<Ground> {
  const at = (name: string): string => join(directory, name);
  mkdirSync(at('empty'));
  mkdirSync(at('names'));
  for (const name of hostileNames) writeFileSync(join(at('names'), name), `content of ${JSON.stringify(name)}\n`);
  mkdirSync(at('dot'));
  writeFileSync(at('dot/.only'), '');
  mkdirSync(at('star'));
  writeFileSync(at('star/*'), 'star');
  mkdirSync(at('thousands'));
  for (let one = 0; one < 3000; one++) writeFileSync(at(`thousands/entry-${one}`), '');
  writeFileSync(at('nothing'), '');
  writeFileSync(at('bytes'), Buffer.from([0, 1, 2, 255, 254, 10, 13, 0]));
  writeFileSync(at('no-newline'), 'abc');
  writeFileSync(at('newlines'), '\n\n\n');
  writeFileSync(at('looks-failed'), 'cat: x: Something else\n');
  writeFileSync(at('two-blocks'), Buffer.from(Array.from({ length: 10_000 }, (_, index) => index % 251)));
  writeFileSync(at('small-limit'), 'y'.repeat(65_536));
  writeFileSync(at('above-limit'), 'y'.repeat(65_537));
  writeFileSync(at('large'), 'z'.repeat(3_000_000));
  writeFileSync(at('plain'), '#!/bin/sh\n');
  chmodSync(at('plain'), 0o644);
  symlinkSync('no-newline', at('link'));
  symlinkSync('gone', at('dangling'));
  symlinkSync('loop', at('loop'));
  symlinkSync('empty', at('link-to-directory'));
  spawnSync('mkfifo', [at('fifo')]);
  const server = createServer((socket) => socket.on('error', () => {}).end('hello')).listen(at('socket'));
  await new Promise((resolve) => server.once('listening', resolve));
  const dead = createServer().listen(at('dead'));
  await new Promise((resolve) => dead.once('listening', resolve));
  // Its file is left behind, as that of a server that was killed.
  spawnSync('ln', [at('dead'), at('refusing')]);
  await new Promise((resolve) => dead.close(resolve));
  return {
    directory,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

const PLACES = [
  ...[
    'nothing',
    'bytes',
    'no-newline',
    'newlines',
    'looks-failed',
    'two-blocks',
    'small-limit',
    'above-limit',
    'plain',
  ],
  ...['link', 'dangling', 'link-to-directory', 'socket', 'empty', 'missing', 'missing/deeper', 'plain/below', ''],
];
const KERNEL = [
  ...['/proc/self/nothing', '/proc/version', '/proc/net/route', '/sys/class/net/lo/mtu', '/sys/class/net/lo/speed'],
  ...['/sys/class/net/lo/carrier', '/sys/class/net/nosuch/carrier', '/sys/class/net', '/dev/null', '/dev/log/x'],
];

/** Each is asked of both hosts. */
export function callsOn(directory: string): Readonly<Record<string, (host: Host) => Promise<unknown>>> {
  const at = (name: string): string => join(directory, name);
  const files = [...PLACES.map(at), ...KERNEL, ...hostileNames.map((name) => join(at('names'), name))];
  const parts = [
    ...[
      [0, 10],
      [0, 0],
      [1, 4096],
      [4095, 2],
      [4096, 4096],
      [9990, 100],
      [10_000, 5],
      [50_000, 5],
      [0, 100_000],
    ],
  ] as const;
  return {
    ...Object.fromEntries(
      Object.entries(programs).map(([name, argv]) => [`run: ${name}`, (host: Host) => host.run(argv)]),
    ),
    'run: a file that is no program': (host) => host.run([at('plain')]),
    'outcome: a status that is an answer': (host) => host.outcome(['sh', '-c', 'echo two; echo e >&2; exit 2'], [1, 2]),
    'outcome: one that is none': (host) => host.outcome(['sh', '-c', 'exit 3'], [1, 2]),
    ...Object.fromEntries(
      files.map((path) => [`readFile: ${JSON.stringify(path)}`, (host: Host) => host.readFile(path)]),
    ),
    'readFile: three megabytes': (host) => host.readFile(at('large')),
    readFiles: (host) => host.readFiles(files),
    'readFiles: regular ones': (host) => host.readFiles(files.filter((path) => !path.startsWith('/dev/'))),
    'readFiles: a failing one last': (host) => host.readFiles([at('looks-failed'), '/sys/class/net/lo/speed']),
    'readFiles: twice the same, and one of its own': (host) => host.readFiles([at('link'), at('link'), at('nothing')]),
    'readFiles: one that is too large': (host) => host.readFiles([at('large'), at('no-newline')]),
    'readFiles: none': (host) => host.readFiles([]),
    ...Object.fromEntries(
      parts.map(([offset, bytes]) => [
        `readPart: ${offset} ${bytes}`,
        (host: Host) => host.readPart(at('two-blocks'), offset, bytes),
      ]),
    ),
    ...Object.fromEntries(
      ['missing', 'empty', 'fifo', 'nothing', 'link', 'socket', 'plain/below'].map((name) => [
        `readPart: ${name}`,
        (host: Host) => host.readPart(at(name), 0, 10),
      ]),
    ),
    ...Object.fromEntries(
      [
        'names',
        'empty',
        'dot',
        'star',
        'thousands',
        'missing',
        'plain',
        'fifo',
        'link-to-directory',
        'dangling',
        '',
      ].map((name) => [`list: ${JSON.stringify(name)}`, (host: Host) => host.list(at(name))]),
    ),
    'list: /': (host) => host.list('/sys/'),
    'list: with a slash': (host) => host.list(`${at('dot')}/`),
  };
}

/** Failures as what is said of them. */
export async function told(answer: Promise<unknown>): Promise<unknown> {
  return plain(
    await answer.catch((thrown) => {
      if (thrown instanceof Failure) return thrown;
      throw thrown;
    }),
  );
}

function plain(value: unknown): unknown {
  if (value instanceof Failure) return { code: value.code, message: value.message, evidence: value.evidence };
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (typeof value === 'object' && value !== null && 'bytes' in value) return { ...value, bytes: plain(value.bytes) };
  return value;
}
