import { expect, test } from 'vitest';
import { Failure } from '../../src/errors.ts';
import { files } from '../../test/support/nagios-log.ts';
import { nagios } from './index.ts';

const LOG = '/var/log/nagios/nagios.log';
const NOW = 1_790_000_000;

async function check(disk: ReturnType<typeof files>, options: object = {}): Promise<string[]> {
  const host = { ...disk.host, keep: () => expect.fail('a check keeps nothing') };
  const parsed = nagios.options.parse(options);
  const verdicts = await nagios.check?.({ host, options: parsed, atMs: NOW * 1000, readAtMs: 0, elapsedMs: () => 0 });
  return (verdicts ?? []).map(({ level, text }) => `${level} ${text}`);
}

test('all is well', async () => {
  const disk = files();
  disk.append(LOG, `[${NOW - 100}] CURRENT HOST STATE: a;UP;HARD;1;x\n`);
  disk.append(LOG, `[${NOW - 5}] half a li`);
  disk.append('/var/log/nagios/archives/nagios-03-01-2026-14.log', 'x');
  expect(await check(disk)).toEqual([
    'ok "/var/log/nagios/nagios.log": may be read, and is such a log',
    'ok the log lists all states',
    'ok rotated logs were found: 1',
  ]);
});

test('what is missing says what to do', async () => {
  const disk = files();
  disk.append(LOG, `[${NOW - 30 * 86_400}] Nagios 4.4.6 starting... (PID=1)\n`);
  disk.append(`${LOG}.2.gz`, '\x1f\x8b');
  expect(await check(disk)).toEqual([
    'warn "/var/log/nagios/nagios.log": its last line is 30 days old; does the monitoring run?',
    expect.stringMatching(/^warn the log does not list the states: .* set log_current_states=1/),
    expect.stringMatching(/^warn every rotated log is compressed: .*delaycompress/),
  ]);
  disk.remove(`${LOG}.2.gz`);
  disk.append(LOG, `[${NOW + 300}] x\n`);
  const [log, , archive] = await check(disk);
  expect(log).toMatch(/^warn .* its last line is 300 s ahead of this clock; set the clocks by NTP/);
  expect(archive).toMatch(
    /^warn no rotated log was found .*archives" does not exist.* name that directory as "archive"/,
  );
  disk.broken.set('/var/log/nagios/archives', new Failure('E_DENIED', '"archives" may not be read'));
  expect((await check(disk))[2]).toMatch(/^fail E_DENIED: "archives" may not be read: what is rotated there is lost/);
});

test('a log that is none, is empty, missing or not allowed', async () => {
  const disk = files();
  disk.append(LOG, '[Fri Jul 23 03:39:31 2021] x\n');
  expect((await check(disk))[0]).toMatch(
    /^fail .*"\[Fri Jul 23 03:39:31 2021\] x" is no line of such a log: its time is in/,
  );
  disk.truncate(LOG);
  expect((await check(disk))[0]).toMatch(/^warn .*: may be read, and is empty/);
  disk.broken.set(LOG, new Failure('E_DENIED', `"${LOG}" may not be read by this user`, { path: LOG }));
  expect(await check(disk)).toEqual([expect.stringMatching(/^fail E_DENIED: .*a member of the group/)]);
  disk.broken.clear();
  disk.remove(LOG);
  disk.append('/var/log/icinga/icinga.log', 'x');
  expect(await check(disk)).toEqual([
    expect.stringMatching(/^fail E_NOT_FOUND: .*does not exist.*; here is "\/var\/log\/icinga\/icinga\.log"$/),
  ]);
});
