# kill DIR SECONDS: ends all processes of the job but its runner, which then writes the status.
dir=$1 seconds=$2

# Sets $members to the processes of the job but for the runner: its session, its descendants, and
# their sessions.
collect() {
    table=
    for entry in /proc/[0-9]*; do
        read_process "${entry#/proc/}" || continue
        case $state in Z | X) continue ;; esac
        table="$table $process:$parent:$session"
    done
    found=" $pid " more=yes
    while [ -n "$more" ]; do
        more=
        for row in $table; do
            number=${row%%:*} rest=${row#*:}
            case $found in *" $number "*) continue ;; esac
            case $found in
            *" ${rest%%:*} "* | *" ${rest#*:} "*) found="$found$number " more=yes ;;
            esac
        done
    done
    members=${found#" $pid "}
}

signal_members() {
    for number in $members; do kill -s "$1" "$number" 2>/dev/null; done
}

read_job
if [ "$job_state" != running ]; then exit 0; fi
collect
signal_members TERM
while [ -n "$members" ] && [ "$seconds" -gt 0 ]; do
    seconds=$((seconds - 1))
    if flock -s -w 1 "$dir/running" true; then
        collect
        if [ -n "$members" ]; then sleep 1; fi
    fi
    collect
done
# More than once: a process may have forked between the look and the signal.
tries=10
while [ -n "$members" ] && [ "$tries" -gt 0 ]; do
    signal_members KILL
    tries=$((tries - 1))
    collect
done
flock -s -w 10 "$dir/running" true
read_job
if [ "$job_state" = running ]; then
    echo "processes of the job live on:$members" >&2
    exit 1
fi
