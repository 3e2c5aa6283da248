/**
 * What the pages print is run, as it stands. A comment before a block of shell says so:
 *
 *   runs                     on a machine where the package was installed: the user edgestatd is there, and a StatsD
 *   runs beside a daemon     and the daemon runs, with a listener for events
 *   runs on a target         on a machine without edgestatd
 *   runs where Graphite is   beside Whisper files of Diamond and of edgestatd
 *   not run: WHY
 *
 * Blocks of one page with one note are run one after the other in one machine.
 */
import { describe, expect, test } from 'vitest';
import { runInSandbox } from './support/docs-sandbox.ts';
import { type Block, pages } from './support/markdown-pages.ts';

const USER = 'useradd --system --shell /usr/sbin/nologin edgestatd';
const NOTES: Readonly<Record<string, string>> = {
  runs: USER,
  'runs beside a daemon': `${USER}
cat > /etc/edgestatd/edgestatd.yaml <<'END'
sinks: [{ type: statsd }]
jobs: [{ collector: tcp, every: 10s }]
events: { graphite: { url: "http://127.0.0.1:1/events/" }, listen: { port: 8128 } }
END
systemctl start edgestatd`,
  'runs on a target': ':',
  'runs where Graphite is': `/usr/bin/python3 - <<'END'
import os, time, whisper
now = int(time.time())
for name in ('servers/hv01/tcp/TCPTimeouts', 'edge/hv01/tcp/timeouts_per_second'):
    path = '/var/lib/graphite/whisper/' + name + '.wsp'
    os.makedirs(os.path.dirname(path), exist_ok=True)
    whisper.create(path, [(10, 360)])
    if name.startswith('servers'):
        whisper.update_many(path, [(now - 600 + 10 * step, 7.0) for step in range(30)])
END`,
};

/** Pages of which nothing is run here, and why; other pages say it before each block. */
const NOT_RUN: Readonly<Record<string, string>> = {
  'README.md': 'a checkout with npm: scripts/newcomer.sh walks through it in a clean root',
  'CONTRIBUTING.md': 'the tests themselves',
  'collectors/exec/README.md': 'a program of the reader’s; test/e2e/exec.test.ts has such ones',
  'docs/alerts.md': 'needs a Grafana, or a Graphite with data: test/integration/dashboards.test.ts has one',
  'docs/dashboards.md': 'needs a Grafana, or a Graphite with data: test/integration/dashboards.test.ts has one',
  'docs/install.md': 'installs packages: test/integration does it in a clean root',
  'docs/sidecar.md': 'needs a container engine: test/integration builds and runs the image',
  'docs/security.md': 'changes units of systemd: test/integration runs them',
  'docs/ansible.md': 'needs an inventory: test/integration applies the role',
  'docs/status.md': 'test/e2e/status.test.ts runs the command',
  'docs/status-page.md': 'opens a browser: test/integration does',
  'docs/top.md': 'a screen: test/e2e/top.test.ts has a terminal',
};

const blocks = pages.flatMap(({ blocks: all }) => all.filter(({ language }) => /^(?:sh|bash|shell)$/.test(language)));
const fileOf = ({ at }: Block): string => at.replace(/:\d+$/, '');
const runs = blocks.filter(({ note = '' }) => note in NOTES);

test('each block of shell is run, or it is said why not', () => {
  const silent = blocks.filter((block) => {
    const { note = '' } = block;
    return !(note in NOTES) && !/^not run: \S.{10,}/.test(note) && !(fileOf(block) in NOT_RUN);
  });
  expect(silent.map(({ at }) => at)).toEqual([]);
  expect(runs.length).toBeGreaterThan(7);
});

const machines = Map.groupBy(runs, (block) => `${fileOf(block)}, ${block.note}`);

describe.runIf(process.getuid?.() === 0)('commands', { timeout: 120_000 }, () => {
  test.each([...machines])('of %s work', async (_, all) => {
    const results = await runInSandbox(
      all.map(({ text }) => text),
      NOTES[all[0]?.note ?? ''],
    );
    const failed = results.flatMap(({ status, output }, at) =>
      status === 0 ? [] : [`${all[at]?.at} ended with ${status}:\n${output}`],
    );
    expect(failed).toEqual([]);
  });

  test('that fail are noticed, and leave nothing behind', async () => {
    const results = await runInSandbox([
      'edgestatd chekc',
      'echo x > /etc/edgestatd-was-here',
      'cat /etc/edgestatd-was-here',
    ]);
    expect(results.map(({ status }) => status)).toEqual([2, 0, 0]);
    const [later] = await runInSandbox(['cat /etc/edgestatd-was-here']);
    expect(later?.status).toBe(1);
  });
});

test.runIf(process.env.CI !== undefined)('CI runs them as root', () => {
  expect(process.getuid?.()).toBe(0);
});
