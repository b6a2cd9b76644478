#!/usr/bin/env bash
# iperf3 3.12, UDP with --omit
# Expected: the results that both ends exchange, and their reports, leave the omitted seconds out.
# Seen: what is exchanged has bytes without them, but packets with them; the server's report gives
# the client's packets as 0 less those omitted, in 64 bits without a sign.
# Fata: its server for iperf3's tests forgets the bytes of the omitted seconds, and goes on counting
# packets and losses, as the client expects; its tests read the client's report.

set -euo pipefail
. "$(dirname "$0")/common.sh"
need iperf3 3.12
need jq 1.6
in_own_network
begin

iperf3 --server --one-off --json --bind 127.0.0.1 >server.json &
background=$!
is_open() { ss --no-header --listening --tcp --numeric 'sport = :5201' | grep -q LISTEN; }
await is_open
# Two seconds count, of 1,250 packets of 1,000 bytes each, give or take a few.
iperf3 --client 127.0.0.1 --udp --bitrate 10M --length 1000 --omit 1 --time 2 --debug >client.log
wait "$background"
background=''

# The client's results of its stream come first.
results=$(sed -n '/^send_results/,/^}/p' client.log | sed 1d)
packets=$(jq '.streams[0].packets' <<<"$results")
bytes=$(jq '.streams[0].bytes' <<<"$results")
echo "exchanged: $packets packets, $bytes bytes"
same "seconds that its bytes count" 2 $(((bytes + 625000) / 1250000))
same "seconds that its packets count" 3 $(((packets + 625) / 1250))
# jq rounds what does not fit into a double; the text does not.
sent=$(grep -A 12 '"sum_sent"' server.json | grep -m 1 -o '"packets":.*[0-9]' | grep -o '[0-9]*$')
echo "the server's report of what the client sent: $sent packets"
same "digits of that" 20 ${#sent}
