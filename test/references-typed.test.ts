// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are the references that are tested.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { registry } from '../collectors/registry.ts';
import { loadConfig } from '../src/config.ts';
import { parseTyped } from '../src/reference-types.ts';
import { resolveReferences } from '../src/references.ts';

const directory = mkdtempSync(join(tmpdir(), 'edgestatd-references-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function typedOf<Value>(schema: z.ZodType<Value>, document: unknown, env: NodeJS.ProcessEnv) {
  const { value, references } = resolveReferences(document, env);
  const { parsed, faults, typed } = parseTyped(schema, value, references);
  return { data: parsed.data, success: parsed.success, faults, sources: typed.map(({ source }) => source) };
}

describe('a reference that is a whole value takes the type that its schema wants', () => {
  const schema = z.strictObject({
    port: z.int().min(1).max(65535).default(1),
    share: z.number().optional(),
    isOn: z.boolean().optional(),
    text: z.string().optional(),
    either: z.union([z.literal(false), z.int(), z.string().regex(/^\//)]).optional(),
    list: z.array(z.discriminatedUnion('type', [z.strictObject({ type: z.literal('a'), n: z.int() })])).optional(),
  });

  it.each([
    [{ port: '${env:V}' }, '8125', { port: 8125 }],
    [{ share: '${env:V}' }, '0.25', { port: 1, share: 0.25 }],
    [{ share: '${env:V}' }, '-3', { port: 1, share: -3 }],
    [{ isOn: '${env:V}' }, 'true', { port: 1, isOn: true }],
    [{ isOn: '${env:V}' }, 'false', { port: 1, isOn: false }],
    [{ list: [{ type: 'a', n: '${env:V}' }] }, '7', { port: 1, list: [{ type: 'a', n: 7 }] }],
    [{ either: '${env:V}' }, 'false', { port: 1, either: false }],
    [{ either: '${env:V}' }, '12', { port: 1, either: 12 }],
  ])('%j with %j', (document, text, expected) => {
    const found = typedOf(schema, document, { V: text });
    expect(found).toEqual({ data: expected, success: true, faults: [], sources: ['environment variable "V"'] });
  });

  it.each([
    [{ text: '${env:V}' }, '8125', { port: 1, text: '8125' }],
    [{ text: '${env:V}' }, 'true', { port: 1, text: 'true' }],
    [{ either: '${env:V}' }, '/12', { port: 1, either: '/12' }],
  ])('%j with %j stays a text', (document, text, expected) => {
    const found = typedOf(schema, document, { V: text });
    expect(found).toEqual({ data: expected, success: true, faults: [], sources: [] });
  });

  it('also several at once, and one after another', () => {
    const schema = z.union([z.strictObject({ on: z.literal(true), port: z.int() }), z.string()]);
    const found = typedOf(schema, { on: '${env:ON}', port: '${env:PORT}' }, { ON: 'true', PORT: '8125' });
    expect(found.data).toEqual({ on: true, port: 8125 });
    // What a kind of thing has is looked at when its kind is known.
    const kinds = z.discriminatedUnion('on', [
      z.strictObject({ on: z.literal(true), port: z.int() }),
      z.strictObject({ on: z.literal(false) }),
    ]);
    expect(typedOf(kinds, { on: true, port: '${env:PORT}' }, { PORT: '8125' }).data).toEqual({ on: true, port: 8125 });
  });

  it.each([
    '',
    ' 8125',
    '8125\n',
    '08125',
    '8125x',
    '0x1f',
    '1e3',
    '1_000',
    '+1',
    '--1',
    '.5',
    '5.',
    'NaN',
    'Infinity',
    '٣',
    'true',
  ])('%j is no number', (text) => {
    const { success, faults } = typedOf(schema, { port: '${env:V}' }, { V: text });
    const was = text === '' ? 'is empty' : 'holds something else';
    const message = `expected a number in decimal digits; environment variable "V" ${was}`;
    expect([success, faults]).toEqual([false, [{ path: ['port'], message }]]);
  });

  it.each(['', 'True', 'yes', '1', '0', 'true '])('%j is neither true nor false', (text) => {
    const { success, faults } = typedOf(schema, { isOn: '${env:V}' }, { V: text });
    const was = text === '' ? 'is empty' : 'holds something else';
    expect([success, faults]).toEqual([
      false,
      [{ path: ['isOn'], message: `expected true or false; environment variable "V" ${was}` }],
    ]);
  });

  it('but not where something else stands beside it, nor a text of the file', () => {
    for (const document of [{ port: '1${env:V}' }, { port: '${env:V}${env:V}' }, { port: '8125' }])
      expect(typedOf(schema, document, { V: '2' })).toMatchObject({ success: false, faults: [], sources: [] });
  });

  it('leaves what was given as it was', () => {
    const { value, references } = resolveReferences({ list: [{ type: 'a', n: '${env:V}' }] }, { V: '7' });
    parseTyped(schema, value, references);
    expect(value).toEqual({ list: [{ type: 'a', n: '7' }] });
  });
});

describe('in a configuration', () => {
  const file = join(directory, 'edgestatd.yaml');
  const load = (yaml: string, env: NodeJS.ProcessEnv) => {
    writeFileSync(file, yaml);
    return loadConfig(file, registry, env);
  };
  const yaml = [
    'sinks: [ { type: statsd, host: "${env:STATSD_HOST}", port: "${env:STATSD_PORT}" } ]',
    'targets: { local: { type: local, name: "${env:EDGESTATD_NAME}" } }',
    'jobs:',
    '  - { collector: tcp, every: "${env:EVERY}", options: { all: "${env:ALL}" } }',
    '  - { collector: rabbitmq, every: 30s, options: { password: "${env:PASSWORD}", user: a, maxQueues: "${env:MAX}" } }',
  ].join('\n');
  const env = {
    ...{ STATSD_HOST: 'statsd.example', STATSD_PORT: '8135', EDGESTATD_NAME: 'hv01', EVERY: '10s' },
    ...{ ALL: 'true', PASSWORD: 'swordfish', MAX: '1234' },
  };

  it('ports, switches and limits may come from the environment, and are no secrets', async () => {
    const config = await load(yaml, env);
    expect(config.sinks).toMatchObject([{ host: 'statsd.example', port: 8135 }]);
    expect(config.jobs.map(({ options }) => options)).toMatchObject([{ all: true }, { maxQueues: 1234 }]);
    // A port that was a secret would blot itself out of every line of the log.
    expect(config.secrets).toEqual(['10s', 'swordfish']);
    expect(config.variables).toEqual(['EVERY', 'PASSWORD']);
  });

  it('a credential too', async () => {
    writeFileSync(join(directory, 'port'), '8136\n');
    const text = 'sinks: [ { type: statsd, port: "${credential:port}" } ]\njobs: [ { collector: tcp, every: 10s } ]';
    expect((await load(text, { CREDENTIALS_DIRECTORY: directory })).sinks).toMatchObject([{ port: 8136 }]);
    writeFileSync(join(directory, 'port'), 'http\n');
    await expect(load(text, { CREDENTIALS_DIRECTORY: directory })).rejects.toThrow(
      `${file}:1:26: sinks[0].port: expected a number in decimal digits; credential "port" holds something else`,
    );
  });

  it('one complaint each names the variable, and never shows what it holds', async () => {
    const wrong = { ...env, STATSD_PORT: 'tcp-8135-zzz', ALL: 'zzz-yes', MAX: 'zzz-99' };
    const message = await load(yaml, wrong).then(String, (error: Error) => error.message);
    expect(message.split('\n')).toEqual([
      `${file}:1:54: sinks[0].port: expected a number in decimal digits; environment variable "STATSD_PORT" holds something else`,
    ]);
    const options = await load(yaml, { ...wrong, STATSD_PORT: '8135' }).then(String, (error: Error) => error.message);
    expect(options.split('\n').map((line) => line.slice(file.length))).toEqual([
      ':4:57: jobs[0].options.all: expected true or false; environment variable "ALL" holds something else',
      ':5:89: jobs[1].options.maxQueues: expected a number in decimal digits; environment variable "MAX" holds something else',
    ]);
    expect(message + options).not.toContain('zzz');
  });

  it('a secret may not have a default, which would stand in the file', async () => {
    const secret = (text: string): string =>
      `sinks: [ { type: stdout } ]\njobs: [ { collector: rabbitmq, every: 30s, options: { user: a, password: "${text}" } } ]`;
    const { message } = await load(secret('${env:PASSWORD:-swordfish}'), {}).then(
      () => new Error('it was taken'),
      (error: Error) => error,
    );
    expect(message).toContain('jobs[0].options.password: is a secret, and not one for this file');
    expect(message).not.toContain('swordfish');
    expect((await load(secret('${env:PASSWORD:-}'), { PASSWORD: 'swordfish' })).secrets).toEqual(['swordfish']);
  });

  it('what fits the type and not the rest is told by the name too', async () => {
    await expect(load(yaml, { ...env, STATSD_PORT: '99999' })).rejects.toThrow(
      /sinks\[0\]\.port: Too big: expected number to be <=65535; found "\$\{env:STATSD_PORT\}"$/,
    );
    await expect(load(yaml, { ...env, STATSD_PORT: '81.5' })).rejects.toThrow(
      /sinks\[0\]\.port: expected int; found "\$\{env:STATSD_PORT\}"$/,
    );
  });
});
