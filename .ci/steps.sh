#!/usr/bin/env bash
# The steps of .ci/run, one function each. Runs in a copy of the tree, with $WORK beside it.
set -euo pipefail

C_FLAGS=(-std=gnu11 -O2 -Wall -Wextra -Werror -fPIC -shared -fvisibility=hidden -ftls-model=initial-exec -Wl,-z,defs)

# What is the same on every Python runs on the oldest, with the README's command.
ONCE=(--ignore=tests/test_benchmarks.py --ignore=tests/test_docs.py --ignore=tests/test_docs_code.py
    --ignore=tests/test_docs_reference.py --ignore=tests/test_layers.py --ignore=tests/cli/map --ignore=tests/gil
    --ignore=tests/check/test_corpus_shape.py --ignore=tests/check/test_tutorial.py --ignore=tests/check/test_plugin.py
    --ignore=tests/check/test_stored.py --ignore=tests/check/test_token.py --ignore=tests/cli/test_help.py
    --ignore=tests/cli/test_usage.py --ignore=tests/view/browser)

# What looks at nothing of Python's that changes from version to version: on the oldest and on the newest. On all are the
# tests of what trace sees of a Python and does to it, but for those of programs that hang (whose locks and joins change
# with 3.13 and 3.14), and those of what check does to a Python (code, threads, asyncio, gevent); those of what trace finds
# in what it has seen, of how check searches, and of run are not.
ENDS=(--ignore=tests/test_examples.py --ignore=tests/run --ignore=tests/check/test_corpus.py --ignore=tests/check/strategies
    --ignore=tests/check/races --ignore=tests/check/test_report.py --ignore=tests/check/test_own.py
    --ignore=tests/check/test_explore.py --ignore=tests/check/test_execution.py --ignore=tests/check/test_tries.py
    --ignore=tests/check/test_shrink.py --ignore=tests/check/test_stillness.py
    --ignore=tests/cli/test_check.py --ignore=tests/cli/test_gil.py --ignore=tests/test_import.py
    --ignore=tests/test_pytest_trace.py --ignore=tests/trace/test_hangs_tasks.py --ignore=tests/trace/test_hangs_greenlets.py
    --ignore=tests/trace/test_process_pools.py --ignore=tests/trace/test_block.py --ignore=tests/trace/test_leaked.py
    --ignore=tests/cli/test_view.py --ignore=tests/view --ignore-glob=tests/trace/test_loop_blocked*.py --ignore=tests/trace/test_harmless_limits.py
    --deselect=tests/trace/test_report.py::test_ten_million_records_are_read_in_bounded_memory)
HANGS=(--ignore=tests/trace/test_hangs.py) # on 3.11, 3.13 and the newest
NEWEST=3.15

main() {
    case "$1" in
        py3.14 | py$NEWEST) in_sid "${1#py}" ;;
        py3.*) on_host "${1#py}" ;;
        packages | tools | wheel | lint | types | gcc | clang | asan | ubsan | readme) "step_$1" ;;
        *) echo "no such step: $1" && exit 2 ;;
    esac
}

# Waits for a step that runs beside this one, if there is one.
after() {
    while [ -e "$WORK/awaited-$1" ]; do sleep 0.2; done
}

# Prints the path of a CPython of this version, and makes one if there is none.
python() {
    local found
    found=$(ls -d "$HOME/.pyenv/versions/$1".*/bin/python 2>/dev/null | sort -V | tail -n 1)
    found=${found:-$(command -v "python$1" || true)}
    if [ -z "$found" ] && command -v pyenv >/dev/null; then
        pyenv install -s "$1" >&2
        found=$(pyenv prefix "$(pyenv latest "$1")")/bin/python
    fi
    [ -n "$found" ] || { echo "no Python $1 here, and no pyenv to make one" >&2 && return 1; }
    echo "$found"
}

test_requirements() {
    "$WORK/tools/bin/python" -c '
import tomllib
project = tomllib.load(open("pyproject.toml", "rb"))
print(*project["project"]["dependencies"], *project["dependency-groups"]["test"], sep="\n")' >"$WORK/requirements.txt"
}

# The test requirements that concern a Python: pip evaluates markers for the one that it runs on.
requirements_for() {
    "$WORK/tools/bin/python" -c '
import sys
from pip._vendor.packaging.requirements import Requirement
for line in open(sys.argv[1]):
    requirement = Requirement(line.strip())
    marker, requirement.marker = requirement.marker, None
    if marker is None or marker.evaluate({"python_version": sys.argv[2]}):
        print(requirement)' "$WORK/requirements.txt" "$1"
}

step_packages() {
    local -A packages=([gcc]=gcc [clang]=clang [debootstrap]=debootstrap [git]=git [unshare]=util-linux [pypy3]=pypy3 [jython]=jython
        [chromium]=chromium)
    local -a missing=()
    local command
    for command in "${!packages[@]}"; do
        command -v "$command" >/dev/null || missing+=("${packages[$command]}")
    done
    if ((${#missing[@]})); then
        echo "installing ${missing[*]}"
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    fi
    gcc --version | head -n 1
    clang --version | head -n 1
}

step_tools() {
    "$(python 3.11)" -m venv "$WORK/tools"
    # A pip that can install for another Python; 3.11's own compares what is needed with itself.
    "$WORK/tools/bin/pip" install -q -U "pip>=25"
    test_requirements
    # Without clusters and what drives a browser, which are large, and of which mypy knows nothing.
    grep -vE '^(distributed|playwright|ray)\b' "$WORK/requirements.txt" >"$WORK/requirements-tools.txt"
    "$WORK/tools/bin/pip" install -q -r "$WORK/requirements-tools.txt" ruff mypy
    "$WORK/tools/bin/ruff" --version
    "$WORK/tools/bin/mypy" --version
}

step_wheel() {
    after tools
    "$WORK/tools/bin/pip" wheel -q --no-deps -w "$WORK/wheel" -C cmake.define.HEADWAY_WERROR=ON .
    local -a wheel=("$WORK"/wheel/headway-*-py3-none-linux_*.whl)
    "$WORK/tools/bin/python" -m zipfile -l "${wheel[0]}" | grep libheadway.so
}

step_lint() {
    after tools
    "$WORK/tools/bin/ruff" check .
    "$WORK/tools/bin/ruff" format --check .
}

step_types() {
    after tools
    "$WORK/tools/bin/mypy"
}

step_gcc() { gcc "${C_FLAGS[@]}" native/*.c -o "$WORK/gcc.so"; }
step_clang() { clang "${C_FLAGS[@]}" native/*.c -o "$WORK/clang.so"; }
step_asan() { bash native/tests/run.sh asan; }
step_ubsan() { bash native/tests/run.sh ubsan; }

# The README's two commands, as they stand there, in what a fresh clone would hold; the second runs all tests on 3.11.
step_readme() {
    local where="$WORK/readme" command
    cp -r "$WORK/tree" "$where"
    cd "$where"
    PATH="$(dirname "$(python 3.11)"):$PATH"
    export HEADWAY_SEEDS=1 # the corpus of check with another seed than on the newest
    for command in trace tests; do
        python3.11 .ci/readme.py "$command" >"$WORK/command"
        echo "+ $(cat "$WORK/command")"
        bash -euo pipefail "$WORK/command"
    done
}

# The tests that concern it, against the wheel, on a CPython of this machine.
on_host() {
    local venv="$WORK/venv-$1"
    local -a left_out=("${ONCE[@]}" "${ENDS[@]}")
    [ "$1" = 3.13 ] || left_out+=("${HANGS[@]}")
    after wheel
    "$(python "$1")" -m venv "$venv"
    "$venv/bin/pip" install -q "$WORK"/wheel/*.whl -r "$WORK/requirements.txt"
    "$venv/bin/python" -VV
    "$venv/bin/python" -m pytest -q tests "${left_out[@]}"
}

# The tests that concern it, against the wheel, on a CPython of Debian sid, in a directory of its own.
in_sid() {
    { flock 9 && { [ -x "$SID/usr/bin/python$1" ] && [ -x "$SID/usr/bin/gcc" ] || make_sid "$1"; }; } 9>"$WORK/sid-lock"
    local -a left_out=("${ONCE[@]}")
    after wheel
    [ "$1" = "$NEWEST" ] || left_out+=("${ENDS[@]}" "${HANGS[@]}")
    local inside="/tmp/headway-ci-$1" site tag arch
    local stage="$SID$inside"
    tag=cp${1/./} arch=$(uname -m)
    rm -rf "$stage"
    # shellcheck disable=SC2064 # the value of now is meant
    trap "rm -rf '$stage'" EXIT
    mkdir -p "$stage"
    cp -r "$WORK/tree" "$stage/tree"
    # Debian's Python has no pip of its own; the one of our tools puts the packages there.
    chroot "$SID" "/usr/bin/python$1" -m venv --without-pip "$inside/venv"
    site="$stage/venv/lib/python$1/site-packages"
    requirements_for "$1" >"$WORK/requirements-$1.txt"
    "$WORK/tools/bin/pip" install -q --target "$site" --only-binary :all: --implementation cp \
        --python-version "$1" --abi "$tag" --abi abi3 --abi none \
        --platform "manylinux_2_28_$arch" --platform "manylinux_2_27_$arch" --platform "manylinux_2_17_$arch" \
        --platform "manylinux2014_$arch" --platform "linux_$arch" \
        "$WORK"/wheel/*.whl -r "$WORK/requirements-$1.txt"
    # The mounts live in a namespace of their own and go with it.
    unshare --mount --propagation private bash -euo pipefail -c '
        mount -t proc proc "$SID/proc"
        mount --rbind /dev "$SID/dev"
        mount --bind /sys "$SID/sys"
        exec chroot "$SID" env -i PATH=/usr/bin:/bin HOME=/root LANG=C.UTF-8 CI="$CI" HEADWAY_CI="$HEADWAY_CI" \
            PYTEST_ADDOPTS="$PYTEST_ADDOPTS" HEADWAY_SEEDS=0 \
            bash -euc "cd \"$1/tree\" && \"$1/venv/bin/python\" -VV && \"$1/venv/bin/python\" -m pytest -q tests $2"
    ' in_sid "$inside" "${left_out[*]}"
}

# Made whole and then renamed, so that what has the name is complete.
make_sid() {
    [ ! -e "$SID" ] || { echo "$SID is there, but lacks python$1 or gcc: remove it, or set HEADWAY_SID" && return 1; }
    echo "making $SID"
    rm -rf --one-file-system "$SID.new"
    debootstrap --variant=minbase --include=python3.14,python3.15,gcc,libc6-dev sid "$SID.new" >"$WORK/debootstrap.log" 2>&1 ||
        { tail -n 20 "$WORK/debootstrap.log" && return 1; }
    mv "$SID.new" "$SID"
}

main "$@"
