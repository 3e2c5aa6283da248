/** Dumps against a socket that answers as the kernel may. */
import { expect, test, vi } from 'vitest';
import { createDumps, errnoFailure, type NetlinkSocket } from '../src/hosts/netlink-dump.ts';

const NEW_CLASS = 40;
const GET_CLASS = 42;
const DONE = 3;
const ERROR = 2;
const DEVICE = 7;
const PORT = 4_000_000_100;

/** A message of 20 bytes of body, of which the second word is the device. */
function message(
  type: number,
  sequence: number,
  { flags = 2, device = DEVICE, first = 0, port = PORT } = {},
): Uint8Array {
  const words = new Uint32Array(9);
  new Uint16Array(words.buffer).set([type, flags], 2);
  words.set([36], 0);
  words.set([sequence, port, first, device], 2);
  return new Uint8Array(words.buffer);
}
const joined = (...all: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(all));
const request = { type: GET_CLASS, body: new Uint8Array(new Uint32Array([0, DEVICE, 0, 0, 0]).buffer) };

type Answer = readonly (readonly Uint8Array[] | 'overrun' | Error)[];
/** Each request is answered by the next of the answers, which is made for its sequence number. */
function kernel(...answers: ((sequence: number) => Answer)[]) {
  const log: string[] = [];
  const sent: Uint8Array[] = [];
  let sockets = 0;
  const open = async (): Promise<NetlinkSocket> => {
    sockets += 1;
    const name = sockets;
    log.push(`open ${name}`);
    let pending: (readonly Uint8Array[] | 'overrun' | Error)[] = [];
    return {
      port: PORT,
      async send(bytes) {
        sent.push(bytes);
        log.push(`send ${name}`);
        const sequence = new DataView(bytes.buffer).getUint32(8, true);
        pending = [...pending, ...(answers.shift()?.(sequence) ?? [])];
      },
      async receive() {
        const next = pending.shift();
        if (next === undefined) throw new Error('received more than there is');
        if (next instanceof Error) throw next;
        return next;
      },
      notify: (on) => log.push(`notify ${on}`),
      close: () => log.push(`close ${name}`),
    };
  };
  return { dumps: createDumps(open), log, sent };
}

const whole = (sequence: number): Answer => [
  [message(NEW_CLASS, sequence, { first: 1 })],
  [joined(message(NEW_CLASS, sequence, { first: 2 }), message(DONE, sequence))],
];
const firsts = (datagrams: readonly Uint8Array[]): number[] =>
  datagrams.flatMap((one) => {
    const words = new Uint32Array(one.slice().buffer);
    return Array.from({ length: words.length / 9 }, (_, index) => words[index * 9 + 4] ?? -1);
  });

test('one socket serves all dumps, one after the other, without their ends', async () => {
  const { dumps, log, sent } = kernel(whole, whole, whole);
  const [one, two] = await Promise.all([dumps.dump(request), dumps.dump(request)]);
  expect([firsts(one), firsts(two)]).toEqual([
    [1, 2],
    [1, 2],
  ]);
  await dumps.dump({ type: 18, body: Uint8Array.of(1) });
  const watched = ['notify true', 'send 1', 'notify false'];
  expect(log).toEqual(['open 1', ...watched, ...watched, 'send 1']);
  const headers = sent.map((bytes) => [bytes.length, ...new Uint16Array(bytes.slice(0, 12).buffer)]);
  expect(headers).toEqual([
    [36, 36, 0, 42, 0x301, 1, 0],
    [36, 36, 0, 42, 0x301, 2, 0],
    [20, 17, 0, 18, 0x301, 3, 0],
  ]);
  dumps.close();
  await expect(dumps.dump(request)).rejects.toMatchObject({ code: 'E_ABORTED' });
  expect(log.slice(-1)).toEqual(['close 1']);
});

test('what belongs to another dump is discarded', async () => {
  const { dumps } = kernel((sequence) => [
    [message(NEW_CLASS, sequence + 5, { device: 9 }), message(DONE, sequence - 1)],
    ...whole(sequence),
  ]);
  expect(firsts(await dumps.dump(request))).toEqual([1, 2]);
});

test.each<[string, (sequence: number) => Answer]>([
  ['NLM_F_DUMP_INTR', (sequence) => [[message(NEW_CLASS, sequence, { flags: 0x12 }), message(DONE, sequence)]]],
  [
    'NLM_F_DUMP_INTR of the end',
    (sequence) => [[message(NEW_CLASS, sequence), message(DONE, sequence, { flags: 0x12 })]],
  ],
  [
    'a class that was added',
    (sequence) => [[message(NEW_CLASS, sequence), message(NEW_CLASS, 99), message(DONE, sequence)]],
  ],
  [
    'a class that was deleted',
    (sequence) => [[message(NEW_CLASS, sequence)], [message(41, 99)], [message(DONE, sequence)]],
  ],
  ['notifications that got lost', (sequence) => [[message(NEW_CLASS, sequence)], 'overrun']],
])('a dump is repeated after %s', async (_, disturbed) => {
  const { dumps, log } = kernel(disturbed, whole);
  expect(firsts(await dumps.dump(request))).toEqual([1, 2]);
  expect(log.filter((one) => one.startsWith('send'))).toHaveLength(2);
});

test.each<[string, Uint8Array]>([
  ['of another device', message(NEW_CLASS, 99, { device: 8 })],
  ['of an address', message(20, 99)],
])('a change %s is none', async (_, change) => {
  const { dumps, log } = kernel((sequence) => [[message(NEW_CLASS, sequence)], [change], [message(DONE, sequence)]]);
  expect(await dumps.dump(request)).toHaveLength(1);
  expect(log.filter((one) => one.startsWith('send'))).toHaveLength(1);
});

test.each([
  ['of another device', 8, 1],
  ['of the same device', DEVICE, 2],
])(
  'another program’s change %s is none of the answer, though it counts its requests alike',
  async (_, device, sends) => {
    const change = (sequence: number) => message(NEW_CLASS, sequence, { flags: 0, device, first: 9, port: 999 });
    const { dumps, log } = kernel(
      (sequence) => [[message(NEW_CLASS, sequence, { first: 1 })], [change(sequence)], ...whole(sequence).slice(1)],
      whole,
    );
    expect(firsts(await dumps.dump(request))).toEqual([1, 2]);
    expect(log.filter((one) => one.startsWith('send'))).toHaveLength(sends);
  },
);

test('a change before the dump began is in it', async () => {
  const { dumps, log } = kernel((sequence) => [[message(41, 99)], ...whole(sequence)]);
  expect(firsts(await dumps.dump(request))).toEqual([1, 2]);
  expect(log.filter((one) => one.startsWith('send'))).toHaveLength(1);
});

test('what changes each time is E_CONNECT, and the socket is as good as before', async () => {
  const changes = (sequence: number): Answer => [
    [message(NEW_CLASS, sequence, { flags: 0x12 }), message(DONE, sequence)],
  ];
  const { dumps, log } = kernel(changes, changes, changes, changes, changes, whole);
  await expect(dumps.dump(request)).rejects.toMatchObject({ code: 'E_CONNECT' });
  expect(firsts(await dumps.dump(request))).toEqual([1, 2]);
  expect(log.filter((one) => one.startsWith('open'))).toEqual(['open 1']);
});

test.each<[string, (sequence: number) => Answer, string]>([
  ['NLMSG_ERROR', (sequence) => [[message(ERROR, sequence, { first: -1 >>> 0 })]], 'E_DENIED'],
  ['an end with an error', (sequence) => [[message(DONE, sequence, { first: -19 >>> 0 })]], 'E_NOT_FOUND'],
  ['a message that is too long', (sequence) => [[message(NEW_CLASS, sequence).subarray(0, 30)]], 'E_PARSE'],
  ['a message without length', () => [[new Uint8Array(36)]], 'E_PARSE'],
  ['half a header', () => [[new Uint8Array(7)]], 'E_PARSE'],
  ['no answer', () => [errnoFailure(11, 'receive')], 'E_TIMEOUT'],
])('%s ends the dump and its socket; the next use opens a fresh one', async (_, answer, code) => {
  const { dumps, log } = kernel(answer, whole);
  await expect(dumps.dump(request)).rejects.toMatchObject({ code });
  expect(firsts(await dumps.dump(request))).toEqual([1, 2]);
  expect(log.filter((one) => /open|close/.test(one))).toEqual(['open 1', 'close 1', 'open 2']);
});

test('a socket that cannot be opened is tried again', async () => {
  let tries = 0;
  const dumps = createDumps(async () => {
    tries += 1;
    throw errnoFailure(97, 'socket');
  });
  for (let use = 0; use < 2; use++) {
    await expect(dumps.dump(request)).rejects.toMatchObject({
      code: 'E_NOT_FOUND',
      message: 'netlink: socket: the kernel answered EAFNOSUPPORT',
    });
  }
  expect(tries).toBe(2);
  dumps.close();
});

test.each([
  [1, 'E_DENIED'],
  [13, 'E_DENIED'],
  [19, 'E_NOT_FOUND'],
  [11, 'E_TIMEOUT'],
  [105, 'E_CONNECT'],
  [-5, 'E_CONNECT'],
  [99999, 'E_CONNECT'],
])('errno %i is %s', (errno, code) => {
  expect(errnoFailure(errno, 'x')).toMatchObject({ code });
});

test('a machine without koffi has no netlink, and is told what works there', async () => {
  vi.doMock('koffi', () => {
    throw new Error('Cannot find the native Koffi module');
  });
  const { createRtnetlink } = await import('../src/hosts/netlink.ts');
  const netlink = createRtnetlink();
  for (let use = 0; use < 2; use++) {
    await expect(netlink.dump(request)).rejects.toMatchObject({
      code: 'E_NOT_FOUND',
      message: expect.stringMatching(/^netlink needs the optional package koffi, .*; the source tc works without it$/),
    });
  }
  netlink.close();
  vi.doUnmock('koffi');
});
