# Puts signed copies in the place of binaries of a store, under its lock. The functions of lock.sh
# stand above this.
#
# $1 store   $2 seconds to wait for the lock   $3 seconds after which a silent lock is taken for left
# $4 the program that does it, in Python
#
# Its standard input is what that program reads; see swap.py.
# Exit codes: 30 the store cannot be written, 31 the lock could not be had, else as of swap.py.
set -u
store=$1 patience=$2 silence=$3 program=$4

[ -d "$store" ] || fail 30 "there is no store $store"
hold_store "$store" "$patience" "$silence"
python3 -c "$program" "$store" 9>&-
