# Keeps the log of a build in the store, compressed.
#
# $1 the log   $2 the file to keep it as
set -u
folder=$(dirname "$2")
mkdir -p "$folder" && gzip -c -- "$1" > "$2.new" && mv "$2.new" "$2"
status=$?
[ "$status" = 0 ] || rm -f -- "$2.new"
exit "$status"
