"""Sends frames that no program would, so that the kernel counts them as what they are.

unknown DEVICE COUNT    frames of a protocol that nobody speaks (0x88b5, for experiments)
clash ADDRESS COUNT     VXLAN (number 7) marked as congested around packets that do not know congestion: RFC 6040 drops it
"""

import socket
import struct
import sys

what, where, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
if what == "unknown":
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((where, 0))
        for _ in range(count):
            raw.send(b"\xff" * 6 + b"\x02\0\0\0\0\x01" + struct.pack("!H", 0x88B5) + bytes(50))
else:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 3)
        packet = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, 17, 0, bytes([10, 1, 0, 2]), bytes([10, 1, 0, 1]))
        frame = b"\xff" * 6 + b"\x02\0\0\0\0\x02" + struct.pack("!H", 0x0800) + packet + bytes(8)
        for _ in range(count):
            udp.sendto(struct.pack("!II", 0x08000000, 7 << 8) + frame, (where, 4789))
