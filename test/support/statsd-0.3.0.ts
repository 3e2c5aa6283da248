/**
 * StatsD 0.3.0 (2012), which does not start on today's Node.js without patches: a stand-in that does what the real one
 * did here. Recorded from it, with the admin port's answers letter for letter: the datagram
 * `a.one:111|g\na.two:222|g\na.three:0|g\na.three:-333|g` gave `gauges` → `{ 'a.one': -333 }`, `counters` →
 * `{ 'a.one': 333 }`, and `stats` → no bad line.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { inspect } from 'node:util';

export async function startStatsd030(): Promise<{ port: number; adminPort: number; stop(): Promise<void> }> {
  const counters: Record<string, number> = {};
  const gauges: Record<string, number> = {};
  const udp = createSocket('udp4', (message) => {
    // The whole datagram is split at colons: a type is what stands before the next line's name, so "g\na.two".
    const [key = '', ...parts] = message.toString().split(':');
    for (const part of parts) {
      const [value, type = ''] = part.split('|');
      if (type.trim() === 'g') gauges[key] = Number(value);
      else counters[key] = (counters[key] ?? 0) + Number(value);
    }
  });
  udp.bind(0, '127.0.0.1');
  await once(udp, 'listening');
  const admin = createServer((stream) => {
    stream.on('error', () => {});
    stream.on('data', (data) => {
      const [command, ...names] = data.toString().trim().split(' ');
      if (command === 'stats')
        stream.write('uptime: 5\nmessages.last_msg_seen: 0\nmessages.bad_lines_seen: 0\nEND\n\n');
      else if (command === 'gauges') stream.write(`${inspect(gauges)}\nEND\n\n`);
      else if (command === 'counters') stream.write(`${inspect(counters)}\nEND\n\n`);
      else if (command === 'delgauges') {
        for (const name of names) {
          stream.write(name in gauges ? `deleted: ${name}\n` : `metric ${name} not found\n`);
          delete gauges[name];
        }
        stream.write('END\n\n');
      } else stream.write('ERROR\n');
    });
  }).listen(0, '127.0.0.1');
  await once(admin, 'listening');
  return {
    port: udp.address().port,
    adminPort: (admin.address() as { port: number }).port,
    async stop() {
      udp.close();
      admin.close();
      await Promise.all([once(udp, 'close'), once(admin, 'close')]);
    },
  };
}
