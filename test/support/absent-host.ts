/** A host on which there is nothing: what a test does not give an answer for does not exist. */
import type { Host } from '../../src/collector.ts';
import { Failure } from '../../src/errors.ts';

const absent = async (): Promise<never> => {
  throw new Failure('E_NOT_FOUND', 'there is nothing on this machine');
};

export const absentHost: Host = {
  name: 'hv01',
  run: absent,
  outcome: absent,
  readFile: absent,
  readFiles: absent,
  readPart: absent,
  list: absent,
  connect: absent,
  getJson: absent,
  getText: absent,
  netlink: absent,
  keep() {
    throw new Failure('E_NOT_FOUND', 'there is nothing on this machine');
  },
};
