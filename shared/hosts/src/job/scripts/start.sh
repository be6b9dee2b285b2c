# start SPOOL ID LOCK LOG RUNNER SIZE MODE <COMMAND: starts the job once, or finds it started.
spool=$1 id=$2 lock=$3 log=$4 runner=$5 size=$6 mode=$7
dir=$spool/$id

fail() {
    echo "$*" >&2
    exit 1
}

mkdir -p -m 700 "$spool" || fail "the spool cannot be made"
# Who starts holds this lock, and its runner inherits it until its pid is written: another starter
# sees either nothing or a started job, and what a crash in between left is started again.
exec 9>>"$spool/.lock" || fail "the spool cannot be written"
flock 9 || fail "the spool cannot be locked"
if [ -s "$dir/pid" ]; then
    echo attached
    exit 0
fi
mkdir -p -m 700 "$dir" || fail "the folder of the job cannot be made"
cat >"$dir/command" || fail "the command cannot be written"
# A connection that is cut in the middle ends the input early.
[ "$(($(wc -c <"$dir/command")))" -eq "$size" ] || fail "the command arrived in part only"
[ -z "$lock" ] || mkdir -p -m 700 "${lock%/*}" || fail "the folder of the lock cannot be made"
printf '%s' "$runner" >"$dir/runner" || fail "the runner cannot be written"
rm -f "$dir/log" "$dir/status" || fail "what a crash left cannot be removed"
if [ -n "$log" ]; then
    mkdir -p "${log%/*}" && ln -s "$log" "$dir/log" || fail "the log cannot be linked"
fi
: >>"$dir/log" || fail "the log cannot be written"
# Not as a background job of this shell: those ignore SIGINT and SIGQUIT, and so would the command.
setsid -f sh "$dir/runner" "$dir" "$lock" "$mode" </dev/null >>"$dir/log" 2>&1 9>&9 ||
    fail "the runner cannot be started"
exec 9>&-
exec 9>>"$spool/.lock"
flock 9 || fail "the spool cannot be locked"
[ -s "$dir/pid" ] || fail "the runner did not start: $(tail -c 1000 "$dir/log")"
echo started
