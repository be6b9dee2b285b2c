# poll DIR OFFSET LIMIT SECONDS: prints "STATE CODE SIZE" and what the log holds from OFFSET on, when
# there is more of it, or the job ended, or the time is over.
dir=$1 offset=$2 limit=$3 seconds=$4

# What comes is gathered for a second, unless it is a full piece already: each look costs the machine
# some processes, and a job that writes all the time would be looked at all the time.
has_waited=

while :; do
    # First the state: the log of an ended job is complete.
    read_job
    size=0
    if [ -e "$dir/log" ]; then size=$(($(wc -c <"$dir/log"))); fi
    [ "$job_state" = running ] && [ "$seconds" -gt 0 ] || break
    [ -z "$has_waited" ] || [ "$size" -le "$offset" ] || break
    [ $((size - offset)) -lt "$limit" ] || break
    has_waited=yes
    seconds=$((seconds - 1))
    # Returns at once when the runner ends. Only where it was killed alone does it not wait.
    if flock -s -w 1 "$dir/running" true; then
        read_job
        if [ "$job_state" = running ]; then sleep 1; fi
    fi
done
printf '%s %s %s\n' "$job_state" "$code" "$size"
count=$((size - offset))
if [ "$count" -gt "$limit" ]; then count=$limit; fi
if [ "$count" -gt 0 ]; then tail -c "+$((offset + 1))" "$dir/log" | head -c "$count"; fi
