# A lock of the store that holds on every share: of two that make one folder one fails, on NFS without
# locks, too. Whoever holds it changes a file in it every few seconds. Whoever waits and sees no
# change for long takes it for left by somebody who is dead: no clocks are compared.
#
# lock FOLDER PATIENCE SILENCE: in seconds; 1 when it could not be had within the patience.
# still_ours: whether nobody has taken it.
# unlock: gives it back.
# hold_store STORE PATIENCE SILENCE: holds the lock of a store until this shell ends. Where it cannot, it
# ends it: 30 the store cannot be written, 31 the lock could not be had.
lock_folder=
lock_owner="$(uname -n) $$ $(date +%s%N)"

lock() {
    lock_folder=$1 waited=0 absent=0 silent=0 seen=
    until mkdir "$lock_folder" 2> /dev/null; do
        [ "$waited" -lt "$2" ] || { lock_folder=; return 1; }
        # Somebody has given it back meanwhile, or nobody can make it: a full disk, say.
        if [ -d "$lock_folder" ]; then absent=0; else absent=$((absent + 1)); fi
        [ "$absent" -lt 3 ] || { lock_folder=; return 1; }
        sleep 1
        waited=$((waited + 1))
        now=$(cat "$lock_folder/owner" "$lock_folder/beat" 2> /dev/null)
        if [ "$now" = "$seen" ]; then silent=$((silent + 1)); else silent=0 seen=$now; fi
        [ "$silent" -lt "$3" ] || take_over
    done
    printf '%s\n' "$lock_owner" > "$lock_folder/owner"
    # Ends with this shell, however that ends.
    (
        exec 9>&- > /dev/null 2>&1
        beat=0
        trap 'kill "$nap"; exit 0' TERM
        while
            sleep 5 &
            nap=$!
            wait "$nap" && kill -0 $$ && still_ours
        do
            beat=$((beat + 1))
            echo "$beat" > "$lock_folder/beat"
        done
    ) &
    lock_beats=$!
}

# Two may find out at once that it is left. The second would take the lock of the first, so that it
# looks what it has got, and gives it back.
take_over() {
    silent=0
    taken=$lock_folder.left.$$
    mv -T "$lock_folder" "$taken" 2> /dev/null || return 0
    if [ "$(cat "$taken/owner" "$taken/beat" 2> /dev/null)" = "$seen" ]; then
        echo "the lock $lock_folder was left by: $seen" >&2
        rm -rf -- "$taken"
    else
        mv -T "$taken" "$lock_folder" 2> /dev/null
    fi
}

still_ours() { [ "$(cat "$lock_folder/owner" 2> /dev/null)" = "$lock_owner" ]; }

unlock() {
    [ -n "$lock_folder" ] || return 0
    # Not waited for: a signal that comes while it begins is lost, and then it sees by itself that
    # the lock is gone.
    kill "$lock_beats" 2> /dev/null
    if still_ours && mv -T "$lock_folder" "$lock_folder.left.$$"; then
        rm -rf -- "$lock_folder.left.$$"
    fi
    lock_folder=
}

fail() { printf '%s\n' "$2" >&2; exit "$1"; }

hold_store() {
    mkdir -p "$1/.gentoo-updater" && exec 9> "$1/.gentoo-updater/lock" ||
        fail 30 "cannot write to the store $1"
    # Where the share has locks they are waited for without asking again and again. Where it has none
    # flock says so, or does nothing.
    flock -w "$2" 9
    [ $? != 1 ] || fail 31 "the store's lock $1/.gentoo-updater/lock is held for too long"
    trap unlock EXIT
    trap 'exit 31' HUP INT TERM
    lock "$1/.gentoo-updater/lock.d" "$2" "$3" ||
        fail 31 "the store's lock $1/.gentoo-updater/lock.d is held for too long, or cannot be made"
}
