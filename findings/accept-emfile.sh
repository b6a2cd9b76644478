#!/usr/bin/env bash
# Linux (seen in 6.18), accept4(2)
# Expected: EAGAIN while no connection waits, whatever the process's table of descriptors looks like.
# Seen: EMFILE once the table is full, though no connection waits: the number is taken first.
# Fata: as a process, asks the host whether there is room before connections come, and has idle ones
# make room.

set -euo pipefail
. "$(dirname "$0")/common.sh"
in_own_network
begin
uname -sr

cat >accept.py <<'PYTHON'
"""Prints how accepting fails where no connection waits, with descriptors left and without."""
import errno
import os
import resource
import socket

resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
listener = socket.create_server(("127.0.0.1", 0))
listener.setblocking(False)


def outcome():
    try:
        listener.accept()
    except OSError as error:
        return errno.errorcode[error.errno]


some = outcome()
held = []
try:
    while True:
        held.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
print(some, outcome())
PYTHON

same "with descriptors left, without" "EAGAIN EMFILE" "$(python3 accept.py)"
