#!/usr/bin/env bash
# QEMU 7.2, -accel tcg -cpu max
# Expected: "max", which has RDRAND, has RDSEED, too, as processors with AVX2 have since 2014.
# Seen: RDRAND, AVX2 and XSAVE, but no RDSEED; who asks for it gets a warning, and none.
# Fata: takes its seed from RDRAND and virtio-rng, too; tests under TCG do not reach RDSEED.

set -euo pipefail
. "$(dirname "$0")/common.sh"
need qemu-system-x86 7.2
need jq 1.6
begin

cat >requests <<'QMP'
{"execute": "qmp_capabilities"}
{"execute": "query-cpu-model-expansion",
 "arguments": {"type": "full", "model": {"name": "max"}}}
{"execute": "quit"}
QMP
machine() { timeout 60 qemu-system-x86_64 -accel tcg -M q35 -m 16 -S -display none "$@"; }
machine -qmp stdio <requests >answers
has() { jq --arg name "$1" '.return.model.props | values | .[$name]' answers; }
same rdrand true "$(has rdrand)"
same avx2 true "$(has avx2)"
same xsave true "$(has xsave)"
same rdseed false "$(has rdseed)"

echo '{"execute": "qmp_capabilities"} {"execute": "quit"}' >requests
machine -cpu max,+rdseed -qmp stdio <requests >answers 2>warning
same "asked for it" 1 "$(grep -c "TCG doesn't support requested feature: .*rdseed" warning)"
