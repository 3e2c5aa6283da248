/** Events of a daemon that is reloaded, and its listener with a token, as an operator and his deploy tool use them. */
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type DaemonProcess, scratch, startEdgestatd, stopAll } from '../support/daemon.ts';
import { edgestatd, type Ran, spoolOf } from '../support/event-commands.ts';
import { eventually, freePort } from '../support/statsd.ts';

afterEach(stopAll);

/** Nobody listens there. */
const away = 'http://127.0.0.1:9/events/';
const base = `
sinks: [ { type: stdout, onlyOnTerminal: true } ]
jobs: [ { collector: tcp, every: 60s } ]
`;
const withEvents = (spool: string, more = ''): string => `${base}
events:
  spool: ${spool}
  graphite: { url: "${away}" }
${more}`;

async function started(yaml: string, env: NodeJS.ProcessEnv = {}): Promise<DaemonProcess> {
  const daemon = startEdgestatd(yaml, env);
  await daemon.event('daemon:started');
  return daemon;
}
async function reloaded(daemon: DaemonProcess, yaml: string): Promise<void> {
  daemon.configure(yaml);
  const from = daemon.events.length;
  daemon.child.kill('SIGHUP');
  await daemon.event('daemon:reloaded', from);
}
function fileOf(yaml: string): string {
  const file = join(scratch(), 'command.yaml');
  writeFileSync(file, yaml);
  return file;
}
const post = (config: string, what: string): Promise<Ran> =>
  edgestatd(['event', 'post', '--config', config, '--what', what]);
const ask = (port: number, what: string, headers: Record<string, string> = {}) =>
  fetch(`http://127.0.0.1:${port}/events/`, { method: 'POST', headers, body: JSON.stringify({ what }) });

describe('the listener with a token', () => {
  it('lets in who has it, by file or by reference, and shows it to nobody', async () => {
    const directory = scratch();
    const spool = join(directory, 'spool.db');
    const [port, tokenFile] = [await freePort(), join(directory, 'token')];
    writeFileSync(tokenFile, 'first-secret\n', { mode: 0o600 });
    const yaml = (token: string): string => withEvents(spool, `  listen: { port: ${port}, ${token} }`);
    const daemon = await started(yaml(`tokenFile: ${tokenFile}`), { DEPLOY_TOKEN: 'third-secret' });
    await daemon.event('events:listening');
    const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

    const without = await ask(port, 'no token');
    expect([without.status, without.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
    expect((await ask(port, 'wrong token', bearer('guessed-secret'))).status).toBe(401);
    expect((await ask(port, 'first', bearer('first-secret'))).status).toBe(200);
    // One that is renewed counts at once.
    writeFileSync(tokenFile, 'second-secret\n');
    expect((await ask(port, 'old token', bearer('first-secret'))).status).toBe(401);
    expect((await ask(port, 'second', bearer('second-secret'))).status).toBe(200);
    // A reload brings another, and the port is the same.
    const from = daemon.events.length;
    await reloaded(daemon, yaml(`token: "\${env:DEPLOY_TOKEN}"`));
    await daemon.event('events:listening', from);
    expect((await ask(port, 'older token', bearer('second-secret'))).status).toBe(401);
    expect((await ask(port, 'third', bearer('third-secret'))).status).toBe(200);

    // The commands of this machine need none.
    const report = await spoolOf(fileOf(withEvents(spool)));
    expect(report).toMatchObject({ destinations: [{ destination: 'graphite', pending: 3 }] });
    expect(await daemon.end()).toBe(0);
    expect(daemon.events.filter(({ event, status }) => event === 'events:refused' && status === 401)).toHaveLength(2);
    expect(JSON.stringify([daemon.events, daemon.other])).not.toMatch(/-secret/);
  });
});

describe('a reload', () => {
  it('adds the events section, changes it and removes it, and loses nothing', async () => {
    const directory = scratch();
    const [spool, other] = [join(directory, 'spool.db'), join(directory, 'other.db')];
    const [config, elsewhere] = [fileOf(withEvents(spool)), fileOf(withEvents(other))];
    const daemon = await started(base);
    expect(existsSync(spool)).toBe(false);

    await reloaded(daemon, withEvents(spool));
    await eventually(() => (existsSync(`${spool}.sock`) ? true : undefined), 'the socket');
    // Without a note: it is the daemon that has it.
    expect(await post(config, 'added')).toMatchObject({ code: 0, stderr: '' });
    await daemon.event('events:down');

    // Another setting: the old part ends, and the new one has its socket, its lock and its spool.
    const before = daemon.events.length;
    await reloaded(daemon, withEvents(spool, '  maxAge: 7d'));
    expect(await post(config, 'changed')).toMatchObject({ code: 0, stderr: '' });
    await daemon.event('events:down', before);

    // Another spool: what waits in the old one is said, and is there.
    await reloaded(daemon, withEvents(other));
    expect(await daemon.event('events:left')).toMatchObject({ count: 2, message: expect.stringContaining(spool) });
    expect(existsSync(`${spool}.sock`)).toBe(false);
    expect(await post(elsewhere, 'elsewhere')).toMatchObject({ code: 0, stderr: '' });
    expect((await spoolOf(config)).destinations).toMatchObject([{ pending: 2 }]);

    await reloaded(daemon, base);
    expect(daemon.events.filter(({ event }) => event === 'events:left')).toHaveLength(2);
    expect((await post(elsewhere, 'alone')).stderr).toContain('no daemon runs here');

    const again = daemon.events.length;
    await reloaded(daemon, withEvents(other));
    await daemon.event('events:down', again);
    expect((await spoolOf(elsewhere)).destinations).toMatchObject([{ pending: 2 }]);
    expect(daemon.events.filter(({ event }) => /spool_failed|spool_shared|listen_failed/.test(event))).toEqual([]);
    expect(await daemon.end()).toBe(0);
    expect(daemon.other).toEqual([]);
  });

  it('ends well when it is stopped at once, while a request is under way that nobody answers', async () => {
    const silent = createServer(() => {});
    const port = await new Promise<number>((resolve) =>
      silent.listen(0, '127.0.0.1', () => resolve((silent.address() as AddressInfo).port)),
    );
    try {
      const spool = join(scratch(), 'spool.db');
      const yaml = (more: string): string =>
        withEvents(spool, more)
          .replace(away, `http://127.0.0.1:${port}/events/`)
          .replace(base, `${base}gracePeriod: 2s\n`);
      const daemon = await started(yaml(''));
      const config = fileOf(yaml(''));
      await eventually(() => (existsSync(`${spool}.sock`) ? true : undefined), 'the socket');
      const asked = once(silent, 'request');
      await post(config, 'hangs');
      await asked;
      daemon.configure(yaml('  maxAge: 7d'));
      daemon.child.kill('SIGHUP');
      expect(await daemon.end()).toBe(0);
      expect(daemon.events.filter(({ event }) => event === 'daemon:crashed')).toEqual([]);
      expect((await spoolOf(config)).destinations).toMatchObject([{ pending: 1, doubtful: 1 }]);
      expect(existsSync(`${spool}.sock`)).toBe(false);
    } finally {
      silent.closeAllConnections();
      silent.close();
    }
  });
});
