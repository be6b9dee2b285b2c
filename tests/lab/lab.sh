#!/bin/bash
# lab.sh - a lab of small machines that run the real Gentoo Portage, on a Debian host.
# Needs root. Everything lives in namespaces and in the state folder: the host's own
# network and the host's Portage-named folders are never touched.
#
#   lab.sh up N [B]              guests g1..gN and builders b1..bB (default 1)
#   lab.sh down                  stop all and delete this lab; checks that nothing is left
#   lab.sh stop|start|reset G    power off | power on | power on with a fresh disk, new host keys
#   lab.sh exec G CMD...         run CMD in guest G (no ssh; clean environment)
#   lab.sh put G FOLDER          copy what is in FOLDER to the root of guest G
#   lab.sh ssh G CMD...          run CMD in guest G through ssh, from the controller
#   lab.sh ctl CMD...            run CMD in the controller's network namespace
#   lab.sh publish v1|v2|v2b     what the ebuild repository holds from now on
#   lab.sh fill v1|v2            put the binaries made for a state into the shared PKGDIR
#   lab.sh portage G VERSION...  copy other versions of Portage into guest G: /opt/portage-VERSION
#   lab.sh distcc G              put the real distcc and its server into builder G
#   lab.sh openrc G              put the real OpenRC into guest G, until it is switched off
#   lab.sh systemd G             put the real systemd into guest G, and start G anew with it
#   lab.sh rekey G               new host keys for guest G; known_hosts keeps the old ones
#   lab.sh silence G             every packet between guest G and the controller vanishes, and G
#                                forgets its connections: nobody is told
#   lab.sh hear G                packets pass again
#   lab.sh env                   KEY=VALUE lines: paths, names, addresses
#   lab.sh list                  guests, kinds, addresses, pids
#   lab.sh check                 fail if anything of this lab is alive, mounted or named
#   lab.sh cache                 only build the shared layers
#   lab.sh purge                 down, and delete the cached layers too
#
# Environment (default):
#   LAB_NAME (gu)                prefix of the network namespaces: gu-ctl, gu-g1, gu-b1 ...
#   LAB_NET (10.77.0)            /24 of the lab: controller .1, guests .11.., builders .201..
#   LAB_STATE (tests/lab/state)  must lie on ext4, xfs, btrfs or tmpfs (not on an overlay)
#   LAB_CACHE ($LAB_STATE/cache) layers that all labs share, built once under a lock
#   LAB_RUN ($LAB_STATE/run/$LAB_NAME)  this lab: guests, PKGDIR, live repository, keys
#   PORTAGE_VERSION (3.0.83), SUITE (bookworm)
#
# A guest has its own mount, pid, uts, ipc and network namespace, and
#   /                        overlayfs: own upper layer over seed (builders: and gcc) over base
#   /var/db/repos/gentoo     the live ebuild repository, read-only; beside it gentoo-v1 -v2 -v2b
#   /var/cache/binpkgs       the lab's PKGDIR: read-only on guests, writable on builders
#   sshd on port 22          ed25519, ecdsa, rsa host keys; users root and fleet (sudo), by key
set -euo pipefail

LAB_DIR=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
LAB_NAME=${LAB_NAME:-gu}
LAB_NET=${LAB_NET:-10.77.0}
LAB_STATE=$(realpath -ms "${LAB_STATE:-$LAB_DIR/state}")
LAB_CACHE=$(realpath -ms "${LAB_CACHE:-$LAB_STATE/cache}")
LAB_RUN=$(realpath -ms "${LAB_RUN:-$LAB_STATE/run/$LAB_NAME}")
PORTAGE_VERSION=${PORTAGE_VERSION:-3.0.83}
SUITE=${SUITE:-bookworm}
export LAB_NAME LAB_NET LAB_STATE LAB_CACHE LAB_RUN PORTAGE_VERSION SUITE
CTL=$LAB_NAME-ctl
# What is built here must be readable by the users inside the guests.
umask 022

say() { printf '>> %s\n' "$*" >&2; }
die() { printf 'lab.sh: %s\n' "$*" >&2; exit 1; }

# shellcheck source=lib/cache.sh
source "$LAB_DIR/lib/cache.sh"
# shellcheck source=lib/layers.sh
source "$LAB_DIR/lib/layers.sh"
# shellcheck source=lib/store.sh
source "$LAB_DIR/lib/store.sh"
# shellcheck source=lib/portages.sh
source "$LAB_DIR/lib/portages.sh"
# shellcheck source=lib/openrc.sh
source "$LAB_DIR/lib/openrc.sh"
# shellcheck source=lib/systemd.sh
source "$LAB_DIR/lib/systemd.sh"
# shellcheck source=lib/distcc.sh
source "$LAB_DIR/lib/distcc.sh"
# shellcheck source=lib/guest.sh
source "$LAB_DIR/lib/guest.sh"
# shellcheck source=lib/down.sh
source "$LAB_DIR/lib/down.sh"

manual() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$LAB_DIR/lab.sh"; }

check_settings() {
  ((EUID == 0)) || die "must be root"
  [[ $LAB_NAME =~ ^[a-z][a-z0-9]{0,9}$ ]] || die "LAB_NAME=$LAB_NAME: a small letter, then up to 9 letters or digits"
  [[ $LAB_NET =~ ^[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}$ ]] || die "LAB_NET=$LAB_NET: three numbers, as 10.77.0"
  [[ $LAB_CACHE$LAB_RUN != *[:,\\[:space:]]* ]] || die "no space, comma, colon or backslash in the lab's paths (overlayfs options)"
  # Whoever exported one lab's LAB_RUN and names another one would mix the two.
  [[ ! -e $LAB_RUN/name || $(< "$LAB_RUN/name") == "$LAB_NAME" ]] ||
    die "LAB_RUN=$LAB_RUN belongs to the lab $(< "$LAB_RUN/name"), not to $LAB_NAME"
}

# One command at a time changes a lab. The lock is the kernel's, so it ends with its
# holder, however that ends; long-lived children are started without it (8>&-).
locked() {
  mkdir -p "$(dirname "$LAB_RUN")"
  exec 8>"$LAB_RUN.lock"
  flock -w 600 8 || die "another command holds $LAB_RUN.lock"
  "$@"
}

up() {
  [[ ${1-} =~ ^[0-9]+$ && ${2-1} =~ ^[0-9]+$ ]] || die "up N [B]: how many guests and builders"
  (($1 <= 150 && ${2-1} <= 50)) || die "at most 150 guests and 50 builders"
  "$LAB_DIR/../setup.sh"
  build_cache
  create_lab
  create_guests "$1" "${2-1}"
  write_ssh_files
  start_all
  list
}

main() {
  local command=${1-help}
  shift || true
  case $command in help | -h | --help) manual; return ;; esac
  check_settings
  case $command in
    up) locked up "$@" ;;
    down) locked down ;;
    purge) locked purge ;;
    check) report_leftovers ;;
    cache) "$LAB_DIR/../setup.sh"; build_cache ;;
    stop) need_guest "${1-}"; locked stop_guest "$1" ;;
    start) need_guest "${1-}"; locked start_guest "$1" ;;
    reset) need_guest "${1-}"; locked reset_guest "$1" ;;
    rekey) need_guest "${1-}"; locked rekey_guest "$1" ;;
    silence) need_guest "${1-}"; locked silence_guest "$1" ;;
    hear) need_guest "${1-}"; locked hear_guest "$1" ;;
    exec) need_guest "${1-}"; exec_in_guest "$@" ;;
    put) need_guest "${1-}"; put_files "$@" ;;
    ssh) need_guest "${1-}"; exec ip netns exec "$CTL" ssh -F "$LAB_RUN/ssh_config" "$@" ;;
    ctl) exec ip netns exec "$CTL" "$@" ;;
    publish) locked publish "${1-}" ;;
    fill) locked fill "${1-}" ;;
    portage) need_guest "${1-}"; locked put_portages "$@" ;;
    distcc) need_guest "${1-}"; locked put_distcc "$1" ;;
    openrc) need_guest "${1-}"; locked put_openrc "$1" ;;
    systemd) need_guest "${1-}"; locked put_systemd "$1" ;;
    env) print_env ;;
    list) list ;;
    __boot) boot_guest "$1" ;;
    __layer) inside_layer "$@" ;;
    __portage) build_one_portage "$1" ;;
    *) manual >&2; die "no such command: $command" ;;
  esac
}
main "$@"
