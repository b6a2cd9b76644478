#!/usr/bin/env bash
# GNU tar 1.34 with --sparse, bsdtar 3.6.2
# Expected: an archive depends on what is in a file; --hole-detection=raw looks for zeroes.
# Seen: the map goes by the file system's blocks, zeroes and all, in bsdtar, too; with "raw" by 512
# bytes. The same bytes, with the zeroes written, are stored in full, even with "raw".
# Fata: takes the stretches as they come, up to a bound, and zeroes in them for data.

set -euo pipefail
. "$(dirname "$0")/common.sh"
need tar 1.34
need libarchive-tools 3.6.2
begin

# 100 bytes, and one more after half a mebibyte.
truncate --size 1M holes
write() { dd of=holes bs=1 seek="$1" conv=notrunc status=none; }
printf '%0100d' 1 | write 0
printf 1 | write 524288
cat holes >written
same "bytes in a block of the file system" 4096 "$(stat --file-system --format %S .)"

# The map is text in front of the data: how many stretches, then where and how long each is.
map() { tr '\0' '\n' <"$1" | grep -aA 5 -x 3 | sed -n '2,5p' | paste -sd ' '; }
tar --sparse --format=posix -cf seek.tar holes
same "tar's stretches" "0 4096 524288 4096" "$(map seek.tar)"
tar --sparse --hole-detection=raw --format=posix -cf raw.tar holes
same "with raw" "0 512 524288 512" "$(map raw.tar)"
bsdtar --format=pax -cf bsd.tar holes
same "bsdtar's" "0 4096 524288 4096" "$(map bsd.tar)"

cmp holes written
tar --sparse --hole-detection=raw --format=posix -cf written.tar written
mebibytes() { echo $(($(stat --format %s "$1") / 1048576)); }
same "whole mebibytes in the archive of the file with holes" 0 "$(mebibytes raw.tar)"
same "in that of the same bytes, written" 1 "$(mebibytes written.tar)"
