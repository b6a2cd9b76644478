#!/usr/bin/env bash
# dnsmasq 2.90, authoritative, with a range of static leases only
# Expected: silence to a DHCPREQUEST that names another server (RFC 2131, section 3.1, step 4).
# Seen: a DHCPNAK, "wrong server-ID"; without --dhcp-authoritative silence.
# Fata: a client that obeys it starts over each time. Fata's listens to the chosen server alone.

set -euo pipefail
. "$(dirname "$0")/common.sh"
need dnsmasq-base 2.90
in_own_network
begin

ip link add server0 type veth peer name client0
ip link set server0 up
ip link set client0 up
ip address add 198.51.100.9/24 dev server0

cat >request.py <<'PYTHON'
"""Asks for 198.51.100.20 from the server 198.51.100.1, and prints the type of the answer."""
import socket
import struct
import time

HARDWARE = bytes.fromhex("02005e000001")


def option(number, data):
    return bytes([number, len(data)]) + data


wanted, chosen = (socket.inet_aton(text) for text in ("198.51.100.20", "198.51.100.1"))
head = struct.pack("!4BI2H16x6s202xI", 1, 1, 6, 0, 7, 0, 0x8000, HARDWARE, 0x63825363)
message = head + option(53, b"\3") + option(50, wanted) + option(54, chosen) + b"\xff"
datagram = struct.pack("!4H", 68, 67, 8 + len(message), 0) + message
header = [0x4500, 20 + len(datagram), 0, 0, 0x4011, 0, 0, 0, 0xFFFF, 0xFFFF]
header[5] = 0xFFFF - sum(header) % 0xFFFF
frame = b"\xff" * 6 + HARDWARE + struct.pack("!11H", 0x0800, *header) + datagram
card = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
card.bind(("client0", 0x0800))
card.settimeout(0.2)
card.send(frame)
end = time.monotonic() + 4
while time.monotonic() < end:
    try:
        answer = card.recv(2000)
    except TimeoutError:
        continue
    # UDP from port 67 to port 68.
    if answer[23] == 17 and answer[34:38] == struct.pack("!2H", 67, 68):
        # The first option is the type.
        kind = answer[282:285]
        print({b"\x35\1\5": "DHCPACK", b"\x35\1\6": "DHCPNAK"}.get(kind, kind.hex()))
        break
else:
    print("silence")
PYTHON

answer() {
    local log=$1.log
    shift
    dnsmasq --keep-in-foreground --conf-file=/dev/null --pid-file= --user=root --log-facility=- \
        --port=0 --interface=server0 --bind-interfaces --leasefile-ro \
        --dhcp-range=198.51.100.0,static "$@" 2>"$log" &
    background=$!
    await grep -qs "bound exclusively to interface server0" "$log"
    python3 request.py >answer
    kill "$background"
    wait "$background"
    background=''
}

answer plain
same "not authoritative" silence "$(cat answer)"
answer authoritative --dhcp-authoritative
same authoritative DHCPNAK "$(cat answer)"
same "its log" "wrong server-ID" "$(grep -o 'wrong server-ID' authoritative.log)"
