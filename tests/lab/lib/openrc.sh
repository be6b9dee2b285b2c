# shellcheck shell=bash
# The real OpenRC in a guest whose first process is another one: `rc-service` starts, stops and
# restarts services there as on a Gentoo. Only its programs and scripts, since the package as a whole
# would replace the first process.

# put_openrc GUEST
put_openrc() {
  local layer
  use_layers
  layer=$LAB_CACHE/openrc-$({ basename "$BASE"; cat "$LAB_DIR/lib/openrc.sh"; } | hash_of)
  (
    flock -w 1800 9 || die "somebody else has been building $LAB_CACHE for 30 minutes"
    build_layer "$layer" build_openrc
  ) 9>"$LAB_CACHE/lock"
  tar -C "$layer" -c . | exec_in_guest "$1" tar -C / --keep-directory-symlink -x
  # What the boot would have made; /run is empty after each start. Debian's reads a file that belongs
  # to another package.
  exec_in_guest "$1" bash -euc '
    touch /etc/insserv.conf
    mkdir -p /run/openrc/{starting,started,stopping,inactive,wasinactive,failed,hotplugged,daemons,options,exclusive,scheduled,tmp}
    echo default > /run/openrc/softlevel'
}

build_openrc() {
  local to=$1
  # shellcheck disable=SC2016
  in_layer "$BASE" "$to.scratch" "$to=/mnt" sh -euc '
    apt-get -qq update
    cd /tmp
    apt-get -qq -o APT::Sandbox::User=root download openrc librc1 libeinfo1
    for package in *.deb; do dpkg -x "$package" /mnt; done
    # The scripts of a boot; a guest of the lab has none of its own.
    rm -rf /mnt/usr/share /mnt/etc/init.d/*'
  rm -rf "$to.scratch"{,.work,.mnt}
}
