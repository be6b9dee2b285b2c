# Distributed under the terms of the GNU General Public License v2

EAPI=8

# They come as one archive, ${P}-crates.tar.xz.
CRATES=""
RUST_MIN_VER="1.90.0"

inherit cargo

DESCRIPTION="Keeps a fleet of Gentoo machines up to date, compiling each package once"
HOMEPAGE="https://wiki.gentoo.org/wiki/No_homepage"
# `make dist` makes them.
SRC_URI="
	${P}.tar.gz
	${P}-crates.tar.xz
"

# Of the project, and of the crates that are part of the programs.
LICENSE="GPL-2+ Apache-2.0 Apache-2.0-with-LLVM-exceptions BSD BSD-2 ISC MIT Unicode-3.0 ZLIB"
SLOT="0"
KEYWORDS="~amd64 ~arm64"
# The tests bring up machines in namespaces, as root.
RESTRICT="fetch mirror test"

IDEPEND="
	acct-group/gentoo-updater
	acct-user/gentoo-updater
"
RDEPEND="
	${IDEPEND}
	virtual/openssh
	!app-admin/gentoo-updater-bin
"

QA_FLAGS_IGNORED="usr/bin/gentoo-updater.*"

pkg_nofetch() {
	einfo "Make ${P}.tar.gz and ${P}-crates.tar.xz by \`make dist\` in a checkout, and put them into your DISTDIR."
}

src_compile() {
	cargo_src_compile --workspace --bins
}

src_install() {
	PROGRAMS=$(cargo_target_dir) PREFIX="${EPREFIX}/usr" SYSCONFDIR="${EPREFIX}/etc" DESTDIR="${D}" \
		packaging/install.sh install || die
	# Of the user the package acct-user/gentoo-updater takes care.
	rm -r "${ED}"/usr/lib/sysusers.d || die
	mv "${ED}"/usr/share/doc/${PN} "${ED}"/usr/share/doc/${PF} || die
	keepdir /etc/gentoo-updater /var/lib/gentoo-updater/workers
}

pkg_preinst() {
	# Workers of root and of this user have folders of their own there.
	fowners root:gentoo-updater /var/lib/gentoo-updater/workers
	fperms 1770 /var/lib/gentoo-updater/workers
}

pkg_postinst() {
	elog "An example of the configuration is ${EROOT}/usr/share/doc/${PF}/fleet.toml;"
	elog "its place is ${EROOT}/etc/gentoo-updater/fleet.toml."
}
