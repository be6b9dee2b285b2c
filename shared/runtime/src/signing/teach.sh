# Teaches this machine whose binaries it may install. The armored public keys come on standard input.
#
# $1 the home of gpg by which Portage verifies   $2 … the fingerprints that are to be trusted
#
# Prints `other FINGERPRINT NAME` for each key of a builder there that is not among them.
# Exit codes: 50 gpg is missing, 51 the home cannot be written, 52 gpg could not do it.
set -u
umask 022
PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
export PATH LC_ALL
home=$1
shift

fail() { printf '%s\n' "$2" >&2; exit "$1"; }

for program in gpg gpgconf; do
    command -v "$program" > /dev/null || fail 50 "$program is missing: install app-crypt/gnupg"
done
mkdir -p -- "$home" && [ -w "$home" ] || fail 51 "$home cannot be written"
trap 'gpgconf --homedir "$home" --kill all > /dev/null 2>&1' EXIT
gnupg() { gpg --homedir "$home" --no-permission-warning --batch --no-tty "$@"; }

gnupg --quiet --import || fail 52 "the keys cannot be imported"
for key; do printf '%s:6:\n' "$key"; done | gnupg --quiet --import-ownertrust ||
    fail 52 "the keys cannot be trusted"
gnupg --quiet --check-trustdb || fail 52 "the trust in the keys cannot be worked out"
# Portage verifies as nobody (GPG_VERIFY_USER_DROP), who must be able to read this, and nothing secret.
chmod a+rx -- "$home" || fail 51 "$home cannot be written"
for file in pubring.kbx pubring.gpg trustdb.gpg; do
    [ ! -e "$home/$file" ] || chmod a+r -- "$home/$file" || fail 51 "$home/$file cannot be written"
done
gnupg --with-colons --list-keys | awk -F : -v keys=" $* " '
    $1 == "fpr" && fresh { fingerprint = $10; fresh = 0 }
    $1 == "pub" { fresh = 1 }
    $1 == "uid" && $10 ~ /^gentoo-updater / && !index(keys, " " fingerprint " ") {
        print "other " fingerprint " " $10
    }'
