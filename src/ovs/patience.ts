/** Gives what does not answer its own time, so that one daemon that hangs does not take the whole run with it. */
import { Failure } from '../errors.ts';
import { quoted } from '../text.ts';
import type { Unixctl } from './unixctl.ts';

/** The same control socket, which ends with `E_TIMEOUT` when a command is not answered within this time. */
export function patient(control: Unixctl, daemon: string, seconds: number): Unixctl {
  let late: Failure | undefined;
  return {
    pid: control.pid,
    async call(command, ...args) {
      if (late !== undefined) throw late;
      const { promise, reject } = Promise.withResolvers<never>();
      const timer = setTimeout(() => {
        const what = `${daemon} (pid ${control.pid}) did not answer ${quoted(command)} within ${seconds} s`;
        late ??= new Failure('E_TIMEOUT', `${what}; is it stopped or overloaded?`);
        reject(late);
        control.close();
      }, seconds * 1000);
      try {
        return await Promise.race([promise, control.call(command, ...args)]);
      } catch (thrown) {
        // What was asked meanwhile fails with the connection, for the same reason.
        throw late ?? thrown;
      } finally {
        clearTimeout(timer);
      }
    },
    close: () => control.close(),
  };
}
