#!/bin/bash
# portage-venv.sh - a Python environment with Portage's own library, for the differential tests.
#
#   tests/portage-venv.sh [VERSION [TARGET]]
#
# Makes TARGET/portage-VERSION (TARGET: $CARGO_TARGET_DIR, or target/ of this checkout) with the
# package `portage` of PyPI in it, unless it is there, and prints the path of its python.
set -euo pipefail
# shellcheck source=venv.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/venv.sh"

VERSION=${1:-3.0.83}
[[ $VERSION =~ ^[0-9]+(\.[0-9]+)*$ ]] || { echo "portage-venv.sh: not a version: $VERSION" >&2; exit 64; }
make_venv "portage-$VERSION" "${2-}" portage.dep -- "portage==$VERSION"
printf '%s\n' "$VENV/bin/python"
