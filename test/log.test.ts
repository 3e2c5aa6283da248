import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { text as readAll } from 'node:stream/consumers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hider, type LogOptions } from '../src/log.ts';
import type { EventMap } from '../src/log-events.ts';

const module = new URL('../src/log.ts', import.meta.url).href;
const program = (body: string): string[] => [
  '--input-type=module',
  '-e',
  `import { createLogger } from ${JSON.stringify(module)};
   const [options, data] = JSON.parse(process.env.GIVEN);
   const logger = createLogger(options);
   ${body}`,
];

type Said = { [Name in keyof EventMap]: readonly [Name, EventMap[Name]] }[keyof EventMap];

const standard: LogOptions = { level: 'debug', descriptor: 1, form: 'json', colour: false };

/** What a process writes that logs these events; the loggers write to descriptors, which only a process has to itself. */
function said(
  events: readonly Said[],
  { secrets = [], ...options }: Partial<LogOptions> & { readonly secrets?: readonly string[] } = {},
) {
  const body = `
    logger.hide(data.secrets);
    for (const [event, fields] of data.events) logger.log(event, fields);
    await logger.flush();`;
  const given = JSON.stringify([
    { ...standard, ...options },
    { events, secrets },
  ]);
  const { stdout, stderr, status } = spawnSync(process.execPath, program(body), {
    env: { GIVEN: given },
    encoding: 'utf8',
  });
  expect(status, stderr).toBe(0);
  return { stdout, stderr };
}

/** Each line as JSON. */
function parsed(stdout: string): Record<string, unknown>[] {
  expect(stdout.endsWith('\n')).toBe(true);
  return stdout
    .slice(0, -1)
    .split('\n')
    .map((line) => JSON.parse(line));
}

const failed = (message: string): Said => ['run:failed', { job: 'j', target: 't', code: 'E_PARSE', message }];
const one: readonly Said[] = [
  ['sink:in_pace', { sink: 's' }],
  ['run:problem', { job: 'j', target: 't', code: 'E_PARSE', message: 'm' }],
  failed('m'),
  ['daemon:crashed', { message: 'm' }],
];

describe('JSON lines', () => {
  it('carry level, time, event and fields', () => {
    const started: Said = ['daemon:started', { version: '1.2.3', config: '/c.yaml', jobs: 2, sinks: 1, node: 'v24' }];
    const { stdout, stderr } = said([started, failed('line 3 has no colon')]);
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(parsed(stdout)).toEqual([
      {
        level: 'info',
        time,
        event: 'daemon:started',
        version: '1.2.3',
        config: '/c.yaml',
        jobs: 2,
        sinks: 1,
        node: 'v24',
      },
      {
        level: 'error',
        time,
        event: 'run:failed',
        job: 'j',
        target: 't',
        code: 'E_PARSE',
        message: 'line 3 has no colon',
      },
    ]);
    expect(stderr).toBe('');
  });

  it('go to stderr when stdout is needed for something else', () => {
    const { stdout, stderr } = said([failed('m')], { descriptor: 2 });
    expect(stdout).toBe('');
    expect(parsed(stderr)).toHaveLength(1);
  });
});

describe('levels', () => {
  it.each([
    ['debug', ['info', 'warn', 'error', 'fatal']],
    ['info', ['info', 'warn', 'error', 'fatal']],
    ['warn', ['warn', 'error', 'fatal']],
    ['error', ['error', 'fatal']],
    ['fatal', ['fatal']],
  ] as const)('from %s on are written', (level, seen) => {
    expect(parsed(said(one, { level }).stdout).map((line) => line.level)).toEqual(seen);
  });

  it('can be changed while it runs', () => {
    const body = `
      const say = (sink) => logger.log('sink:in_pace', { sink });
      say('first');
      logger.setLevel('error');
      say('second');
      logger.setLevel('debug');
      say('third');
      await logger.flush();`;
    const env = { GIVEN: JSON.stringify([standard, null]) };
    const { stdout } = spawnSync(process.execPath, program(body), { env, encoding: 'utf8' });
    expect(parsed(stdout).map((line) => line.sink)).toEqual(['first', 'third']);
  });
});

describe('for journald', () => {
  it('each line begins with the prefix of its level', () => {
    const { stdout } = said(one, { form: 'journald' });
    const lines = stdout.trimEnd().split('\n');
    expect(lines.map((line) => line.slice(0, 3))).toEqual(['<6>', '<4>', '<3>', '<2>']);
    expect(parsed(`${lines.map((line) => line.slice(3)).join('\n')}\n`).map((line) => line.level)).toEqual([
      'info',
      'warn',
      'error',
      'fatal',
    ]);
  });
});

describe('for people', () => {
  it('time, level, event and message come first', () => {
    const { stdout } = said([failed('no colon')], { form: 'pretty' });
    expect(stdout).toMatch(/^\d\d:\d\d:\d\d\.\d{3} error run:failed no colon job=j target=t code=E_PARSE\n$/);
  });

  it('colours are used only where they are wanted', () => {
    const { stdout } = said([failed('no colon')], { form: 'pretty', colour: true });
    expect(stdout).toContain('\u001b[31merror\u001b[0m');
    expect(stdout.replace(/\u001b\[[0-9;]*m/g, '')).toMatch(/ error run:failed no colon job=j/);
  });
});

/** Everything that could break a line, drive a terminal or turn its direction. */
const hostile = 'a\nb\r\u001b[2J\u0000\u0007\u007f\u0085\u009b2J\u2028\u2029\u202e\u2066\u200f\ufeffz"\\';

describe('hostile text', () => {
  it.each(['json', 'journald', 'pretty'] as const)('cannot break a line or reach a terminal as %s', (form) => {
    const { stdout } = said([failed(hostile), ['sink:in_pace', { sink: hostile }]], { form });
    const lines = stdout.split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[2]).toBe('');
    for (const line of lines) expect(line).not.toMatch(/[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/u);
  });

  it('is whole again for whoever reads the JSON', () => {
    const [line] = parsed(said([failed(hostile)]).stdout);
    expect(line?.message).toBe(hostile);
  });

  it('of any kind leaves one readable line of JSON each', () => {
    // One process for all of them: starting one takes longer than the rest.
    const texts = fc.sample(fc.string({ unit: 'binary' }), 500);
    const lines = parsed(said(texts.map(failed)).stdout);
    expect(lines.map((line) => line.message)).toEqual(texts.map((text) => text.toWellFormed()));
  });
});

describe('secrets', () => {
  const messages = (secrets: readonly string[], ...texts: string[]) =>
    parsed(said(texts.map(failed), { secrets }).stdout).map((line) => line.message);

  it('are hidden wherever they stand', () => {
    expect(messages(['hunter22'], 'user:hunter22@host hunter22', 'hunter2')).toEqual([
      'user:[redacted]@host [redacted]',
      'hunter2',
    ]);
    const [line] = parsed(said([['sink:in_pace', { sink: 'x-hunter22' }]], { secrets: ['hunter22'] }).stdout);
    expect(line?.sink).toBe('x-[redacted]');
  });

  it.each([
    ['with quotation marks', 'pa"ss'],
    ['with a backslash', 'pa\\ss'],
    ['of two lines', 'first\nsecond'],
    ['with a control character', 'pa\u009bss\u001b'],
    ['with everything', 'p"a\\s\n\u202es/ü %&?'],
  ])('%s are hidden as they are, as JSON, quoted in a message and in a URL', (_, secret) => {
    const json = JSON.stringify(secret);
    const escaped = secret.replace(
      /[\u0000-\u001f\u007f-\u009f\u202e]/g,
      (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
    const shown = `"${escaped.replaceAll('"', '\\"')}"`;
    expect(messages([secret], secret, json, shown, `http://u:${encodeURIComponent(secret)}@h/`)).toEqual([
      '[redacted]',
      '"[redacted]"',
      '"[redacted]"',
      'http://u:[redacted]@h/',
    ]);
  });

  it('are hidden whole when one begins with another', () => {
    expect(messages(['hunter', 'hunter22'], 'hunter22')).toEqual(['[redacted]']);
    expect(messages(['hunter22', 'hunter'], 'hunter22')).toEqual(['[redacted]']);
  });

  it('do not break the JSON, whatever they are', () => {
    const secrets = ['2026', '10000', '"level"', '":"', '","', 'true', '{"le'];
    const { stdout } = said(
      [['sink:overrun', { sink: 's', job: '10000', datagrams: 10000, seconds: 1, intervalSeconds: 2 }]],
      {
        secrets,
      },
    );
    expect(parsed(stdout)).toMatchObject([{ event: 'sink:overrun', job: '[redacted]', datagrams: 10000 }]);
    expect(said([failed('10000')], { secrets, form: 'pretty' }).stdout).toContain('run:failed [redacted] job=j');
  });

  it('that are hardly longer than nothing would blot everything out, and are not hidden', () => {
    expect(messages(['', 'a', 'abc'], 'abcd')).toEqual(['abcd']);
  });

  it('of half a character harm nobody', () => {
    expect(messages(['half\ud800'], 'half an hour')).toEqual(['half an hour']);
  });

  it('leave no trace in any text around them', () => {
    const secret = fc.stringMatching(/^[A-Z]{4,12}$/);
    fc.assert(
      fc.property(fc.array(secret, { minLength: 1, maxLength: 5 }), fc.stringMatching(/^[a-z ]*$/), (all, text) => {
        const clean = hider(all)(all.map((each) => `${text}${each}`).join('-'));
        for (const each of all) expect(clean).not.toContain(each);
        expect(clean.replaceAll('[redacted]', '')).toBe(all.map(() => text).join('-'));
      }),
    );
  });
});

describe('flush', () => {
  it('waits until all is written, even if the process dies the next moment', () => {
    const body = `
      for (let n = 0; n < 5000; n++) logger.log('sink:in_pace', { sink: 'n'.repeat(100) + n });
      await logger.flush();
      process.kill(process.pid, 'SIGKILL');`;
    const env = { GIVEN: JSON.stringify([standard, null]) };
    const { stdout, signal } = spawnSync(process.execPath, program(body), {
      env,
      encoding: 'utf8',
      maxBuffer: 16 * 1024 * 1024,
    });
    expect(signal).toBe('SIGKILL');
    expect(parsed(stdout)).toHaveLength(5000);
  });

  it('waits for nothing when nothing was logged', () => {
    expect(said([]).stdout).toBe('');
  });

  it('ends, and so does the process in good order, when nobody reads the log any more', async () => {
    const body = `
      await new Promise((resolve) => process.stdin.once('end', resolve).resume());
      for (let n = 0; n < 5; n++) {
        logger.log('sink:in_pace', { sink: 's' });
        await logger.flush();
      }
      process.stderr.write('still here');`;
    const env = { GIVEN: JSON.stringify([standard, null]) };
    const child = spawn(process.execPath, program(body), { env, stdio: ['pipe', 'pipe', 'pipe'] });
    const errors = readAll(child.stderr);
    child.stdout.destroy();
    await once(child.stdout, 'close');
    child.stdin.end();
    const [code] = await once(child, 'exit');
    expect([code, await errors]).toEqual([0, 'still here']);
  });
});
