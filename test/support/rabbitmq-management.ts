/** The management API of a broker for tests, as `guest`. */
const authorization = `Basic ${Buffer.from('guest:guest').toString('base64')}`;
const TIMEOUT_MS = 10_000;

export interface Management {
  /** Rejects on any other status than 2xx; undefined when the answer is empty. */
  api(method: string, path: string, body?: unknown): Promise<unknown>;
  /** Of a GET; undefined when nobody answers. */
  status(path: string): Promise<number | undefined>;
}

export function managementAt(url: string): Management {
  const send = (method: string, path: string, body?: unknown): Promise<Response> =>
    fetch(`${url}${path}`, {
      method,
      // A connection that is kept would be a dead one after a restart.
      headers: { authorization, 'content-type': 'application/json', connection: 'close' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  return {
    async api(method, path, body) {
      const response = await send(method, path, body);
      const text = await response.text();
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
      return text === '' ? undefined : JSON.parse(text);
    },
    async status(path) {
      try {
        const response = await send('GET', path);
        await response.body?.cancel();
        return response.status;
      } catch {
        // Not yet, or not any more.
        return undefined;
      }
    },
  };
}
