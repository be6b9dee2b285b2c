# Distributed under the terms of the GNU General Public License v2

EAPI=8

MY_P=${P/-bin/}

DESCRIPTION="Keeps a fleet of Gentoo machines up to date, compiling each package once"
HOMEPAGE="https://wiki.gentoo.org/wiki/No_homepage"
# `make dist` makes it: programs that need no library, with everything that is installed beside them.
SRC_URI="${MY_P}-amd64.tar.gz"
S=${WORKDIR}/${MY_P}-amd64

# Of the project, and of the crates that are part of the programs.
LICENSE="GPL-2+ Apache-2.0 Apache-2.0-with-LLVM-exceptions BSD BSD-2 ISC MIT Unicode-3.0 ZLIB"
SLOT="0"
KEYWORDS="-* ~amd64"
RESTRICT="fetch mirror strip"

IDEPEND="
	acct-group/gentoo-updater
	acct-user/gentoo-updater
"
RDEPEND="
	${IDEPEND}
	virtual/openssh
	!app-admin/gentoo-updater
"

QA_PREBUILT="usr/bin/gentoo-updater*"

pkg_nofetch() {
	einfo "Make ${MY_P}-amd64.tar.gz by \`make dist\` in a checkout, and put it into your DISTDIR."
}

src_install() {
	dobin usr/bin/gentoo-updater*
	doman usr/share/man/man1/*.1
	insinto /usr/share
	doins -r usr/share/{bash-completion,fish,zsh}
	insinto /usr/lib/systemd/system
	doins usr/lib/systemd/system/*.service
	insinto /usr/lib/tmpfiles.d
	doins usr/lib/tmpfiles.d/gentoo-updater.conf
	doinitd etc/init.d/gentoo-updater*
	doconfd etc/conf.d/gentoo-updater
	dodoc usr/share/doc/gentoo-updater/*
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
