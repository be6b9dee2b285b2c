# Distributed under the terms of the GNU General Public License v2

EAPI=8

inherit acct-user

DESCRIPTION="User of the workers of gentoo-updater that need nothing of root"
# Any that is free.
ACCT_USER_ID=-1
ACCT_USER_GROUPS=( gentoo-updater )
# In its .ssh are the keys that guests and builders know.
ACCT_USER_HOME=/var/lib/gentoo-updater/home
ACCT_USER_HOME_PERMS=0750
ACCT_USER_SHELL=/bin/sh

acct-user_add_deps
