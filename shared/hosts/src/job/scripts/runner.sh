# runner DIR LOCK MODE: runs DIR/command, and leaves its status. Its output is the log. The lock is
# shared or exclusive.
dir=$1 lock=$2 mode=$3

# Whoever signals the job signals its whole session; this shell stays to write the status. The
# command gets the default actions back.
trap : HUP INT QUIT TERM

finish() {
    # A full disk must not make a finished job look vanished at once.
    tries=0
    until printf '%s\n' "$1" >"$dir/status.new" && mv "$dir/status.new" "$dir/status"; do
        tries=$((tries + 1))
        [ "$tries" -lt 120 ] || exit 1
        sleep 5
    done
    sync "$dir/status" 2>/dev/null
    exit 0
}

cd / || exit 1
# Held while this shell lives: whoever waits for the end waits for this lock.
exec 8>>"$dir/running" || exit 1
flock 8 || exit 1
read_process "$$" || exit 1
read_boot
printf '%s %s %s\n' "$$" "$started" "$boot" >"$dir/pid.new" || exit 1
mv "$dir/pid.new" "$dir/pid" || exit 1
exec 9>&-
if [ -n "$lock" ]; then
    # The kernel grants a shared lock beside others for as long as there are any. So whoever waits
    # for the lock holds the queue in front of it, and what comes later waits behind.
    exec 6>>"$lock.queue" || finish 125
    flock 6 || finish "$?"
    exec 7>>"$lock" || finish 125
    flock "--$mode" 7 || finish "$?"
    exec 6>&-
fi
# The locks are not the command's: a daemon that it leaves behind would hold them.
sh "$dir/command" 7>&- 8>&-
finish "$?"
