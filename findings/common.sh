# Sourced by the scripts of this folder: pinned packages, a folder to work in, an end that leaves
# nothing behind, and checks of what was seen. In this order: need, in_own_network, begin.
# shellcheck shell=bash

PATH=$PATH:/usr/sbin:/sbin
# What was installed, and the process in the background, if there is one.
packages=() background='' scratch=''

die() {
    echo "${0##*/}: $*" >&2
    exit 1
}

# Whether a version of Debian's is one of upstream's: VERSION UPSTREAM.
is_upstream() {
    case ${1#*:} in
        "$2" | "$2"[!0-9]*) ;;
        *) return 1 ;;
    esac
}

# Takes an installed Debian package of this upstream version, or installs it: NAME UPSTREAM.
need() {
    local version
    version=$(dpkg-query -W -f '${Version}' "$1" 2>/dev/null) || version=''
    if [ -z "$version" ]; then
        apt-get update -qq
        for version in $(apt-cache madison "$1" | cut -d '|' -f 2) none; do
            if is_upstream "$version" "$2"; then
                break
            fi
        done
        [ "$version" != none ] || die "Debian here serves no $1 $2"
        DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends \
            "$1=$version" >/dev/null
    fi
    is_upstream "$version" "$2" || die "$1 $version is installed; this is about $2"
    packages+=("$1 $version")
}

# Runs the script in a network namespace of its own, which ends with it.
in_own_network() {
    [ "$(id -u)" = 0 ] || die "a network namespace is for root to make"
    local script
    script=$(realpath "$0")
    if [ "${FINDINGS_NETWORK:-}" != own ]; then
        FINDINGS_NETWORK=own exec unshare --net -- bash "$script"
    fi
    ip link set lo up
}

# Prints the script's header, and goes to a folder of its own.
begin() {
    sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
    if [ ${#packages[@]} != 0 ]; then
        printf 'Package: %s\n' "${packages[@]}"
    fi
    trap clean_up EXIT
    scratch=$(mktemp -d)
    cd "$scratch" || exit
}

clean_up() {
    if [ -n "$background" ] && kill "$background"; then
        wait "$background" || echo "${0##*/}: stopped process $background" >&2
    fi
    if [ -n "$scratch" ]; then
        rm -rf "$scratch"
    fi
}

# Waits, for ten seconds at most, until a command succeeds.
await() {
    for _ in {1..100}; do
        if "$@"; then
            return
        fi
        sleep 0.1
    done
    die "waited in vain for: $*"
}

# Prints what was seen, and fails unless it is what was seen before: WHAT BEFORE NOW.
same() {
    printf '%s: %s\n' "$1" "$3"
    [ "$3" = "$2" ] || die "$1 was: $2"
}

# Makes the file kernel, which QEMU starts by PVH, of 32-bit code on standard input: OPTIONS of ld.
link_kernel() {
    local entry='
    .code32
    .section .note, "a", @note
    .long 4, 4, 18
    .asciz "Xen"
    .long start
    .text
    .globl start
start:'
    { echo "$entry" && cat; } >kernel.s
    as --32 kernel.s -o kernel.o
    ld -m elf_i386 -e start "$@" kernel.o -o kernel
}

# Runs it until it writes 0 to port 0xf4. The file text has what it wrote to port 0xe9: OPTIONS of
# QEMU.
run_kernel() {
    local status=0
    timeout 60 qemu-system-x86_64 -accel tcg -m 32 -nodefaults -display none -kernel kernel \
        -debugcon file:text -device isa-debug-exit,iobase=0xf4,iosize=4 "$@" || status=$?
    # What the device for it makes of 0.
    [ "$status" = 1 ] || die "QEMU ended with $status"
}
