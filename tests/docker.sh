#!/bin/bash
# docker.sh - does docker-compose.yml come up, and update a fleet? With a real Docker Engine and
# docker-compose, a guest and two builders of the lab, and the programs of target/debug.
#
#   tests/docker.sh           all of it; DOCKER_KEEP=1 keeps the logs
#   DOCKER_PROGRAMS=FOLDER    with the programs of this folder, as `make release` makes them
#
# As root on Debian 12. The engine is private: socket, data and network are in folders and a namespace
# of this test, and go with it. No registry is asked: the images that the files name are made here,
# from Debian's packages, and imported under their names.
set -euo pipefail
ROOT=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
LAB=$ROOT/tests/lab/lab.sh
export LAB_NAME=${DOCKER_LAB:-docker} LAB_STATE=${LAB_STATE:-$ROOT/tests/lab/state}
# Where the data of the engine lies must not be an overlay, as the state of the lab.
WORK=$LAB_STATE/docker
# What is made once is kept, as the layers of the lab are.
BASE=$LAB_STATE/docker-base.tar
# The Debian 12 that Dockerfile names, and the release with the RabbitMQ that docker-compose.yml names.
SUITE=bookworm
RABBITMQ_SUITE=trixie
WORKERS=(planner scanner builder-fast builder-spare installer janitor dashboard scheduler notifier)
# Debian's, whatever stands first in PATH.
DOCKER=(/usr/bin/docker --host "unix://$WORK/docker.sock")
HEALTHY_SECONDS=180

say() { printf '\n== %s\n' "$*"; }
die() { printf 'docker.sh: %s\n' "$*" >&2; exit 1; }

((EUID == 0)) || die 'must be root'
mkdir -p "$LAB_STATE"
exec 7>"$LAB_STATE/docker.lock"
flock -n 7 || die "another one runs in $WORK"

ENGINE=
# shellcheck disable=SC2317 # called by the trap
clean_up() {
  local code=$?
  trap '' INT TERM HUP
  trap - EXIT
  say 'Taking everything down'
  if ((code != 0)) && [[ $ENGINE ]]; then compose logs --no-color --tail=40 2>/dev/null | cut -c1-300 || true; fi
  [[ ! $ENGINE ]] || compose down --volumes --timeout 20 >/dev/null 2>&1 || true
  end_engine || code=2
  "$LAB" down || code=2
  [[ ${DOCKER_KEEP-} ]] || rm -rf "$WORK"
  printf 'Done after %d min %02d s, exit code %d.\n' $((SECONDS / 60)) $((SECONDS % 60)) "$code"
  exit "$code"
}

# The engine ends its containers and its containerd; what is left then has this test failed.
end_engine() {
  local i
  [[ $ENGINE ]] || return 0
  kill -TERM "$ENGINE" 2>/dev/null || true
  for ((i = 0; i < 600; i++)); do
    [[ -d /proc/$ENGINE ]] || break
    sleep 0.1
  done
  wait "$ENGINE" || true
  ! grep -lsF -- "$WORK/" /proc/[0-9]*/cmdline || { echo 'docker.sh: processes of the engine are left' >&2; return 1; }
  ! grep -qF -- "$WORK/" /proc/self/mounts || { echo 'docker.sh: mounts of the engine are left' >&2; return 1; }
}

docker() { "${DOCKER[@]}" "$@" 7>&-; }

compose() {
  (cd "$WORK/checkout" && DOCKER_HOST="unix://$WORK/docker.sock" COMPOSE_PROJECT_NAME=gu COMPOSE_PROFILES=schedule,notify \
    COMPOSE_DOCKER_CLI_BUILD=1 DOCKER_BUILDKIT=1 PATH=/usr/bin:/usr/sbin:/bin:/sbin \
    GENTOO_UPDATER_PROGRAMS=prebuilt RABBITMQ_PASSWORD=secret docker-compose --ansi never "$@" 7>&-)
}

############################# machines, engine, images ##########################
say 'Installing what is missing'
"$ROOT/tests/setup.sh" docker
PROGRAMS=${DOCKER_PROGRAMS:-$(cargo metadata --locked --no-deps --format-version 1 --manifest-path "$ROOT/Cargo.toml" |
  python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')/debug}
[[ -x $PROGRAMS/gentoo-updater ]] || die 'there are no programs: cargo build --locked --workspace --bins'

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

say 'Bringing up a guest and two builders'
"$LAB" down
"$LAB" up 1 2 7>&-
declare -A lab
while IFS='=' read -r key value; do lab[$key]=$value; done < <("$LAB" env)
"$LAB" fill v1
"$LAB" publish v2
"$LAB" exec g1 sh -c 'echo app-misc/slowpoke > /var/lib/portage/world'
for builder in b1 b2; do "$LAB" exec "$builder" sh -c 'echo 0 > /etc/portage/slowpoke.secs'; done

say 'Starting a Docker Engine in the network of the lab'
rm -rf "$WORK"
mkdir -p "$WORK/checkout/programs"
nsenter --net="/run/netns/${lab[LAB_CTL]}" /usr/sbin/dockerd --host "unix://$WORK/docker.sock" \
  --data-root "$WORK/data" --exec-root "$WORK/exec" --pidfile "$WORK/pid" --group root \
  </dev/null >"$WORK/engine.log" 2>&1 7>&- &
ENGINE=$!
for ((i = 0; i < 300; i++)); do
  ! docker version >/dev/null 2>&1 || break
  [[ -d /proc/$ENGINE ]] || { tail -n 20 "$WORK/engine.log" >&2; die 'the engine does not start'; }
  sleep 0.2
done
docker version --format 'Docker Engine {{.Server.Version}}'

say 'Making the images that the files name'
base=$(sed -nE 's/^FROM (debian:.*)$/\1/p' "$ROOT/packaging/docker/Dockerfile")
broker=$(sed -nE 's/^ +image: (rabbitmq:.*)$/\1/p' "$ROOT/docker-compose.yml")
if [[ ! -s $BASE ]]; then
  mmdebstrap --quiet --mode=root --variant=minbase --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --include=ca-certificates,openssh-client,tini "$SUITE" "$BASE.new.tar" 7>&-
  mv "$BASE.new.tar" "$BASE"
fi
docker import - "$base" < "$BASE"
tar -C "$("$ROOT/tests/brokers.sh" root "$RABBITMQ_SUITE" 7>&-)" --one-file-system -c . |
  docker import --change 'CMD ["rabbitmq-server"]' - "$broker"
version=$(docker run --rm --network none "$broker" rabbitmqctl version)
[[ $broker == "rabbitmq:$version"* ]] || die "$broker is $version here"

# The checkout, with programs that are there instead of those that the first stage would compile.
cp -r "$ROOT/docker-compose.yml" "$ROOT/packaging" "$ROOT/.dockerignore" "$WORK/checkout/"
for program in "$PROGRAMS"/gentoo-updater{,-planner,-scanner,-builder,-installer,-janitor,-scheduler,-notifier}; do
  strip -o "$WORK/checkout/programs/$(basename "$program")" "$program"
done
compose build planner

#################################### the fleet ##################################
mkdir -p "$WORK/checkout/fleet/ssh"
cp "${lab[LAB_SSH_KEY]}" "$WORK/checkout/fleet/ssh/id_ed25519"
cp "${lab[LAB_KNOWN_HOSTS]}" "$WORK/checkout/fleet/ssh/known_hosts"
{
  printf '[platforms.lab]\nstore = "/var/cache/binpkgs"\n'
  printf '\n[builders.fast]\naddress = "ssh://root@%s"\n' "${lab[LAB_IP_b1]}"
  printf '\n[builders.spare]\naddress = "ssh://root@%s"\n' "${lab[LAB_IP_b2]}"
  printf '\n[guests.g1]\naddress = "ssh://root@%s"\n' "${lab[LAB_IP_g1]}"
  printf '\n[schedules.yearly]\ncalendar = "@yearly"\n'
  printf '\n[notifications.file]\ntype = "command"\non = ["finished"]\n'
  printf 'command = ["/bin/sh", "-c", "cat > /var/lib/gentoo-updater/told"]\n'
} > "$WORK/checkout/fleet/fleet.toml"
chown -R 10001 "$WORK/checkout/fleet"

say 'docker-compose up, with schedules and notifications'
compose up --detach 2>&1 | tail -n 12
health_of() { docker inspect --format '{{.State.Health.Status}}' "$(compose ps -q "$1")"; }
for service in rabbitmq "${WORKERS[@]}"; do
  for ((i = 0; i < HEALTHY_SECONDS; i++)); do
    [[ $(health_of "$service") != healthy ]] || break
    sleep 1
  done
  [[ $(health_of "$service") == healthy ]] || die "$service is not healthy: $(health_of "$service")"
  read -r user read_only memory < <(docker inspect --format \
    '{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.Memory}}' "$(compose ps -q "$service")")
  printf '%-14s healthy, user %s, read-only %s, %d MB at most\n' "$service" "$user" "$read_only" $((memory / 1000000))
  [[ $read_only == true && $memory -gt 0 && $user && $user != root && $user != 0* ]] || die "$service is not closed"
done

say 'gentoo-updater run'
compose run --rm operator run
pending=$("$LAB" ssh g1 emerge --pretend --update --newuse --deep --verbose --oneshot --with-bdeps=n --color=n @world |
  grep '^Total:')
[[ $pending == 'Total: 0 packages'* ]] || die "the run called itself complete, and g1 has: $pending"

say 'Who is told of it'
told=
for ((i = 0; i < HEALTHY_SECONDS; i++)); do
  told=$(docker exec "$(compose ps -q notifier)" cat /var/lib/gentoo-updater/told 2>/dev/null) && break
  sleep 1
done
python3 -c '
import json, sys
told = json.loads(sys.argv[1])
print("told:", told["headline"])
sys.exit(told["occasion"] != "finished")' "$told" || die "nobody was told of the run: $told"

say 'The dashboard'
shown() { nsenter --net="/run/netns/${lab[LAB_CTL]}" curl --silent --fail "http://127.0.0.1:8090$1"; }
shown / | grep -q '<title>' || die 'the dashboard has no page on this machine'
shown /api/fleet | python3 -c '
import json, sys
guests = json.load(sys.stdin)["guests"]
print("the dashboard shows", *guests)
sys.exit(set(guests) != {"g1"})' || die 'the dashboard does not show the fleet'

say 'A broker that goes away shows in the health of workers and dashboard, and all of it ends well'
become() {
  local service=$1 health=$2 i
  for ((i = 0; i < HEALTHY_SECONDS; i++)); do
    [[ $(health_of "$service") != "$health" ]] || return 0
    sleep 1
  done
  die "$service is $(health_of "$service"), not $health"
}
compose stop rabbitmq >/dev/null 2>&1
for service in planner dashboard; do become "$service" unhealthy; done
compose start rabbitmq >/dev/null 2>&1
for service in planner dashboard; do become "$service" healthy; done
compose stop --timeout 60 "${WORKERS[@]}" >/dev/null 2>&1
for service in "${WORKERS[@]}"; do
  code=$(docker inspect --format '{{.State.ExitCode}}' "$(compose ps -aq "$service")")
  [[ $code == 0 ]] || die "$service ended with exit code $code"
done
echo 'All workers ended with exit code 0.'
