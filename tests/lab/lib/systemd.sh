# shellcheck shell=bash
# The real systemd as first process of a guest, in a cgroup (version 2) and a cgroup namespace of its
# own. What would set the machine up below it (kernel settings, devices, modules) is left out: that is
# the host's.

# What a guest has no business with.
SYSTEMD_MASKED=(dev-hugepages.mount dev-mqueue.mount sys-fs-fuse-connections.mount sys-kernel-config.mount
  sys-kernel-debug.mount sys-kernel-tracing.mount systemd-sysctl.service systemd-modules-load.service
  systemd-udevd.service systemd-udev-trigger.service systemd-udevd-control.socket systemd-udevd-kernel.socket
  systemd-journald-audit.socket systemd-timesyncd.service systemd-networkd.service systemd-logind.service
  systemd-binfmt.service systemd-random-seed.service kmod-static-nodes.service modprobe@.service
  apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer getty.target console-getty.service ssh.service)

# put_systemd GUEST: puts it there, and starts the guest anew with it.
put_systemd() {
  local layer
  use_layers
  layer=$LAB_CACHE/systemd-$({ basename "$BASE"; cat "$LAB_DIR/lib/systemd.sh"; } | hash_of)
  (
    flock -w 1800 9 || die "somebody else has been building $LAB_CACHE for 30 minutes"
    build_layer "$layer" build_systemd
  ) 9>"$LAB_CACHE/lock"
  tar -C "$layer" -c . | exec_in_guest "$1" tar -C / --keep-directory-symlink -x
  touch "$LAB_RUN/guests/$1/systemd"
  stop_guest "$1"
  start_guest "$1"
}

build_systemd() {
  local to=$1 unit
  # shellcheck disable=SC2016
  in_layer "$BASE" "$to.scratch" "$to=/mnt" sh -euc '
    apt-get -qq update
    apt-get -qq -o APT::Install-Recommends=false --download-only install -y systemd
    for package in /var/cache/apt/archives/*.deb; do dpkg -x "$package" /mnt; done
    rm -rf /mnt/usr/share/doc /mnt/usr/share/man /mnt/usr/share/locale'
  rm -rf "$to.scratch"{,.work,.mnt}
  mkdir -p "$to/etc/systemd/system/multi-user.target.wants"
  for unit in "${SYSTEMD_MASKED[@]}"; do ln -sf /dev/null "$to/etc/systemd/system/$unit"; done
  # What a guest has as its first process else, with its sshd.
  printf '%s\n' '[Service]' 'ExecStart=/bin/bash /usr/local/sbin/lab-init' 'KillMode=mixed' \
    'StandardOutput=append:/run/lab-console' 'StandardError=append:/run/lab-console' \
    > "$to/etc/systemd/system/lab.service"
  ln -sf ../lab.service "$to/etc/systemd/system/multi-user.target.wants/lab.service"
  ln -sf /lib/systemd/system/multi-user.target "$to/etc/systemd/system/default.target"
  : > "$to/etc/machine-id"
}

has_systemd() { [[ -e $LAB_RUN/guests/$1/systemd ]]; }

# Where the host has cgroups of version 2, as a folder that only this guest's processes are in.
cgroups_of_host() { findmnt -n -t cgroup2 -o TARGET | head -n 1; }
cgroup_of() {
  local top
  top=$(cgroups_of_host)
  [[ $top ]] || die "there is no cgroup2 file system, which systemd needs"
  echo "$top/lab-$LAB_NAME-$1"
}
lab_cgroups() { local f; for f in "$(cgroups_of_host)/lab-$LAB_NAME"-*; do [[ ! -d $f ]] || echo "$f"; done; }

enter_cgroup() {
  local cgroup
  cgroup=$(cgroup_of "$1")
  mkdir -p "$cgroup"
  echo 0 > "$cgroup/cgroup.procs"
}

# The last processes of a guest may leave it a moment after its first one has ended.
remove_cgroup() {
  local cgroup i
  has_systemd "$1" || return 0
  cgroup=$(cgroup_of "$1")
  for ((i = 0; i < 100; i++)); do
    [[ ! -d $cgroup ]] || find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null || true
    [[ -d $cgroup ]] || return 0
    sleep 0.05
  done
  die "the cgroup $cgroup does not go"
}

# Called in the guest's namespaces, just before its root becomes the root.
prepare_for_systemd() { # ROOT CONSOLE
  # Kernel settings are the host's.
  mount --bind "$1/proc/sys" "$1/proc/sys"
  mount -o remount,bind,ro "$1/proc/sys"
  touch "$1/run/lab-console"
  mount --bind "$2" "$1/run/lab-console"
}

# Its first process, with the cgroup that it is in as the root of all that it sees.
SYSTEMD_INIT='mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec /lib/systemd/systemd --system --log-target=journal --show-status=false'
