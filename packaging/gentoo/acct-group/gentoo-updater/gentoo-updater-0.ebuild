# Distributed under the terms of the GNU General Public License v2

EAPI=8

inherit acct-group

DESCRIPTION="Group of the workers of gentoo-updater that need nothing of root"
# Any that is free.
ACCT_GROUP_ID=-1
