#!/bin/bash
# rivals-venv.sh - a Python environment with paramiko and Ansible, beside which `make bench` asks a
# fleet.
#
#   tests/rivals-venv.sh [TARGET]
#
# Makes TARGET/rivals (TARGET: $CARGO_TARGET_DIR, or target/ of this checkout) with the two packages
# of PyPI in it, unless it is there, and prints its path. Nothing outside of that folder is touched.
# Any number may run at once. Needs python3 with venv and pip.
set -euo pipefail

PACKAGES=(paramiko==5.1.0 ansible-core==2.19.14)
ROOT=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/..
TARGET=${1:-${CARGO_TARGET_DIR:-$ROOT/target}}

mkdir -p "$TARGET"
TARGET=$(readlink -f "$TARGET")
VENV=$TARGET/rivals

is_complete() {
  [[ -e $VENV/complete && $(< "$VENV/complete") == "${PACKAGES[*]}" ]] &&
    "$VENV/bin/python" -c 'import paramiko, ansible' 2>/dev/null
}

exec 9> "$TARGET/.rivals-venv.lock"
flock 9
if ! is_complete; then
  rm -rf "$VENV"
  # Without a pip of its own, so that python3-venv is not needed: the system's pip installs into it.
  {
    python3 -m venv --without-pip "$VENV"
    python3 -m pip --python "$VENV/bin/python" --disable-pip-version-check \
      install --quiet "${PACKAGES[@]}"
    "$VENV/bin/python" -c 'import paramiko, ansible'
  } >&2
  printf '%s\n' "${PACKAGES[*]}" > "$VENV/complete"
fi
printf '%s\n' "$VENV"
