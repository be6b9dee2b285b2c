#!/bin/bash
# demo.sh - the main job on real Portage: three guests and a builder, from v1 to v2.
#
#   tests/demo.sh [embedded]   all roles in one process, no broker
#   tests/demo.sh rabbitmq     a private RabbitMQ, and five workers as processes of their own
#
# As root on Debian 12 with a Rust toolchain. What is missing is installed; the lab lives in
# namespaces of its own and is taken down in the end, however that comes.
# Exit code: that of `gentoo-updater run`; 2 as well when it did not come to that.
#
# Environment: DEMO_NAME (demo), the name of the lab; DEMO_KEEP=1 keeps the logs.
set -euo pipefail
ROOT=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
LAB=$ROOT/tests/lab/lab.sh
BROKER=$ROOT/tests/lab/rabbitmq.sh
BROKER_PORT=25672
BUS=${1:-embedded}
WORLD=(emerge --pretend --update --newuse --deep --verbose --oneshot --with-bdeps=n --color=n @world)

unset LAB_RUN
export LAB_NAME=${DEMO_NAME:-demo}

say() { printf '\n== %s\n' "$*"; }
die() { printf 'demo.sh: %s\n' "$*" >&2; exit 2; }

case $BUS in
  embedded | rabbitmq) ;;
  *) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$0" >&2; exit 64 ;;
esac
((EUID == 0)) || die 'must be root: the guests are namespaces and mounts'
command -v cargo >/dev/null || die 'there is no cargo; install Rust from https://rustup.rs'

WORK=$(mktemp -d)
exec 7>"${TMPDIR:-/tmp}/gentoo-updater-demo-$LAB_NAME.lock"
flock -n 7 || { rmdir "$WORK"; die "another demo runs on the lab $LAB_NAME: give this one a DEMO_NAME"; }

CHILD=
WORKERS=()

# Waits for a child in a way that a signal interrupts, so that Ctrl-C cleans up at once.
wait_for() { local code=0; CHILD=$1; wait "$1" || code=$?; CHILD=; return "$code"; }
in_lab() { "$LAB" ctl "$@" 7>&- & wait_for $!; }

# shellcheck disable=SC2317 # called by the trap
end_workers() {
  local pid
  ((${#WORKERS[@]})) || return 0
  kill -TERM "${WORKERS[@]}" 2>/dev/null || true
  for pid in "${WORKERS[@]}"; do
    wait "$pid" || printf 'A worker ended with exit code %s.\n' "$?"
  done
  WORKERS=()
}

# shellcheck disable=SC2317 # called by the trap
clean_up() {
  local code=$?
  trap '' INT TERM HUP
  trap - EXIT
  say 'Taking the lab down'
  if [[ $CHILD ]]; then kill -TERM "$CHILD" 2>/dev/null || true; wait "$CHILD" || true; fi
  end_workers
  [[ ! -e $WORK/broker/port ]] || "$BROKER" stop "$WORK/broker" || true
  "$LAB" down || code=2
  if [[ ${DEMO_KEEP-} ]]; then
    echo "Configuration, logs and journal are kept in $WORK"
  else
    rm -rf "$WORK"
  fi
  printf 'Done after %d min %02d s, exit code %d.\n' $((SECONDS / 60)) $((SECONDS % 60)) "$code"
  exit "$code"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

################################# the machines ##################################
say 'Compiling gentoo-updater'
"$ROOT/tests/setup.sh"
cargo build --locked --manifest-path "$ROOT/Cargo.toml" --workspace --bins 7>&- &
wait_for $! || die 'gentoo-updater does not compile'
PROGRAMS=$(cargo metadata --locked --no-deps --format-version 1 --manifest-path "$ROOT/Cargo.toml" |
  python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')/debug

say 'Bringing up guests g1 g2 g3 and builder b1'
"$LAB" down
"$LAB" up 3 1 7>&- &
wait_for $! || die 'the lab does not come up'
declare -A lab
while IFS='=' read -r key value; do lab[$key]=$value; done < <("$LAB" env)

# One guest wants other USE flags than the rest, so it needs binaries of its own.
# shellcheck disable=SC2016
"$LAB" exec g3 sh -c 'mkdir -p /etc/portage/package.use &&
  printf "%s\n" "app-misc/greeter emoji" "dev-libs/libbeta doc" > /etc/portage/package.use/demo'
"$LAB" publish v2

################################### the fleet ###################################
{
  printf 'state_directory = "%s/state"\n' "$WORK"
  if [[ $BUS == rabbitmq ]]; then
    printf '\n[broker]\nurl = "amqp://guest:guest@127.0.0.1:%s/%%2f"\n' "$BROKER_PORT"
  fi
  printf '\n[ssh]\nknown_hosts = ["%s"]\nidentity_files = ["%s"]\n' "${lab[LAB_KNOWN_HOSTS]}" "${lab[LAB_SSH_KEY]}"
  printf '\n[platforms.lab]\nstore = "/var/cache/binpkgs"\n'
  printf '\n[builders.b1]\naddress = "ssh://root@%s"\n' "${lab[LAB_IP_b1]}"
  for guest in g1 g2 g3; do
    printf '\n[guests.%s]\naddress = "ssh://root@%s"\n' "$guest" "${lab[LAB_IP_$guest]}"
  done
} > "$WORK/fleet.toml"
export GENTOO_UPDATER_CONFIG=$WORK/fleet.toml
"$PROGRAMS/gentoo-updater" config check

start_worker() { # ROLE ARGUMENTS...
  "$LAB" ctl "$PROGRAMS/gentoo-updater-$1" "${@:2}" </dev/null >"$WORK/$1.log" 2>&1 7>&- &
  WORKERS+=($!)
}
if [[ $BUS == rabbitmq ]]; then
  say 'Starting a private RabbitMQ and the five workers'
  in_lab "$BROKER" start "$WORK/broker" "$BROKER_PORT"
  start_worker planner
  start_worker scanner
  start_worker builder --builder b1
  start_worker installer
  start_worker janitor
fi

total() { "$LAB" ssh "$1" "${WORLD[@]}" </dev/null 2>/dev/null | grep '^Total:'; }
show_totals() { local guest; for guest in g1 g2 g3; do printf '%s  %s\n' "$guest" "$(total "$guest")"; done; }

say "What Portage plans on each guest before: ${WORLD[*]}"
show_totals

##################################### the run ###################################
say 'gentoo-updater run'
code=0
in_lab "$PROGRAMS/gentoo-updater" run || code=$?
if ((code != 0)); then
  for log in "$WORK"/*.log; do [[ ! -e $log ]] || { echo "--- $(basename "$log")"; tail -n 20 "$log"; }; done
fi

say 'What Portage plans on each guest afterwards'
totals=$(show_totals)
echo "$totals"
if ((code == 0)) && [[ $(grep -c 'Total: 0 packages' <<<"$totals") != 3 ]]; then
  echo 'The run called itself complete, and a guest still has updates.' >&2
  code=1
fi
exit "$code"
