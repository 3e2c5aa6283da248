/** What BusyBox's cat(1) says of files that it cannot read must not pass for what they hold. Needs root. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { Failure } from '../src/errors.ts';
import { sshTargetOptions } from '../src/hosts/ssh-options.ts';
import { sshTarget } from '../src/hosts/ssh-target.ts';
import { shellLink } from './support/shell-wire.ts';

const directory = mkdtempSync(join(tmpdir(), 'edgestatd-busybox-'));
chmodSync(directory, 0o755);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

it.runIf(process.getuid?.() === 0)('tells a failure from a content, in each place', async () => {
  for (const name of ['one', 'two', "it's"]) writeFileSync(join(directory, name), `${name}\n`);
  for (const name of ['secret', "its' secret"]) writeFileSync(join(directory, name), 'no\n', { mode: 0o600 });
  // A downed device: read(2) of its carrier is EINVAL.
  const begin = [
    'mount --bind "$(command -v busybox)" /bin/cat',
    'ip link set lo down',
    'exec setpriv --reuid=65534 --regid=65534 --clear-groups /bin/sh',
  ].join(' && ');
  const link = shellLink({
    login: ['unshare', '--mount', '--net', '/bin/sh', '-c', `mount -t sysfs none /sys && ${begin}`],
  });
  const { type, name, groups, jump, ...options } = sshTargetOptions.parse({ type: 'ssh' });
  const target = sshTarget('far', { ...options, host: 'far.example' }, link);
  const end = new AbortController();
  const host = target.open(end.signal);
  try {
    const files = ['one', 'secret', 'two', "its' secret", "it's", 'none'].map((file) => join(directory, file));
    const carrier = '/sys/class/net/lo/carrier';
    const [one, secret, two, odd, quote, none, downed, last] = await host.readFiles([
      ...files,
      carrier,
      files[0] ?? '',
    ]);
    expect([one, two, quote, last]).toEqual(['one\n', 'two\n', "it's\n", 'one\n']);
    expect([secret, odd, none, downed].map((text) => (text instanceof Failure ? text.code : text))).toEqual([
      ...['E_DENIED', 'E_DENIED', 'E_NOT_FOUND', 'E_NOT_FOUND'],
    ]);
  } finally {
    end.abort(new Failure('E_ABORTED', 'over'));
    await host.settled();
    await target.close();
    link.close();
  }
});
