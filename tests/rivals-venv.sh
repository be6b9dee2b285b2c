#!/bin/bash
# rivals-venv.sh - a Python environment with paramiko and Ansible, beside which `make bench` asks a
# fleet.
#
#   tests/rivals-venv.sh [TARGET]
#
# Makes TARGET/rivals (TARGET: $CARGO_TARGET_DIR, or target/ of this checkout) with the two packages
# of PyPI in it, unless it is there, and prints its path.
set -euo pipefail
# shellcheck source=venv.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/venv.sh"

make_venv rivals "${1-}" paramiko ansible -- paramiko==5.1.0 ansible-core==2.19.14
printf '%s\n' "$VENV"
