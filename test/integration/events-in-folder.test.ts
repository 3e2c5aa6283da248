/** The drop folder on real file systems. Read-only and full ones are small tmpfs mounts, which need root. */
import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { Failure } from '../../src/errors.ts';
import { type Folder, type FolderSurroundings, startFolder } from '../../src/events/in/folder.ts';
import { openSpool, type Spool } from '../../src/events/spool.ts';
import type { Take } from '../../src/events/taking.ts';
import { type KeptLog, keptLog } from '../support/sink-log.ts';
import { endWithParent, eventually } from '../support/statsd.ts';
import { isRoot, mountTmpfs, type Tmpfs } from '../support/tmpfs.ts';

let root: string;
let path: string;
let spool: Spool;
let log: KeptLog;
const closers: (() => unknown)[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'edgestatd-drop-'));
  path = join(root, 'drop');
  mkdirSync(path);
  const options = { path: join(root, 'spool.db'), maxBytes: 2 ** 26, maxAgeMs: 1e9, whenFull: 'refuse' } as const;
  spool = openSpool(options, { mayMoveAside: true, nowMs: Date.now() });
  log = keptLog();
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  spool.close();
  rmSync(root, { recursive: true, force: true });
});

const take: Take = async (events, how) => spool.accept(events, { ...how, nowMs: Date.now() });
function start(around: Partial<FolderSurroundings> = {}, every = 100): Folder {
  const folder = startFolder({ options: { path, every }, take, clock: systemClock, log: log.log, ...around });
  closers.push(() => folder.close());
  return folder;
}
const stored = () =>
  spool.database.prepare('SELECT id, what, when_us, source FROM event ORDER BY what, seq').all() as unknown as {
    id: string;
    what: string;
    when_us: number;
  }[];
const names = (folder = ''): string[] => {
  const whole = join(path, folder);
  return existsSync(whole) ? readdirSync(whole).toSorted() : [];
};
/** As who knows: written elsewhere, and moved in. */
function drop(name: string, content: unknown, changedSeconds?: number): void {
  const elsewhere = join(root, 'written');
  writeFileSync(elsewhere, typeof content === 'string' || Buffer.isBuffer(content) ? content : JSON.stringify(content));
  if (changedSeconds !== undefined) utimesSync(elsewhere, changedSeconds, changedSeconds);
  renameSync(elsewhere, join(path, name));
}
const readable = (name: string): boolean =>
  name.endsWith('.json') || readFileSync(join(path, 'rejected', name)).length > 0;
const settled = (folder: 'done' | 'rejected', count: number): Promise<unknown> => {
  const end = folder === 'done' ? '.json' : '.reason.txt';
  const there = (): string[] => names(folder).filter((name) => name.endsWith(end) && readable(name));
  return eventually(() => (there().length >= count ? true : undefined), `${count} in ${folder}`);
};
const reason = (name: string): string => readFileSync(join(path, 'rejected', `${name}.reason.txt`), 'utf8');

describe('a file in the drop folder', () => {
  it('is an event or a list of them, and is moved when they are in the spool', async () => {
    drop('before.json', { what: 'before', when: 1_700_000_000 });
    const folder = start();
    await settled('done', 1);
    drop('one.json', { what: 'one', id: 'x' }, 1_600_000_000.5);
    drop(
      'many.json',
      [
        { what: 'three', tags: ['a'] },
        { what: 'two', when: '-90m' },
      ],
      1_600_000_000,
    );
    await settled('done', 3);
    expect(stored()).toMatchObject([
      { what: 'before', when_us: 1_700_000_000e6, source: 'folder' },
      { what: 'one', when_us: 1_600_000_000.5e6, id: 'x' },
      { what: 'three', when_us: 1_600_000_000e6 },
      { what: 'two', when_us: (1_600_000_000 - 5400) * 1e6 },
    ]);
    expect(names()).toEqual(['.taking', 'done', 'rejected']);
    expect(names('.taking')).toEqual([]);
    expect(folder.counts()).toEqual({ taken: 3, rejected: 0 });
    expect(log.names()).toEqual(['events:watching']);
  });

  it('is noticed by the word of the kernel, and not at the next look alone', async () => {
    start({}, 3_600_000);
    await eventually(() => (names().includes('rejected') ? true : undefined), 'the first look');
    drop('one.json', { what: 'one' });
    await settled('done', 1);
    drop('two.json', { what: 'two' });
    await settled('done', 2);
  });

  it('is the same event when it comes back, and another when it is written again', async () => {
    start();
    const text = { what: 'deploy' };
    drop('deploy.json', text, 1_600_000_000);
    await settled('done', 1);
    renameSync(join(path, 'done', 'deploy.json'), join(path, 'deploy.json'));
    await settled('done', 1);
    drop('deploy.json', text, 1_600_000_001);
    await settled('done', 2);
    drop('other.json', [text, text], 1_600_000_001);
    await settled('done', 3);
    expect(stored().map((one) => one.when_us)).toEqual([
      1_600_000_000e6, 1_600_000_001e6, 1_600_000_001e6, 1_600_000_001e6,
    ]);
    // The name was taken in done/.
    expect(names('done')).toEqual(['deploy.1600000001000000000.json', 'deploy.json', 'other.json']);
  });

  it('of a process that was killed between taking and moving it adds nothing twice', async () => {
    mkdirSync(join(path, '.taking'));
    drop('.taking/deploy.json', [{ what: 'a' }, { what: 'b' }], 1_600_000_000);
    let calls = 0;
    const first = start({
      take: async (events, how) => {
        calls += 1;
        const receipts = await take(events, how);
        // From here on it is as if the process were dead: the file stays where it is.
        renameSync(join(path, '.taking', 'deploy.json'), join(root, 'kept'));
        return receipts;
      },
    });
    await eventually(() => (calls > 0 ? true : undefined), 'the events');
    await first.close();
    renameSync(join(root, 'kept'), join(path, '.taking', 'deploy.json'));
    start();
    await settled('done', 1);
    expect(stored().map(({ what }) => what)).toEqual(['a', 'b']);
  });

  it('that is replaced while the one before it is taken is another, and both are taken', async () => {
    let replaced = false;
    start({
      take: async (events, how) => {
        if (!replaced) drop('deploy.json', { what: 'second' }, 1_600_000_002);
        replaced = true;
        return take(events, how);
      },
    });
    drop('deploy.json', { what: 'first' }, 1_600_000_001);
    await settled('done', 2);
    expect(stored().map(({ what }) => what)).toEqual(['first', 'second']);
  });

  it('of any number is taken', async () => {
    for (let n = 0; n < 350; n++) drop(`${n}.json`, { what: `n${n}`, when: 1_600_000_000 + n });
    start({}, 3_600_000);
    await settled('done', 350);
    expect(stored()).toHaveLength(350);
  });

  it('that is written in place is waited for', async () => {
    start();
    writeFileSync(join(path, 'slow.json'), '');
    writeFileSync(join(path, 'half.json'), '{"what":"ha');
    await eventually(() => (names('.taking').length === 2 ? true : undefined), 'the half files');
    writeFileSync(join(path, '.taking', 'slow.json'), '{"what":"slow"}');
    await settled('done', 1);
    // One that stays half is rejected after two seconds.
    await settled('rejected', 1);
    expect(reason('half.json')).toMatch(/^the file ends too early, at character 12/);
    expect(stored()).toMatchObject([{ what: 'slow' }]);
  });
});

describe('a file that is no event', () => {
  it.each([
    ['no-json.json', 'deploy!', /^the file has "deploy" at character 1; expected a value/],
    ['unknown.json', { what: 'x', tag: 'y' }, /^unknown field "tag"; did you mean "tags"\?/],
    ['list.json', [{ what: 'good' }, { what: '' }], /^event 2 of 2: "what" is empty/],
    ['latin.json', Buffer.from('{"what":"caf\u00e9"}', 'latin1'), /^the file is no UTF-8 from its byte 13 on/],
    ['deep.json', '['.repeat(100_000), /^the file has more than 32 lists and maps/],
    ['large.json', JSON.stringify({ what: 'x', data: 'x'.repeat(2 ** 20) }), /^it is larger than 1048576 bytes/],
    ['ms.json', { what: 'x', when: 1_700_000_000_000 }, /looks like milliseconds/],
    ['proto.json', '{"what":"x","__proto__":{}}', /^unknown field "__proto__"/],
    ['list0.json', [], /^the list is empty/],
  ])('%s goes to rejected/ with its reason, and the others are taken', async (name, content, message) => {
    drop(name, content, 1_600_000_000);
    drop('good.json', { what: 'good' });
    const folder = start();
    await settled('rejected', 1);
    await settled('done', 1);
    expect(names('rejected')).toEqual([name, `${name}.reason.txt`]);
    expect(reason(name)).toMatch(message);
    expect(stored()).toHaveLength(1);
    expect(folder.counts()).toEqual({ taken: 1, rejected: 1 });
    expect(await log.next('events:rejected')).toMatchObject({
      folder: path,
      file: name,
      unsaid: 0,
      message: expect.stringMatching(message),
    });
  });

  it('because its id is taken, or its own time is in the future, neither', async () => {
    start();
    drop('a.json', { what: 'a', id: '1' });
    await settled('done', 1);
    drop('b.json', [{ what: 'b' }, { what: 'c', id: '1' }]);
    drop('future.json', { what: 'd' }, 4_000_000_000);
    await settled('rejected', 2);
    expect(reason('b.json')).toContain('the id "1" is that of an event with other content');
    expect(reason('future.json')).toMatch(/^"when", told by the time of the file, is .* in the future/);
    expect(stored()).toHaveLength(1);
  });

  it('because it is no file goes to rejected/, and nothing is read through it', async () => {
    const secret = join(root, 'secret');
    writeFileSync(secret, '{"what":"secret"}');
    symlinkSync(secret, join(path, 'link.json'));
    mkdirSync(join(path, 'folder.json'));
    execFileSync('mkfifo', [join(path, 'pipe.json')]);
    start();
    await settled('rejected', 3);
    for (const name of ['link.json', 'folder.json', 'pipe.json'])
      expect(reason(name)).toMatch(/^it is no regular file/);
    expect(stored()).toEqual([]);
    expect(readFileSync(secret, 'utf8')).toBe('{"what":"secret"}');
  });

  it('of many is one line of the log, and one that is rejected again has a name of its own', async () => {
    for (let n = 0; n < 50; n++) drop(`${n}.json`, 'x', 1_600_000_000);
    start();
    await settled('rejected', 50);
    expect(log.of('events:rejected').length).toBeLessThan(3);
    drop('1.json', 'x', 1_600_000_000);
    await settled('rejected', 51);
    expect(names('rejected')).toContain('1.1600000000000000000.json.reason.txt');
  });

  it('by its name is left alone', async () => {
    for (const name of ['.hidden.json', 'a.txt', 'b.json.tmp', 'json', '.json']) drop(name, { what: name });
    drop('last.json', { what: 'last' });
    start();
    await settled('done', 1);
    expect(names().filter((name) => name !== '.taking')).toEqual([
      '.hidden.json',
      '.json',
      'a.txt',
      'b.json.tmp',
      'done',
      'json',
      'rejected',
    ]);
    expect(stored()).toHaveLength(1);
  });
});

it('takes files of hostile names, which leave neither the folder nor their line of the log', async () => {
  const hostile = [
    'a\nb.json',
    '\u001b[2J.json',
    '..json',
    '...json',
    `${'x'.repeat(250)}.json`,
    "'; rm -rf . #.json",
    '%s%n.json',
    '-rf.json',
    '\u202e.json',
  ];
  // Names that begin with a dot are not looked at.
  const wanted = hostile.filter((name) => !name.startsWith('.'));
  for (const name of hostile) drop(name, 'x', 1_600_000_000);
  const bytes = Buffer.concat([Buffer.from(`${path}/`), Buffer.from([0xff, 0xfe]), Buffer.from('.json')]);
  writeFileSync(bytes, '{"what":"bytes"}');
  start();
  await settled('rejected', wanted.length);
  await settled('done', 1);
  expect(stored()).toMatchObject([{ what: 'bytes' }]);
  expect(readdirSync(join(path, 'done'), { encoding: 'buffer' }).map((name) => name.toString('hex'))).toEqual([
    'fffe2e6a736f6e',
  ]);
  const rejected = names('rejected');
  for (const name of wanted) expect(rejected).toContain(name);
  expect(rejected.filter((name) => name.endsWith('.reason.txt'))).toHaveLength(wanted.length);
  expect(readdirSync(root).toSorted()).toEqual(
    ['drop', ...readdirSync(root).filter((name) => name.startsWith('spool.db'))].toSorted(),
  );
});

describe('a folder that cannot be used', () => {
  it('because it is not there is said once, and used when it is', async () => {
    rmSync(path, { recursive: true });
    start();
    expect(await log.next('events:folder_failed')).toMatchObject({
      folder: path,
      code: 'E_NOT_FOUND',
      message: `"${path}" does not exist; make it, or correct events.folder.path`,
    });
    mkdirSync(path);
    await log.next('events:folder_works');
    drop('one.json', { what: 'one' });
    await settled('done', 1);
    // Made anew, it is another, and its first file is noticed too.
    rmSync(path, { recursive: true });
    await eventually(() => (log.of('events:folder_failed').length === 2 ? true : undefined), 'the second failure');
    mkdirSync(path);
    drop('two.json', { what: 'two' });
    await settled('done', 1);
    expect(stored()).toHaveLength(2);
  });

  it('because a name of its own is a link elsewhere moves nothing there', async () => {
    const elsewhere = join(root, 'elsewhere');
    mkdirSync(elsewhere);
    symlinkSync(elsewhere, join(path, 'done'));
    drop('one.json', { what: 'one' });
    start();
    expect(await log.next('events:folder_failed')).toMatchObject({
      code: 'E_DENIED',
      message: expect.stringContaining('no directory'),
    });
    expect(readdirSync(elsewhere)).toEqual([]);
    rmSync(join(path, 'done'));
    await settled('done', 1);
  });

  it('because the spool takes nothing leaves the file, and takes it later', async () => {
    let refusing = true;
    let calls = 0;
    start({
      take: (events, how) => {
        calls += 1;
        return refusing ? Promise.reject(new Failure('E_SPOOL', 'full')) : take(events, how);
      },
    });
    drop('one.json', { what: 'one' }, 1_600_000_000);
    drop('two.json', { what: 'two' }, 1_600_000_000);
    await eventually(() => (calls > 3 ? true : undefined), 'several attempts');
    expect(log.of('events:folder_failed')).toEqual([{ folder: path, code: 'E_SPOOL', message: 'full' }]);
    expect([names('done'), names('rejected'), stored()]).toEqual([[], [], []]);
    // What comes now stays where it is.
    drop('three.json', { what: 'three' }, 1_600_000_000);
    const seen = calls;
    await eventually(() => (calls > seen + 2 ? true : undefined), 'more attempts');
    expect(names()).toContain('three.json');
    expect(names('.taking')).toContain('one.json');
    refusing = false;
    await settled('done', 3);
    await log.next('events:folder_works');
    expect(stored()).toHaveLength(3);
  });
});

describe.runIf(isRoot)('a folder on a file system of its own', () => {
  function mounted(options: string): Tmpfs {
    path = join(root, 'mount');
    const mount = mountTmpfs(path, options);
    closers.push(mount.unmount);
    return mount;
  }

  it('that is read-only is said once, and nothing is taken over and over', async () => {
    const mount = mounted('size=1m');
    writeFileSync(join(path, 'one.json'), '{"what":"one"}');
    mount.remount('ro');
    let calls = 0;
    start({ take: (events, how) => take(events, how).finally(() => (calls += 1)) });
    expect(await log.next('events:folder_failed')).toMatchObject({
      code: 'E_DENIED',
      message: expect.stringContaining('read-only'),
    });
    expect([calls, stored()]).toEqual([0, []]);
    mount.remount('rw');
    await settled('done', 1);
    await log.next('events:folder_works');
    expect([calls, stored().length]).toEqual([1, 1]);
  });

  it('that is full takes what needs no space', async () => {
    mounted('size=64k,nr_inodes=40');
    for (const name of ['.taking', 'done', 'rejected']) mkdirSync(join(path, name));
    writeFileSync(join(path, 'bad.json'), 'x');
    writeFileSync(join(path, 'one.json'), '{"what":"one"}');
    utimesSync(join(path, 'bad.json'), 1, 1);
    try {
      for (let n = 0; ; n++) writeFileSync(join(path, `filler${n}`), Buffer.alloc(4096));
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
    }
    start();
    await settled('done', 1);
    // Its reason has no room; the log has it.
    expect(await log.next('events:rejected')).toMatchObject({
      file: 'bad.json',
      message: expect.stringContaining('expected a value'),
    });
    expect(await log.next('events:folder_failed')).toMatchObject({ message: expect.stringContaining('full') });
    await log.next('events:folder_works');
    expect(stored()).toHaveLength(1);
  });

  it('whose file may not be read goes to rejected/, seen by a daemon without privileges', async () => {
    drop('secret.json', { what: 'secret' });
    chmodSync(join(path, 'secret.json'), 0);
    chmodSync(root, 0o755);
    chmodSync(path, 0o777);
    const program = `
      const { startFolder } = await import(${JSON.stringify(new URL('../../src/events/in/folder.ts', import.meta.url).href)});
      const { systemClock } = await import(${JSON.stringify(new URL('../../src/clock.ts', import.meta.url).href)});
      process.setgid(65534); process.setuid(65534);
      startFolder({ options: { path: ${JSON.stringify(path)}, every: 100 }, take: async () => [], clock: systemClock,
        log: (name, fields) => process.send([name, fields]) });`;
    const args = [...endWithParent, '--input-type=module', '-e', program];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    closers.push(() => child.kill('SIGKILL'));
    await settled('rejected', 1);
    await eventually(
      () => (existsSync(join(path, 'rejected', 'secret.json.reason.txt')) ? true : undefined),
      'the reason',
    );
    expect(reason('secret.json')).toMatch(/^it may not be read by the user of the daemon/);
  });
});
