#!/bin/sh
# dist.sh PROGRAMS TO [PART...] - make the archives of a release from the programs in the folder PROGRAMS,
# in the folder TO; without a PART all of them:
#
#   sources    gentoo-updater-VERSION.tar.gz, what is committed
#   crates     gentoo-updater-VERSION-crates.tar.xz, all that it needs, as Gentoo's cargo.eclass wants it
#   programs   gentoo-updater-VERSION-ARCH.tar.gz, the programs with everything that is installed beside
#
# The same commit and programs make the same archives.
set -eu
PROGRAMS=$(cd "${1:?dist.sh PROGRAMS TO [PART...]}" && pwd)
mkdir -p "${2:?dist.sh PROGRAMS TO [PART...]}"
TO=$(cd "$2" && pwd)
shift 2
[ $# -gt 0 ] || set -- sources crates programs
cd "$(dirname "$0")/.."
VERSION=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' Cargo.toml)
NAME=gentoo-updater-$VERSION
DATE=$(git log -1 --format=%cI)
case $(uname -m) in x86_64) ARCH=amd64 ;; aarch64) ARCH=arm64 ;; *) ARCH=$(uname -m) ;; esac

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
pack() { tar -C "$WORK" --sort=name --owner=0 --group=0 --numeric-owner --mtime="$DATE" -c "$@"; }

for part; do
	case $part in
		sources) git archive --prefix="$NAME/" HEAD | gzip -n >"$TO/$NAME.tar.gz" ;;
		crates)
			mkdir -p "$WORK/cargo_home"
			cargo vendor --locked --quiet --versioned-dirs "$WORK/cargo_home/gentoo" >/dev/null
			pack cargo_home | xz -T0 -6 >"$TO/$NAME-crates.tar.xz"
			;;
		programs)
			DESTDIR=$WORK/$NAME-$ARCH PREFIX=/usr SYSCONFDIR=/etc PROGRAMS=$PROGRAMS packaging/install.sh install
			pack "$NAME-$ARCH" | gzip -n >"$TO/$NAME-$ARCH.tar.gz"
			;;
		*) echo "dist.sh: there is no part $part" >&2; exit 64 ;;
	esac
done
