# Runs a program on a store, under its lock. The functions of lock.sh stand above this.
#
# $1 store   $2 seconds to wait for the lock   $3 seconds after which a silent lock is taken for left
# $4 the program, in Python; its arguments are the store and $5 …
#
# Its standard input is what that program reads.
# Exit codes: 30 the store cannot be written, 31 the lock could not be had, else as of the program.
set -u
store=$1 patience=$2 silence=$3 program=$4
shift 4

[ -d "$store" ] || fail 30 "there is no store $store"
hold_store "$store" "$patience" "$silence"
python3 -c "$program" "$store" "$@" 9>&-
