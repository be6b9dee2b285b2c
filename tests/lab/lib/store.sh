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

# The binaries that seeding made: what a fleet that was installed from v1 has in its store.
# Only into a store without packages, so that no BUILD_ID and no index has to be merged.
fill() {
  [[ ${1-} == v1 ]] || die "fill v1: only state v1 has binaries"
  [[ -d $LAB_RUN/pkgdir ]] || die "the lab $LAB_NAME is not up"
  [[ ! -e $LAB_RUN/pkgdir/Packages ]] || die "the store has an index already: fill it before anything is built"
  use_layers
  # The index last and by rename: who reads meanwhile sees no package that is not there.
  rsync -a --exclude=/Packages "$SEED/pkgs/" "$LAB_RUN/pkgdir/"
  cp -p "$SEED/pkgs/Packages" "$LAB_RUN/pkgdir/.Packages.new"
  mv "$LAB_RUN/pkgdir/.Packages.new" "$LAB_RUN/pkgdir/Packages"
  say "the store holds the $(grep -c '^CPV:' "$LAB_RUN/pkgdir/Packages") binaries of v1"
}
