/** Counts what arrives: metrics in StatsD datagrams (UDP), lines of Graphite (TCP). A line on stdin asks for the counts. */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';

const [udpPort = '0', tcpPort = '0'] = process.argv.slice(2);
let metrics = 0;
let lines = 0;
const durations: number[] = [];

const udp = createSocket({ type: 'udp4', recvBufferSize: 8 * 1024 * 1024 });
udp.on('message', (message) => {
  for (let at = message.indexOf(10); at >= 0; at = message.indexOf(10, at + 1)) metrics += 1;
  metrics += 1;
  if (message.includes('.htb.duration_milliseconds:')) {
    const found = /\.htb\.duration_milliseconds:([0-9.]+)/.exec(message.toString());
    if (found !== null) durations.push(Number(found[1]));
  }
});
udp.bind(Number(udpPort), '127.0.0.1');
createServer((socket) => {
  socket.on('data', (chunk) => {
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines += 1;
  });
}).listen(Number(tcpPort), '127.0.0.1');
createInterface({ input: process.stdin }).on('line', () => {
  process.stdout.write(`${JSON.stringify({ metrics, lines, durations })}\n`);
});
