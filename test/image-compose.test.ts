/** config/docker: what the image brings, and the example that surrounds it, fit each other. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { registry } from '../collectors/registry.ts';
import { loadConfig } from '../src/config.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = resolve(root, 'config/docker');
const text = (path: string): string => readFileSync(resolve(root, path), 'utf8');
const configurations = readdirSync(folder).filter((name) => name !== 'compose.yaml');
const variablesOf = (yaml: string): string[] => [...yaml.matchAll(/\$\{env:([A-Z_]+)/g)].map(([, name = '']) => name);
const dockerfile = text('Dockerfile');

const plain = z.record(z.string(), z.string());
const healthcheck = z.strictObject({
  test: z.array(z.string()).min(2),
  ...{ interval: z.string(), timeout: z.string(), start_period: z.string(), retries: z.int() },
});
const service = z.strictObject({
  image: z.string().regex(/^(?:edgestatd|docker\.io\/[a-z/-]+:[0-9][A-Za-z0-9.-]+)$/, 'expected a tag that stays'),
  build: z.strictObject({ context: z.string() }).optional(),
  hostname: z.string().optional(),
  networks: z.array(z.string()).optional(),
  network_mode: z.string().optional(),
  pid: z.literal('host').optional(),
  ports: z.array(z.string().regex(/^127\.0\.0\.1:\d+:\d+(?:\/udp)?$/, 'expected a port of loopback')).optional(),
  volumes: z.array(z.string()).optional(),
  environment: plain.optional(),
  depends_on: z.record(z.string(), z.strictObject({ condition: z.string() })).optional(),
  healthcheck: healthcheck.optional(),
  read_only: z.literal(true).optional(),
  cap_drop: z.tuple([z.literal('ALL')]).optional(),
  security_opt: z.tuple([z.literal('no-new-privileges:true')]).optional(),
  pids_limit: z.int().optional(),
  mem_limit: z.string().optional(),
  stop_grace_period: z.string().optional(),
  restart: z.enum(['unless-stopped']),
});
const composeFile = z.strictObject({
  name: z.string(),
  'x-edgestatd': z.unknown(),
  services: z.record(z.string(), service),
  networks: z.record(z.string(), z.strictObject({})),
  volumes: z.record(z.string(), z.strictObject({})),
});

const compose = composeFile.parse(parse(text('config/docker/compose.yaml'), { merge: true }));
const sidecars = Object.entries(compose.services).filter(([, { image }]) => image === 'edgestatd');

describe('compose.yaml', () => {
  it('refers to what is there', () => {
    for (const [name, one] of Object.entries(compose.services)) {
      for (const network of one.networks ?? []) expect(compose.networks, name).toHaveProperty(network);
      for (const volume of one.volumes ?? []) expect(compose.volumes, name).toHaveProperty(volume.split(':')[0] ?? '');
      for (const [other, { condition }] of Object.entries(one.depends_on ?? {})) {
        expect(compose.services, name).toHaveProperty(other);
        if (condition === 'service_healthy') expect(compose.services[other]?.healthcheck, other).toBeDefined();
      }
      const [, shared] = /^service:(.*)$/.exec(one.network_mode ?? '') ?? [];
      if (shared !== undefined) expect(compose.services, name).toHaveProperty(shared);
      // Engines refuse both, and a host name in another's network.
      if (one.network_mode !== undefined)
        expect([one.networks, one.hostname, one.ports]).toEqual([undefined, undefined, undefined]);
      if (one.build !== undefined) expect(existsSync(resolve(folder, one.build.context, 'Dockerfile'))).toBe(true);
    }
  });

  it('gives edgestatd no right that it does not need', () => {
    expect(sidecars.map(([name]) => name)).toEqual(['edgestatd-broker', 'edgestatd-machine']);
    for (const [name, one] of sidecars) {
      expect([one.read_only, one.cap_drop, one.security_opt], name).toEqual([
        true,
        ['ALL'],
        ['no-new-privileges:true'],
      ]);
      expect([one.volumes, one.ports], name).toEqual([undefined, undefined]);
    }
  });

  it('checks health as the image does', () => {
    const [, words = ''] = /^HEALTHCHECK [^[]*(\[[^\]]*\])$/m.exec(dockerfile.replaceAll('\\\n', '')) ?? [];
    for (const [name, { healthcheck: check }] of sidecars) {
      expect(check?.test, name).toEqual(['CMD', ...JSON.parse(words)]);
      for (const [option, value] of Object.entries({
        interval: check?.interval,
        timeout: check?.timeout,
        'start-period': check?.start_period,
        retries: check?.retries,
      }))
        expect(dockerfile).toContain(`--${option}=${value}`);
    }
  });

  it('sets variables that the chosen configuration knows, and gives it one that loads', async () => {
    for (const [name, { environment = {}, stop_grace_period: grace }] of sidecars) {
      const chosen = environment.EDGESTATD_CONFIG?.replace('/etc/edgestatd/', '') ?? '';
      expect(configurations, name).toContain(chosen);
      const known = new Set([...variablesOf(text(`config/docker/${chosen}`)), 'EDGESTATD_CONFIG']);
      expect(
        Object.keys(environment).filter((one) => !known.has(one)),
        name,
      ).toEqual([]);
      const env = { ...environment, ...('RABBITMQ_PASSWORD' in environment ? { RABBITMQ_PASSWORD: 'swordfish' } : {}) };
      const config = await loadConfig(resolve(folder, chosen), registry, env);
      expect(Number.parseInt(grace ?? '', 10) * 1000, name).toBeGreaterThan(config.gracePeriodMs);
      // The sidecar of the broker meets Graphite in the network of both, the machine's at the published port.
      const [sink] = config.sinks;
      if (sink?.type !== 'statsd') throw new Error('expected StatsD');
      const ports = compose.services.graphite?.ports ?? [];
      expect(ports).toContain(`127.0.0.1:${sink.port}:8125/udp`);
      expect(ports).toContain(`127.0.0.1:${sink.adminPort}:8126`);
      if (sink.host !== '127.0.0.1') expect(compose.services).toHaveProperty(sink.host);
    }
  });

  it('has one user and one password for the broker and for who asks it', () => {
    const broker = compose.services.rabbitmq?.environment ?? {};
    const asker = compose.services['edgestatd-broker']?.environment ?? {};
    expect([asker.RABBITMQ_USER, asker.RABBITMQ_PASSWORD]).toEqual([
      broker.RABBITMQ_DEFAULT_USER,
      broker.RABBITMQ_DEFAULT_PASS,
    ]);
    expect(broker.RABBITMQ_DEFAULT_PASS).toMatch(/^\$\{RABBITMQ_PASSWORD:\?/);
    expect(compose.services.rabbitmq?.image).toMatch(/-management$/);
  });
});

describe('the configurations of the image', () => {
  it('are copied into it', () => {
    expect(configurations.toSorted()).toEqual(['broker.yaml', 'edgestatd.yaml', 'hypervisor.yaml']);
    for (const rule of ['!config/docker', '!scripts/image-files.ts', '!scripts/package/prune.ts'])
      expect(text('.dockerignore').split('\n')).toContain(rule);
  });

  it.each(configurations)('%s loads without any variable, and with empty ones', async (name) => {
    const file = resolve(folder, name);
    const bare = await loadConfig(file, registry, {});
    expect(bare.sinks).toMatchObject([{ type: 'statsd', host: '127.0.0.1', port: 8125 }]);
    expect([bare.prefix, bare.secrets, bare.problems]).toEqual(['edge', [], []]);
    const empty = Object.fromEntries(variablesOf(text(`config/docker/${name}`)).map((one) => [one, '']));
    expect(await loadConfig(file, registry, empty)).toEqual(bare);
  });

  it.each(configurations)('%s takes each of its variables', async (name) => {
    const env = {
      ...{ EDGESTATD_PREFIX: 'site1', EDGESTATD_NAME: 'hv01', EDGESTATD_LOG_LEVEL: 'warn' },
      ...{ STATSD_HOST: 'statsd.example', STATSD_PORT: '8135', HOST_PROC: '/host/proc', HOST_SYS: '/host/sys' },
      ...{ OVS_RUNDIR: '/host/ovs', RABBITMQ_URL: 'http://broker.example:15672', RABBITMQ_USER: 'monitor' },
      ...{ RABBITMQ_PASSWORD_FILE: '/run/secrets/rabbitmq', RABBITMQ_QUEUES: 'own' },
    };
    const yaml = text(`config/docker/${name}`);
    expect(variablesOf(yaml).filter((one) => !(one in env) && one !== 'RABBITMQ_PASSWORD')).toEqual([]);
    const config = await loadConfig(resolve(folder, name), registry, env);
    expect(config).toMatchObject({
      prefix: 'site1',
      logLevel: 'warn',
      sinks: [{ host: 'statsd.example', port: 8135 }],
    });
    expect(config.targets.get('local')).toMatchObject({ name: 'hv01' });
    expect([config.secrets, config.variables]).toEqual([[], []]);
    const options = JSON.stringify(config.jobs.map((job) => job.options));
    for (const variable of new Set(variablesOf(yaml)))
      if (/^(?:HOST|OVS|RABBITMQ)_(?!PASSWORD$)/.test(variable))
        expect(options).toContain(env[variable as keyof typeof env]);
  });

  it('broker.yaml hides the password, and only that', async () => {
    const env = { RABBITMQ_PASSWORD: 'swordfish', RABBITMQ_USER: 'monitor', STATSD_HOST: 'statsd.example' };
    const { secrets, variables } = await loadConfig(resolve(folder, 'broker.yaml'), registry, env);
    expect([secrets, variables]).toEqual([['swordfish'], ['RABBITMQ_PASSWORD']]);
  });

  it('have all their variables in the documentation', () => {
    const page = text('docs/sidecar.md');
    for (const name of configurations)
      for (const variable of variablesOf(text(`config/docker/${name}`)))
        expect(page, variable).toContain(`\`${variable}\``);
  });
});
