#!/usr/bin/env bash
# Tests of the C library without Python: run.sh [plain|asan|ubsan]. Fails at the first thing that is not so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

FLAGS=(-std=c11 -O1 -g -Wall -Wextra -Werror -pthread -U_FORTIFY_SOURCE)
LIMIT_S=30 # of each program: a hang is a failure
mode=${1:-plain}
case "$mode" in
    plain) ;;
    asan) FLAGS+=(-fsanitize=address -fno-omit-frame-pointer) ;;
    ubsan) FLAGS+=(-fsanitize=undefined -fno-sanitize-recover=all) ;;
    *) echo "usage: $0 [plain|asan|ubsan]" >&2 && exit 2 ;;
esac
# Threads that still run when a process ends are no leak; a child that is killed on purpose has no time to look.
export ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:handle_segv=1 UBSAN_OPTIONS=print_stacktrace=1

work=$(mktemp -d "${TMPDIR:-/tmp}/headway-native.XXXXXX")
trap 'rm -rf "$work"' EXIT

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# The tracer is linked into the program, so that its hooks are the program's own functions, seen by the sanitizer.
"${CC:-gcc}" "${FLAGS[@]}" -rdynamic -o "$work/workload" tests/workload.c ./*.c
"${CC:-gcc}" "${FLAGS[@]}" -o "$work/python_test" tests/python_test.c
"${CC:-gcc}" "${FLAGS[@]}" -o "$work/check" tests/check.c

"$work/python_test"

# scenario NAME STATUS FILES [VARIABLE=VALUE...]: how it must end, and how many process files it must leave.
scenario() {
    local name=$1 status=$2 files=$3 directory="$work/trace" got=0 found try
    shift 3
    for try in 1 2 3 4; do
        rm -rf "$directory" && mkdir "$directory" && got=0
        env HEADWAY_TRACE_DIR="$directory" "$@" timeout "$LIMIT_S" "$work/workload" "$name" 2>"$work/stderr" || got=$?
        # The allocator of AddressSanitizer does not survive a fork while another thread is in it: in one run of
        # twenty a child waits for ever for a lock that is not ours. Without it, a hang is a hang.
        [ "$got" = 124 ] && [ "$name $mode" = "fork asan" ] || break
        echo "again: $name${*:+ $*}, try $try hung in AddressSanitizer's allocator or in us"
    done
    [ "$got" = "$status" ] || { cat "$work/stderr" >&2 && fail "$name $*: status $got, not $status"; }
    [ ! -s "$work/stderr" ] || { cat "$work/stderr" >&2 && fail "$name $*: it said something"; }
    found=$(find "$directory" -name '*.hw' | wc -l)
    [ "$found" = "$files" ] || fail "$name $*: $found process files, not $files"
    [ "$files" = 0 ] || "$work/check" "$directory"/*.hw >"$work/checked" || fail "$name $*: its files"
    echo "passed: $name${*:+ $*} ($found files)"
}

# contains TEXT: what the check of the last scenario must have seen.
contains() {
    grep -Eq "$1" "$work/checked" || { cat "$work/checked" >&2 && fail "the last scenario: no '$1'"; }
}

scenario gil 0 1
scenario locks 0 1
contains ' 0 overwritten, 0 lost'
scenario condition 0 1
scenario io 0 1
scenario threads 0 1
contains '2401 threads'
scenario fork 0 81
scenario children 0 1
scenario signals 0 1
scenario full 0 1
scenario killed 137 1
contains 'end 0'
for name in gil locks io signals; do
    scenario "$name" 0 1 HEADWAY_COALESCE_US=0
done
scenario sleeps 0 1 HEADWAY_COALESCE_US=0 HEADWAY_BUFFER_MB=1
contains ' [1-9][0-9]* overwritten'
scenario fork 0 81 HEADWAY_BUFFER_MB=1 HEADWAY_COALESCE_US=0
scenario gil 0 0 HEADWAY_TRACE_DIR=/nowhere
scenario gil 0 0 HEADWAY_TRACE_DIR=
for option in HEADWAY_BUFFER_MB HEADWAY_STACK_US HEADWAY_COALESCE_US; do
    for value in '' x -1 99999999999999999999; do
        scenario condition 0 1 "$option=$value"
    done
done
echo "native tests ($mode): all passed"
