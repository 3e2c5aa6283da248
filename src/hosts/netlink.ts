/** rtnetlink(7) dumps of this machine's kernel, by libc through koffi. */
import type { NetlinkRequest } from '../collector.ts';
import { Failure } from '../errors.ts';

export interface Rtnetlink {
  /** The messages of one dump, several in each buffer, without the final `NLMSG_DONE`. */
  dump(request: NetlinkRequest): Promise<readonly Uint8Array[]>;
  close(): void;
}

export function createRtnetlink(): Rtnetlink {
  return {
    async dump() {
      throw new Failure('E_NOT_FOUND', 'netlink needs the optional package koffi, which is not installed');
    },
    close() {},
  };
}
