# Sourced by the scripts that measure beside Linux guests, after common.sh: where the harness of
# ../shared/bench and its guests are, and definitions of bench-guest for it.
# shellcheck shell=bash

need_harness() {
    harness=$(cd "${FATA_BENCH:-../shared/bench}" 2>/dev/null && pwd) ||
        die "there is no folder ${FATA_BENCH:-../shared/bench}; FATA_BENCH says where the harness is"
    [ -f "$harness/compare.py" ] || die "$harness has no compare.py; is it the bench harness?"
    [ "$(id -u)" = 0 ] || die "the harness makes a network namespace: run as root"
    work=$(realpath -m "${BENCH_WORK:-$target/bench}")
    mkdir -p "$target/bench"
}

need_linux() {
    [ -d "$work/linux/$1" ] ||
        die "there is no Linux guest in $work/linux/$1; build it: BENCH_WORK=$work $harness/linux-guest.sh $1"
}

microvm='-M microvm,acpi=off,pit=on,pic=on,rtc=on -global virtio-mmio.force-legacy=false'

# Writes a definition for the harness, the command read from standard input: NAME MEBIBYTES MARKER.
write_definition() {
    cat >"$target/bench/$1.toml" <<TOML
name = "$1"
mem = $2
minmem = [2, $2]
marker = "$3"
tests = ["boot", "http", "close", "tcp", "udp", "ping", "blk"]
command = """
$(cat)
"""
TOML
}

# Writes the definition of bench-guest: NAME MEBIBYTES MACHINE-OPTIONS NIC [ARGUMENTS [DISK]].
# DISK is the device that has the harness's disk.
define_bench_guest() {
    local disk=
    [ -z "${6:-}" ] ||
        disk="-drive if=none,id=d0,format=raw,file={work}/blk.raw -device $6,drive=d0"
    write_definition "$1" "$2" 'bench-guest: listening' <<TEXT
qemu-system-x86_64 $3 -accel tcg -cpu max -m {mem}
 -nodefaults -no-user-config -display none -serial stdio -no-reboot
 -kernel $target/fata/bench-guest.elf
 -append '--ipv4={ip}/24 --ipv4-gateway={gateway} ${5:-}'
 -netdev tap,id=n0,ifname={tap},script=no,downscript=no
 -device $4,netdev=n0,mac={mac}
 $disk
TEXT
}
