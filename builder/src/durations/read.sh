# Prints the end of the log of emerge.
#
# $1 the folder of the log  $2 how many bytes at most
set -u
log=$1/emerge.log
[ -e "$log" ] || { echo "$log is not there" >&2; exit 1; }
# What is no file may have no end.
[ -f "$log" ] || { echo "$log is no file" >&2; exit 1; }
exec tail -c "$2" -- "$log"
