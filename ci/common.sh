# Sourced by the scripts of this folder: the root of the workspace, and where cargo builds.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit
PATH=$PATH:$HOME/.cargo/bin:/usr/sbin:/sbin
target=${CARGO_TARGET_DIR:-target}
case $target in /*) ;; *) target=$root/$target ;; esac
export target

die() {
    echo "${0##*/}: $*" >&2
    exit 1
}
