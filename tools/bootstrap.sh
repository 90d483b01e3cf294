#!/bin/sh
# Makes .venv ready, from nothing but Python 3.11 or newer.
#
#   tools/bootstrap.sh demo    what runs the shop
#   tools/bootstrap.sh dev     and what checks the repository
#
# Idempotent, and over in a moment when nothing changed. PYTHON=... chooses the interpreter.
set -eu
cd "$(dirname "$0")/.."
want=${1:-dev}
say() { printf '%s\n' "$*" >&2; }
modern() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

# What is installed depends on these files; their digest is the stamp.
digest=$(cat pyproject.toml packages/*/pyproject.toml packages/*/src/*/_version.py tools/bootstrap.sh | cksum)
stamp=.venv/.ready-$want
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$digest" ] && modern .venv/bin/python; then exit 0; fi

if ! modern .venv/bin/python; then
    found=
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
        if modern "$candidate"; then found=$candidate; break; fi
    done
    if [ -z "$found" ]; then
        say "Python 3.11 or newer is needed, and none is on the path."
        say "python3 is: $(python3 --version 2>&1 || true). Install one, or say PYTHON=/path/to/python3.12 make ..."
        exit 1
    fi
    say "making .venv with $("$found" --version)"
    rm -rf .venv
    if ! "$found" -m venv .venv; then
        say "The venv module does not work. On Debian and Ubuntu: apt-get install python3-venv"
        exit 1
    fi
fi

python=.venv/bin/python
if [ ! -x .venv/bin/uv ]; then
    "$python" -m pip install -q --disable-pip-version-check uv || say "uv cannot be had; pip does its work, slower"
fi

# uv is quick; pip knows the machine's own settings (pip.conf). Whichever works.
install() {
    if [ -x .venv/bin/uv ] && .venv/bin/uv pip install -q --compile-bytecode --python "$python" "$@"; then return; fi
    say "installing with pip"
    "$python" -m pip install -q --disable-pip-version-check --upgrade "pip>=25.1"
    "$python" -m pip install -q --disable-pip-version-check "$@"
}

say "installing what $want needs; the first time takes a minute"
set -- -e packages/kailash-core -e "packages/dataflow[upgrade,console]" -e "packages/nexus[mcp,console,fast]"
if [ "$want" = dev ]; then set -- --group dev "$@"; fi
install "$@"
printf '%s\n' "$digest" >"$stamp"
