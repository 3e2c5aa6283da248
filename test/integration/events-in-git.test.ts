/** Real repositories, made by the real git, in a directory of their own. */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { eventsOfGit } from '../../src/events/in/git.ts';
import type { ImportRow } from '../../src/events/in/import-rows.ts';

let root: string;
let repo: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'edgestatd-git-'));
  repo = join(root, 'web shop');
  mkdirSync(repo);
  git(['init', '-q', '-b', 'main']);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true, force: true });
});

/** Each commit and tag gets the time that is given, in seconds. */
function git(args: readonly string[], atSeconds = 1_600_000_000, cwd = repo, input = ''): string {
  const date = `${atSeconds} +0230`;
  const env = {
    ...{ PATH: process.env.PATH, HOME: root, GIT_CONFIG_NOSYSTEM: '1' },
    ...{ GIT_AUTHOR_NAME: 'A', GIT_AUTHOR_EMAIL: 'a@example.org', GIT_AUTHOR_DATE: '1500000000 +0000' },
    ...{ GIT_COMMITTER_NAME: 'C', GIT_COMMITTER_EMAIL: 'c@example.org', GIT_COMMITTER_DATE: date },
  };
  return execFileSync('git', [...args], { cwd, env, input, encoding: 'utf8', stdio: 'pipe' }).trim();
}
const commit = (message: string, atSeconds?: number): string => {
  git(['commit', '-q', '--allow-empty', '--cleanup=verbatim', '-F', '-'], atSeconds, repo, message);
  return git(['rev-parse', 'HEAD']);
};
const events = (tags: readonly string[] = [], path = repo) =>
  eventsOfGit({ repo: path, tags, nowUs: Date.UTC(2026, 10, 1) * 1000, deadline: AbortSignal.timeout(20_000) });
const shown = (row: ImportRow): unknown => ('event' in row ? row.event.what : row.fault.message);

describe('the tags of a git repository', () => {
  it('are events: at the time of the tagger, or else of the committer', async () => {
    const first = commit('First subject\n\nand more', 1_600_000_000);
    git(['tag', 'v1.0.0']);
    const second = commit('Second', 1_600_001_000);
    git(['tag', '-a', 'v1.1.0', '-m', 'Release 1.1\nof today\n\nNotes', first], 1_600_099_000);
    git(['tag', 'other'], 0);
    const { rows, skipped } = await events(['v*']);
    const tag = git(['rev-parse', 'v1.1.0']);
    expect(skipped).toEqual([]);
    expect(rows.map((row) => 'event' in row && row.event)).toEqual([
      {
        id: `git:web shop:v1.0.0:${first}`,
        what: 'v1.0.0',
        tags: ['release', 'web_shop'],
        data: `First subject\ncommit ${first.slice(0, 12)}`,
        whenUs: 1_600_000_000e6,
        isRelative: false,
      },
      {
        id: `git:web shop:v1.1.0:${tag}`,
        what: 'v1.1.0',
        tags: ['release', 'web_shop'],
        data: `Release 1.1 of today\ncommit ${first.slice(0, 12)}`,
        whenUs: 1_600_099_000e6,
        isRelative: false,
      },
    ]);
    expect((await events()).rows.map(shown)).toEqual(['other', 'v1.0.0', 'v1.1.0']);
    expect((await events(['other'])).rows[0]).toMatchObject({
      event: { whenUs: 1_600_001_000e6, data: `Second\ncommit ${second.slice(0, 12)}` },
    });
  });

  it('are the same events from wherever the repository is read, and in a bare clone', async () => {
    commit('First');
    git(['tag', 'v1']);
    mkdirSync(join(repo, 'src'));
    git(['clone', '-q', '--bare', repo, join(root, 'bare', 'web shop.git')]);
    git(['worktree', 'add', '-q', join(root, 'elsewhere')]);
    const [row] = (await events()).rows;
    expect(row).toHaveProperty('event.id');
    for (const path of ['src', '.git', '../bare/web shop.git', '../elsewhere', '.'].map((one) => `${repo}/${one}`)) {
      expect((await events([], path)).rows).toEqual([row]);
    }
    // A hook has these, of the repository that it belongs to.
    vi.stubEnv('GIT_DIR', '/nonexistent');
    vi.stubEnv('GIT_TRACE', '1');
    expect((await events()).rows).toEqual([row]);
  });

  it('that stand for no commit are skipped, and told', async () => {
    commit('First');
    writeFileSync(join(repo, 'file'), 'x');
    git(['add', 'file']);
    commit('Second');
    git(['tag', 'blob', 'HEAD:file']);
    git(['tag', 'tree', 'HEAD^{tree}']);
    git(['tag', '-a', '-m', 'x', 'annotated-blob', 'HEAD:file']);
    git(['tag', 'v1']);
    git(['tag', '-a', '-m', 'inner', 'inner']);
    git(['tag', '-a', '-m', 'outer', 'outer', 'inner']);
    const { rows, skipped } = await events();
    expect(rows.map(shown)).toEqual(['inner', 'outer', 'v1']);
    expect(skipped).toEqual([
      { tag: 'annotated-blob', reason: 'it is the tag of a blob' },
      { tag: 'blob', reason: 'it is the tag of a blob' },
      { tag: 'tree', reason: 'it is the tag of a tree' },
    ]);
  });

  it('with hostile names and messages are events all the same', async () => {
    commit('say "x", \u001b[2J\u0085; $(touch /tmp/pwned)\nstill the subject\n\nbody');
    const names = [
      '"quoted",a,b',
      "it's;$(touch pwned)",
      'ü/1.0',
      '-v',
      '--exec=touch pwned',
      '%(objectname)',
      'a\u0085b',
      'x'.repeat(200),
    ];
    const wanted = names.filter((name) => !/[ ~^:?*[\\]/.test(name));
    for (const name of wanted) git(['update-ref', `refs/tags/${name}`, 'HEAD']);
    const { rows } = await events();
    expect(rows.map(shown).toSorted()).toEqual(wanted.map((name) => name.replace('\u0085', ' ')).toSorted());
    for (const row of rows) {
      if (!('event' in row)) throw row.fault;
      expect(row.event.id.length).toBeLessThanOrEqual(128);
      expect(row.event.data).toMatch(
        /^say "x", {1,2}\[2J ; \$\(touch \/tmp\/pwned\) still the subject\ncommit [0-9a-f]{12}$/,
      );
    }
  });

  it('with times that are none are faults of their own', async () => {
    commit('good');
    git(['tag', 'good']);
    const tree = git(['rev-parse', 'HEAD^{tree}']);
    const made = (date: string): string =>
      git(
        ['hash-object', '-t', 'commit', '-w', '--stdin', '--literally'],
        0,
        repo,
        `tree ${tree}\nauthor A <a@b> 1 +0000\ncommitter C <c@b> ${date}\n\nx\n`,
      );
    git(['update-ref', 'refs/tags/far', made('99999999999 +0000')]);
    git(['update-ref', 'refs/tags/none', made('never')]);
    git(['update-ref', 'refs/tags/y9999', made('253370764800 +0000')]);
    expect((await events()).rows.map(shown)).toEqual([
      expect.stringMatching(/^tag "far": "when" is .* in the future/),
      'good',
      expect.stringMatching(/^tag "none": neither it nor its commit has a time/),
      expect.stringMatching(/^tag "y9999": "when" is /),
    ]);
  });

  it('with an annotated tag that has no tagger, as old ones, have the time of the commit', async () => {
    const hash = commit('first', 1_600_000_123);
    const tag = git(
      ['hash-object', '-t', 'tag', '-w', '--stdin', '--literally'],
      0,
      repo,
      `object ${hash}\ntype commit\ntag v0\n\nOld release\n`,
    );
    git(['update-ref', 'refs/tags/v0', tag]);
    expect((await events()).rows).toMatchObject([
      { event: { what: 'v0', whenUs: 1_600_000_123e6, data: `Old release\ncommit ${hash.slice(0, 12)}` } },
    ]);
  });
});

describe('a repository', () => {
  it('runs nothing of its own: no hook, monitor, pager or transport', async () => {
    commit('first');
    git(['tag', '-a', '-m', 'one', 'v1']);
    const proof = join(root, 'ran');
    const trap = join(root, 'trap');
    writeFileSync(trap, `#!/bin/sh\ntouch '${proof}'\nexit 1\n`);
    chmodSync(trap, 0o755);
    const settings = {
      ...{ 'core.fsmonitor': trap, 'core.pager': trap, 'pager.for-each-ref': 'true', 'core.sshCommand': trap },
      ...{ 'core.editor': trap, 'gpg.program': trap, 'core.gitProxy': trap, 'core.hooksPath': join(root, 'hooks') },
      // A partial clone: what is missing is fetched.
      ...{ 'core.repositoryformatversion': '1', 'extensions.partialClone': 'origin', 'remote.origin.promisor': 'true' },
      ...{ 'remote.origin.url': `ext::${trap}`, 'protocol.ext.allow': 'always', 'remote.origin.uploadpack': trap },
    };
    for (const [name, value] of Object.entries(settings)) git(['config', name, value]);
    expect((await events()).rows.map(shown)).toEqual(['v1']);
    // Its object is gone: git would ask the remote for it.
    const hash = git(['rev-parse', 'v1']);
    rmSync(join(repo, '.git/objects', hash.slice(0, 2), hash.slice(2)));
    await expect(events()).rejects.toMatchObject({ code: 'E_EXIT' });
    expect(existsSync(proof)).toBe(false);
    // Else it would: the traps are real.
    expect(() => git(['for-each-ref', '--format=%(contents:subject)', 'refs/tags/'])).toThrow();
    expect(existsSync(proof)).toBe(true);
  });

  it('that is none, or has no such tags, is one clear error', async () => {
    await expect(events()).rejects.toMatchObject({
      code: 'E_NOT_FOUND',
      message: expect.stringContaining('no tag: it has none'),
    });
    commit('first');
    git(['tag', 'v1']);
    await expect(events(['x*'])).rejects.toThrow('has no tag that matches "x*": it has 1, such as "v1"');
    await expect(events([], root)).rejects.toMatchObject({
      code: 'E_NOT_FOUND',
      message: `"${root}" is no git repository, and in none`,
    });
    await expect(events([], join(root, 'nowhere'))).rejects.toThrow('is no directory');
    await expect(events([], '-v')).rejects.toThrow('is no directory');
    await expect(events([], '')).rejects.toThrow('has no path');
  });

  it('whose git hangs is given up', async () => {
    const bin = join(root, 'bin');
    mkdirSync(bin);
    writeFileSync(join(bin, 'git'), '#!/bin/sh\nexec sleep 600\n', { mode: 0o755 });
    vi.stubEnv('PATH', `${bin}:${process.env.PATH}`);
    const late = eventsOfGit({ repo, tags: [], nowUs: 0, deadline: AbortSignal.timeout(300) });
    await expect(late).rejects.toMatchObject({ code: 'E_TIMEOUT', message: 'git: it took too long' });
  });

  it.runIf(process.getuid?.() === 0)('of another user is refused with what to do', async () => {
    commit('first');
    git(['tag', 'v1']);
    for (const path of [repo, join(repo, '.git')]) chownSync(path, 65534, 65534);
    await expect(events()).rejects.toMatchObject({
      code: 'E_DENIED',
      message: expect.stringContaining('git config --global --add safe.directory'),
    });
  });
});
