/** The rabbitmq collector and what a real broker does not let it do: permissions, passwords, TLS. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Broker, type BrokerTls, brokerReason, startBroker } from '../support/rabbitmq-broker.ts';
import { makeCertificates } from '../support/rabbitmq-certificates.ts';
import { type RabbitmqRun, type RabbitmqRuns, rabbitmqRuns } from '../support/rabbitmq-runs.ts';
import { connect, type Traffic } from '../support/rabbitmq-traffic.ts';

const reason = brokerReason();
const SECRET = 'Sesame-0pen';
/** To be known in a vhost is enough to see it; to read would be to take messages. */
const SEES = ['^$', '^$', '^$'] as const;

describe.skipIf(reason !== undefined)(`rabbitmq and its rights${reason === undefined ? '' : ` (${reason})`}`, () => {
  let broker: Broker & BrokerTls;
  let scratch: string;
  const opened: RabbitmqRuns[] = [];
  const connected: Traffic[] = [];
  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), 'edgestatd-rabbitmq-'));
    broker = await startBroker({ tls: { requireClientCertificate: true } });
    await broker.api('PUT', '/api/vhosts/nova', {});
    await broker.api('PUT', '/api/permissions/nova/guest', { configure: '.*', write: '.*', read: '.*' });
    for (const vhost of ['/', 'nova']) {
      const traffic = await connect(broker.amqpUrl, { vhost });
      connected.push(traffic);
      await traffic.declare('compute.hv');
      await traffic.publish('compute.hv', 7);
    }
  });
  afterEach(async () => {
    for (const runs of opened.splice(0)) await runs.close();
  });
  afterAll(async () => {
    for (const traffic of connected) await traffic.close();
    await broker?.close();
    rmSync(scratch, { recursive: true, force: true });
  });

  const runsOf = (options: Record<string, unknown>): RabbitmqRuns => {
    const runs = rabbitmqRuns(broker, options);
    opened.push(runs);
    return runs;
  };
  const passwordFile = (text: string): string => {
    const file = join(scratch, 'password');
    writeFileSync(file, `${text}\n`, { mode: 0o600 });
    return file;
  };
  const expectSilent = (...texts: readonly unknown[]): void => {
    const basic = Buffer.from(`watcher:${SECRET}`).toString('base64');
    expect(JSON.stringify(texts)).not.toMatch(new RegExp(`${SECRET}|${basic}`));
  };
  const tls = (): Record<string, unknown> => ({
    urls: [broker.tlsUrl],
    ...{ caFile: broker.caFile, certFile: broker.certFile, keyFile: broker.keyFile },
  });
  const both = ({ at }: RabbitmqRun): boolean =>
    ['_', 'nova'].every((vhost) =>
      ['messages', 'published'].every((name) => at(`queue.${vhost}.compute_hv.${name}`) === 7),
    );

  it('makes no zeros of queues that it may not see any more, says so, and goes on when it may again', async () => {
    await broker.addUser('watcher', SECRET, 'monitoring', { '/': SEES, nova: SEES });
    const access = { user: 'watcher', passwordFile: passwordFile(SECRET) };
    await runsOf(access).until(both, 'both vhosts');
    const runs = runsOf(access);
    const before = await runs.read();
    expect(both(before)).toBe(true);
    expect(before.told).toEqual([]);
    await broker.api('DELETE', '/api/permissions/nova/watcher');
    const denied = await runs.until(({ told }) => told.length > 0, 'the missing permission');
    for (const run of [denied, await runs.read()]) {
      expect(run.told).toContainEqual(
        expect.stringMatching(/^E_DENIED this user has no permission in vhost "nova".*rabbitmqctl set_permissions/),
      );
      expect(run.at('queue._.compute_hv.messages')).toBe(7);
      expect(run.at('queue.nova.compute_hv.messages')).toBeUndefined();
      expectSilent(run);
    }
    expect(await runs.check()).toContainEqual(expect.stringMatching(/^warn vhost "nova": .*set_permissions -p "nova"/));
    expect(runs.history('queue.nova.compute_hv.messages')).not.toContain(0);
    await broker.addUser('watcher', SECRET, 'monitoring', { nova: SEES });
    const back = await runs.until(both, 'the vhost again');
    expect(back.told).toEqual([]);
    expect(runs.sent('queue.nova.compute_hv.published')).toBe(0);
    expect(runs.history('queue.nova.compute_hv.messages')).not.toContain(0);
  });

  it('names a wrong password as that, and never tells it', async () => {
    await broker.addUser('watcher', 'another', 'monitoring', { '/': SEES });
    const runs = runsOf({ user: 'watcher', password: SECRET });
    const run = await runs.read();
    expect(run.failure?.code).toBe('E_AUTH');
    expect(run.told).toEqual([expect.stringMatching(/does not accept the user or password \(401\)/)]);
    const verdicts = await runs.check();
    expect(verdicts).toContainEqual(expect.stringMatching(/^fail E_AUTH: .*\/api\/whoami does not accept/));
    expectSilent(run.told, verdicts, run.failure?.evidence, String(run.failure?.stack));
  });

  it('says what a user lacks that has the tag management alone, or no permission anywhere', async () => {
    await broker.addUser('manager', SECRET, 'management', { '/': SEES, nova: SEES });
    const manager = runsOf({ user: 'manager', password: SECRET });
    const run = await manager.until(both, 'the queues');
    expect(run.told).toContainEqual(
      expect.stringMatching(/^E_DENIED this user may not ask for the node: it lacks the tag monitoring/),
    );
    expect(await manager.check()).toContainEqual(
      expect.stringMatching(/^warn user "manager" has the tags management; without monitoring, nodes and alarms are/),
    );
    await broker.addUser('blind', SECRET, 'monitoring', {});
    const blind = runsOf({ user: 'blind', password: SECRET });
    const seen = await blind.read();
    expect(seen.at('broker.queues')).toBe(2);
    expect(seen.told).toContainEqual(
      expect.stringMatching(/^E_DENIED the broker has 2 queues, and this user can see none of them/),
    );
    expect(await blind.check()).toContainEqual(
      expect.stringMatching(/^warn no queue can be seen: .*rabbitmqctl set_permissions -p VHOST blind/),
    );
    await broker.addUser('nobody', SECRET, '', {});
    const nobody = runsOf({ user: 'nobody', password: SECRET });
    expect((await nobody.read()).failure?.code).toBe('E_AUTH');
    expect(await nobody.check()).toContainEqual(expect.stringMatching(/^fail E_AUTH: /));
  });

  it('speaks TLS with the right authority and certificate, and says what is wrong with others', async () => {
    const right = await runsOf(tls()).read();
    expect(right.failure).toBeUndefined();
    expect(right.at(`broker.${new URL(broker.tlsUrl).host.replace(/\W/g, '_')}.endpoint_up`)).toBe(1);
    const other = await makeCertificates(join(scratch, 'other'));
    const wrong = await runsOf({ ...tls(), caFile: other.caFile }).read();
    expect(wrong.told).toEqual([expect.stringMatching(/^E_AUTH .*of no authority that is trusted here.*"caFile"/)]);
    const without = await runsOf({ urls: [broker.tlsUrl], caFile: broker.caFile }).read();
    expect(without.told).toEqual([expect.stringMatching(/^E_AUTH .*client certificate.*"certFile"/)]);
    const foreign = await runsOf({ ...tls(), ...other.client }).read();
    expect(foreign.told).toEqual([expect.stringMatching(/^E_AUTH .*client certificate.*"certFile"/)]);
    const missing = await runsOf({ ...tls(), caFile: join(scratch, 'none.pem') }).read();
    expect(missing.told).toEqual([expect.stringMatching(/^E_NOT_FOUND .*none\.pem/)]);
  });

  it('takes a password file that is renewed into use at once', async () => {
    await broker.addUser('watcher', 'first', 'monitoring', { '/': SEES });
    const runs = runsOf({ ...tls(), user: 'watcher', passwordFile: passwordFile('first') });
    expect((await runs.read()).failure).toBeUndefined();
    await broker.addUser('watcher', SECRET, 'monitoring', { '/': SEES });
    expect((await runs.read()).failure?.code).toBe('E_AUTH');
    passwordFile(SECRET);
    expect((await runs.read()).failure).toBeUndefined();
  });
});
