# Signs binaries with the key that is in use. The functions of hold.sh stand above this.
#
# $1 the home   $2 how long others may hold it, in seconds   $3 … the command that signs; the home and
# the key are its last two arguments
set -u
umask 022
home=$1 patience=$2
shift 2
hold_keys "$home" "$patience"
key=$(in_use) || fail 53 "no key is in use"
"$@" "$home" "$key" 9>&-
