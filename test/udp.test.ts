import { afterEach, expect, it } from 'vitest';
import { udpPeer } from '../src/sinks/udp.ts';
import { fakeClock } from './support/fake-clock.ts';
import { listenUdp } from './support/udp-listener.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

it('follows a host name to another address within a minute, and keeps its socket while the address stays', async () => {
  const first = await listenUdp();
  const second = await listenUdp({ address: '127.0.0.2', port: first.port });
  closers.push(first.close, second.close);
  const clock = fakeClock();
  let answers = [{ address: '127.0.0.1', family: 4 }];
  let lookups = 0;
  const peer = udpPeer(
    'statsd.example',
    first.port,
    clock,
    () => {},
    async (host) => {
      expect(host).toBe('statsd.example');
      lookups += 1;
      return answers;
    },
  );
  closers.push(peer.close);
  const send = async (text: string): Promise<void> => {
    await peer.ready();
    await new Promise((resolve) => peer.send(text, resolve));
  };

  await send('one');
  await send('two');
  await first.until((lines) => lines.length === 2, 'both at the first address');
  expect(lookups).toBe(1);

  answers = [...answers, { address: '127.0.0.2', family: 4 }].reverse();
  await clock.advance(61_000);
  await send('three');
  await first.until(
    (lines) => lines.includes('three'),
    'the third, while the first address is still one of the name’s',
  );
  expect(lookups).toBe(2);

  answers = [{ address: '127.0.0.2', family: 4 }];
  await clock.advance(61_000);
  await send('four');
  await second.until((lines) => lines.includes('four'), 'the fourth at the new address');
});

it('tries the other address of a name when nobody listens at the first', async () => {
  const here = await listenUdp();
  closers.push(here.close);
  let refused = (): void => {};
  const refusal = new Promise<void>((resolve) => (refused = resolve));
  const both = async () => [
    { address: '::1', family: 6 },
    { address: '127.0.0.1', family: 4 },
  ];
  const peer = udpPeer('localhost', here.port, fakeClock(), refused, both);
  closers.push(peer.close);
  await peer.ready();
  peer.send('lost', () => {});
  await refusal;
  await peer.ready();
  peer.send('arrives', () => {});
  await here.until((lines) => lines.includes('arrives'), 'the line at the second address');
});

it('asks again at once after a failed lookup', async () => {
  const udp = await listenUdp();
  closers.push(udp.close);
  let fails = true;
  const peer = udpPeer(
    'statsd.example',
    udp.port,
    fakeClock(),
    () => {},
    async () => {
      if (fails) throw Object.assign(new Error('getaddrinfo EAI_AGAIN'), { code: 'EAI_AGAIN' });
      return [{ address: '127.0.0.1', family: 4 }];
    },
  );
  closers.push(peer.close);
  await expect(peer.ready()).rejects.toMatchObject({
    code: 'E_CONNECT',
    message: `statsd.example port ${udp.port} cannot be reached: EAI_AGAIN`,
  });
  fails = false;
  await peer.ready();
  peer.send('here', () => {});
  await udp.until((lines) => lines.includes('here'), 'the line');
});
