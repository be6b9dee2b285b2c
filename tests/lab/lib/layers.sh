# shellcheck shell=bash
# How the layers are built. Whatever is mounted meanwhile is mounted in a mount namespace
# of its own, and whatever runs runs in a pid namespace of its own: both are gone with
# their first process, so an interrupted build leaves files only.

CHROOT_ENV=(env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
  HOME=/root TERM=dumb LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive)

# in_layer LOWER UPPER BINDS CMD...: run CMD in a chroot of UPPER over LOWER; what it
# writes stays in UPPER. BINDS: space separated FROM=TO pairs, mounted writable.
in_layer() {
  unshare --mount --pid --fork --kill-child --propagation private -- "$LAB_DIR/lab.sh" __layer "$@"
}
inside_layer() {
  local lower=$1 upper=$2 binds=$3 pair root=$2.mnt
  shift 3
  mkdir -p "$upper" "$upper.work" "$root"
  mount -t overlay overlay -o "lowerdir=$lower,upperdir=$upper,workdir=$upper.work" "$root"
  mount -t proc proc "$root/proc"
  mount --bind /dev "$root/dev"
  for pair in $binds; do mount --bind "${pair%%=*}" "$root${pair#*=}"; done
  # Whether names resolve is the host's matter; the layer's own file stays as it is.
  [[ ! -e /etc/resolv.conf || ! -e $root/etc/resolv.conf ]] || mount --bind /etc/resolv.conf "$root/etc/resolv.conf"
  # Not exec: as pid 1 this shell also collects what the command leaves behind.
  chroot "$root" "${CHROOT_ENV[@]}" "$@"
}

build_base() {
  # shellcheck source=base.sh
  source "$LAB_DIR/lib/base.sh"
  base_debian "$1"
  base_portage "$1"
  base_configuration "$1"
  base_logins "$1"
}

build_gcc() {
  in_layer "$BASE" "$1" "" sh -euc '
    apt-get -qq update
    apt-get -qq -o APT::Install-Recommends=false install -y gcc libc6-dev make
    apt-get clean
    rm -rf /var/lib/apt/lists/*'
}

# Every state, each with its metadata cache, as a repository that came by rsync has one.
build_trees() {
  local state scratch=$1.scratch
  "$LAB_DIR/repo/mkrepo.sh" "$1"
  for state in v1 v2 v2b; do
    rm -rf "$scratch"
    in_layer "$BASE" "$scratch" "$1/$state=/var/db/repos/gentoo" egencache --update --jobs=2 --repo=gentoo
    [[ -d $1/$state/metadata/md5-cache/app-misc ]] || die "egencache wrote no metadata for $state"
  done
  rm -rf "$scratch" "$scratch".{work,mnt}
}

# Everything in WORLD, really built from state v1, in a layer on top of gcc. The layer holds
# only what emerge changed, so it fits on top of the plain base as well.
build_seed() {
  # shellcheck source=seed.sh
  source "$LAB_DIR/lib/seed.sh"
  mkdir -p "$1/root" "$1/pkgs"
  in_layer "$GCC:$BASE" "$1/root" "$TREES/v1=/var/db/repos/gentoo $1/pkgs=/var/cache/binpkgs" \
    sh -euc "$SEED_SCRIPT" seed "${WORLD[@]}"
  rm -rf "$1/root/var/cache/edb/mtimedb" "$1/root/tmp" "$1"/root.{work,mnt}
  [[ -s $1/pkgs/Packages ]] || die "seeding left no index of binaries"
}
