#!/bin/bash
# selftest.sh - does the lab keep its promises? Brings up a lab of its own (LAB_NAME lst),
# uses it, wrecks it, and compares the host before and after. Exit 0 if everything holds.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
export LAB_NAME=lst LAB_NET=10.79.0
unset LAB_RUN
SCRATCH=$(mktemp -d)
trap './lab.sh down || true; ./rabbitmq.sh stop "$SCRATCH/broker" 2>/dev/null || true; rm -rf "$SCRATCH"' EXIT

fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }
holds() { local what=$1; shift; "$@" >"$SCRATCH/out" 2>&1 || { cat "$SCRATCH/out" >&2; fail "$what"; }; printf 'ok: %s\n' "$what"; }
fails() { local what=$1; shift; ! "$@" >"$SCRATCH/out" 2>&1 || { cat "$SCRATCH/out" >&2; fail "$what"; }; printf 'ok: %s\n' "$what"; }
ssh_to() { ./lab.sh ssh "$@"; }
says() { grep -q -- "$1" <("${@:2}" 2>&1); }
soon() { local i; for ((i = 0; i < 200; i++)); do "$@" &>/dev/null && return; sleep 0.05; done; echo "not within 10 s: $*"; return 1; }
not() { ! "$@"; }
# The host as the lab must leave it.
host() {
  grep -E 'lst|portage|/run/netns/lst' /proc/mounts || true
  ip netns list | grep -E '^lst-' || true
  ip -o link | cut -d: -f2
  ip -o addr | awk '{print $2, $3, $4}'
  ip route
  ls -d /etc/portage /var/db/pkg /var/db/repos /var/cache/binpkgs /var/tmp/portage 2>/dev/null || true
  ls /etc/netns 2>/dev/null || true
  grep -lsF "$(pwd)/state/run/lst" /proc/[0-9]*/mounts || true
}

./lab.sh down
./lab.sh cache
host > "$SCRATCH/before"

started=$SECONDS
holds "a lab comes up" ./lab.sh up 2 1
printf 'ok: warm start in %s s\n' $((SECONDS - started))
holds "up again changes nothing" ./lab.sh up 2 1
declare -A lab
while IFS='=' read -r key value; do lab[$key]=$value; done < <(./lab.sh env)

# guests
holds "root logs in by key" ssh_to g1 true
holds "fleet logs in and may use sudo" ./lab.sh ctl ssh -F "${lab[LAB_SSH_CONFIG]}" fleet@g2 'sudo -n true'
for type in ed25519 ecdsa rsa; do
  holds "an $type host key is offered and known" ./lab.sh ctl ssh-keygen -F "${lab[LAB_IP_g1]}" -f "${lab[LAB_KNOWN_HOSTS]}"
  holds "an $type host key serves" ./lab.sh ctl ssh -F "${lab[LAB_SSH_CONFIG]}" -o "HostKeyAlgorithms=$(
    case $type in ed25519) echo ssh-ed25519 ;; ecdsa) echo ecdsa-sha2-nistp256 ;; rsa) echo rsa-sha2-512 ;; esac)" g1 true
done
fails "a guest has no compiler" ssh_to g1 'command -v gcc cc make'
holds "a builder has one" ssh_to b1 'command -v gcc'
fails "a guest cannot write the store" ssh_to g1 'touch /var/cache/binpkgs/x'
holds "a builder can" ssh_to b1 'touch /var/cache/binpkgs/x && rm /var/cache/binpkgs/x'
fails "nobody can write the ebuild repository" ssh_to b1 'touch /var/db/repos/gentoo/x'
holds "guests reach each other" ssh_to g1 "bash -c 'exec 3<>/dev/tcp/${lab[LAB_IP_g2]}/22'"
fails "and nothing outside" ssh_to g1 "timeout 2 bash -c 'exec 3<>/dev/tcp/192.0.2.1/80'"

# the first process
holds "a job in its own session outlives a cut connection" ./lab.sh ctl bash -c "
  ssh -F ${lab[LAB_SSH_CONFIG]} g1 'setsid sh -c \"echo \\\$\\\$ > /run/job; while sleep 0.1; do :; done\" </dev/null >/dev/null 2>&1 & sleep 60' & ssh=\$!
  for ((i = 0; i < 200; i++)); do ssh -F ${lab[LAB_SSH_CONFIG]} g1 test -s /run/job && break; done
  kill -9 \$ssh; ssh -F ${lab[LAB_SSH_CONFIG]} g1 'kill -0 \$(cat /run/job) && kill \$(cat /run/job)'"
ssh_to g1 'for i in 1 2 3 4 5; do (setsid sleep 0.1 </dev/null >/dev/null 2>&1 &); done'
no_zombie() { [[ -z $(ssh_to g1 'ps -eo stat= | grep ^Z') ]]; }
holds "orphans that end are collected" soon no_zombie

# Portage
holds "state v1 plans nothing" says 'Total: 0 packages' ssh_to g1 'emerge -NDpuv1 --with-bdeps=n --color=n @world'
holds "state v2 is published" ./lab.sh publish v2
holds "state v2 plans the subslot rebuild" says 'rR .*dev-libs/libbeta-1.0' ssh_to g1 'emerge -NDpuv1 --color=n @world'
holds "a removed world package is named" says '^app-misc/gone' ssh_to g1 'emerge -NDpuv1 --color=n @world'
holds "the v1 binaries go into the store" ./lab.sh fill v1
holds "and Portage finds them" says '\[binary.*app-misc/hello-1.0-1' ssh_to g1 'emerge -pK --color=n =app-misc/hello-1.0'
fails "a filled store is not filled twice" ./lab.sh fill v1
holds "another version of Portage goes into a guest" ./lab.sh portage g1 3.0.77
holds "and runs there beside its own" says '^Portage 3.0.77 ' ./lab.sh exec g1 env PYTHONPATH=/opt/portage-3.0.77/lib /opt/portage-3.0.77/bin/emerge --version
./lab.sh publish v2b
holds "v2b offers leaner-2.0" says 'app-misc/leaner-2.0' ssh_to g1 'emerge -NDpuv1 --color=n @world'

# power and keys
holds "a guest is switched off" ./lab.sh stop g2
fails "and is off" ssh_to g2 -o ConnectTimeout=2 true
holds "and on again, with its disk" ./lab.sh start g2
holds "reachable at once" ssh_to g2 true
ssh_to g2 touch /root/mark
./lab.sh silence g2
fails "a silenced guest does not answer" ./lab.sh ctl ssh -F "${lab[LAB_SSH_CONFIG]}" -o ConnectTimeout=2 g2 true
./lab.sh hear g2
holds "and answers when it is heard again" ssh_to g2 true
./lab.sh rekey g2
fails "after rekey the known key is wrong" ssh_to g2 true
holds "reset makes a fresh disk with known keys" ./lab.sh reset g2
fails "without what was on it" ssh_to g2 test -e /root/mark

# the broker, on the controller's loopback
holds "a broker starts in the lab" ./lab.sh ctl ./rabbitmq.sh start "$SCRATCH/broker" 25672
fails "and is not to be seen outside" bash -c 'exec 3<>/dev/tcp/127.0.0.1/25672'
holds "it is killed and comes back" bash -c "./rabbitmq.sh kill9 $SCRATCH/broker && ./lab.sh ctl ./rabbitmq.sh start $SCRATCH/broker"
holds "and restarts" ./lab.sh ctl ./rabbitmq.sh restart "$SCRATCH/broker"
holds "and stops" ./rabbitmq.sh stop "$SCRATCH/broker"
fails "leaving no process" grep -lsxzF "LAB_RABBITMQ_DIR=$SCRATCH/broker" /proc/[0-9]*/environ

# going down
compare() { ./lab.sh check && host | diff "$SCRATCH/before" -; }
./lab.sh ctl sleep 1000 & sleeper=$!
fails "check sees a lab that is up" ./lab.sh check
fails "down refuses to run inside the lab" ./lab.sh ctl ./lab.sh down
holds "down works with a process in the controller's namespace" ./lab.sh down
holds "that process is gone" not kill -0 $sleeper
holds "the host is as before" compare
holds "down twice is the same" ./lab.sh down

./lab.sh up 2 1 >/dev/null
holds "a guest's files are lost" rm -rf "${lab[LAB_RUN]}"
holds "down works without the lab's files" ./lab.sh down
holds "the host is as before" compare

for delay in 0.1 0.4 0.8 1.2 1.6 2 2.5 3; do
  setsid ./lab.sh up 2 1 &>/dev/null & victim=$!
  sleep "$delay"
  kill -KILL -- -$victim 2>/dev/null || true
  wait $victim 2>/dev/null || true
  holds "down works after an up that was killed after $delay s" ./lab.sh down
  holds "the host is as before" compare
done

two=(env LAB_NAME=lstb LAB_NET=10.79.0 ./lab.sh)
./lab.sh up 1 0 >/dev/null & one_pid=$!
"${two[@]}" up 1 0 >/dev/null
wait $one_pid
holds "two labs live side by side" ssh_to g1 true
holds "on the same addresses" "${two[@]}" ssh g1 true
holds "one goes" ./lab.sh down
holds "the other stays" "${two[@]}" ssh g1 true
holds "and goes" "${two[@]}" down
holds "the host is as before" compare
echo "the lab keeps its promises"
