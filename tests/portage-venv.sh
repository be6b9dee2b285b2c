#!/bin/bash
# portage-venv.sh - a Python environment with Portage's own library, for the differential tests.
#
#   tests/portage-venv.sh [VERSION [TARGET]]
#
# Makes TARGET/portage-VERSION (TARGET: $CARGO_TARGET_DIR, or target/ of this checkout) with the
# package `portage` of PyPI in it, unless it is there, and prints the path of its python. Nothing
# outside of that folder is touched. Any number may run at once. Needs python3 with venv and pip.
set -euo pipefail

VERSION=${1:-3.0.83}
ROOT=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/..
TARGET=${2:-${CARGO_TARGET_DIR:-$ROOT/target}}

[[ $VERSION =~ ^[0-9]+(\.[0-9]+)*$ ]] || { echo "portage-venv.sh: not a version: $VERSION" >&2; exit 64; }
mkdir -p "$TARGET"
TARGET=$(readlink -f "$TARGET")
VENV=$TARGET/portage-$VERSION

exec 9> "$TARGET/.portage-venv.lock"
flock 9
# The system may have got another Python since.
if ! { [[ -e $VENV/complete ]] && "$VENV/bin/python" -c "import portage.dep" 2>/dev/null; }; then
  rm -rf "$VENV"
  # Without a pip of its own, so that python3-venv is not needed: the system's pip installs into it.
  {
    python3 -m venv --without-pip "$VENV"
    python3 -m pip --python "$VENV/bin/python" --disable-pip-version-check \
      install --quiet "portage==$VERSION"
    "$VENV/bin/python" -c 'import portage.dep'
  } >&2
  touch "$VENV/complete"
fi
printf '%s\n' "$VENV/bin/python"
