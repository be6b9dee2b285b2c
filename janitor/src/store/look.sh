# Prints what lies in a store:
#
#   records             DIGEST CPV BUILD_ID PATH SIZE SHA256, a line each
#   a NUL
#   records not read    the name of the file, a line each; some are named twice
#   a NUL
#   files               SIZE SECONDS.FRACTION PATH, each ended by a NUL; no records, nothing of the
#                       numbers that are reserved, and no links
#   a NUL
#
# Builders and collectors may be writing. So records come first: the binary of one that is published
# meanwhile is seen then, and no record looks as if it were about nothing.
#
# $1 the store
# Exit codes: 40 the store cannot be read.
set -u
store=$1
fail() { printf '%s\n' "$1" >&2; exit 40; }
# grep says with 1 that there is none.
searched() { [ "$1" -le 1 ] || fail "cannot read all records of the store $store"; }

records() {
    cd .gentoo-updater/keys || fail "cannot read the records of the store $store"
    # As record.rs of the runtime writes them. What is written otherwise is another version's.
    format='^\{"format":1,'
    binary='"binary":\{"cpv":"[^"]+","slot":"[^"]+","build_id":[0-9]+,"build_time":[0-9]+,"path":"[^"]+","size":[0-9]+,"sha256":"[0-9a-f]{64}"'
    exec 4>&1
    status=$( {
        { grep -rHoE --include='*.json' -e "$binary" .; echo "$?" >&3; } | sed -E \
            's#^\./([0-9a-f]+)\.json:"binary":\{"cpv":"([^"]+)","slot":"[^"]+","build_id":([0-9]+),"build_time":[0-9]+,"path":"([^"]+)","size":([0-9]+),"sha256":"([0-9a-f]+)"$#\1 \2 \3 \4 \5 \6#' >&4
    } 3>&1 )
    searched "$status"
    printf '\0'
    for wanted in "$format" "$binary"; do
        # Those that do not say it are the ones that are listed, whatever the status is called.
        grep -rLE --include='*.json' -e "$wanted" .
        searched "$?"
    done
    printf '\0'
}

cd "$store" 2> /dev/null || fail "cannot read the store $store: is it there, and mounted?"
if [ -d .gentoo-updater/keys ]; then
    (records) || exit
else
    printf '\0\0'
fi
find . -ignore_readdir_race \( -path ./.gentoo-updater/keys -o -path ./.gentoo-updater/build-ids \) -prune \
    -o -type f -printf '%s %T@ %P\0' ||
    fail "cannot read all of the store $store"
printf '\0'
