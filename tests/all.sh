#!/bin/bash
# all.sh - every check of the project, in the order in which they are cheap.
#
#   tests/all.sh          what must hold before a change is taken
#   tests/all.sh long     that, and what takes longer
#
# As root on Debian 12 with a Rust toolchain: the end-to-end tests bring up machines of their own
# in namespaces. The first check that fails ends it, and a step that cannot be set up has failed.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
long=${1-}
[[ -z $long || $long == long ]] || { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$0" >&2; exit 64; }

LOG=$(mktemp)
SUMMARY=()
STEP='the set-up'

step() { STEP=$1; printf '\n== %s\n' "$1"; }
done_with() { SUMMARY+=("$1"); }

finish() {
  local code=$?
  rm -f "$LOG"
  printf '\n== Summary after %d min %02d s\n' $((SECONDS / 60)) $((SECONDS % 60))
  ((${#SUMMARY[@]} == 0)) || printf '   ok      %s\n' "${SUMMARY[@]}"
  if ((code == 0)); then echo 'Everything passed.'; else printf '   FAILED  %s\n' "$STEP"; fi
}
trap finish EXIT

# counted NAME COMMAND...: runs tests and says how many passed. None is a failure.
counted() {
  local name=$1 numbers code=0
  shift
  step "$name"
  "$@" 2>&1 | tee "$LOG" || code=$?
  numbers=$(awk '/^test result:/ { passed += $4; failed += $6; ignored += $8 }
    END { printf "%d passed, %d failed, %d left to test-long", passed, failed, ignored }' "$LOG")
  printf '%s: %s\n' "$name" "$numbers"
  ((code == 0)) || { STEP="$name: $numbers"; return "$code"; }
  [[ $numbers != 0\ passed* ]] || { STEP="$name: no test was run"; return 1; }
  done_with "$name: $numbers"
}

step 'Set-up'
((EUID == 0)) || { echo 'all.sh: must be root: the tests make namespaces and mounts' >&2; exit 1; }
command -v cargo >/dev/null || { echo 'all.sh: there is no cargo; install Rust from https://rustup.rs' >&2; exit 1; }
# Programs take 4 GB of it, and the lab one. A linker that finds no room does not say so.
free=$(df --output=avail -B 1G . | tail -n 1)
((free >= 6)) || { echo "all.sh: only $((free)) GB are free on the disk of $PWD; the tests need 6" >&2; exit 1; }
tests/setup.sh
for component in rustfmt clippy; do
  cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1 || rustup component add "$component"
done
done_with "$(rustc --version)"

step 'Format'
cargo fmt --all --check
done_with 'format (rustfmt)'

step 'Clippy, warnings denied'
cargo clippy --locked --workspace --all-targets -- -D warnings
done_with 'lints (clippy)'

step 'Documentation of shared/portage, warnings denied'
RUSTDOCFLAGS='-D warnings' cargo doc --locked --quiet --no-deps -p gentoo-updater-portage
done_with 'documentation (rustdoc)'

# Whatever is chosen, it is chosen from the whole workspace, so that all is compiled once and with
# the same features.
# Many of these wait more than they work.
export RUST_TEST_THREADS=8
CARGO_TEST=(cargo test --locked --no-fail-fast --workspace)
counted 'unit and integration tests' tests/abreast.sh 3 --workspace \
  --exclude gentoo-updater-tests --exclude gentoo-updater-chaos --exclude gentoo-updater-simulation
counted 'examples in the documentation of libraries' "${CARGO_TEST[@]}" --doc
# On two idle cores; a machine that is busy with other things is no defect, several times is one.
SIMULATION_LIMIT=60
export SIMULATION_SEEDS=10000
[[ ! $long ]] || { SIMULATION_SEEDS=100000 SIMULATION_LIMIT=600; }
counted 'simulated fleets in trouble' "${CARGO_TEST[@]}" --test simulation -- --nocapture
read -r took faults rate < <(awk '/ seeds took / { for (i = 5; i < NF; i++) if ($i == "faults,") {
  print int($4), $(i - 1), $(i + 1); exit } }' "$LOG")
printf '%s seeds took %s s; the limit is %s s on two idle cores\n' \
  "$SIMULATION_SEEDS" "$took" "$SIMULATION_LIMIT"
((took <= 5 * SIMULATION_LIMIT)) || { STEP="simulation: $took s"; exit 1; }
done_with "simulation: $SIMULATION_SEEDS seeds in $took s, $faults faults, $rate faults a second"
if [[ $long ]]; then
  export ROLLOUT_POLICIES=10000
  counted 'generated rollouts' cargo test --locked --release -p gentoo-updater-fleet --test rollout generated -- --nocapture
fi
rm -rf target/chaos
# They wait more than they work.
counted 'chaos on a real broker' "${CARGO_TEST[@]}" --test chaos -- --test-threads=20
cat target/chaos/*.txt

# The end-to-end tests start these.
step 'Programs'
cargo build --locked --workspace --bins
step 'Examples in packaging'
tests/examples.sh
done_with 'examples in packaging'

# Each has a lab of its own, and waits for processes half of its time.
END_TO_END=("${CARGO_TEST[@]}" --test end_to_end --test documents --test installation --test monitoring --test portage_commands --test portage_versions)
if [[ $long ]]; then
  counted 'end-to-end tests, long ones too' "${END_TO_END[@]}" -- --test-threads=3 --include-ignored
  step 'docker-compose.yml on a Docker Engine'
  tests/docker.sh
  done_with 'docker-compose.yml on a Docker Engine'
  step 'What README says to type'
  make demo
  make book
  make build
  # Not into this machine.
  DESTDIR=$(mktemp -d)
  export DESTDIR
  make install PREFIX=/usr
  "$DESTDIR/usr/bin/gentoo-updater" --version
  rm -rf "$DESTDIR"
  unset DESTDIR
  done_with 'what README says to type (make demo, book, build and install)'
  step 'Self-test of the lab'
  tests/lab/selftest.sh
  done_with 'self-test of the lab'
else
  counted 'end-to-end tests' "${END_TO_END[@]}" -- --test-threads=3
fi
