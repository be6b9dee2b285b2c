# Moves one checked binary from the private PKGDIR into the store, and brings the store's index up
# to date, all under the store's lock. The functions of lock.sh of the runtime stand above this.
#
# $1 working folder of this job   $2 store   $3 path of the binary below both
# $4 digest of the build key      $5 the record of the key, JSON
# $6 seconds to wait for the lock $7 seconds after which a silent lock is taken for left
# $8 SHA-256 of the key's record that this one takes the place of, $9 the path that it names; each is
#    empty where there is none
# ${10} … the command that brings the index up to date
#
# Prints the record that holds from now on: somebody else's, when the key has another one by now.
# Exit codes: 30 the store cannot be written, 31 the lock could not be had, 32 the index could not
# be brought up to date.
set -u
work=$1 store=$2 path=$3 key=$4 record=$5 patience=$6 silence=$7 former=$8 former_path=$9
shift 9

control=$store/.gentoo-updater
index=$store/Packages

# Portage reads an index before it mends it, and dies of one that was cut off within the name of a
# package (dbapi/bintree.py: InvalidData). Entries end with an empty line; one without goes aside, and
# Portage writes a new one of all binaries.
is_cut_off() {
    [ -s "$index" ] && [ "$(tail -c 2 "$index" | od -A n -t x1 | tr -d ' ')" != 0a0a ]
}

bring_index_up_to_date() {
    "$@" >&2 && return
    is_cut_off && mv "$index" "$control/incoming/Packages.cut_off" || return
    echo "the index $index is cut off: all binaries of the store are read for a new one" >&2
    "$@" >&2 && rm -f "$control/incoming/Packages.cut_off" && return
    [ -e "$index" ] || mv "$control/incoming/Packages.cut_off" "$index"
    return 1
}

# Reads a record, and puts it beside the number of the binary at $1: should this end before the record is
# written, or the record be lost, nobody else could tell whose that binary is.
write_note() {
    number=${1%.gpkg.tar}
    number=$control/build-ids/${number%.xpak}
    mkdir -p "$number" && cat > "$control/incoming/$key.json" &&
        sync "$control/incoming/$key.json" && mv "$control/incoming/$key.json" "$number/$key.json" ||
        fail 30 "cannot write to the store $store"
}

hold_store "$store" "$patience" "$silence"
mkdir -p "$control/keys" "$control/incoming" "$(dirname "$store/$path")" ||
    fail 30 "cannot write to the store $store"

if [ -e "$control/keys/$key.json" ]; then
    if [ "$(sha256sum < "$control/keys/$key.json" | cut -d ' ' -f 1)" != "$former" ]; then
        cat "$control/keys/$key.json"
        exit 0
    fi
    # Guests may have the former binary installed. It stays, and is a duplicate from now on.
    [ -z "$former_path" ] || write_note "$former_path" < "$control/keys/$key.json"
fi
printf '%s\n' "$record" | write_note "$path"
# The private folder may be on another file system: copied under a name that no reader knows, and
# renamed when it is whole.
if [ -e "$work/packages/$path" ]; then
    cp "$work/packages/$path" "$control/incoming/$key" && sync "$control/incoming/$key" &&
        mv "$control/incoming/$key" "$store/$path" || fail 30 "cannot write to the store $store"
fi
bring_index_up_to_date "$@" || fail 32 "the index of $store could not be brought up to date"
# What follows says to everybody that the binary is there and in the index.
still_ours || fail 31 "the store's lock $control/lock.d was taken away: was this machine asleep?"
printf '%s\n' "$record" > "$control/incoming/$key.json" && sync "$control/incoming/$key.json" &&
    mv "$control/incoming/$key.json" "$control/keys/$key.json" ||
    fail 30 "cannot write to the store $store"
cat "$control/keys/$key.json"
