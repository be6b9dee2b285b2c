#!/bin/sh
# install.sh - put gentoo-updater into a system, or take it out again.
#
#   packaging/install.sh install
#   packaging/install.sh uninstall
#
# Environment (default):
#   PROGRAMS (target/release)  where the programs are
#   PREFIX (/usr/local)        programs, manual pages, completions, units
#   SYSCONFDIR (/etc)          scripts of OpenRC, configuration
#   DESTDIR (none)             goes before all of these, for who makes a package
#
# What an administrator has edited stays: the settings in conf.d, and all of /etc/gentoo-updater.
set -eu
cd "$(dirname "$0")/.."
PROGRAMS=${PROGRAMS:-target/release}
PREFIX=${PREFIX:-/usr/local}
SYSCONFDIR=${SYSCONFDIR:-/etc}
DESTDIR=${DESTDIR-}

die() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

[ -x "$PROGRAMS/gentoo-updater" ] || die "there is no $PROGRAMS/gentoo-updater; compile it with: make build"
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
umask 022
mkdir "$WORK/man" "$WORK/bash" "$WORK/fish" "$WORK/zsh" "$WORK/units" "$WORK/openrc"
"$PROGRAMS/gentoo-updater" man "$WORK/man" >/dev/null
for shell in bash fish zsh; do "$PROGRAMS/gentoo-updater" completions "$shell" "$WORK/$shell" >/dev/null; done
# The programs are where the prefix says.
for file in packaging/systemd/*.service packaging/openrc/*.initd; do
	case $file in *.service) to=units ;; *) to=openrc ;; esac
	sed "s|/usr/bin/gentoo-updater|$PREFIX/bin/gentoo-updater|g" "$file" >"$WORK/$to/${file##*/}"
done

# Every file that is installed: MODE SOURCE TARGET, and whether an administrator may have edited it.
each() {
	# The completions name every program.
	for file in "$WORK"/bash/*; do "$1" 755 "$PROGRAMS/${file##*/}" "$PREFIX/bin/${file##*/}"; done
	for file in "$WORK"/man/*; do "$1" 644 "$file" "$PREFIX/share/man/man1/${file##*/}"; done
	for file in "$WORK"/bash/*; do "$1" 644 "$file" "$PREFIX/share/bash-completion/completions/${file##*/}"; done
	for file in "$WORK"/fish/*; do "$1" 644 "$file" "$PREFIX/share/fish/vendor_completions.d/${file##*/}"; done
	for file in "$WORK"/zsh/*; do "$1" 644 "$file" "$PREFIX/share/zsh/site-functions/${file##*/}"; done
	for file in "$WORK"/units/*; do "$1" 644 "$file" "$PREFIX/lib/systemd/system/${file##*/}"; done
	"$1" 644 packaging/systemd/gentoo-updater.sysusers "$PREFIX/lib/sysusers.d/gentoo-updater.conf"
	"$1" 644 packaging/systemd/gentoo-updater.tmpfiles "$PREFIX/lib/tmpfiles.d/gentoo-updater.conf"
	for file in "$WORK"/openrc/*.initd; do
		name=${file##*/}
		"$1" 755 "$file" "$SYSCONFDIR/init.d/${name%.initd}"
	done
	"$1" 644 packaging/openrc/gentoo-updater.confd "$SYSCONFDIR/conf.d/gentoo-updater" edited
	for file in packaging/fleet.toml packaging/systemd/local.conf packaging/systemd/over-ssh.conf README.md CHANGELOG.md; do
		"$1" 644 "$file" "$PREFIX/share/doc/gentoo-updater/${file##*/}"
	done
}

# Beside it and renamed: a program that runs cannot be written to.
put() {
	[ "${4-}" != edited ] || [ ! -e "$DESTDIR$3" ] || return 0
	[ -e "$2" ] || die "there is no $2; compile it with: make build"
	mkdir -p "$(dirname "$DESTDIR$3")"
	install -m "$1" "$2" "$DESTDIR$3.new"
	mv "$DESTDIR$3.new" "$DESTDIR$3"
}

remove() {
	[ "${4-}" != edited ] || cmp -s "$2" "$DESTDIR$3" || return 0
	rm -f "$DESTDIR$3"
}

case ${1-} in
	install)
		each put
		mkdir -p "$DESTDIR$SYSCONFDIR/gentoo-updater"
		;;
	uninstall)
		each remove
		# The other folders are not its own.
		for folder in "$PREFIX/share/doc/gentoo-updater" "$SYSCONFDIR/gentoo-updater"; do
			[ ! -d "$DESTDIR$folder" ] || rmdir --ignore-fail-on-non-empty "$DESTDIR$folder"
		done
		;;
	*) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$0" >&2; exit 64 ;;
esac
