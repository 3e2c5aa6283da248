// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are the references that are tested.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineCollector, secret } from '../src/collector.ts';
import { loadConfig } from '../src/config.ts';
import { gauge } from '../src/metric.ts';
import { secretFaults } from '../src/secret-options.ts';

const folder = mkdtempSync(join(tmpdir(), 'edgestatd-secrets-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const broker = defineCollector({
  name: 'broker',
  options: z.strictObject({
    password: secret().describe('The password.').optional(),
    tokens: z.array(secret()).default([]),
    nodes: z.record(z.string(), z.strictObject({ cookie: secret() })).default({}),
    login: z.union([z.strictObject({ password: secret() }), z.enum(['none'])]).default('none'),
    depth: z.int().default(1),
    urls: z.array(z.string().regex(/^http:\/\/[a-z0-9.]+$/, 'expected a URL without user')).default([]),
  }),
  metrics: { up: gauge('level', { unit: 'x', help: 'h', source: 's' }) },
  collect: async () => ({ samples: [] }),
});

function load(options: string) {
  const file = join(folder, 'edgestatd.yaml');
  const jobs = `jobs:\n  - { collector: broker, every: 10s, options: ${options} }\n`;
  writeFileSync(file, `sinks: [{ type: stdout }]\n${jobs}`);
  return loadConfig(file, new Map([['broker', broker]]), { S: 'hunter22', CREDENTIALS_DIRECTORY: folder });
}

async function refused(options: string): Promise<string[]> {
  const thrown = await load(options).then(
    () => new Error('it was taken'),
    (error: Error) => error,
  );
  return thrown.message.split('\n').map((line) => line.replace(/^\S+:3:[0-9]+: jobs\[0\]\.options\./, ''));
}

const how = (name: string): string =>
  `is a secret, and not one for this file; expected \${env:NAME}, \${credential:NAME}, or its file as "${name}File"`;

describe('an option that is a secret', () => {
  it('is taken by reference, wherever it stands', async () => {
    writeFileSync(join(folder, 'pw'), 'swordfish\n');
    const options = '{ password: "${env:S}", tokens: ["${credential:pw}"], nodes: { a: { cookie: "${env:S}" } } }';
    const { jobs, secrets } = await load(options);
    expect(jobs[0]?.options).toMatchObject({
      ...{ password: 'hunter22', tokens: ['swordfish'], nodes: { a: { cookie: 'hunter22' } }, login: 'none' },
    });
    expect([...secrets].sort()).toEqual(['hunter22', 'swordfish']);
  });

  it('may be left out', async () => {
    expect((await load('{}')).jobs).toHaveLength(1);
  });

  it('is refused where it stands in the file, with its place and without its text', async () => {
    expect(await refused('{ password: swordfish, tokens: ["x${env:S}", "${env:S}${env:S}"] }')).toEqual([
      ...[`password: ${how('password')}`, `tokens[0]: ${how('tokens')}`, `tokens[1]: ${how('tokens')}`],
    ]);
    expect(await refused('{ nodes: { a: { cookie: swordfish } }, login: { password: swordfish } }')).toEqual([
      ...[`nodes.a.cookie: ${how('cookie')}`, `login.password: ${how('password')}`],
    ]);
  });

  it('is not shown by the complaint about its form either, and hides no other complaint', async () => {
    const lines = await refused('{ password: 12345678, tokens: [[oyster], ""], depth: deep }');
    expect(lines.join('\n')).not.toMatch(/12345678|oyster/);
    expect(lines).toHaveLength(4);
    expect(lines.join('\n')).toContain('depth: expected');
  });

  it('is not shown within a URL, with or without its scheme; what is none is', async () => {
    const hidden = 'expected a URL without user; found a text with ":" and "@", which may hold a password';
    expect(await refused('{ urls: ["http://u:oyster@broker1", "u:oys ter@broker1", "http://BROKER"] }')).toEqual([
      ...[`urls[0]: ${hidden}`, `urls[1]: ${hidden}`, 'urls[2]: expected a URL without user; found "http://BROKER"'],
    ]);
  });

  it('may be refused by its schema as what stands in the file', async () => {
    expect((await refused('{ password: "${env:EMPTY}" }'))[0]).toContain('"EMPTY" is not set');
  });
});

it('a plugin’s schema that is not zod’s has no secrets that could be known', () => {
  const schema = { safeParse: (data: unknown) => ({ success: true, data }) };
  expect(secretFaults(schema as unknown as z.ZodType, { password: 'x' })).toEqual([]);
});
