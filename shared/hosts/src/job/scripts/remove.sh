# remove SPOOL ID: removes what is left of a job that does not run; prints "removed" or "running".
spool=$1 id=$2
dir=$spool/$id
if [ ! -d "$spool" ]; then
    echo removed
    exit 0
fi
exec 9>>"$spool/.lock" || exit 1
flock 9 || exit 1
read_job
if [ "$job_state" = running ]; then
    echo running
    exit 0
fi
# What a crash left of the removal must not look like a job that was never started.
if [ -d "$dir" ]; then mv "$dir" "$spool/.removed.$id.$$" || exit 1; fi
rm -rf "$spool"/.removed.* || exit 1
echo removed
