# list SPOOL: prints "ID STATE CODE" for each job.
for dir in "$1"/*/; do
    dir=${dir%/}
    [ -d "$dir" ] || continue
    read_job
    printf '%s %s %s\n' "${dir##*/}" "$job_state" "$code"
done
