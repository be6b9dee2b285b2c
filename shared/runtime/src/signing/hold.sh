# The home of the keys with which this machine signs binaries, for one program at a time.
#
# hold_keys HOME PATIENCE: holds it until this shell ends. Where it cannot, it ends it: 50 gpg is missing,
# 51 the home cannot be used, 54 others hold it for too long.
# gnupg …: gpg there.  in_use: the fingerprint of the key that signs.
PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
export PATH LC_ALL

fail() { printf '%s\n' "$2" >&2; exit "$1"; }

hold_keys() {
    for program in gpg gpgconf gpg-agent flock; do
        command -v "$program" > /dev/null || fail 50 "$program is missing"
    done
    (umask 077 && mkdir -p -- "$1") && chmod 700 "$1" && exec 9> "$1/lock" ||
        fail 51 "$1 cannot be written"
    flock -w "$2" 9 || fail 54 "$1/lock is held for too long"
    keys_home=$1
    trap 'end_agent 9>&- > /dev/null 2>&1' EXIT
    trap 'exit 52' HUP INT TERM
}

# An agent that stayed would have the keys in memory, and a socket that the next gpg here would find. It
# is only asked to end, and removes its socket when it does.
end_agent() {
    gpgconf --homedir "$keys_home" --kill all
    socket=$(gpgconf --homedir "$keys_home" --list-dirs agent-socket) || return
    looks=0
    while [ -e "$socket" ] && [ $((looks += 1)) -le 100 ]; do sleep 0.05; done
}

# Nobody is there to be asked, and no key has a passphrase: one that has fails.
gnupg() {
    gpg --homedir "$keys_home" --no-options --batch --no-tty --pinentry-mode loopback \
        --passphrase '' "$@" 9>&-
}

in_use() { [ -s "$keys_home/use" ] && cat "$keys_home/use"; }
