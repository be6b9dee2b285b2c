# shellcheck shell=bash
# The cache: layers that every lab shares and none changes.
#
#   base-HASH      Debian with Portage, without a compiler
#   gcc-HASH       what a compiler adds to it
#   trees-HASH     v1 v2 v2b: the ebuild repository's states, each with its metadata cache
#   seed-HASH      root/: what a guest's disk has beyond base, its @world really built from v1;
#                  pkgs/: the binaries made on the way
#
# HASH is of everything that goes into the layer, so a change of a script makes a new
# layer and leaves the one that a running lab stands on. A layer is built beside its
# place and renamed at the end: what has the name is whole.

hash_of() { sha256sum | cut -c1-12; }

# The names depend on each other: a new base means a new seed.
name_layers() {
  local lib=$LAB_DIR/lib repo=$LAB_DIR/repo base gcc trees seed
  base=$({ echo "$PORTAGE_VERSION $SUITE"; cat "$lib/base.sh"; } | hash_of)
  gcc=$({ echo "$base"; declare -f build_gcc; } | hash_of)
  trees=$({ echo "$base"; declare -f build_trees; cat "$repo"/*.sh; } | hash_of)
  seed=$({ echo "$gcc"; declare -f build_seed; cat "$lib/seed.sh" "$repo"/{mkrepo,profile,v1}.sh; } | hash_of)
  BASE=$LAB_CACHE/base-$base
  GCC=$LAB_CACHE/gcc-$gcc
  TREES=$LAB_CACHE/trees-$trees
  SEED=$LAB_CACHE/seed-$seed
}

# A lab stays on the layers that it came up with, whatever the scripts say by now.
use_layers() {
  # shellcheck disable=SC1091
  if [[ -e $LAB_RUN/layers ]]; then source "$LAB_RUN/layers"; else name_layers; fi
}

cache_is_complete() { [[ -d $BASE && -d $GCC && -d $TREES && -d $SEED ]]; }

# Two labs that start together build it once: the second waits for the first.
build_cache() {
  name_layers
  cache_is_complete && return
  mkdir -p "$LAB_CACHE"
  [[ $(stat -f -c %T "$LAB_CACHE") != overlayfs ]] ||
    die "LAB_STATE lies on an overlay, which cannot carry another one: set it to a folder on ext4, xfs, btrfs or tmpfs"
  (
    flock -w 1800 9 || die "somebody else has been building $LAB_CACHE for 30 minutes"
    build_layer "$BASE" build_base
    build_layer "$GCC" build_gcc
    build_layer "$TREES" build_trees
    build_layer "$SEED" build_seed
  ) 9>"$LAB_CACHE/lock"
}

# build_layer PLACE FUNCTION: FUNCTION fills the folder that it gets as its argument.
build_layer() {
  local place=$1 new=$1.new log=$1.log
  [[ -d $place ]] && return
  say "building the layer $(basename "$place") (log: $log)"
  rm -rf "$new" "$new.work" "$new.mnt"
  mkdir -p "$new"
  # Not `if "$2"`: that would switch off -e inside of it.
  ( set -e; trap 'rc=$?; ((rc == 0)) || { tail -n 30 "$log" >&2; echo "lab.sh: could not build $place, see $log" >&2; }' EXIT
    "$2" "$new" >"$log" 2>&1 )
  rm -rf "$new.work" "$new.mnt"
  mv "$new" "$place"
}
