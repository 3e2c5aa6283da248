/** Known host keys: what the file says, held against what OpenSSH's own programs make of the same file. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  fingerprintOf,
  type HostKey,
  judgeKey,
  knownTypes,
  nameOf,
  parseKnownHosts,
} from '../src/hosts/known-hosts.ts';
import { readKnownHosts, rememberKey } from '../src/hosts/known-hosts-file.ts';
import { makeKey, publicKey } from './support/sshd.ts';

const directory = mkdtempSync(join(tmpdir(), 'edgestatd-known-'));
const until = AbortSignal.timeout(60_000);
let ed: HostKey;
let other: HostKey;
let rsa: HostKey;
let ecdsa: HostKey;

function keyOf(name: string, type: string): HostKey {
  const path = join(directory, name);
  makeKey(path, type);
  const [kind = '', key = ''] = publicKey(path).split(' ');
  return { type: kind, key };
}

beforeAll(() => {
  ed = keyOf('ed', 'ed25519');
  other = keyOf('other', 'ed25519');
  rsa = keyOf('rsa', 'rsa');
  ecdsa = keyOf('ecdsa', 'ecdsa');
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const text = (key: HostKey): string => `${key.type} ${key.key}`;
const at = (host: string, port = 22) => ({ host, port });
const kindOf = (file: string, host: string, port: number, key: HostKey): string =>
  judgeKey(parseKnownHosts(file), at(host, port), key).kind;

describe('a key is known', () => {
  it.each([
    ['a plain name', 'hv01', 'hv01', 22, 'known'],
    ['in other letters', 'HV01.Example', 'hv01.example', 22, 'known'],
    ['asked for in other letters', 'hv01', 'HV01', 22, 'known'],
    ['a list', 'a,hv01,192.0.2.1', 'hv01', 22, 'known'],
    ['another name', 'hv02', 'hv01', 22, 'unknown'],
    ['a part of a name', 'hv01', 'hv011', 22, 'unknown'],
    ['a star', '*.example.com', 'hv01.example.com', 22, 'known'],
    ['a question mark', 'hv0?', 'hv01', 22, 'known'],
    ['a question mark is not nothing', 'hv01?', 'hv01', 22, 'unknown'],
    ['negated', '*.example.com,!hv01.example.com', 'hv01.example.com', 22, 'unknown'],
    ['negated, before', '!hv01,hv*', 'hv01', 22, 'unknown'],
    ['negated alone says nothing of others', '!hv01', 'hv02', 22, 'unknown'],
    ['a port', '[hv01]:2222', 'hv01', 2222, 'known'],
    ['another port', '[hv01]:2223', 'hv01', 2222, 'unknown'],
    ['a port, asked for without', '[hv01]:2222', 'hv01', 22, 'unknown'],
    ['no port, asked for with one', 'hv01', 'hv01', 2222, 'known'],
    ['an IPv6 address', '2001:db8::1', '2001:db8::1', 22, 'known'],
    ['an IPv6 address in brackets', '2001:db8::1', '[2001:DB8::1]', 22, 'known'],
    ['an IPv6 address with a port', '[2001:db8::1]:2222', '2001:db8::1', 2222, 'known'],
    ['brackets are no class', 'hv[01]1', 'hv01', 22, 'unknown'],
  ])('%s', (_, names, host, port, kind) => {
    expect(kindOf(`${names} ${text(ed)}\n`, host, port, ed)).toBe(kind);
  });

  it('by a hashed name, as ssh-keygen -H writes it', () => {
    const path = join(directory, 'hashed');
    writeFileSync(path, `hv01 ${text(ed)}\n[hv01]:2222 ${text(other)}\n`);
    execFileSync('ssh-keygen', ['-q', '-H', '-f', path], { stdio: 'ignore' });
    const hashed = readFileSync(path, 'utf8');
    expect(hashed).not.toContain('hv01');
    expect(kindOf(hashed, 'hv01', 22, ed)).toBe('known');
    expect(kindOf(hashed, 'hv01', 2222, other)).toBe('known');
    expect(kindOf(hashed, 'hv02', 22, ed)).toBe('unknown');
    expect(kindOf(hashed, 'hv01', 2222, ed)).toBe('changed');
  });

  it('not when it is another one, and the line that it should be is told', () => {
    const known = parseKnownHosts(`# hosts\n\nhv01 ${text(ed)} a comment\n`);
    expect(judgeKey(known, at('hv01'), other)).toMatchObject({ kind: 'changed', known: [{ line: 3, key: ed.key }] });
    expect(judgeKey(known, at('hv01'), rsa).kind).toBe('changed');
  });

  it('where one of several lines has it', () => {
    expect(kindOf(`hv01 ${text(ed)}\nhv01 ${text(other)}\n`, 'hv01', 22, other)).toBe('known');
  });

  it('not by the line of its other port, whose key tells nothing', () => {
    expect(kindOf(`hv01 ${text(ed)}\n`, 'hv01', 2222, other)).toBe('unknown');
  });

  it('never when it is revoked, wherever that stands', () => {
    expect(kindOf(`hv01 ${text(ed)}\n@revoked * ${text(ed)}\n`, 'hv01', 22, ed)).toBe('revoked');
    expect(kindOf(`@revoked * ${text(ed)}\n[hv01]:2222 ${text(ed)}\n`, 'hv01', 2222, ed)).toBe('revoked');
    expect(kindOf(`@revoked * ${text(other)}\nhv01 ${text(ed)}\n`, 'hv01', 22, ed)).toBe('known');
    expect(kindOf(`@revoked hv02 ${text(ed)}\nhv01 ${text(ed)}\n`, 'hv01', 22, ed)).toBe('known');
  });

  it('not by an authority, which is told', () => {
    const known = parseKnownHosts(`@cert-authority *.example.com ${text(ed)}\n`);
    expect(judgeKey(known, at('hv01.example.com'), ed)).toMatchObject({ kind: 'unknown', authority: { line: 1 } });
    expect(judgeKey(known, at('hv01'), ed)).toEqual({ kind: 'unknown', authority: undefined });
  });
});

describe('lines that are none', () => {
  it('count for nothing, and are told', () => {
    const file = [
      'hv01',
      'hv01 ssh-ed25519',
      'hv01 ssh-ed25519 AAAA',
      `hv01 ssh-rsa ${ed.key}`,
      `@revoke hv01 ${text(ed)}`,
      `hv01 1024 35 1234567890`,
      `hv01 ${ed.type} ${ed.key.slice(0, -4)}!!!!`,
      // Padding that is missing, and bits that count for nothing: another spelling of a key that would be no match.
      `hv01 ${ecdsa.type} ${ecdsa.key.replace(/=+$/, '')}`,
      `@revoked * ${ecdsa.type} ${ecdsa.key.replace(/.(=+)$/, 'B$1')}`,
      `   # hv01 ${text(ed)}`,
      '\u0000\u0001',
    ].join('\n');
    const known = parseKnownHosts(file);
    expect(known.lines).toEqual([]);
    expect(known.malformed).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 11]);
  });

  it('do not hide their neighbours, whatever ends a line', () => {
    expect(parseKnownHosts(`junk\r\n\thv01\t${ed.type}\t${ed.key}\r\n`)).toMatchObject({
      lines: [{ line: 2, names: 'hv01' }],
      malformed: [1],
    });
  });

  it('never throw, and never make a key known that does not stand there', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.string(),
        fc.integer({ min: 1, max: 65535 }),
        (file, host, port) => {
          expect(judgeKey(parseKnownHosts(file), at(host, port), ed).kind).toBe('unknown');
        },
      ),
    );
  });

  it('take no long time, with many stars', () => {
    const file = `${'*a'.repeat(500)}b ${text(ed)}\n`;
    expect(kindOf(file, 'a'.repeat(255), 22, ed)).toBe('unknown');
  });
});

describe('of OpenSSH', () => {
  it('the fingerprint is the same', () => {
    for (const [name, key] of Object.entries({ ed, rsa })) {
      const printed = execFileSync('ssh-keygen', ['-lf', join(directory, `${name}.pub`)], { encoding: 'utf8' });
      expect(printed.split(' ')[1]).toBe(fingerprintOf(key));
    }
  });

  it('ssh-keygen -F finds the same lines', () => {
    const path = join(directory, 'found');
    const names = [
      'hv01',
      'hv0?',
      '*',
      '*.example.com',
      '[hv01]:2222',
      '[*]:2222',
      '!hv01,*',
      'HV01,hv02',
      '::1',
      '[::1]:22',
    ];
    for (const one of names) {
      writeFileSync(path, `${one} ${text(ed)}\n`);
      for (const address of [at('hv01'), at('hv02'), at('a.example.com'), at('hv01', 2222), at('::1')]) {
        const { status } = spawnSync('ssh-keygen', ['-F', nameOf(address), '-f', path]);
        // It looks for the exact name alone.
        const isFound = knownTypes(parseKnownHosts(readFileSync(path, 'utf8')), address);
        expect([one, address, isFound.isPinned]).toEqual([one, address, status === 0]);
      }
    }
  });
});

describe('the types that a host may show', () => {
  it('are those that are known, alone; of the host without a port, first', () => {
    const known = parseKnownHosts(`hv01 ${text(rsa)}\nhv01 ${text(ed)}\n@revoked hv01 ${text(other)}\n`);
    expect(knownTypes(known, at('hv01'))).toEqual({ types: ['ssh-rsa', 'ssh-ed25519'], isPinned: true });
    expect(knownTypes(known, at('hv01', 2222))).toEqual({ types: ['ssh-rsa', 'ssh-ed25519'], isPinned: false });
    expect(knownTypes(known, at('hv02'))).toEqual({ types: [], isPinned: false });
  });
});

describe('a new key', () => {
  it('is written once, readable by its owner alone, whoever comes first', async () => {
    const path = join(directory, 'new');
    const judgements = await Promise.all(
      Array.from({ length: 300 }, (_, index) => rememberKey(path, at(`hv${index % 100}`, 2222), ed, until)),
    );
    expect(new Set(judgements.map(({ kind }) => kind))).toEqual(new Set(['known']));
    const lines = readFileSync(path, 'utf8').split('\n');
    expect(lines).toHaveLength(101);
    expect(new Set(lines).size).toBe(101);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory)).not.toContain('new.lock');
    expect(spawnSync('ssh-keygen', ['-F', '[hv7]:2222', '-f', path]).status).toBe(0);
  });

  it('is not written when another one has come in between', async () => {
    const path = join(directory, 'between');
    await rememberKey(path, at('hv01'), ed, until);
    expect(await rememberKey(path, at('hv01'), other, until)).toMatchObject({ kind: 'changed', known: [{ line: 1 }] });
    expect(readFileSync(path, 'utf8')).toBe(`hv01 ${text(ed)}\n`);
  });

  it('changes nothing of what stands there, not even a last line without its end', async () => {
    const path = join(directory, 'open');
    writeFileSync(path, `# ours\r\nhv00 ${text(other)}`);
    chmodSync(path, 0o644);
    await rememberKey(path, at('hv01'), ed, until);
    expect(readFileSync(path, 'utf8')).toBe(`# ours\r\nhv00 ${text(other)}\nhv01 ${text(ed)}\n`);
    expect(statSync(path).mode & 0o777).toBe(0o644);
  });

  it('is written once by several processes', async () => {
    const path = join(directory, 'processes');
    const module = new URL('../src/hosts/known-hosts-file.ts', import.meta.url).href;
    const program = `
      const { rememberKey } = await import(${JSON.stringify(module)});
      const key = ${JSON.stringify(ed)};
      await Promise.all(Array.from({ length: 40 }, (_, index) =>
        rememberKey(${JSON.stringify(path)}, { host: 'hv' + index, port: 22 }, key, AbortSignal.timeout(50000))));`;
    const children = Array.from({ length: 3 }, () =>
      spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'inherit' }),
    );
    const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0]));
    expect(codes).toEqual([0, 0, 0]);
    const lines = readFileSync(path, 'utf8').trim().split('\n');
    expect(lines.toSorted()).toEqual(Array.from({ length: 40 }, (_, index) => `hv${index} ${text(ed)}`).toSorted());
  });

  it('passes over a lock that was left behind', async () => {
    const path = join(directory, 'stale');
    writeFileSync(`${path}.lock`, '');
    utimesSync(`${path}.lock`, 1, 1);
    expect((await rememberKey(path, at('hv01'), ed, until)).kind).toBe('known');
    expect(existsSync(`${path}.lock`)).toBe(false);
  });

  it('waits for a lock no longer than it may', async () => {
    const path = join(directory, 'locked');
    writeFileSync(`${path}.lock`, '');
    const late = new Error('late');
    const control = new AbortController();
    const asked = rememberKey(path, at('hv01'), ed, control.signal);
    control.abort(late);
    await expect(asked).rejects.toBe(late);
    expect(existsSync(path)).toBe(false);
  });

  it('needs a directory that is there', async () => {
    const path = join(directory, 'none', 'known_hosts');
    await expect(rememberKey(path, at('hv01'), ed, until)).rejects.toMatchObject({
      code: 'E_NOT_FOUND',
      message: expect.stringContaining('make it'),
    });
    expect(await readKnownHosts(path, until)).toEqual({ lines: [], malformed: [], isThere: false });
  });
});
