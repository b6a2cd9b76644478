# Sourced by the scripts of this folder: the root of the workspace, and where cargo builds.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit
PATH=$PATH:$HOME/.cargo/bin:/usr/sbin:/sbin
target=${CARGO_TARGET_DIR:-target}
case $target in /*) ;; *) target=$root/$target ;; esac
# Cargo goes by it, too, whatever its own configuration says.
export target CARGO_TARGET_DIR=$target

die() {
    echo "${0##*/}: $*" >&2
    exit 1
}

# Succeeds if nobody listens on a port of 127.0.0.1.
is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

free_port() {
    local port
    for _ in {1..50}; do
        port=$((20000 + RANDOM % 10000))
        if is_free "$port"; then
            echo "$port"
            return
        fi
    done
    die "found no free port"
}
