/** A machine on which systemd seems to run: what maintainer scripts ask of it is written down, and one service starts and stops. */
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const SCRIPT = `#!/bin/sh
echo "$*" >>/root/asked
case "$*" in
  *is-active*) test -e /root/active ;;
  *is-enabled*) echo enabled ;;
  *restart* | *start*) : >/root/active ;;
  *stop*) rm -f /root/active ;;
esac
`;

export interface RecordedSystemctl {
  /** What was asked to start, restart or stop since this was called last. */
  asked(): string[];
  isActive(): boolean;
  /** As an administrator does it. */
  stop(): void;
}

/** Below `root`, into which programs chroot. */
export function recordSystemctl(root: string): RecordedSystemctl {
  const active = join(root, 'root/active');
  const asked = join(root, 'root/asked');
  mkdirSync(join(root, 'run/systemd/system'), { recursive: true });
  writeFileSync(join(root, 'usr/bin/systemctl'), SCRIPT);
  chmodSync(join(root, 'usr/bin/systemctl'), 0o755);
  return {
    asked() {
      const text = existsSync(asked) ? readFileSync(asked, 'utf8') : '';
      rmSync(asked, { force: true });
      return [...text.matchAll(/\b(start|restart|stop) edgestatd\.service$/gm)].map(([, word = '']) => word);
    },
    isActive: () => existsSync(active),
    stop: () => rmSync(active, { force: true }),
  };
}
