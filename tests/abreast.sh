#!/bin/bash
# abreast.sh - compile tests and run their programs side by side. `cargo test` runs one after the
# other, and most of these wait longer for processes than they work.
#
#   tests/abreast.sh N CARGO-TEST-ARGUMENTS... [-- TEST-ARGUMENTS...]
#
# N programs run at a time, each in the folder of its package as under cargo; the largest begin, which
# take longest most of the time. What one prints is shown when it has ended, so that no two are mixed.
# All are run, whichever fails; then the exit code is 1. Documentation tests are not among them:
# cargo test --doc.
set -euo pipefail
ME=$(readlink -f "${BASH_SOURCE[0]}")

# abreast.sh one TEST-ARGUMENTS... FOLDER PROGRAM NAME: runs one and prints it as a whole.
if [[ ${1-} == one ]]; then
  folder=${*: -3:1} program=${*: -2:1} name=${*: -1} code=0
  set -- "${@:2:$#-4}"
  output=$(mktemp)
  trap 'rm -f "$output"' EXIT
  cd "$folder"
  CARGO_MANIFEST_DIR=$folder "$program" "$@" >"$output" 2>&1 || code=$?
  exec 9>"$ABREAST_TURN"
  flock 9
  printf '     Running %s (%s)\n' "$name" "$program"
  cat "$output"
  ((code == 0)) || printf 'error: %s ended with %s\n' "$program" "$code"
  # xargs goes on with the rest after any code but 255.
  exit $((code != 0))
fi

[[ ${1-} =~ ^[1-9][0-9]*$ && $# -ge 2 ]] || { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$ME" >&2; exit 64; }
at_a_time=$1
shift
selection=()
while (($#)) && [[ $1 != -- ]]; do selection+=("$1"); shift; done
(($# == 0)) || shift

ABREAST_TURN=$(mktemp)
export ABREAST_TURN
trap 'rm -f "$ABREAST_TURN"' EXIT
programs=$(cargo test --locked --no-run --message-format=json-render-diagnostics "${selection[@]}" | jq -r '
  select(.reason == "compiler-artifact" and .executable != null and .profile.test)
  | (.manifest_path | rtrimstr("/Cargo.toml")) as $folder
  | [$folder, .executable, (.target.src_path | ltrimstr($folder + "/"))] | @tsv' |
  while IFS=$'\t' read -r folder program name; do
    printf '%s\t%s\t%s\t%s\n' "$(stat -c %s "$program")" "$folder" "$program" "$name"
  done | sort -rn | cut -f 2-)
[[ $programs ]] || { echo 'abreast.sh: no test was chosen' >&2; exit 1; }
printf '%s\n' "$programs" | tr '\t\n' '\0\0' | xargs -0 -n 3 -P "$at_a_time" "$ME" one "$@" ||
  { echo 'error: a test program failed' >&2; exit 1; }
