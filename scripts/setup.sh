#!/usr/bin/env bash
# Sets up a virtual environment: setup.sh FOLDER [dev]. Checks what it needs before anything is built, shows that the
# one long step (compiling llama.cpp, about 4 minutes, once) is working, and does nothing twice.
set -euo pipefail

venv=$1
group=${2:-}
python=${PYTHON:-python3}

stop() {
    printf 'llmasos: %s\n' "$1" >&2
    exit 1
}

command -v "$python" >/dev/null || stop "There is no $python. Install Python 3.11 or later, or name one: make PYTHON=python3.12"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    stop "$("$python" --version) is too old. Install Python 3.11 or later, or name one: make PYTHON=python3.12"
"$python" -c 'import venv, ensurepip' 2>/dev/null ||
    stop "This Python can't make virtual environments. On Debian or Ubuntu: apt install python3-venv"

installed() {
    "$venv/bin/python" -c "import importlib.util, sys; sys.exit(importlib.util.find_spec('$1') is None)" 2>/dev/null
}

if ! installed llama_cpp; then
    command -v c++ >/dev/null || command -v g++ >/dev/null || command -v clang++ >/dev/null ||
        stop "llama.cpp is compiled once and needs a C++ compiler. On Debian or Ubuntu: apt install g++ ; on Fedora: dnf install gcc-c++"
    free=$(df -Pk . | awk 'NR==2 {print int($4/1024)}')
    [ "$free" -ge 2048 ] || stop "There are $free MB free here; setting up takes about 2,000 MB. Make room and try again."
fi

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"

# Runs a step with its output in a log, and a line that moves while it works.
step() {
    local title=$1 log=$venv/setup.log start=$SECONDS
    shift
    "$@" >>"$log" 2>&1 &
    local pid=$!
    # A background job ignores Ctrl-C unless it is told.
    trap 'kill "$pid" 2>/dev/null; wait "$pid"; exit 130' INT TERM
    while kill -0 "$pid" 2>/dev/null; do
        if [ -t 2 ]; then
            printf '\r%s ... %d s ' "$title" $((SECONDS - start)) >&2
            sleep 1
        else
            sleep 1
            (((SECONDS - start) % 15)) || printf '%s ... %d s\n' "$title" $((SECONDS - start)) >&2
        fi
    done
    trap - INT TERM
    if ! wait "$pid"; then
        printf '\n' >&2
        tail -n 15 "$log" >&2
        stop "$title failed; the whole log is $log. Run the same command again after mending what it says."
    fi
    [ -t 2 ] && printf '\r%s ... done in %d s\n' "$title" $((SECONDS - start)) >&2 || printf '%s: done in %d s\n' "$title" $((SECONDS - start)) >&2
}

pip=("$venv/bin/python" -m pip install --disable-pip-version-check --no-input)

if ! installed llama_cpp; then
    # A step of its own, so that nothing later can undo it.
    requirement=$(sed -n 's/^ *"\(llama-cpp-python[^"]*\)".*/\1/p' pyproject.toml)
    step "Compiling llama.cpp (about 4 minutes, once)" "${pip[@]}" "$requirement"
fi
step "Installing llmasos" "${pip[@]}" --editable .
if [ "$group" = dev ]; then
    step "Installing the developers' tools" "${pip[@]}" $("$venv/bin/python" - <<'PY'
import tomllib
with open("pyproject.toml", "rb") as file:
    print(*tomllib.load(file)["dependency-groups"]["dev"])
PY
    )
fi
