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

# Asks the processes of the job to end, and sets $asked where one can have heard it: a child of the
# runner that does not run its own program yet may lose the signal.
ask_members() {
    for number in $members; do
        cmp -s "/proc/$pid/cmdline" "/proc/$number/cmdline" || asked=yes
        kill -s TERM "$number" 2>/dev/null
    done
}

read_job
if [ "$job_state" != running ]; then exit 0; fi
asked=
while [ "$seconds" -gt 0 ]; do
    seconds=$((seconds - 1))
    collect
    # A runner without a child has not ended yet, or has not begun the next one: to wait for a lock.
    if [ -z "$members" ]; then
        read_job
        if [ "$job_state" != running ]; then exit 0; fi
    fi
    # Once: what they run to clean up is not to be disturbed.
    [ -n "$asked" ] || ask_members
    # Returns at once when the runner ends. Only where it was killed alone does it not wait.
    if flock -s -w 1 "$dir/running" true; then
        collect
        if [ -n "$members" ]; then sleep 1; fi
    fi
done
collect
# More than once: a process may have forked between the look and the signal.
tries=10
while [ -n "$members" ] && [ "$tries" -gt 0 ]; do
    for number in $members; do kill -s KILL "$number" 2>/dev/null; done
    tries=$((tries - 1))
    collect
done
flock -s -w 10 "$dir/running" true
read_job
if [ "$job_state" = running ]; then
    echo "processes of the job live on:${members:- its runner}" >&2
    exit 1
fi
