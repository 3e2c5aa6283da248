/** edgestatd is killed again and again while it takes and delivers events: what it acknowledged is delivered once. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { scratch, startEdgestatd, stopAll } from '../support/daemon.ts';
import { spoolOf } from '../support/event-commands.ts';
import { type Graphite, graphiteReason, startGraphite } from '../support/graphite.ts';
import { eventually, freePort } from '../support/statsd.ts';

const reason = graphiteReason();
/** Together 200 kills. */
const [LANES, ROUNDS] = [2, 100];
const AT_ONCE = 4;

describe.skipIf(reason !== undefined)(
  `events of a daemon that is killed${reason === undefined ? '' : ` (${reason})`}`,
  () => {
    let graphite: Graphite;
    beforeAll(async () => {
      graphite = await startGraphite({ sync: false });
    });
    afterEach(stopAll);
    afterAll(async () => {
      await graphite?.close();
    });

    /** Posts several at once and kills the daemon some time after the first was sent. Answers what was acknowledged. */
    async function round(yaml: string, port: number, name: string, count: number): Promise<string[]> {
      const daemon = startEdgestatd(yaml);
      await daemon.event('events:listening');
      const acknowledged: string[] = [];
      const attempts = Array.from({ length: AT_ONCE }, async (_, index) => {
        const what = `${name} ${index}`;
        const body = JSON.stringify({ what, tags: ['killed', 'deploy'], when: 1_700_000_000 + index });
        const answer = await fetch(`http://127.0.0.1:${port}/events/`, { method: 'POST', body });
        if (answer.status === 200) acknowledged.push(what);
        await answer.text();
      });
      const posts = Promise.allSettled(attempts);
      // From before the first is on the disk (each third round) until after the last is delivered.
      if (count % 3 !== 0) await Promise.any(attempts);
      await sleep(Math.random() * 60);
      await daemon.end('SIGKILL');
      await posts;
      return acknowledged;
    }

    it('200 times: every acknowledged event stands there once, and none twice', { timeout: 600_000 }, async () => {
      const lane = async (number: number): Promise<string[]> => {
        const [directory, port] = [scratch(), await freePort()];
        const yaml = `
sinks: [ { type: stdout, onlyOnTerminal: true } ]
jobs: [ { collector: tcp, every: 3600s } ]
events:
  spool: ${directory}/spool.db
  listen: { port: ${port} }
  graphite: { url: "${graphite.eventsUrl}", settle: 300ms }
`;
        const acknowledged: string[] = [];
        for (let count = 0; count < ROUNDS; count++) {
          acknowledged.push(...(await round(yaml, port, `lane ${number} round ${count} event`, count)));
        }
        const config = join(directory, 'command.yaml');
        writeFileSync(config, yaml);
        startEdgestatd(yaml);
        await eventually(
          async () => ((await spoolOf(config)).destinations[0]?.pending === 0 ? true : undefined),
          'the rest to be delivered',
          120_000,
        );
        expect((await spoolOf(config)).destinations).toMatchObject([{ dead: 0 }]);
        return acknowledged;
      };
      const acknowledged = (await Promise.all(Array.from({ length: LANES }, (_, number) => lane(number)))).flat();
      // Neither none nor all: the kills came while there was work.
      expect(acknowledged.length).toBeGreaterThan(ROUNDS / 2);
      expect(acknowledged.length).toBeLessThan(LANES * ROUNDS * AT_ONCE);
      const times = new Map<string, number>();
      for (const { what } of graphite.rows()) times.set(what, (times.get(what) ?? 0) + 1);
      expect(acknowledged.filter((what) => times.get(what) !== 1)).toEqual([]);
      // What was not acknowledged may have been taken all the same, and then once.
      expect([...times].filter(([, count]) => count > 1)).toEqual([]);
    });
  },
);
