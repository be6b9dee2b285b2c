#!/bin/bash
# brokers.sh - the suites that need a broker, on every version of RabbitMQ to be had.
#
#   tests/brokers.sh             3.10 (this machine's package), 4.0, the newest, a cluster of three
#   tests/brokers.sh NAME...     only these: debian, 4.0, newest, cluster
#   tests/brokers.sh root SUITE  make the root folder of a Debian SUITE with its RabbitMQ, if it is
#                                not there yet, and print its path
#   tests/brokers.sh purge       delete those folders
#
# As root on Debian 12 with a Rust toolchain. Other versions come from other releases of Debian,
# each in a folder of its own below tests/lab/state/brokers (BROKERS_STATE names another), from
# the mirror that apt is set to. A folder is made once; that of the newest version is made anew
# when it is older than BROKERS_DAYS (30) days. All brokers are run, whichever fails; the tables of
# what was measured are in target/chaos and are printed at the end.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
STATE=${BROKERS_STATE:-$PWD/tests/lab/state/brokers}
DAYS=${BROKERS_DAYS:-30}
# 4.0 is in trixie; 4.3 or later is in sid.
SUITE_OF_4_0=trixie
SUITE_OF_NEWEST=sid
# The tests of the chaos suite wait more than they work.
AT_ONCE=20

say() { printf '>> brokers: %s\n' "$*" >&2; }
die() { printf 'brokers.sh: %s\n' "$*" >&2; exit 1; }
manual() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; }

# The mirror of Debian itself among those that apt is set to.
mirror() {
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | grep -m1 .
}

is_fresh() { # ROOT SUITE
  [[ -d $1 ]] || return 1
  [[ $2 != "$SUITE_OF_NEWEST" || -n $(find "$1/made" -mtime "-$DAYS" 2>/dev/null) ]]
}

# make_root SUITE NEW: a system with RabbitMQ in the folder NEW. Its programs are run by chroot
# only, so no service is ever started. The files of a mirror that is a copy of an older day may
# have expired; they are signed all the same.
make_root() {
  local source
  source=$(mirror) || { apt-get -qq update; source=$(mirror); } || die 'apt knows no mirror of Debian'
  mmdebstrap --quiet --mode=root --variant=minbase --include=rabbitmq-server,procps \
    --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Languages "none"' \
    --aptopt='APT::Install-Recommends "false"' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    "$1" "$2" "$source"
  echo '127.0.0.1 localhost' > "$2/etc/hosts"
  touch "$2/made"
}

# What has the name is whole: it is made beside its place and renamed at the end.
root() {
  local suite=$1 place=$STATE/$1 new=$STATE/$1.new log=$STATE/$1.log
  mkdir -p "$STATE"
  exec 9>"$STATE/lock"
  flock -w 1800 9 || die "somebody else has been working in $STATE for 30 minutes"
  if ! is_fresh "$place" "$suite"; then
    say "fetching RabbitMQ of Debian $suite (log: $log)"
    rm -rf "$new"
    if (make_root "$suite" "$new") >"$log" 2>&1; then
      rm -rf "$place"
      mv "$new" "$place"
    elif [[ -d $place ]]; then
      say "Debian $suite cannot be fetched, see $log; the older one is used"
    else
      tail -n 20 "$log" >&2
      die "Debian $suite cannot be fetched"
    fi
  fi
  exec 9>&-
  printf '%s\n' "$place"
}

# suite NAME CARGO-TEST-ARGUMENTS...: runs tests, and notes how they ended.
SUMMARY=()
FAILED=0
suite() {
  local name=$1 log numbers code=0
  shift
  printf '\n== %s\n' "$name"
  log=$(mktemp)
  cargo test --locked --no-fail-fast "$@" 2>&1 | tee "$log" || code=$?
  numbers=$(awk '/^test result:/ { passed += $4; failed += $6 }
    END { printf "%d passed, %d failed", passed, failed }' "$log")
  rm -f "$log"
  if ((code == 0)) && [[ $numbers != 0\ passed* ]]; then
    SUMMARY+=("ok      $name: $numbers")
  else
    SUMMARY+=("FAILED  $name: $numbers")
    FAILED=1
  fi
}

both_suites() {
  suite "bus on RabbitMQ $1" -p gentoo-updater-bus --test amqp
  suite "chaos on RabbitMQ $1" -p gentoo-updater-chaos --test chaos -- --test-threads=$AT_ONCE
}

version_in() { chroot "$1" dpkg-query -W -f '${Version}' rabbitmq-server; }

on() {
  local folder
  unset GENTOO_UPDATER_TEST_RABBITMQ_ROOT
  case $1 in
    debian) folder=/ ;;
    4.0) folder=$(root "$SUITE_OF_4_0") ;;
    newest | cluster) folder=$(root "$SUITE_OF_NEWEST") ;;
    *) die "no such broker: $1" ;;
  esac
  [[ $folder == / ]] || export GENTOO_UPDATER_TEST_RABBITMQ_ROOT=$folder
  if [[ $1 == cluster ]]; then
    suite "a cluster of three of RabbitMQ $(version_in "$folder")" \
      -p gentoo-updater-chaos --test chaos -- cluster:: --include-ignored
  else
    both_suites "$(version_in "$folder")"
  fi
}

case ${1-} in
  -h | --help | help) manual; exit 0 ;;
  root) ((EUID == 0)) || die 'must be root'; root "${2?SUITE}"; exit 0 ;;
  purge) rm -rf "$STATE"; exit 0 ;;
esac
((EUID == 0)) || die 'must be root: other brokers run in a chroot, and networks are namespaces'
tests/setup.sh
rm -rf target/chaos
(($#)) || set -- debian 4.0 newest cluster
for broker; do on "$broker"; done
printf '\n== What the fleet went through\n'
cat target/chaos/*.txt
printf '\n== Summary after %d min %02d s\n' $((SECONDS / 60)) $((SECONDS % 60))
printf '   %s\n' "${SUMMARY[@]}"
exit "$FAILED"
