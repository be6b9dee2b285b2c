# left SPOOL WORD PATH…: removes what jobs have left whose ids have WORD in them, unless one of those
# runs. Prints "removed" or "running". Nobody can start one meanwhile, so what is removed is first put
# aside, which takes no time. Of a control group in which a process is left, that is the kernel's choice.
spool=$1 word=$2
shift 2
if [ -d "$spool" ]; then
    exec 9>>"$spool/.lock" || exit 1
    flock 9 || exit 1
    for dir in "$spool"/*"$word"*/; do
        dir=${dir%/}
        [ -d "$dir" ] || continue
        read_job
        if [ "$job_state" = running ]; then
            echo running
            exit 0
        fi
    done
fi
for path; do
    case $path in
        /sys/fs/cgroup/*) [ ! -d "$path" ] || rmdir "$path" 2>/dev/null ;;
        *.left) ;;
        *)
            if [ -e "$path" ] || [ -L "$path" ]; then
                rm -rf --one-file-system "$path.left" && mv -T "$path" "$path.left" || exit 1
            fi
            ;;
    esac
done
[ ! -d "$spool" ] || exec 9>&-
for path; do
    case $path in
        /sys/fs/cgroup/*) ;;
        *) rm -rf --one-file-system "${path%.left}.left" || exit 1 ;;
    esac
done
echo removed
