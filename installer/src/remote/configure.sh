# Tells this machine's own Portage of the store that its binaries come from. Writes what differs, and
# touches nothing else.
#
# $1 the content of /etc/portage/binrepos.conf/gentoo-updater.conf
# $2 the file for the certificate authority   $3 its content; nothing is written where it is empty
#
# Exit codes: 20 binrepos.conf is no folder, 21 something cannot be written.
set -u
folder=/etc/portage/binrepos.conf

put() {
    if printf '%s' "$1" | cmp -s - "$2"; then return; fi
    # Portage reads no file that begins with a dot.
    new=$(dirname "$2")/.gentoo-updater.new
    mkdir -p "$(dirname "$2")" && printf '%s' "$1" > "$new" && chmod 644 "$new" && mv "$new" "$2" || exit 21
    echo "$2"
}

if [ -e "$folder" ] && [ ! -d "$folder" ]; then exit 20; fi
if [ -n "$3" ]; then put "$3" "$2"; fi
put "$1" "$folder/gentoo-updater.conf"
