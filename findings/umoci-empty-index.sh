#!/usr/bin/env bash
# umoci 0.4.7, init
# Expected: a new layout's index.json has an empty array of manifests, which the format requires.
# Seen: "manifests": null, which strict readers refuse.
# Fata: leaves such a folder alone; it writes an image over a layout of one image, and no other.

set -euo pipefail
. "$(dirname "$0")/common.sh"
need umoci 0.4.7
begin

umoci init --layout empty
same index.json '{"schemaVersion":2,"manifests":null}' "$(cat empty/index.json)"
