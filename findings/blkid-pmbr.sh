#!/usr/bin/env bash
# blkid of util-linux 2.38.1, gdisk 1.0.9
# Expected: a disk of which both copies of the GUID partition table are gone has no table.
# Seen: it has one of type "PMBR", its protection, and the status is 0.
# Fata: says that the table is damaged; its tests, which compare it with blkid, take PMBR for none.

set -euo pipefail
. "$(dirname "$0")/common.sh"
need util-linux 2.38.1
need gdisk 1.0.9
begin

probe() { blkid --probe --match-tag PTTYPE --output value disk; }

truncate --size 16M disk
sgdisk --new 1:2048:4095 disk >/dev/null
same "with both copies" gpt "$(probe)"
clear_sector() { dd if=/dev/zero of=disk bs=512 count=1 seek="$1" conv=notrunc status=none; }
clear_sector 1
same "without the first" gpt "$(probe)"
clear_sector 32767
same "without both" PMBR "$(probe)"
