/** A UDP socket in a process of its own, so that receiving costs the measured process nothing. Prints its port. */
import { createSocket } from 'node:dgram';

const socket = createSocket({ type: 'udp4', recvBufferSize: 8 * 1024 * 1024 });
socket.bind(0, '127.0.0.1', () => console.log(socket.address().port));
process.on('disconnect', () => process.exit(0));
