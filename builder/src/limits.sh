# What a build may take: memory of all its processes together, and bytes of its log.

# Makes a control group of its own for a job: in cgroup2 where that has a memory controller, else in the
# first version. One that an attempt before has left is made anew, for it counts what was killed then.
memory_group() {
    name=gentoo-updater-$1
    if [ -r /sys/fs/cgroup/cgroup.controllers ]; then
        # It may be on already, and cannot be switched on where this is a container's root.
        echo +memory 2> /dev/null > /sys/fs/cgroup/cgroup.subtree_control
        set -- /sys/fs/cgroup memory.max memory.swap.max memory.events
    else
        set -- /sys/fs/cgroup/memory memory.limit_in_bytes memory.memsw.limit_in_bytes \
            memory.oom_control
    fi
    [ ! -d "$1/$name" ] || rmdir "$1/$name" || return 1
    mkdir "$1/$name" || return 1
    group=$1/$name limit=$2 swap=$3 kills=$4
    if [ ! -w "$group/$limit" ]; then
        rmdir "$group"
        group=
        return 1
    fi
} 2> /dev/null

# Sets the limit of the group. Where there is swap, none is used beyond it.
limit_memory() {
    bytes=$(($1 * 1048576))
    if [ "$swap" = memory.swap.max ]; then bytes_of_swap=0; else bytes_of_swap=$bytes; fi
    echo "$bytes" > "$group/$limit" || return 1
    [ ! -w "$group/$swap" ] || echo "$bytes_of_swap" > "$group/$swap"
    # Nobody goes on without what was killed, and takes it for missing.
    [ ! -w "$group/memory.oom.group" ] || echo 1 > "$group/memory.oom.group"
}

was_killed_for_memory() {
    [ -n "$group" ] || return 1
    killed=$(sed -n 's/^oom_kill //p' "$group/$kills" 2> /dev/null)
    [ "${killed:-0}" -gt 0 ]
}

# Sets $left to the processes that descend from one (proc_pid_stat(5): the name may hold anything).
find_below() {
    table=
    for entry in /proc/[0-9]*; do
        { read -r stat < "$entry/stat"; } 2> /dev/null || continue
        set -- "$1" ${stat##*) }
        table="$table ${entry#/proc/}:${3-}"
    done
    found=" $1 " more=yes
    while [ -n "$more" ]; do
        more=
        for row in $table; do
            case $found in *" ${row%%:*} "*) continue ;; esac
            case $found in *" ${row#*:} "*) found="$found${row%%:*} " more=yes ;; esac
        done
    done
    left=${found#" $1 "}
}

# Ends a build: its first process takes all others of its room along. On the machine itself emerge
# ends what it has started, when it is told to end; what does not listen is killed, also when nobody
# is left who has started it.
end_build() {
    if [ -n "$2" ]; then kill -s KILL "$1"; return; fi
    seconds=${seconds_to_end:-30}
    find_below "$1"
    all=$left
    while [ -n "$left" ] && [ "$seconds" -gt 0 ]; do
        kill -s TERM $left
        seconds=$((seconds - 1))
        sleep 1
        find_below "$1"
        all="$all $left"
    done
    kill -s KILL $all "$1"
} 2> /dev/null

# limited ID MEMORY LOG MEGABYTES ROOM COMMAND…: runs a command with these limits, each in megabytes
# (2^20 bytes); without one of memory where that is empty. Exit codes: 20 memory cannot be limited, 25
# and 26 it took more memory or wrote more into the log LOG; else that of the command.
limited() {
    group=
    if [ -n "$2" ]; then
        memory_group "$1" && limit_memory "$2" ||
            unfit "memory cannot be limited to $2 MB: there is no control group for it; mount cgroup2 with its memory controller, or set no build_memory_megabytes"
    fi
    log=$3 most=$(($4 * 1048576)) room=$5
    shift 5
    if [ -n "$group" ]; then
        set -- sh -c 'echo 0 > "$1/cgroup.procs" || exit 20; shift; exec "$@"' group "$group" "$@"
    fi
    "$@" &
    build=$!
    (
        # It ends with the build, also when nobody is left to tell it.
        while kill -s 0 "$build" 2> /dev/null; do
            # A log that cannot be looked at is no large one.
            size=$(stat -L -c %s "$log" 2> /dev/null)
            if [ "${size:-0}" -gt "$most" ]; then
                : > "$work/log-too-large"
                end_build "$build" "$room"
                break
            fi
            sleep 1
        done
    ) &
    watch=$!
    wait "$build"
    status=$?
    kill "$watch" 2> /dev/null
    wait "$watch" 2> /dev/null
    if [ "$status" != 0 ] && [ -e "$work/log-too-large" ]; then
        status=26
    elif was_killed_for_memory; then
        # Also where the build went on without it: what came out may lack something.
        status=25
    fi
    # What the build has left running on the machine keeps the group; the janitor removes it then.
    [ -z "$group" ] || rmdir "$group" 2> /dev/null
    return "$status"
}
