# What a build may take: memory of all its processes together, and bytes of its log.

# The file of a control group that counts what was killed for its limit, and the file of the limit
# itself: cgroup2 where that has a memory controller, else the first version.
memory_group() {
    group= name=gentoo-updater-$1
    if [ -r /sys/fs/cgroup/cgroup.controllers ]; then
        # It may be on already, and cannot be switched on where this is a container's root.
        echo +memory 2> /dev/null > /sys/fs/cgroup/cgroup.subtree_control
        set -- /sys/fs/cgroup memory.max memory.swap.max memory.events
    else
        set -- /sys/fs/cgroup/memory memory.limit_in_bytes memory.memsw.limit_in_bytes \
            memory.oom_control
    fi
    mkdir "$1/$name" 2> /dev/null || [ -d "$1/$name" ] || return 1
    group=$1/$name limit=$2 swap=$3 kills=$4
    [ -w "$group/$limit" ]
}

# Sets the limit of the group. Where there is swap, none is used beyond it.
limit_memory() {
    bytes=$(($1 * 1048576))
    if [ "$swap" = memory.swap.max ]; then bytes_of_swap=0; else bytes_of_swap=$bytes; fi
    echo "$bytes" > "$group/$limit" || return 1
    [ ! -w "$group/$swap" ] || echo "$bytes_of_swap" > "$group/$swap"
}

was_killed_for_memory() {
    [ -n "$group" ] && [ "$(sed -n 's/^oom_kill //p' "$group/$kills" 2> /dev/null || echo 0)" -gt 0 ]
}

# Prints the processes that descend from one (proc_pid_stat(5): the name may hold anything).
below() {
    for entry in /proc/[0-9]*; do
        stat=$(cat "$entry/stat" 2> /dev/null) || continue
        set -- "$1" "${entry#/proc/}" ${stat##*) }
        if [ "$4" = "$1" ]; then
            echo "$2"
            below "$2"
        fi
    done
}

# Ends a build: its first process takes all others of its room along. On the machine itself emerge
# ends what it has started, when it is told to end.
end_build() {
    if [ -n "$2" ]; then kill -s KILL "$1"; return; fi
    seconds=30 signal=TERM
    while left=$(below "$1") && [ -n "$left" ]; do
        [ "$seconds" -gt 0 ] || signal=KILL
        kill -s "$signal" $left
        seconds=$((seconds - 1))
        sleep 1
    done
    kill -s "$signal" "$1"
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
        while [ "$(stat -L -c %s "$log")" -le "$most" ]; do sleep 1; done
        : > "$work/log-too-large"
        end_build "$build" "$room"
    ) &
    watch=$!
    wait "$build"
    status=$?
    kill "$watch" 2> /dev/null
    wait "$watch" 2> /dev/null
    if [ "$status" != 0 ] && [ -e "$work/log-too-large" ]; then
        status=26
    elif [ "$status" != 0 ] && was_killed_for_memory; then
        status=25
    fi
    # What the build has left running on the machine keeps the group, and ends with it by then.
    [ -z "$group" ] || rmdir "$group" 2> /dev/null
    return "$status"
}
