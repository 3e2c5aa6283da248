/**
 * Takes the pictures of docs/images: `node scripts/screenshots.ts`, as root, on a machine with the packages of the tests.
 * A daemon watches a real switch with shaped VIFs and real traffic, and a real RabbitMQ, for five minutes; a real browser
 * looks at its page. All of it runs in the network namespace of the test bed's hypervisor.
 */
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Screen, startChromium } from '../test/support/chromium.ts';
import { startEdgestatd, stopAll } from '../test/support/daemon.ts';
import { startBroker } from '../test/support/rabbitmq-broker.ts';
import { connect } from '../test/support/rabbitmq-traffic.ts';
import { startStatsd } from '../test/support/statsd.ts';
import { startTestbed } from '../test/support/testbed.ts';

const images = process.env.SCREENSHOTS_TO ?? fileURLToPath(new URL('../docs/images/', import.meta.url));
/** A chart of five minutes, and all of it filled. */
const WATCH_MS = Number(process.env.SCREENSHOTS_WATCH_MS ?? 285_000);
const PORT = 8127;

const PICTURES: Readonly<Record<string, Screen & { readonly path: string }>> = {
  'status-light': { path: '/', width: 1200, height: 900 },
  'status-dark': { path: '/?table=vifs', width: 1200, height: 760, dark: true },
  'status-queues': { path: '/?table=queues', width: 1200, height: 800 },
  'status-phone': { path: '/', width: 390, height: 844, phone: true },
};

async function outside(): Promise<void> {
  const testbed = await startTestbed();
  try {
    // One VIF wants more than its ceiling, the other is far from it.
    const traffic = await testbed.startTraffic('vm1', { bitsPerSecond: 40_000_000 });
    const child = testbed.nodeInside([fileURLToPath(import.meta.url), testbed.rundir], { env: process.env });
    child.stdout?.pipe(process.stdout);
    child.stderr?.pipe(process.stderr);
    const ended = once(child, 'exit');
    await Promise.race([sleep(WATCH_MS / 3), ended]);
    const limited = await testbed.startTraffic('vm2');
    const [code] = await ended;
    await Promise.all([traffic.stop(), limited.stop()]);
    process.exitCode = code ?? 1;
  } finally {
    await testbed.close();
  }
}

async function inside(rundir: string): Promise<void> {
  const [broker, statsd, browser] = await Promise.all([startBroker(), startStatsd(), startChromium()]);
  try {
    const traffic = await connect(broker.amqpUrl);
    for (const queue of ['compute.hv01', 'compute.hv02', 'notifications.info', 'conductor'])
      await traffic.declare(queue);
    const rates = { conductor: 40, 'compute.hv01': 10, 'notifications.info': 25 };
    const publishers = Object.entries(rates).map(([queue, perSecond]) => traffic.publishAtRate(queue, perSecond));
    await traffic.consume('conductor', { ack: 'manual' });
    await traffic.consume('compute.hv01', { ack: 'manual' });
    await traffic.consume('notifications.info', { ack: 'manual', perSecond: 8, prefetch: 20 });
    const daemon = startEdgestatd(
      `
prefix: edge
targets: { local: { type: local, name: hv01 } }
sinks: [{ type: statsd, host: 127.0.0.1, port: ${statsd.port} }]
status: { listen: "127.0.0.1:${PORT}" }
jobs:
  - { collector: htb, every: 10s, splay: 0s, options: { rundir: ${rundir} } }
  - { collector: ovs, every: 10s, splay: 0s, options: { rundir: ${rundir} } }
  - { collector: link, every: 10s, splay: 0s }
  - { collector: tcp, every: 10s, splay: 0s }
  - { collector: rabbitmq, every: 10s, splay: 0s, options: { urls: ["${broker.url}"], user: guest, password: "\${env:BROKER_PASSWORD}", host: all } }
`,
      { BROKER_PASSWORD: 'guest' },
    );
    await daemon.event('status:listening');
    await sleep(WATCH_MS);
    mkdirSync(images, { recursive: true });
    for (const [name, { path, ...screen }] of Object.entries(PICTURES)) {
      const page = await browser.page(screen);
      await page.open(`http://127.0.0.1:${PORT}${path}`);
      writeFileSync(join(images, `${name}.png`), await page.screenshot());
      if (process.env.SCREENSHOTS_WHOLE !== undefined) {
        writeFileSync(join(process.env.SCREENSHOTS_WHOLE, `${name}.png`), await page.screenshot(true));
      }
      if (page.complaints.length > 0) throw new Error(page.complaints.join('\n'));
      await page.close();
    }
    await daemon.end();
    for (const one of publishers) await one.stop();
    await traffic.close();
  } finally {
    stopAll();
    await Promise.all([browser.end(), statsd.stop(), broker.close()]);
  }
}

const [rundir] = process.argv.slice(2);
if (rundir === undefined) await outside();
else {
  await inside(rundir);
  // Consumers at a pace keep their timers.
  process.exit();
}
