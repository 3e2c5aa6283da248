// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are the references that are tested.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveReferences } from '../src/references.ts';

const above = mkdtempSync(join(tmpdir(), 'edgestatd-references-'));
const directory = join(above, 'credentials');

beforeAll(() => {
  mkdirSync(directory);
  mkdirSync(join(directory, 'folder'));
  writeFileSync(join(above, 'outside'), 'not for us');
  writeFileSync(join(directory, 'rabbitmq.password'), 'swordfish\n');
  writeFileSync(join(directory, 'windows'), 'tuna\r\n');
  writeFileSync(join(directory, 'two-lines'), 'one\ntwo\n\n');
});
afterAll(() => rmSync(above, { recursive: true, force: true }));

const env = { TOKEN: 's3cret-token', EMPTY: '', CREDENTIALS_DIRECTORY: directory };

function faultOf(text: string, environment: NodeJS.ProcessEnv = env): string | undefined {
  const { value, faults, secrets, variables } = resolveReferences({ key: text }, environment);
  // A reference that cannot be had stays as it stands, and gives nothing away.
  expect(value).toEqual({ key: text });
  expect(secrets).toEqual([]);
  expect(variables).toEqual([]);
  expect(faults).toHaveLength(1);
  expect(faults[0]?.path).toEqual(['key']);
  return faults[0]?.message;
}

describe('environment variables', () => {
  it('are put where they are named, at any depth, and more than once', () => {
    const document = { a: ['x', { b: 'Bearer ${env:TOKEN}!' }], c: '${env:TOKEN}${env:TOKEN}', d: 5, e: null, f: true };
    const { value, faults, secrets, variables } = resolveReferences(document, env);
    expect(value).toEqual({
      a: ['x', { b: 'Bearer s3cret-token!' }],
      c: 's3cret-tokens3cret-token',
      d: 5,
      e: null,
      f: true,
    });
    expect(faults).toEqual([]);
    expect(secrets).toEqual(['s3cret-token']);
    expect(variables).toEqual(['TOKEN']);
  });

  it('are no secrets where they name a site, a machine or a shard, and everywhere else they are', () => {
    const document = {
      ...{ prefix: 'edge.${env:SITE}', shard: '${env:INDEX}/3' },
      targets: { hv01: { name: '${env:NAME}', host: '${env:HOST}', user: '${env:USER}' } },
    };
    const names = { SITE: 'paris', INDEX: '1', NAME: 'a', HOST: 'b', USER: 'c' };
    const { value, secrets, variables } = resolveReferences(document, names);
    expect(value).toMatchObject({ prefix: 'edge.paris', shard: '1/3', targets: { hv01: { name: 'a', host: 'b' } } });
    expect([secrets, variables]).toEqual([['c'], ['USER']]);
    const credential = resolveReferences({ prefix: '${credential:rabbitmq.password}' }, env);
    expect(credential.secrets).toEqual(['swordfish']);
  });

  it('are no secrets where they name the place of a sink or of a broker, unless it may hold a login', () => {
    const names = { PLACE: 'statsd.example', URL: 'http://broker.example:15672', FILE: '/run/secrets/rabbitmq' };
    const options = { urls: ['${env:URL}'], user: '${env:USER}', passwordFile: '${env:FILE}', password: '${env:P}' };
    const document = {
      sinks: [{ host: '${env:PLACE}' }, { destinations: ['${env:PLACE}:2003'] }],
      jobs: [{ collector: 'rabbitmq', options }],
    };
    const { secrets, variables } = resolveReferences(document, { ...names, USER: 'edge', P: 'swordfish' });
    expect([secrets, variables]).toEqual([['swordfish'], ['P']]);
    const login = { ...names, USER: 'edge', P: 'x', URL: 'http://edge:tuna@broker.example', FILE: 'swordfish' };
    expect(resolveReferences(document, login).secrets).toEqual(['http://edge:tuna@broker.example', 'swordfish', 'x']);
  });

  it.each([
    ['a password within a URL', { urls: ['http://edge:${env:S}@broker.example'] }],
    ['a user within a URL', { urls: ['http://${env:S}:x@broker.example'] }],
    ['a key in the query of a URL', { urls: ['http://broker.example/?key=${env:S}'] }],
    ['a key in the path of a URL', { urls: ['http://broker.example/api/${env:S}'] }],
    ['a password of a database', { database: 'postgres://edge:${env:S}@db.example/x' }],
    ['the address of a database', { database: '${env:LOGIN}' }],
  ])('are secrets as %s', (_, options) => {
    const names = { S: 'swordfish', LOGIN: 'postgres://edge:swordfish@db.example/x' };
    const { secrets, variables } = resolveReferences({ jobs: [{ options }] }, names);
    expect(secrets.join()).toContain('swordfish');
    expect(variables).toHaveLength(1);
  });

  it('are no secrets as the host, or the port, of a URL', () => {
    const document = { jobs: [{ options: { urls: ['http://${env:HOST}:${env:PORT}/broker'] } }] };
    expect(resolveReferences(document, { HOST: 'broker.example', PORT: '15672' }).secrets).toEqual([]);
  });

  it('may be empty', () => {
    expect(resolveReferences('[${env:EMPTY}]', env)).toMatchObject({ value: '[]', variables: ['EMPTY'], faults: [] });
  });

  it('may have a default, which stands for what is not set or empty, and is no secret', () => {
    const document = {
      a: '${env:NO_SUCH:-8125}',
      b: 'x-${env:EMPTY:-y}',
      c: '${env:TOKEN:-none}',
      d: '[${env:NO_SUCH:-}]',
    };
    expect(resolveReferences(document, env)).toMatchObject({
      value: { a: '8125', b: 'x-y', c: 's3cret-token', d: '[]' },
      secrets: ['s3cret-token'],
      variables: ['TOKEN'],
      faults: [],
    });
    expect(resolveReferences('${env:NO_SUCH:-a:-b}', env).value).toBe('a:-b');
    // A shell's other forms are none.
    expect(faultOf('${env:TOKEN:=x}')).toBe('environment variable "TOKEN:=x" is not set');
  });

  it('may not have a reference for a default: it would end at the inner brace', () => {
    const message = 'the default of "NO_SUCH" holds a reference; expected a text without one';
    for (const text of ['${env:NO_SUCH:-${env:TOKEN}}', '${env:NO_SUCH:-x${credential:windows}}'])
      expect(resolveReferences({ key: text }, env).faults).toEqual([{ path: ['key'], message }]);
  });

  it('with an empty default leave out the option that they are the whole value of', () => {
    const document = {
      name: '${env:NO_SUCH:-}',
      empty: '${env:EMPTY:-}',
      kept: '${env:TOKEN:-}',
      list: ['${env:NO_SUCH:-}'],
    };
    expect(resolveReferences(document, env).value).toEqual({ kept: 's3cret-token', list: [''] });
  });

  it('that hold a reference are not looked into', () => {
    const { value } = resolveReferences('${env:A}', { A: '${env:B} $& $1', B: 'inner' });
    expect(value).toBe('${env:B} $& $1');
  });

  it('that are not set are a fault with the place', () => {
    expect(faultOf('${env:NO_SUCH}')).toBe('environment variable "NO_SUCH" is not set');
    expect(resolveReferences({ jobs: [{ options: { user: '${env:NO_SUCH}' } }] }, env).faults).toEqual([
      { path: ['jobs', 0, 'options', 'user'], message: 'environment variable "NO_SUCH" is not set' },
    ]);
  });

  it('are only those of the environment, not what every object has', () => {
    for (const name of ['toString', 'constructor', '__proto__', 'hasOwnProperty', '']) {
      expect(faultOf(`\${env:${name}}`)).toBe(`environment variable ${JSON.stringify(name)} is not set`);
    }
    expect(faultOf('${env:toString}', process.env)).toBe('environment variable "toString" is not set');
  });

  it('leave the document that was given as it was', () => {
    const document = { a: '${env:TOKEN}' };
    resolveReferences(document, env);
    expect(document).toEqual({ a: '${env:TOKEN}' });
  });
});

describe('credentials', () => {
  it('are read from the directory of the service, without their last line end', () => {
    const { value, faults, secrets, variables } = resolveReferences(
      ['${credential:rabbitmq.password}', '${credential:windows}', '${credential:two-lines}'],
      env,
    );
    expect(value).toEqual(['swordfish', 'tuna', 'one\ntwo\n']);
    expect(faults).toEqual([]);
    expect(secrets).toEqual(['swordfish', 'tuna', 'one\ntwo\n']);
    expect(variables).toEqual([]);
  });

  it.each([['..'], ['.'], ['../outside'], ['/etc/hostname'], ['a/b'], [''], ['a\u0000b'], ['a b'], ['..\\outside']])(
    '%j is no name',
    (name) => {
      expect(faultOf(`\${credential:${name}}`)).toBe(`${JSON.stringify(name)} is no name of a credential`);
    },
  );

  it('that do not exist are a fault that names them', () => {
    expect(faultOf('${credential:missing}')).toBe('credential "missing" could not be read: ENOENT');
    expect(faultOf('${credential:folder}')).toBe('credential "folder" could not be read: EISDIR');
  });

  it('have no default', () => {
    expect(faultOf('${credential:missing:-x}')).toBe('"missing:-x" is no name of a credential');
  });

  it('without a directory say what the unit lacks', () => {
    expect(faultOf('${credential:rabbitmq.password}', {})).toBe(
      'credential "rabbitmq.password": the service has none; add LoadCredential=rabbitmq.password:PATH to its unit',
    );
  });
});

describe('other texts', () => {
  it('of an unknown kind are a fault', () => {
    expect(faultOf('${file:/etc/shadow}')).toBe(
      'unknown reference "file:"; expected ${env:NAME} or ${credential:NAME}',
    );
  });

  it('that are no reference stay as they are', () => {
    for (const text of ['$TOKEN', '${TOKEN}', '${env:TOKEN', '$ {env:TOKEN}', '${1:x}', '$${', '']) {
      expect(resolveReferences(text, env)).toEqual({
        ...{ value: text, references: [], secrets: [], variables: [], faults: [] },
      });
    }
  });

  it('that are keys stay as they are', () => {
    expect(resolveReferences({ '${env:TOKEN}': 1 }, env).value).toEqual({ '${env:TOKEN}': 1 });
  });
});
