#!/bin/bash
# setup.sh - install the Debian packages that the lab and the tests need.
#
#   tests/setup.sh          install what is missing (as root), else do nothing
#   tests/setup.sh check    only say what is missing; exit 1 if something is
#   tests/setup.sh docker   install Docker and docker-compose, too (`make test-docker`)
#
# No service is started by the installation, and a service that came with a package
# installed here stays disabled, so that the machine runs nothing afterwards that it
# did not run before (the tests use private brokers and private sshds on own ports).
set -euo pipefail

PACKAGES=(
  ca-certificates gcc libc6-dev make             # link the Rust programs, compile SQLite
  rabbitmq-server                                # the private broker of the tests
  openssh-server openssh-client                  # sshd of the tests, keys, clients
  mmdebstrap python3 python3-pip unzip           # the guests' root file system, Portage's wheel
  python3-yaml                                   # reads docker-compose.yml
  python3-aiosmtpd                               # the mail server of the tests
  graphviz                                       # dot, for what `plan --graph` prints
  curl jq openssl                                # commands of the book
  iproute2 util-linux procps rsync               # namespaces, processes, the ebuild repository
  chromium fonts-dejavu-core                     # the browser that looks at the dashboard
  gpg gpg-agent gpgconf                          # keys, and signatures of binaries
  prometheus                                     # promtool, which checks metrics and alert rules
  fish zsh                                       # what they complete (bash is there)
  systemd binutils                               # systemd-analyze; strip
)
DOCKER_PACKAGES=(docker.io docker-compose iptables)
# Units which Debian would start at the next boot.
UNITS=(rabbitmq-server.service epmd.socket epmd.service ssh.service ssh.socket prometheus.service
  docker.service docker.socket containerd.service)
POLICY=/usr/sbin/policy-rc.d

die() { printf 'setup.sh: %s\n' "$*" >&2; exit 1; }

is_installed() { [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

missing_packages() {
  local package
  for package in "${PACKAGES[@]}"; do
    is_installed "$package" || printf '%s\n' "$package"
  done
}

unit_is_known() { command -v systemctl >/dev/null && systemctl cat "$1" &>/dev/null; }

# Debian asks policy-rc.d before a maintainer script starts a service: 101 forbids it.
# A policy that is already there is the administrator's, and is only obeyed.
forbid_service_starts() {
  [[ ! -e $POLICY ]] || { policy_forbids_starts || die "$POLICY permits service starts; move it away first"; return 0; }
  trap 'rm -f "$POLICY"' EXIT
  printf '#!/bin/sh\nexit 101\n' > "$POLICY"
  chmod 755 "$POLICY"
}
policy_forbids_starts() { local rc=0; "$POLICY" rabbitmq-server start || rc=$?; ((rc == 101)); }

apt() { DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 "$@"; }

install_packages() {
  local unit known=()
  for unit in "${UNITS[@]}"; do unit_is_known "$unit" && known+=("$unit"); done
  forbid_service_starts
  apt update
  apt install -y --no-install-recommends "$@" >/dev/null
  for unit in "${UNITS[@]}"; do
    [[ " ${known[*]-} " == *" $unit "* ]] || ! unit_is_known "$unit" || systemctl disable --quiet "$unit"
  done
}

[[ ${1-} != docker ]] || PACKAGES+=("${DOCKER_PACKAGES[@]}")
mapfile -t missing < <(missing_packages)
((${#missing[@]})) || exit 0
[[ ${1-install} == install || $1 == docker ]] || die "missing: ${missing[*]}"
((EUID == 0)) || die "must be root to install: ${missing[*]}"
printf '>> setup: installing %s\n' "${missing[*]}" >&2
install_packages "${missing[@]}"
mapfile -t missing < <(missing_packages)
((${#missing[@]} == 0)) || die "not installed in spite of apt: ${missing[*]}"
