/** How `status` and `top` find the daemon, and what they say of one that is not there, not theirs, or another than they know. */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createNetServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { registry } from '../collectors/registry.ts';
import { loadConfig } from '../src/config.ts';
import { Failure } from '../src/errors.ts';
import { createClient, socketOf } from '../src/status/client.ts';
import { defaultSocket, socketToAsk } from '../src/status/place.ts';

const directory = mkdtempSync(join(tmpdir(), 'edgestatd-client-'));
const ends: (() => unknown)[] = [];
let count = 0;
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const fresh = (): string => {
  const made = join(directory, String(++count));
  mkdirSync(made);
  return made;
};
function configured(yaml: string, name = 'edgestatd.yaml'): string {
  const file = join(fresh(), name);
  writeFileSync(file, yaml);
  return file;
}
const JOBS = 'sinks: [{ type: statsd }]\njobs: [{ collector: tcp, every: 10s }]\n';
const load = (status: string) => loadConfig(configured(`${JOBS}status: ${status}\n`), registry, {});
const refused = async (status: string): Promise<string> => {
  const { message } = (await load(status).catch((thrown) => thrown)) as Failure;
  return message.replace(/^\S+: /, '');
};

describe('the options', () => {
  it('are off and by default, and what they say', async () => {
    expect((await load('{}')).status).toEqual({});
    expect((await loadConfig(configured(JOBS), registry, {})).status).toEqual({});
    const given = await load('{ socket: /run/x.sock, listen: "127.0.0.1:8127" }');
    expect(given.status).toEqual({ socket: '/run/x.sock', listen: { address: '127.0.0.1', port: 8127 } });
    expect((await load('{ socket: false, listen: "[::1]:80" }')).status).toEqual({
      ...{ socket: false, listen: { address: '::1', port: 80 } },
    });
    expect((await load('{ listen: "localhost:8127" }')).status.listen?.address).toBe('127.0.0.1');
  });

  it.each([
    '0.0.0.0:8127',
    '[::]:8127',
    '192.0.2.1:8127',
    'example.org:80',
    '8127',
    '127.0.0.1',
    '127.0.0.1:0',
    '127.0.0.1:70000',
    '::1:8127',
    '[127.0.0.1]:80',
    '127.0.0.1:8127 ',
    '127.1:80',
  ])('take no address %j that others might reach, or that is none', async (address) => {
    expect(await refused(`{ listen: "${address}" }`)).toBe(
      `status.listen: expected HOST:PORT with a loopback address: 127.0.0.1:8127 or "[::1]:8127"; others reach it by ssh -L, or by a proxy before it; found "${address}"`,
    );
  });

  it('take no other socket than an absolute path or false, and no other key', async () => {
    const form = 'status.socket: expected an absolute path, or false for none (at most 107 bytes)';
    expect(await refused('{ socket: run/x.sock }')).toBe(`${form}; found "run/x.sock"`);
    expect(await refused('{ socket: true }')).toBe(`${form}; found true (boolean)`);
    expect(await refused(`{ socket: /${'x'.repeat(107)} }`)).toContain(form);
    expect(await refused('{ sockets: /x }')).toBe('status.sockets: unknown key; did you mean "socket"?');
    expect(await refused('{ listen: 8127 }')).toContain('status.listen: expected HOST:PORT with a loopback address');
  });

  it('do not take the place of the listener for events', async () => {
    const both = (status: string, listen: string) => refused(`${status}\nevents: { listen: ${listen} }`);
    expect(await both('{ listen: "127.0.0.1:8127" }', '{ port: 8127 }')).toBe(
      'status.listen: is that of events.listen too; give one of them another port',
    );
    expect(await both('{ socket: /run/x.sock }', '{ socket: /run/x.sock }')).toBe(
      'status.socket: is that of events.listen too; give one of them another path',
    );
    await expect(load('{ listen: "[::1]:8127" }\nevents: { listen: { port: 8127 } }')).resolves.toBeDefined();
  });
});

describe('the place of the socket', () => {
  it('is that of systemd, else of the user, else of root, and one for each configuration', () => {
    const file = configured(JOBS);
    const of = (env: NodeJS.ProcessEnv, uid: number, name = file) => defaultSocket(name, { env, uid });
    expect(of({ RUNTIME_DIRECTORY: '/run/edgestatd:/run/b', XDG_RUNTIME_DIR: '/run/user/0' }, 0)).toBe(
      '/run/edgestatd/status.sock',
    );
    expect(of({ XDG_RUNTIME_DIR: '/run/user/1' }, 1)).toMatch(/^\/run\/user\/1\/edgestatd\/status-[0-9a-f]{8}\.sock$/);
    expect(of({ XDG_RUNTIME_DIR: 'relative' }, 1)).toBeUndefined();
    expect(of({}, 1)).toBeUndefined();
    expect(of({}, 0)).toMatch(/^\/run\/edgestatd\/status-[0-9a-f]{8}\.sock$/);
    const link = join(fresh(), 'link.yaml');
    symlinkSync(file, link);
    expect(of({}, 0, link)).toBe(of({}, 0));
    expect(of({}, 0, configured(JOBS))).not.toBe(of({}, 0));
  });

  it('is found by a command with the same environment, by one with another where it is there, and by what the file says', () => {
    const own = fresh();
    const around = { env: { XDG_RUNTIME_DIR: own }, uid: 0 };
    const file = configured(JOBS);
    const socket = defaultSocket(file, around) ?? '';
    expect(socketToAsk(file, false, around)).toBe(socket);
    expect(socketToAsk(file, true, { env: {}, uid: 1 })).toBe('/run/edgestatd/status.sock');
    mkdirSync(join(own, 'edgestatd'));
    writeFileSync(socket, '');
    expect(socketToAsk(file, true, around)).toBe(socket);
    expect(socketOf({ config: file }, around)).toBe(socket);
    expect(socketOf({ config: file, socket: '/other.sock' }, around)).toBe('/other.sock');
    expect(socketOf({ config: configured(`${JOBS}status: { socket: /named.sock }`) }, around)).toBe('/named.sock');
    const named = configured(`${JOBS}status: { socket: "\${env:PLACE}" }`);
    expect(socketOf({ config: named }, { env: { PLACE: '/by-env.sock' }, uid: 0 })).toBe('/by-env.sock');
  });

  it('is found without the secrets and plugins of the service', () => {
    const file = configured(
      `sinks: []\nplugins: [/nowhere.js]\nprefix: "\${credential:none}"\nstatus: { socket: /s.sock }\n`,
    );
    expect(socketOf({ config: file })).toBe('/s.sock');
  });

  it('that there is not, as the configuration says, is named', () => {
    const file = configured('status: { socket: false }\n');
    expect(() => socketOf({ config: file })).toThrow(
      `${file}:1:11: status.socket is false, so that the daemon cannot be asked; remove it`,
    );
    expect(() => socketOf({ config: '/no/such.yaml' })).toThrow(
      '/no/such.yaml: does not exist; name another file with --config',
    );
  });
});

async function listening(server: Server): Promise<string> {
  const socket = join(fresh(), 's.sock');
  server.listen(socket);
  await once(server, 'listening');
  ends.push(() => new Promise((resolve) => server.close(resolve)));
  return socket;
}
const answering = (listener: RequestListener): Promise<string> => listening(createServer(listener));

async function failureOf(
  socket: string,
  ask: 'status' | 'tables' | 'table' = 'status',
  withinMs = 5000,
): Promise<string> {
  const client = createClient(socket, withinMs);
  ends.push(() => client.close());
  const asked = ask === 'table' ? client.table('vifs', new URLSearchParams('sort=x')) : client[ask]();
  const thrown = await asked.then(
    () => new Error('answered'),
    (error: unknown) => error,
  );
  return thrown instanceof Failure ? `${thrown.code}: ${thrown.message.replaceAll(socket, 'SOCKET')}` : String(thrown);
}

describe('a daemon', () => {
  const START = 'is it running? See "systemctl status edgestatd", or start it with "edgestatd run"';

  it('that is not there: the socket is missing, or nobody listens on it', async () => {
    expect(await failureOf(join(directory, 'no', 's.sock'))).toMatch(
      /^E_CONNECT: no daemon answers: there is no socket "SOCKET"; is it running\?/,
    );
    const file = join(fresh(), 'plain');
    writeFileSync(file, '');
    expect(await failureOf(file)).toBe(`E_CONNECT: no daemon answers on the socket "SOCKET"; ${START}`);
  });

  it('that does not answer in time', async () => {
    const silent = createNetServer((socket) => void ends.push(() => socket.destroy()));
    const socket = await listening(silent);
    expect(await failureOf(socket, 'status', 50)).toBe(
      'E_TIMEOUT: the daemon at "SOCKET" has not answered within 0.05 s',
    );
  });

  it('that is none: no HTTP, no JSON, JSON of somebody else', async () => {
    const garbage = await listening(
      createNetServer((socket) =>
        socket
          .on('error', () => {})
          .resume()
          .end('220 mail ready\r\n'),
      ),
    );
    expect(await failureOf(garbage)).toBe('E_PARSE: what answers on "SOCKET" is no edgestatd: it does not speak HTTP');
    const html = await answering((_, response) => response.end('<html>'));
    expect(await failureOf(html)).toBe('E_PARSE: what answers on "SOCKET" is no edgestatd: no JSON');
    for (const body of ['[]', '7', 'null', '{"format":"x"}', '{}']) {
      const other = await answering((_, response) => response.end(body));
      expect(await failureOf(other), body).toMatch(
        /^E_PARSE: what answers on "SOCKET" is no edgestatd that this command understands/,
      );
    }
    const hasty = await answering((request) => request.socket.destroy());
    expect(await failureOf(hasty)).toMatch(/^E_CONNECT: the daemon at "SOCKET" could not be asked: socket hang up/);
  });

  it('that is older and does not know the question', async () => {
    const old = await answering((_, response) =>
      response.writeHead(404).end('{"error":"there is nothing but POST /events/"}'),
    );
    const message = (path: string) =>
      `E_HTTP_STATUS: what answers on "SOCKET" says status 404 to ${path}: is it an older edgestatd? Restart it`;
    expect(await failureOf(old)).toBe(message('/status'));
    expect(await failureOf(old, 'tables')).toBe(message('/tables'));
  });

  it('that says what is wrong with the question, in words that drive no terminal', async () => {
    const strict = await answering((_, response) =>
      response.writeHead(400).end(JSON.stringify({ error: 'no column \u001b[2J "x"' })),
    );
    expect(await failureOf(strict, 'table')).toBe(
      'E_HTTP_STATUS: the daemon at "SOCKET" says: no column \\u001b[2J \\"x\\"',
    );
  });

  it('that is older or newer: what it does not tell is absent, empty or 0, and what is strange is left out', async () => {
    const documents: Record<string, object> = {
      '/status': {
        ...{ format: 2, version: '9', future: [1], health: 'fine', process: null },
        jobs: [{ id: 'tcp@local', state: 'sleeping', runs: 'many', problems: [{ code: 'E_NEW', message: 'x' }] }],
        sinks: [{ name: 's', droppedMetrics: 3 }],
      },
      '/tables': { format: 2, tables: [{ name: 'vifs', columns: [{ title: 'use', form: 'pie' }] }] },
      '/tables/vifs?sort=x': { format: 1, name: 'vifs', columns: [], entries: [{ names: ['a', 3], values: [1, 'x'] }] },
    };
    const socket = await answering((request, response) => response.end(JSON.stringify(documents[request.url ?? ''])));
    const client = createClient(socket);
    ends.push(() => client.close());
    const status = await client.status();
    expect(status).toMatchObject({ format: 2, version: '9', pid: 0, config: '', health: { healthy: false } });
    expect(status.jobs[0]).toMatchObject({ id: 'tcp@local', name: '', state: 'waiting', runs: 0, skippedTicks: 0 });
    expect(status.jobs[0]?.problems).toMatchObject([{ code: 'E_BUG', message: 'x', sinceMs: 0, fatal: false }]);
    expect(status.sinks[0]).toMatchObject({ name: 's', state: 'up', sentMetrics: 0, droppedMetrics: {} });
    expect(status).not.toHaveProperty('events.spool');
    expect((await client.tables()).tables[0]).toMatchObject({
      name: 'vifs',
      columns: [{ title: 'use', form: 'number' }],
    });
    const { entries } = await client.table('vifs', new URLSearchParams('sort=x'));
    expect(entries[0]).toMatchObject({ names: ['a', null], values: [1, null], target: '' });
  });
});
