#!/usr/bin/env bash
# delv and dig of BIND 9.18
# Expected: without any answer, a status that is not 0, as dig's 9.
# Seen: delv says that the resolution failed, and ends with 0.
# Fata: its tests ask with dig; a script with delv has to read its text.

set -euo pipefail
. "$(dirname "$0")/common.sh"
need bind9-dnsutils 9.18
in_own_network
begin

# Nobody listens there, in a network of its own.
status=0
dig +tries=1 @127.0.0.1 -p 5399 name.test >dig.log || status=$?
same "dig's status" 9 "$status"
status=0
delv @127.0.0.1 -p 5399 name.test 2>delv.log || status=$?
cat delv.log
same "delv's status" 0 "$status"
same "its last line" ";; resolution failed: failure" "$(tail -n 1 delv.log)"
