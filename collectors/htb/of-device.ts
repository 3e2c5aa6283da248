import { Failure } from '../../src/errors.ts';
import { quoted } from '../../src/text.ts';

/** A problem of one device leaves nothing unknown about the others. */
export function ofDevice({ code, message, evidence }: Failure, device: string): Failure {
  return new Failure(code, `device ${quoted(device)}: ${message}`, { ...evidence, labels: { device } });
}
