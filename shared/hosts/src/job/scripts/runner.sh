# runner DIR LOCK: runs DIR/command, and leaves its status. Its output is the log.
dir=$1 lock=$2

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
    mkdir -p -m 700 "${lock%/*}" || finish 125
    exec 7>>"$lock" || finish 125
    flock 7 || finish "$?"
fi
# The locks are not the command's: a daemon that it leaves behind would hold them.
sh "$dir/command" 7>&- 8>&-
finish "$?"
