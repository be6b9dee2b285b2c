# Keeps the logs of builds by policy.
#
# $1 where the store has them   $2 where the machine has them   $3 the run that is over
# $4 days that they are kept    $5 megabytes that they may take
set -u
kept=$1 own=$2 run=$3 days=$4 megabytes=$5
# What is in the store need not lie here, too: the name there ends with the attempt.
for log in "$own/$run"/*.log; do
    [ -e "$log" ] || continue
    name=$(basename "$log" .log)
    for stored in "$kept/$run"/*-"$name".*.log.gz; do
        [ ! -e "$stored" ] || rm -f -- "$log"
    done
done
[ -d "$kept" ] || exit 0
find "$kept" -mindepth 1 -maxdepth 1 -type d -mtime "+$days" -exec rm -rf {} +
# The oldest first; ids of runs sort by their time. The newest run's stay in any case.
ls "$kept" | sort | sed '$d' | while IFS= read -r folder; do
    [ "$(du -sm "$kept" | cut -f 1)" -gt "$megabytes" ] || break
    rm -rf -- "${kept:?}/$folder"
done
