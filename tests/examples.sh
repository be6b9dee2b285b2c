#!/bin/bash
# examples.sh - does what is printed in packaging/ hold, and is each target of make one that documents name?
# Needs the programs in target/debug (cargo build --workspace --bins).
# Words that are matched below never hold blanks.
# shellcheck disable=SC2013
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
unset GENTOO_UPDATER_CONFIG RUST_LOG

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
PROGRAMS=$(cargo metadata --locked --no-deps --format-version 1 |
  python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')/debug

fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }
holds() { # WHAT COMMAND...
  "${@:2}" >"$WORK/output" 2>&1 || { cat "$WORK/output" >&2; fail "$1"; }
  printf 'ok: %s\n' "$1"
}
loads() { "$PROGRAMS/gentoo-updater" config check --config "$1"; }

# The example, as it is and with everything in it that is commented out.
holds 'packaging/fleet.toml loads' loads packaging/fleet.toml
sed -E 's/^#([^ ].*)$/\1/' packaging/fleet.toml > "$WORK/everything.toml"
# Templates are read when a configuration is checked.
sed -i -E '/^(text|html)_template = /d' "$WORK/everything.toml"
holds 'packaging/fleet.toml loads with every key set' loads "$WORK/everything.toml"
# A key that is not in the example is one that nobody finds.
for key in $(sed -nE 's/^ *pub\(super\) ([a-z_]+): .*/\1/p' shared/fleet/src/config/fragment.rs); do
  grep -qE "^(\[+)?$key([].]| =)" "$WORK/everything.toml" || fail "packaging/fleet.toml does not show the key $key"
done
echo 'ok: packaging/fleet.toml shows every key'

# Every subcommand that the example names is one. What README and the book print, the test
# `documents` runs.
mapfile -t used < <(grep -ohE '(^|`| {4})gentoo-updater [a-z]+' packaging/fleet.toml docker-compose.yml | grep -oE '[a-z]+$' | sort -u)
((${#used[@]} >= 2)) || fail 'packaging/fleet.toml names hardly any command'
for command in "${used[@]}"; do holds "gentoo-updater $command is a command" "$PROGRAMS/gentoo-updater" "$command" --help; done

# What starts the workers: the programs and the options are there.
for role in planner scanner builder installer janitor scheduler notifier; do
  holds "gentoo-updater-$role has a help" "$PROGRAMS/gentoo-updater-$role" --help
  grep -qrE "ExecStart=/usr/bin/gentoo-updater-$role( |\$)" packaging/systemd || fail "no unit starts the $role"
  for option in $(grep -rhoE "^(ExecStart=/usr/bin/|.*command: .*)gentoo-updater-$role.*" packaging/systemd docker-compose.yml | grep -oE -- '--[a-z]+' | sort -u); do
    grep -qE -- "^ +$option( |\$)" "$WORK/output" || fail "gentoo-updater-$role has no option $option"
  done
done
holds 'the image can tell whether a worker is healthy' bash -n packaging/docker/healthy
holds 'the OpenRC script is one' sh -n packaging/openrc/gentoo-updater.initd
holds 'its settings are, too' sh -n packaging/openrc/gentoo-updater.confd
holds 'and so is that of the store' sh -n packaging/openrc/gentoo-updater-store.initd
holds 'and that of the schedules' sh -n packaging/openrc/gentoo-updater-schedule.initd
for makes in $(grep -ohE '^( {4})?make [a-z-]+|`make [a-z-]+' README.md CONTRIBUTING.md docs/*.md docs/*/*.md | grep -oE '[a-z-]+$' | sort -u); do
  holds "make $makes is a target" make -n "$makes"
done
# Debian's own python3, to which setup.sh gave a YAML reader, whatever stands first in PATH.
holds 'docker-compose.yml is YAML' /usr/bin/python3 -c 'import yaml; yaml.safe_load(open("docker-compose.yml"))["services"]["planner"]["command"]'
