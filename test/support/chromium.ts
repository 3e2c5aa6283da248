/** A real browser: Debian's Chromium without a screen, driven over the pipe of its DevTools protocol. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Screen {
  readonly width: number;
  readonly height?: number;
  readonly dark?: boolean;
  /** A touch screen of a phone, with its own idea of a viewport. */
  readonly phone?: boolean;
  readonly script?: boolean;
}

export interface Page {
  /** Runs before anything else in every document that is opened from now on. */
  before(script: string): Promise<void>;
  /** Opens an address and resolves when it and all that belongs to it is loaded. */
  open(url: string): Promise<void>;
  /** The value of an expression in the page; a promise is waited for. Rejects with what it throws. */
  evaluate<Value = unknown>(expression: string): Promise<Value>;
  /** Resolves when an expression is true, in whatever document is shown then. */
  until(expression: string, withinMs?: number): Promise<void>;
  show(screen: Screen): Promise<void>;
  type(text: string): Promise<void>;
  press(key: string): Promise<void>;
  point(x: number, y: number): Promise<void>;
  click(selector: string): Promise<void>;
  screenshot(wholePage?: boolean): Promise<Buffer>;
  /** What went wrong in it: errors and warnings of the console, what nobody caught, violations of its policy. */
  readonly complaints: readonly string[];
  /** All addresses that were asked for. */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

export interface Browser {
  page(screen?: Screen): Promise<Page>;
  end(): Promise<void>;
}

/** Why there is no browser here, or undefined. In CI, where there must be one, it throws that. */
export function chromiumReason(): string | undefined {
  if (existsSync(program)) return undefined;
  const reason = 'chromium is not installed: run test/support/packages.ts';
  if (process.env.CI !== undefined) throw new Error(reason);
  return reason;
}

const program = '/usr/bin/chromium';
const FLAGS = [
  ...['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--remote-debugging-pipe'],
  ...['--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  ...['--disable-default-apps', '--disable-extensions', '--no-proxy-server', '--hide-scrollbars', '--mute-audio'],
];
const ANSWER_MS = 20_000;
const POLL_MS = 30;

type Message = Readonly<Record<string, unknown>>;
/** Sends one command of the protocol, and resolves with its answer. */
type Send = (method: string, params?: Message, session?: string) => Promise<Message>;
type Watcher = (method: string, params: Message, session: string | undefined) => void;

/** It ends when its pipe does: with this process, however that ends. */
export async function startChromium(): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), 'edgestatd-chromium-'));
  const home = { HOME: profile, XDG_CONFIG_HOME: profile, XDG_CACHE_HOME: profile, TMPDIR: profile };
  const child = spawn(program, [...FLAGS, `--user-data-dir=${profile}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, LANG: 'C.UTF-8', TZ: 'UTC', ...home },
    // A group of its own: its many processes end together.
    detached: true,
  });
  const gone = once(child, 'exit');
  const end = async (): Promise<void> => {
    process.off('exit', kill);
    kill();
    await gone;
    // Its last processes may be about to write.
    rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  };
  const kill = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
  };
  process.on('exit', kill);
  const watchers = new Set<Watcher>();
  const send = speak(child, watchers);
  try {
    await send('Browser.getVersion');
  } catch (error) {
    await end();
    throw error;
  }
  return { page: (screen) => openPage(send, watchers, screen), end };
}

/** Messages are JSON with a zero byte behind each. */
function speak(child: ChildProcess, watchers: ReadonlySet<Watcher>): Send {
  const [to, from] = [child.stdio[3] as Writable, child.stdio[4] as Readable];
  const waiting = new Map<number, { resolve: (answer: Message) => void; reject: (error: Error) => void }>();
  let last = 0;
  let rest = '';
  from.setEncoding('utf8').on('data', (chunk: string) => {
    const texts = (rest + chunk).split('\0');
    rest = texts.pop() ?? '';
    for (const text of texts) {
      const { id, method, params, result, error, sessionId } = JSON.parse(text) as {
        readonly id?: number;
        readonly method?: string;
        readonly params?: Message;
        readonly result?: Message;
        readonly error?: { readonly message: string };
        readonly sessionId?: string;
      };
      if (id === undefined) for (const watch of [...watchers]) watch(method ?? '', params ?? {}, sessionId);
      const asked = id === undefined ? undefined : waiting.get(id);
      if (id !== undefined) waiting.delete(id);
      if (error !== undefined) asked?.reject(new Error(error.message));
      else asked?.resolve(result ?? {});
    }
  });
  to.on('error', () => {});
  child.once('exit', () => {
    for (const { reject } of waiting.values()) reject(new Error('chromium has ended'));
  });
  return (method, params = {}, session) =>
    new Promise((resolve, reject) => {
      last += 1;
      const id = last;
      const timer = setTimeout(() => {
        waiting.delete(id);
        reject(new Error(`chromium does not answer ${method}`));
      }, ANSWER_MS);
      const done = (settle: () => void): void => {
        clearTimeout(timer);
        settle();
      };
      waiting.set(id, {
        resolve: (answer) => done(() => resolve(answer)),
        reject: (error) => done(() => reject(error)),
      });
      to.write(`${JSON.stringify({ id, method, params, ...(session === undefined ? {} : { sessionId: session }) })}\0`);
    });
}

async function openPage(send: Send, watchers: Set<Watcher>, screen: Screen = { width: 1200 }): Promise<Page> {
  const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true });
  const session = String(sessionId);
  const ask = (method: string, params?: Message): Promise<Message> => send(method, params, session);
  const complaints: string[] = [];
  const requests: string[] = [];
  const watch: Watcher = (method, params, of) => {
    if (of !== session) return;
    if (method === 'Network.requestWillBeSent') requests.push(String((params.request as Message).url));
    if (method === 'Runtime.exceptionThrown') complaints.push(`exception: ${JSON.stringify(params.exceptionDetails)}`);
    if (method === 'Runtime.consoleAPICalled' && ['error', 'warning', 'assert'].includes(String(params.type))) {
      complaints.push(`console.${params.type}: ${JSON.stringify(params.args)}`);
    }
    if (method === 'Log.entryAdded') {
      const entry = params.entry as Message;
      if (['error', 'warning'].includes(String(entry.level))) complaints.push(`${entry.source}: ${entry.text}`);
    }
    if (method === 'Audits.issueAdded') {
      const { code, details } = params.issue as Message;
      if (code === 'ContentSecurityPolicyIssue') complaints.push(`policy: ${JSON.stringify(details)}`);
    }
    if (method === 'Page.javascriptDialogOpening') {
      complaints.push(`dialog: ${params.message}`);
      void ask('Page.handleJavaScriptDialog', { accept: true }).catch(() => {});
    }
  };
  watchers.add(watch);
  for (const domain of ['Page', 'Runtime', 'Network', 'Log', 'Audits']) await ask(`${domain}.enable`);

  const show = async ({ width, height = 900, dark = false, phone = false, script = true }: Screen): Promise<void> => {
    await ask('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: phone });
    const features = [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }];
    await ask('Emulation.setEmulatedMedia', { features });
    await ask('Emulation.setScriptExecutionDisabled', { value: !script });
  };
  await show(screen);

  const evaluate = async <Value>(expression: string): Promise<Value> => {
    const answer = await ask('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
    const details = answer.exceptionDetails as { exception?: { description?: string }; text?: string } | undefined;
    if (details !== undefined) throw new Error(`${expression}: ${details.exception?.description ?? details.text}`);
    return (answer.result as { value: Value }).value;
  };
  const until = async (expression: string, withinMs = ANSWER_MS): Promise<void> => {
    const untilMs = performance.now() + withinMs;
    for (;;) {
      // Between two documents there is none to ask.
      const isSo = await evaluate(`Boolean(${expression})`).catch((error: Error) => error);
      if (isSo === true) return;
      if (performance.now() < untilMs) {
        await sleep(POLL_MS);
        continue;
      }
      const says = await evaluate<string>('document.body.innerText.slice(0, 2000)').catch(String);
      throw new Error(`waited in vain for ${expression} (${isSo}); the page says: ${says}`);
    }
  };
  const mouse = (type: string, x: number, y: number): Promise<Message> =>
    ask('Input.dispatchMouseEvent', { type, x, y, button: type === 'mouseMoved' ? 'none' : 'left', clickCount: 1 });

  return {
    complaints,
    requests,
    show,
    evaluate,
    async before(source) {
      await ask('Page.addScriptToEvaluateOnNewDocument', { source });
    },
    async open(url) {
      const { errorText } = await ask('Page.navigate', { url });
      if (errorText !== undefined) throw new Error(`${url}: ${errorText}`);
      await until(`document.readyState === 'complete' && location.href === ${JSON.stringify(new URL(url).href)}`);
    },
    until,
    async type(text) {
      await ask('Input.insertText', { text });
    },
    async press(key) {
      const text = key === 'Enter' ? '\r' : undefined;
      const code = { key, code: key, windowsVirtualKeyCode: key === 'Enter' ? 13 : 9 };
      await ask('Input.dispatchKeyEvent', { type: 'keyDown', ...code, ...(text === undefined ? {} : { text }) });
      await ask('Input.dispatchKeyEvent', { type: 'keyUp', ...code });
    },
    async point(x, y) {
      await mouse('mouseMoved', x, y);
    },
    async click(selector) {
      const place = `(() => { const one = document.querySelector(${JSON.stringify(selector)}); one.scrollIntoView({ block: 'center' }); const box = one.getBoundingClientRect(); return [box.x + Math.min(box.width / 2, 8), box.y + box.height / 2]; })()`;
      const [x = 0, y = 0] = await evaluate<number[]>(place);
      for (const type of ['mouseMoved', 'mousePressed', 'mouseReleased']) await mouse(type, x, y);
    },
    async screenshot(wholePage = false) {
      const { data } = await ask('Page.captureScreenshot', { format: 'png', captureBeyondViewport: wholePage });
      return Buffer.from(String(data), 'base64');
    },
    async close() {
      watchers.delete(watch);
      await send('Target.closeTarget', { targetId });
    },
  };
}
