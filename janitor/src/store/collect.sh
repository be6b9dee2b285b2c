# Takes binaries out of a store, under its lock. The functions of lock.sh of the runtime stand above this.
#
# $1 store   $2 seconds to wait for the lock   $3 seconds after which a silent lock is taken for left
# $4 the program that does it, in Python
#
# Its standard input is what that program reads; see collect.py.
# Exit codes: 30 the store cannot be written, 31 the lock could not be had, else as of collect.py.
set -u
store=$1 patience=$2 silence=$3 program=$4

fail() { printf '%s\n' "$2" >&2; exit "$1"; }

control=$store/.gentoo-updater
[ -d "$store" ] || fail 30 "there is no store $store"
mkdir -p "$control" && exec 9> "$control/lock" || fail 30 "cannot write to the store $store"
flock -w "$patience" 9
[ $? != 1 ] || fail 31 "the store's lock $control/lock is held for too long"
trap unlock EXIT
trap 'exit 31' HUP INT TERM
lock "$control/lock.d" "$patience" "$silence" ||
    fail 31 "the store's lock $control/lock.d is held for too long, or cannot be made"
python3 -c "$program" "$store" 9>&-
