# What the scripts of a job share. POSIX sh; /proc as proc_pid_stat(5) describes it.

# Reads /proc/$1/stat into $state, $parent, $session and $started (clock ticks since boot).
# The name of the program stands in parentheses and may hold anything, line ends too.
read_process() {
    stat=
    while IFS= read -r part; do stat="$stat $part"; done 2>/dev/null <"/proc/$1/stat"
    case $stat in *') '*) ;; *) return 1 ;; esac
    process=$1
    # The fields are numbers, but for the state, which is a letter.
    set -- ${stat##*) }
    state=$1 parent=$2 session=$4 started=${20}
}

# Reads $dir/pid into $pid, $pid_started and $pid_boot; fails where no runner was started.
read_pid() {
    pid=
    read -r pid pid_started pid_boot 2>/dev/null <"$dir/pid"
    case $pid in '' | *[!0-9]*) return 1 ;; esac
}

read_boot() {
    boot=
    read -r boot </proc/sys/kernel/random/boot_id
}

# Whether a process of the job lives: its runner, or one of its session where somebody killed the
# runner alone. A number that is given to another process meanwhile is not taken for the runner.
job_lives() {
    read_pid || return 1
    read_boot
    [ "$boot" = "$pid_boot" ] || return 1
    if read_process "$pid"; then
        [ "$started" = "$pid_started" ] || return 1
        case $state in Z | X) ;; *) return 0 ;; esac
    fi
    for entry in /proc/[0-9]*; do
        read_process "${entry#/proc/}" || continue
        [ "$session" = "$pid" ] || continue
        case $state in Z | X) ;; *) return 0 ;; esac
    done
    return 1
}

# Sets $job_state to missing, unstarted, running, ended or vanished, and $code for ended.
read_job() {
    code=-
    job_state=missing
    [ -d "$dir" ] || return 0
    job_state=ended
    if read_code; then return 0; fi
    job_state=unstarted
    [ -s "$dir/pid" ] || return 0
    job_state=running
    if job_lives; then return 0; fi
    # It may have ended between the two looks.
    job_state=ended
    if read_code; then return 0; fi
    code=-
    job_state=vanished
}

# An empty status is what a crash of the machine may leave: it counts as none.
read_code() {
    code=
    read -r code 2>/dev/null <"$dir/status"
    case $code in '' | *[!0-9]*) return 1 ;; esac
}
