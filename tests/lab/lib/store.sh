# shellcheck shell=bash
# The ebuild repository and the shared PKGDIR of this lab.

# In place, because guests hold a bind mount of the folder.
publish() {
  [[ ${1-} =~ ^(v1|v2|v2b)$ ]] || die "publish v1|v2|v2b"
  [[ -d $LAB_RUN ]] || die "the lab $LAB_NAME is not up"
  use_layers
  mkdir -p "$LAB_RUN/repo"
  rsync -a --delete --checksum "$TREES/$1/" "$LAB_RUN/repo/"
  echo "$1" > "$LAB_RUN/repo.state"
  say "the ebuild repository is now $1"
}

# The binaries that seeding made: what a fleet that was installed from v1 has in its store. Or
# those that an update to v2 makes. Only into a store without packages, so that no BUILD_ID and no
# index has to be merged.
fill() {
  [[ ${1-} =~ ^(v1|v2)$ ]] || die "fill v1|v2"
  [[ -d $LAB_RUN/pkgdir ]] || die "the lab $LAB_NAME is not up"
  [[ ! -e $LAB_RUN/pkgdir/Packages ]] || die "the store has an index already: fill it before anything is built"
  local packages
  use_layers
  packages=$SEED/pkgs
  if [[ $1 == v2 ]]; then
    build_update
    packages=$(update_layer)/pkgs
  fi
  # The index last and by rename: who reads meanwhile sees no package that is not there.
  rsync -a --exclude=/Packages "$packages/" "$LAB_RUN/pkgdir/"
  cp -p "$packages/Packages" "$LAB_RUN/pkgdir/.Packages.new"
  mv "$LAB_RUN/pkgdir/.Packages.new" "$LAB_RUN/pkgdir/Packages"
  say "the store holds $(grep -c '^CPV:' "$LAB_RUN/pkgdir/Packages") binaries of $1"
}

# Not among the layers that every lab needs: only `fill v2` asks for it.
build_update() {
  (
    flock -w 1800 9 || die "somebody else has been building $LAB_CACHE for 30 minutes"
    build_layer "$(update_layer)" build_update_layer
  ) 9>"$LAB_CACHE/lock"
}

update_layer() {
  local hash
  hash=$({ basename "$SEED"; basename "$TREES"; declare -f build_update_layer; echo "$UPDATE_SCRIPT"; } | hash_of)
  echo "$LAB_CACHE/update-$hash"
}

build_update_layer() {
  mkdir -p "$1/pkgs"
  in_layer "$SEED/root:$GCC:$BASE" "$1.scratch" "$TREES/v2=/var/db/repos/gentoo $1/pkgs=/var/cache/binpkgs" \
    sh -euc "$UPDATE_SCRIPT"
  rm -rf "$1.scratch"{,.work,.mnt}
  [[ -s $1/pkgs/Packages ]] || die "the update left no index of binaries"
}

# In the format that versions of Portage before 3.0.31 read as well. Some packages are there more
# than once, under several BUILD_IDs: as installed from v1, as an update to v2 builds them, and
# with other USE flags.
UPDATE_SCRIPT='
  export LAB_SLOW_SECS=0 BINPKG_FORMAT=xpak
  quickpkg --include-config=y dev-libs/libbeta app-misc/rebuildme
  emerge --color=n --quiet --jobs=3 --update --deep --newuse --oneshot --buildpkg @world
  USE="doc -fast" emerge --color=n --quiet --oneshot --buildpkgonly dev-libs/libbeta'
