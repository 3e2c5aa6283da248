/** docs/status.md says what is so. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { registry } from '../collectors/registry.ts';
import { loadConfig } from '../src/config.ts';
import { buildProgram } from '../src/program.ts';
import { createBoard } from '../src/status/board.ts';
import { statusShape } from '../src/status/options.ts';
import { statusRoutes } from '../src/status/routes.ts';
import { fakeClock } from './support/fake-clock.ts';

const text = readFileSync(new URL('../docs/status.md', import.meta.url), 'utf8');
const directory = mkdtempSync(join(tmpdir(), 'edgestatd-docs-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('docs/status.md', () => {
  it('has configuration that is valid, and every option of it', async () => {
    const blocks = [...text.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block);
    expect(blocks.length).toBeGreaterThan(1);
    for (const block of blocks) {
      const file = join(directory, 'edgestatd.yaml');
      writeFileSync(file, `sinks: [{ type: statsd }]\njobs: [{ collector: tcp, every: 10s }]\n${block}`);
      await expect(loadConfig(file, registry, {}), block).resolves.toBeDefined();
    }
    for (const name of Object.keys(statusShape)) expect(blocks.join('')).toContain(`  ${name}: `);
  });

  it('has every option of the command', () => {
    const command = buildProgram(() => {}).commands.find((one) => one.name() === 'status');
    const flags = command?.options.map(({ flags: each }) => each) ?? [];
    expect(flags).toContain('--healthy');
    for (const each of flags) expect(text).toContain(`| \`${each}\``);
  });

  it('has every path of the socket', () => {
    const paths = [...statusRoutes(() => ({}) as never, createBoard(fakeClock())).keys()];
    for (const path of paths) expect(text).toContain(`| \`${path.endsWith('/') ? `${path}NAME` : path}\``);
  });
});
