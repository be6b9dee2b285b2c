# Prints a part of the log of a build: its size and the first byte of the part in a line, then the part.
#
# $1 the log, compressed where its name ends in .gz   $2 the first byte; empty for the end   $3 the most bytes
set -u
{ [ -f "$1" ] && [ ! -L "$1" ]; } || exit 3
# A log that is still written is asked for each second, and may be a gigabyte: of a file both know the place
# without reading what is before it.
case $1 in
*.gz) size=$(gzip -dc -- "$1" | wc -c) ;;
*) size=$(wc -c <"$1") ;;
esac
size=$((size))
from=${2:-$((size - $3))}
[ "$from" -ge 0 ] || from=0
[ "$from" -le "$size" ] || from=$size
printf '%s %s\n' "$size" "$from"
case $1 in
*.gz) gzip -dc -- "$1" | tail -c "+$((from + 1))" ;;
*) tail -c "+$((from + 1))" -- "$1" ;;
esac | head -c "$3"
exit 0
