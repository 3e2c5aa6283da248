import { readdirSync, readFileSync } from 'node:fs';
import { Duplex } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Failure } from '../src/errors.ts';
import { createFramer, exactText, parseExact } from '../src/ovs/json-stream.ts';
import { type JsonRpc, type JsonRpcOptions, jsonRpc } from '../src/ovs/jsonrpc.ts';

const captured = new URL('./testdata/ovsdb/', import.meta.url);
const names = readdirSync(captured).filter((name) => name.includes('-rpc-'));
const capturedText = (name: string): string => readFileSync(new URL(name, captured), 'utf8');

/** Cuts bytes into chunks of these lengths, repeated; 0 is a chunk of one byte. */
function cut(bytes: Buffer, lengths: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0, n = 0; at < bytes.length; n++) {
    const length = Math.max(1, lengths[n % Math.max(1, lengths.length)] ?? 1);
    chunks.push(bytes.subarray(at, at + length));
    at += length;
  }
  return chunks;
}

function framesOf(chunks: readonly Buffer[], maxBytes?: number): string[] {
  const texts: string[] = [];
  const push = createFramer((text) => texts.push(text), maxBytes);
  for (const chunk of chunks) push(chunk);
  return texts;
}

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (thrown) {
    return thrown instanceof Failure ? thrown.code : String(thrown);
  }
  return 'nothing was thrown';
}

const blanks = fc.constantFrom('', ' ', '\n', '\r\n\t ');
const keys = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('__proto__', '{', '"', '\\', 'é"😀\\'));
const objects = fc.dictionary(keys, fc.jsonValue({ stringUnit: 'binary', maxDepth: 5 }), { noNullPrototype: true });

describe('framing', () => {
  it('finds every object, whatever is in it and wherever the chunks are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(blanks, objects, fc.constantFrom(undefined, 2))),
        blanks,
        fc.array(fc.nat(40), { minLength: 1 }),
        (messages, end, lengths) => {
          const texts = messages.map(([, value, indent]) => JSON.stringify(value, undefined, indent));
          const stream = Buffer.from(texts.map((text, n) => `${messages[n]?.[0]}${text}`).join('') + end);
          expect(framesOf(cut(stream, lengths))).toEqual(texts);
        },
      ),
      { numRuns: 500 },
    );
  });

  it.each(names)('finds %s byte by byte and in one piece', (name) => {
    const text = capturedText(name).trim();
    expect(framesOf(cut(Buffer.from(text + text), [1]))).toEqual([text, text]);
    expect(framesOf([Buffer.from(`${text}\n${text}`)])).toEqual([text, text]);
  });

  it('throws on what is between objects, and never anything but a Failure', () => {
    for (const bad of ['x', ']', '}', '1', '"{}"', '[{}]', '{}{}x', '\ufeff{}', '\0', 'HTTP/1.1 400 Bad Request\r\n']) {
      expect(codeOf(() => framesOf([Buffer.from(bad)]))).toBe('E_PARSE');
    }
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 50 })), (chunks) => {
        const found = codeOf(() => framesOf(chunks.map((chunk) => Buffer.from(chunk))));
        expect(['E_PARSE', 'nothing was thrown']).toContain(found);
      }),
    );
  });

  it('bounds the size of a message, in one chunk and over many, and its depth', () => {
    const fits = `{"a":"${'x'.repeat(92)}"}`;
    expect(framesOf([Buffer.from(fits + fits)], 100)).toEqual([fits, fits]);
    expect(framesOf(cut(Buffer.from(fits + fits), [7]), 100)).toEqual([fits, fits]);
    const large = `{"a":"${'x'.repeat(93)}"}`;
    expect(codeOf(() => framesOf([Buffer.from(large)], 100))).toBe('E_OUTPUT_SIZE');
    expect(codeOf(() => framesOf(cut(Buffer.from(large), [7]), 100))).toBe('E_OUTPUT_SIZE');
    expect(codeOf(() => framesOf([Buffer.from(`{"a":${'['.repeat(200_000)}`)]))).toBe('E_PARSE');
  });

  it('takes time in proportion to the bytes, however small the chunks', () => {
    const timeOf = (bytes: number): number => {
      const chunks = cut(Buffer.from(`{"a":"${'x'.repeat(bytes)}"}`), [64]);
      const startMs = performance.now();
      expect(framesOf(chunks)[0]?.length).toBe(bytes + 8);
      return performance.now() - startMs;
    };
    timeOf(1_000_000);
    const small = Math.min(timeOf(1_000_000), timeOf(1_000_000), timeOf(1_000_000));
    // Quadratic would be 256 times.
    expect(timeOf(16_000_000)).toBeLessThan(80 * small);
  });
});

describe('numbers', () => {
  it('are exact: bigints above 2^53', () => {
    expect(parseExact('{"a":9223372036854775807,"b":[-9223372036854775808,18446744073709551615],"c":12}')).toEqual({
      a: 9223372036854775807n,
      b: [-9223372036854775808n, 18446744073709551615n],
      c: 12,
    });
    expect(parseExact('[9007199254740991,9007199254740992,9007199254740993]')).toEqual([
      9007199254740991,
      9007199254740992n,
      9007199254740993n,
    ]);
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), blanks, (value, blank) => {
        const expected = Number.isSafeInteger(Number(value)) ? Number(value) : value;
        expect(parseExact(`{"a":${blank}${value},"b":[${blank}${value}]}`)).toEqual({ a: expected, b: [expected] });
        expect(exactText({ a: [value] })).toBe(`{"a":[${value}]}`);
      }),
    );
  });

  it('that are not whole, and texts that look like numbers, stay as they are', () => {
    const text = '{"a":1e30,"b":0.12345678901234567,"c":"12345678901234567890","d":" 12345678901234567890","e":1.5}';
    expect(parseExact(text)).toEqual(JSON.parse(text));
    expect(parseExact('[100000000000000000000000000]')).toEqual([1e26]);
  });
});

/** A connection whose other end is the test's. */
function connection(options: Partial<JsonRpcOptions> = {}) {
  const sent: string[] = [];
  const stream = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      sent.push(chunk.toString('utf8'));
      done();
    },
  });
  const rpc = jsonRpc(stream, { peer: 'the server', ...options });
  const says = (...texts: string[]): void => {
    for (const text of texts) stream.push(Buffer.from(text));
  };
  return { rpc, stream, sent, says };
}

async function failureOf(promise: Promise<unknown>): Promise<Failure> {
  const thrown = await promise.then(
    () => undefined,
    (error) => error,
  );
  expect(thrown).toBeInstanceOf(Failure);
  return thrown as Failure;
}

const callTwice = (rpc: JsonRpc): Promise<unknown>[] => [rpc.call('a', []), rpc.call('b', [1])];

describe('calls', () => {
  it('get their replies, in whatever order, and with result or error missing', async () => {
    const { rpc, sent, says } = connection();
    const [first, second] = callTwice(rpc);
    const third = rpc.call('c', []);
    expect(sent).toEqual([
      '{"method":"a","params":[],"id":1}',
      '{"method":"b","params":[1],"id":2}',
      '{"method":"c","params":[],"id":3}',
    ]);
    says('{"id":2,"result":"two"}{"id":9,"result":0,"error":null}', '{"id":"1","result":0}');
    says('{"id":3,"error":null}{"id":1,"resu', 'lt":[1],"error":null}{"id":1,"result":[2],"error":null}');
    expect(await Promise.all([first, second, third])).toEqual([[1], 'two', undefined]);
    expect(rpc.ended()).toBeUndefined();
  });

  it('read their result before anything that comes after it', async () => {
    const heard: string[] = [];
    const { rpc, says } = connection({ onNotification: (method) => heard.push(method) });
    const call = rpc.call('monitor', [], { read: (result) => heard.push(`result ${result}`) });
    says('{"id":1,"result":7,"error":null}{"id":null,"method":"update","params":[]}');
    await call;
    expect(heard).toEqual(['result 7', 'update']);
  });

  it.each([
    [
      capturedText('ovs3.1-rpc-error-unknown-db.json'),
      3,
      'E_NOT_FOUND',
      'unknown database: transact request specifies',
    ],
    [capturedText('ovs3.1-rpc-error-unknown-method.json'), 4, 'E_NOT_FOUND', 'unknown method'],
    ['{"id":1,"result":null,"error":"\\"x\\" is not a valid command"}', 1, 'E_NOT_FOUND', 'not a valid command'],
    ['{"id":1,"error":{"error":"permission error","details":"role \\u0000"}}', 1, 'E_DENIED', 'role \\u0000'],
    ['{"id":1,"error":{"error":"syntax error","syntax":"x"}}', 1, 'E_PARSE', 'syntax error'],
    ['{"id":1,"error":{"error":"resources exhausted"}}', 1, 'E_EXIT', 'resources exhausted'],
    ['{"id":1,"error":"no such bridge"}', 1, 'E_EXIT', 'no such bridge'],
    ['{"id":1,"error":12345678901234567890}', 1, 'E_EXIT', '12345678901234567890'],
    ['{"id":1,"error":[["constructor"]]}', 1, 'E_EXIT', '[[\\"constructor\\"]]'],
    ['{"id":1,"error":{"error":"constructor"}}', 1, 'E_EXIT', 'constructor'],
  ])('that are refused by %s', async (reply, id, code, text) => {
    const { rpc, says } = connection();
    const call = Promise.all(Array.from({ length: id }, () => rpc.call('m', [])));
    says(reply);
    const failure = await failureOf(call);
    expect(failure.code).toBe(code);
    expect(failure.message).toContain(text);
    expect(failure.message).toContain('the server refused m: "');
    expect(rpc.ended()).toBeUndefined();
  });

  it('end at their deadline with its reason, while the connection goes on, whose late reply is no surprise', async () => {
    const { rpc, says } = connection({ strict: true });
    const deadline = new AbortController();
    const late = rpc.call('a', [], { deadline: deadline.signal });
    const other = rpc.call('b', []);
    const reason = new Failure('E_TIMEOUT', 'the deadline of 1 s passed');
    deadline.abort(reason);
    expect(await failureOf(late)).toBe(reason);
    expect(await failureOf(rpc.call('c', [], { deadline: deadline.signal }))).toBe(reason);
    says('{"id":1,"result":1}{"id":2,"result":2}');
    expect(await other).toBe(2);
    says('{"id":1,"result":1}');
    expect((await failureOf(rpc.call('d', []))).message).toContain('answered what it was not asked');
  });
});

describe('the other side', () => {
  it('gets its echo requests answered at once, its others refused, and its notifications heard', async () => {
    const heard: unknown[] = [];
    const { rpc, sent, says } = connection({ onNotification: (method, params) => heard.push([method, params]) });
    const call = rpc.call('a', []);
    says(
      '{"id":"echo","method":"echo","params":[18446744073709551615,"é"]}{"id":7,"method":"steal","params":[]}',
      '{"id":null,"method":"update","params":["x",{}]}{"method":"locked","params":["y"]}{"id":1,"result":1}',
    );
    await call;
    expect(sent.slice(1)).toEqual([
      '{"id":"echo","result":[18446744073709551615,"é"],"error":null}',
      '{"id":7,"result":null,"error":"unknown method"}',
    ]);
    expect(heard).toEqual([
      ['update', ['x', {}]],
      ['locked', ['y']],
    ]);
  });

  it.each([
    ['hello', 'E_PARSE'],
    ['{"id":1}', 'E_PARSE'],
    ['{"id":1,"result":nul}', 'E_PARSE'],
    ['{"id":1,"result":1]', 'E_PARSE'],
    ['{"method":5,"id":1,"result":1}', 'E_PARSE'],
    ['{}', 'E_PARSE'],
    [`{"id":1,"result":"${'x'.repeat(2000)}"}`, 'E_OUTPUT_SIZE'],
  ])('that says %s is not listened to any more: %s', async (text, code) => {
    const { rpc, stream, says } = connection({ maxBytes: 1000 });
    const calls = callTwice(rpc);
    says(text);
    const failures = await Promise.all(calls.map(failureOf));
    expect(failures[0]?.code).toBe(code);
    expect(new Set([...failures, rpc.ended()]).size).toBe(1);
    expect(stream.destroyed).toBe(true);
    expect(await failureOf(rpc.call('c', []))).toBe(rpc.ended());
  });

  it('may not make a reader throw into the process', async () => {
    const { rpc, says } = connection({
      onNotification: () => {
        throw new TypeError('a fault of ours');
      },
    });
    const call = failureOf(rpc.call('a', []));
    says('{"method":"update","id":null,"params":[]}{"id":1,"result":1}');
    expect((await call).code).toBe('E_BUG');
    const other = connection();
    const refusing = other.rpc.call('a', [], {
      read: () => {
        throw new Failure('E_PARSE', 'not what it should be');
      },
    });
    other.says('{"id":1,"result":1}');
    expect((await failureOf(refusing)).message).toBe('the server broke the protocol: not what it should be');
  });

  it('that never reads its echoes does not fill the memory', async () => {
    const stream = new Duplex({ read() {}, write() {} });
    const rpc = jsonRpc(stream, { peer: 'the server' });
    const call = failureOf(rpc.call('a', []));
    const echo = Buffer.from(JSON.stringify({ id: 1, method: 'echo', params: ['x'.repeat(100_000)] }));
    for (let n = 0; n < 100; n++) stream.push(echo);
    expect((await call).code).toBe('E_CONNECT');
    expect(stream.writableLength).toBeLessThan(1_500_000);
  });

  it('that ends, closes or breaks the stream fails every call with one E_CONNECT', async () => {
    const ways: ((stream: Duplex) => void)[] = [
      (stream) => stream.push(null),
      (stream) => stream.destroy(),
      (stream) => stream.destroy(new Error('read ECONNRESET')),
    ];
    for (const way of ways) {
      const { rpc, stream, says } = connection();
      const calls = callTwice(rpc);
      says('{"id":1,"resu');
      way(stream);
      const failures = await Promise.all(calls.map(failureOf));
      expect(failures[0]?.code).toBe('E_CONNECT');
      expect(new Set([...failures, rpc.ended()]).size).toBe(1);
      // Nobody else listens to it any more.
      stream.emit('error', new Error('much later'));
    }
    const { rpc, stream } = connection();
    const call = failureOf(rpc.call('a', []));
    const reason = new Failure('E_TIMEOUT', 'the deadline of 1 s passed');
    stream.destroy(reason);
    expect(await call).toBe(reason);
  });
});
