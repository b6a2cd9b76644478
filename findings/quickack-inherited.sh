#!/usr/bin/env bash
# Linux (seen in 6.18), TCP_QUICKACK
# Expected: a mode of one connection, "not permanent" (tcp(7)), of no meaning for a listener.
# Seen: what is set on a listening socket stays there, and every connection it accepts has it.
# Fata: as a process, turns it off once per listener: answers carry the acknowledgement of the
# request, without a system call per connection.

set -euo pipefail
. "$(dirname "$0")/common.sh"
in_own_network
begin
uname -sr

cat >accept.py <<'PYTHON'
"""Prints the option of a listener that has it set to an argument, and of what it accepts."""
import socket
import sys

LEVEL, OPTION = socket.IPPROTO_TCP, socket.TCP_QUICKACK
listener = socket.create_server(("127.0.0.1", 0))
listener.setsockopt(LEVEL, OPTION, int(sys.argv[1]))
values = []
for _ in range(2):
    with socket.create_connection(listener.getsockname()), listener.accept()[0] as accepted:
        values.append(accepted.getsockopt(LEVEL, OPTION))
print("listener", listener.getsockopt(LEVEL, OPTION), "accepted", *values)
PYTHON

same "set to 1" "listener 1 accepted 1 1" "$(python3 accept.py 1)"
same "set to 0" "listener 0 accepted 0 0" "$(python3 accept.py 0)"
