/** A connection that is kept: opened once, opened again, held back when that fails; shared by who needs it. */
import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { asFailure, Failure } from '../src/errors.ts';
import type { Stage } from '../src/hosts/ssh-failures.ts';
import { createLink, type Surroundings } from '../src/hosts/ssh-link.ts';
import { createLinks } from '../src/hosts/ssh-links.ts';
import type { SshSettings } from '../src/hosts/ssh-options.ts';
import type { Wire } from '../src/hosts/ssh-wire.ts';
import { type FakeClock, fakeClock } from './support/fake-clock.ts';

const settings: SshSettings = {
  host: 'hv01',
  port: 22,
  user: 'edgestatd',
  knownHostsFile: '/none',
  hostKeys: 'strict',
  sudo: [],
  commands: 'shell',
  maxSessions: 8,
};
const never = new AbortController().signal;

interface Dialled {
  readonly settings: SshSettings;
  readonly until: AbortSignal;
  readonly through: Wire | undefined;
  /** How far it has come. */
  told(stage: Stage): void;
  succeed(): Wire;
  fail(failure: Failure): void;
  /** The connection breaks. */
  break(failure: Failure): Promise<void>;
  isEnded: boolean;
}

/** Dials nobody: the test says what comes of it. */
function setUp(clock: FakeClock = fakeClock()) {
  const dials: Dialled[] = [];
  const dial: Surroundings['dial'] = (asked, until, through, { told = () => {} } = {}) => {
    const answer = Promise.withResolvers<Wire>();
    const ended = Promise.withResolvers<Failure>();
    until.addEventListener('abort', () => answer.reject(until.reason));
    const one: Dialled = {
      settings: asked,
      until,
      through,
      told,
      isEnded: false,
      succeed() {
        const none = (): Promise<never> => Promise.reject(new Error('not in this test'));
        const end = (): void => {
          one.isEnded = true;
          ended.resolve(new Failure('E_ABORTED', 'ended here'));
        };
        const wire: Wire = { exec: none, connectUnix: none, connectTcp: none, ended: ended.promise, end };
        answer.resolve(wire);
        return wire;
      },
      fail: (failure) => answer.reject(failure),
      async break(failure) {
        ended.resolve(failure);
        await clock.advance(0);
      },
    };
    dials.push(one);
    return answer.promise;
  };
  return { clock, dials, dial, link: createLink(settings, { clock, dial, random: () => 1 }) };
}

const refused = new Failure('E_CONNECT', 'refused');
const last = (dials: Dialled[]): Dialled => dials.at(-1) as Dialled;

describe('a link', () => {
  it('dials nobody before it is asked, once for all who ask, and keeps what it has', async () => {
    const { clock, dials, link } = setUp();
    expect(dials).toHaveLength(0);
    const asked = [link.wire(never), link.wire(never)];
    await clock.advance(0);
    expect(dials).toHaveLength(1);
    const wire = last(dials).succeed();
    expect(await Promise.all(asked)).toEqual([wire, wire]);
    await clock.advance(3_600_000);
    expect(await link.wire(never)).toBe(wire);
    expect(dials).toHaveLength(1);
    expect(clock.timers).toBe(0);
  });

  it('ends a wait at its deadline, and not the attempt', async () => {
    const { clock, dials, link } = setUp();
    const control = new AbortController();
    const asked = link.wire(control.signal).catch(asFailure);
    const patient = link.wire(never);
    await clock.advance(1000);
    const late = new Failure('E_TIMEOUT', 'the deadline of a run');
    control.abort(late);
    expect(await asked).toMatchObject({
      code: 'E_TIMEOUT',
      message: expect.stringMatching(/^the deadline of a run before there was a connection: ssh edgestatd@hv01:22 /),
    });
    expect(last(dials).until.aborted).toBe(false);
    expect(await link.wire(control.signal).catch((error) => error)).toBe(late);
    const wire = last(dials).succeed();
    expect(await patient).toBe(wire);
  });

  it('says to whom its deadline ends the wait what is waited for, and what was wrong before', async () => {
    const { clock, dials, link } = setUp();
    const first = link.wire(never).catch(asFailure);
    await clock.advance(0);
    last(dials).fail(refused);
    await first;
    await clock.advance(1000);
    const control = new AbortController();
    const asked = link.wire(control.signal).catch(asFailure);
    const stopped = new AbortController();
    const reloaded = link.wire(stopped.signal).catch(asFailure);
    await clock.advance(0);
    last(dials).told('greeting');
    control.abort(new Failure('E_TIMEOUT', 'the deadline of 2 s passed'));
    expect(await asked).toMatchObject({
      code: 'E_TIMEOUT',
      message:
        'the deadline of 2 s passed before there was a connection: ssh edgestatd@hv01:22 takes the connection and does ' +
        'not greet in time; its sshd hangs, or something else listens there; the attempt before: refused',
    });
    const reload = new Failure('E_ABORTED', 'the daemon reloads');
    stopped.abort(reload);
    expect(await reloaded).toBe(reload);
    link.close();
  });

  it('says so of the machine on the way, and of its turn', async () => {
    const { clock, dials, dial } = setUp();
    const way = createLink(settings, { clock, dial });
    const turn = (until: AbortSignal): Promise<() => void> =>
      new Promise((_, reject) => until.addEventListener('abort', () => reject(until.reason)));
    const link = createLink({ ...settings, host: 'hv02', through: settings }, { clock, dial, through: way, turn });
    const late = async (): Promise<string> => {
      const control = new AbortController();
      const asked = link.wire(control.signal).catch(asFailure);
      await clock.advance(0);
      control.abort(new Failure('E_TIMEOUT', 'the deadline of 2 s passed'));
      return ((await asked) as Failure).message;
    };
    const place = 'the deadline of 2 s passed before there was a connection: ssh edgestatd@hv02:22 through hv01:22';
    expect(await late()).toBe(`${place} waits for the machine on the way`);
    last(dials).succeed();
    await clock.advance(0);
    expect(await late()).toBe(`${place} waits for other logins`);
    link.close();
    way.close();
  });

  it('ends an attempt after ten seconds, whoever waits', async () => {
    const { clock, dials, link } = setUp();
    const asked = link.wire(never).catch(asFailure);
    await clock.advance(9_999);
    expect(last(dials).until.aborted).toBe(false);
    await clock.advance(1);
    expect(await asked).toMatchObject({ code: 'E_TIMEOUT' });
    expect(clock.timers).toBe(0);
  });

  it('holds attempts back after failures, ever longer up to two minutes, and says the last one meanwhile', async () => {
    const { clock, dials, link } = setUp();
    const pauses: number[] = [];
    for (let failure = 0; failure < 10; failure++) {
      const asked = link.wire(never).catch(asFailure);
      await clock.advance(0);
      last(dials).fail(refused);
      expect(await asked).toBe(refused);
      const fromMs = clock.monotonicMs();
      const count = dials.length;
      while (dials.length === count) {
        const again = link.wire(never).catch(asFailure);
        await clock.advance(0);
        if (dials.length > count) {
          last(dials).fail(refused);
          await again;
        } else {
          expect(await again).toBe(refused);
          await clock.advance(500);
        }
      }
      pauses.push(clock.monotonicMs() - fromMs);
    }
    expect(pauses.slice(0, 2)).toEqual([1000, 2000]);
    expect(Math.max(...pauses)).toBe(120_000);
    expect(pauses.at(-1)).toBe(120_000);
  });

  it('waits at least for the half of a pause, by chance', async () => {
    const clock = fakeClock();
    const { dials, dial } = setUp(clock);
    const link = createLink(settings, { clock, dial, random: () => 0 });
    const asked = link.wire(never).catch(asFailure);
    await clock.advance(0);
    last(dials).fail(refused);
    await asked;
    await clock.advance(499);
    await link.wire(never).catch(asFailure);
    expect(dials).toHaveLength(1);
    await clock.advance(1);
    const second = link.wire(never);
    await clock.advance(0);
    last(dials).succeed();
    await second;
    expect(dials).toHaveLength(2);
  });

  it('dials at once after a connection that had lasted', async () => {
    const { clock, dials, link } = setUp();
    for (let turn = 0; turn < 3; turn++) {
      const asked = link.wire(never);
      await clock.advance(0);
      last(dials).succeed();
      await asked;
      await clock.advance(10_000);
      await last(dials).break(new Failure('E_CONNECT', 'reset'));
    }
    expect(dials).toHaveLength(3);
  });

  it('holds attempts back after one that had not', async () => {
    const { clock, dials, link } = setUp();
    const asked = link.wire(never);
    await clock.advance(0);
    last(dials).succeed();
    await asked;
    await clock.advance(9_000);
    const reset = new Failure('E_CONNECT', 'reset');
    await last(dials).break(reset);
    expect(await link.wire(never).catch(asFailure)).toBe(reset);
    await clock.advance(1000);
    link.wire(never).catch(asFailure);
    await clock.advance(0);
    expect(dials).toHaveLength(2);
    link.close();
  });

  it('does so for five seconds at most where it was let in', async () => {
    const { clock, dials, link } = setUp();
    for (let turn = 1; turn <= 12; turn++) {
      const asked = link.wire(never);
      await clock.advance(0);
      expect(dials).toHaveLength(turn);
      last(dials).succeed();
      await asked;
      await last(dials).break(new Failure('E_CONNECT', 'closed'));
      await clock.advance(5000);
    }
  });

  it('is over when it is closed, also in the middle of an attempt', async () => {
    const { clock, dials, link } = setUp();
    const asked = link.wire(never).catch(asFailure);
    await clock.advance(0);
    link.close();
    expect(await asked).toMatchObject({ code: 'E_ABORTED' });
    expect(await link.wire(never).catch(asFailure)).toMatchObject({ code: 'E_ABORTED' });
    expect(dials).toHaveLength(1);
    expect(clock.timers).toBe(0);

    const open = setUp(clock);
    const wire = open.link.wire(never);
    await clock.advance(0);
    last(open.dials).succeed();
    await wire;
    open.link.close();
    expect(last(open.dials).isEnded).toBe(true);
  });

  it('ends a connection that comes when it is closed already', async () => {
    const { clock, dials, link } = setUp();
    const asked = link.wire(never).catch(asFailure);
    await clock.advance(0);
    last(dials).succeed();
    link.close();
    expect(await asked).toMatchObject({ code: 'E_ABORTED' });
    expect(last(dials).isEnded).toBe(true);
  });
});

describe('a link through another', () => {
  it('is not held back by what that one suffers, and says it', async () => {
    const clock = fakeClock();
    const { dials, dial } = setUp(clock);
    const way = createLink(settings, { clock, dial, random: () => 1 });
    const link = createLink({ ...settings, host: 'hv02', through: settings }, { clock, dial, through: way });
    const asked = link.wire(never).catch(asFailure);
    await clock.advance(0);
    expect(dials.map((one) => one.settings.host)).toEqual(['hv01']);
    last(dials).fail(refused);
    expect(await asked).toMatchObject({
      code: 'E_CONNECT',
      message: 'ssh edgestatd@hv02:22 through hv01:22 is not reached: refused',
    });
    await clock.advance(1000);
    const again = link.wire(never);
    await clock.advance(9_000);
    const between = last(dials).succeed();
    // The time of the way is not taken from what comes behind it.
    await clock.advance(9_000);
    expect(last(dials)).toMatchObject({ settings: { host: 'hv02' }, through: between });
    expect(last(dials).until.aborted).toBe(false);
    const wire = last(dials).succeed();
    expect(await again).toBe(wire);
  });
});

describe('links', () => {
  it('are one for equal settings, and end with their last user', async () => {
    const clock = fakeClock();
    const { dials, dial } = setUp(clock);
    const links = createLinks(clock, dial);
    const through = { ...settings };
    const behind = ['hv02', 'hv03'].map((host) => links.take({ ...settings, host, through }));
    // The same, written in another order.
    const jump = links.take(Object.fromEntries(Object.entries(settings).toReversed()) as unknown as SshSettings);
    const asked = behind.map(({ link }) => link.wire(never));
    await clock.advance(0);
    expect(dials.map((one) => one.settings.host)).toEqual(['hv01']);
    const wire = last(dials).succeed();
    await clock.advance(0);
    expect(dials.map((one) => one.settings.host)).toEqual(['hv01', 'hv02', 'hv03']);
    for (const one of dials.slice(1)) one.succeed();
    await Promise.all(asked);
    expect(await jump.link.wire(never)).toBe(wire);

    behind[0]?.release();
    behind[0]?.release();
    expect(dials.map((one) => one.isEnded)).toEqual([false, true, false]);
    jump.release();
    expect(dials.map((one) => one.isEnded)).toEqual([false, true, false]);
    behind[1]?.release();
    expect(dials.map((one) => one.isEnded)).toEqual([true, true, true]);
    expect(links.take(settings).link).not.toBe(jump.link);
  });

  it('load no library before one is used', () => {
    const module = new URL('../src/hosts/ssh-links.ts', import.meta.url).href;
    const program = `
      const { createRequire } = await import('node:module');
      const { createLinks } = await import(${JSON.stringify(module)});
      const { systemClock } = await import(${JSON.stringify(new URL('../src/clock.ts', import.meta.url).href)});
      createLinks(systemClock).take(${JSON.stringify(settings)});
      console.log(Object.keys(createRequire(${JSON.stringify(module)}).cache).length);`;
    const argv = ['--input-type=module', '-e', program];
    expect(execFileSync(process.execPath, argv, { encoding: 'utf8' })).toBe('0\n');
  });

  it('differ where anything of their settings does', () => {
    const links = createLinks(fakeClock());
    const { link } = links.take(settings);
    for (const more of [{ user: 'root' }, { port: 2222 }, { through: settings }, { keyFile: '/k' }]) {
      expect(links.take({ ...settings, ...more }).link).not.toBe(link);
    }
  });
});
