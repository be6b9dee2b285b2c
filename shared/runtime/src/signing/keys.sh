# The keys with which this machine signs binaries, in a home of gpg that is made for them alone. The
# functions of hold.sh stand above this.
#
# $1 the home   $2 how long others may hold it, in seconds   $3 what to do
#   list                     prints the keys as gpg's colons (doc/DETAILS), and `use FINGERPRINT` for
#                            the one that signs
#   create NAME EXPIRY       makes one, which signs from when `use` names it; prints `made FINGERPRINT`.
#                            EXPIRY as gpg takes it: 2y, 18m, 0 for never
#   use FINGERPRINT          this one signs from now on
#   try                      signs something
#   export [FINGERPRINT…]    prints the public keys, armored
#   revoke FINGERPRINT       makes known that it is not to be trusted any more
#   delete FINGERPRINT       removes it, its secret part first
#
# Exit codes: 50 gpg is missing, 51 the home cannot be used, 52 gpg could not do it, 53 no key is in
# use, 54 others hold it for too long.
set -u
umask 077
home=$1 patience=$2 what=$3
shift 3

if [ "$what" = list ] && [ ! -d "$home" ]; then exit 0; fi
hold_keys "$home" "$patience"

case $what in
list)
    gnupg --with-colons --fixed-list-mode --list-secret-keys || fail 52 "the keys cannot be listed"
    if key=$(in_use); then printf 'use %s\n' "$key"; fi
    ;;
create)
    # Its name may be that of a former one: for that gpg wants a yes.
    said=$(gnupg --yes --status-fd 3 --quick-generate-key "$1" ed25519 sign "$2" 3>&1 >&2) ||
        fail 52 "no key can be made"
    printf '%s\n' "$said" | sed -n 's/^\[GNUPG:\] KEY_CREATED P \([0-9A-F]*\).*/made \1/p'
    ;;
use)
    printf '%s\n' "$1" > "$home/use.new" && sync "$home/use.new" && mv "$home/use.new" "$home/use" ||
        fail 51 "$home cannot be written"
    ;;
try)
    key=$(in_use) || fail 53 "no key is in use"
    printf 'try\n' | gnupg --local-user "$key!" --armor --detach-sign > /dev/null ||
        fail 52 "the key $key cannot sign"
    ;;
export)
    gnupg --armor --export-options export-minimal --export "$@" || fail 52 "cannot be exported"
    ;;
revoke)
    # gpg wrote it when it made the key, with a colon before its first line against accidents.
    file=$home/openpgp-revocs.d/$1.rev
    [ -s "$file" ] || fail 52 "there is no revocation certificate $file"
    sed 's/^:---/---/' "$file" | gnupg --import || fail 52 "$1 cannot be revoked"
    ;;
delete)
    # Its revocation certificate stays: should its secret part be in somebody's hands, that is all that
    # tells others.
    gnupg --yes --delete-secret-and-public-key "$1" || fail 52 "$1 cannot be deleted"
    if [ "$(in_use)" = "$1" ]; then rm -f -- "$home/use"; fi
    ;;
*) fail 52 "what is $what?" ;;
esac
