#!/usr/bin/env bash
# Linux (seen in 6.18), a persistent TAP
# Expected: who attaches to an interface finds the defaults, and asks for more.
# Seen: it has the size of virtio-net's header (TUNSETVNETHDRSZ) and the offloads (TUNSETOFFLOAD)
# that its last owner asked for. So the next may get 12 bytes before each frame where it expects 10,
# frames longer than the MTU, and such without a checksum.
# Fata: sets both when it attaches, and puts them back at its end.

set -euo pipefail
. "$(dirname "$0")/common.sh"
in_own_network
begin
uname -sr

cat >owner.py <<'PYTHON'
"""Attaches to tap0, and prints what it finds; then asks for more, and keeps the interface."""
import array
import fcntl
import os
import socket
import struct

TUNSETIFF, TUNSETPERSIST, TUNSETOFFLOAD = 0x400454CA, 0x400454CB, 0x400454D0
TUNGETVNETHDRSZ, TUNSETVNETHDRSZ = 0x800454D7, 0x400454D8
SIOCETHTOOL = 0x8946
ETHTOOL_GTXCSUM, ETHTOOL_GTSO = 0x16, 0x1E

tap = os.open("/dev/net/tun", os.O_RDWR)
# IFF_TAP, IFF_NO_PI and IFF_VNET_HDR.
fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", b"tap0", 0x0002 | 0x1000 | 0x4000))


def feature(command):
    value = array.array("I", [command, 0])
    request = struct.pack("16sQ16x", b"tap0", value.buffer_info()[0])
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCETHTOOL, request)
    return ("off", "on")[value[1]]


(size,) = struct.unpack("i", fcntl.ioctl(tap, TUNGETVNETHDRSZ, bytes(4)))
print(f"header {size}, checksums {feature(ETHTOOL_GTXCSUM)}, TSO {feature(ETHTOOL_GTSO)}")
fcntl.ioctl(tap, TUNSETPERSIST, 1)
fcntl.ioctl(tap, TUNSETVNETHDRSZ, struct.pack("i", 12))
# TUN_F_CSUM, TUN_F_TSO4 and TUN_F_TSO6.
fcntl.ioctl(tap, TUNSETOFFLOAD, 1 | 2 | 4)
PYTHON

same "the first owner found" "header 10, checksums off, TSO off" "$(python3 owner.py)"
same "the second" "header 12, checksums on, TSO on" "$(python3 owner.py)"
