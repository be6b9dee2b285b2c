#!/bin/bash
# mkrepo.sh DEST - write the lab's ebuild repository in three states:
#   DEST/v1    what the guests were installed from
#   DEST/v2    a week later: upgrades, rebuilds, a new slot, a changed USE default, a changed
#              subslot, a package that is gone, one that went down
#   DEST/v2b   v2, and things that fail on purpose
# What each package is for stands in v1.sh, v2.sh, v2b.sh. All of them really compile.
set -euo pipefail
HERE=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
DEST=${1:?mkrepo.sh DEST}
mkdir -p "$DEST"
cd "$DEST"
STATE=

# file PATH <TEXT : one file of the current state
file() { mkdir -p "$(dirname "$STATE/$1")"; cat > "$STATE/$1"; }

# ebuild CAT/PN PV <BODY : an ebuild; the header gets what the body does not set
ebuild() {
  local body
  body=$(cat)
  {
    echo 'EAPI=8'
    default_line '^inherit' 'inherit labpkg'
    default_line '^DESCRIPTION=' "DESCRIPTION=\"Lab package $1\""
    echo 'HOMEPAGE="https://lab.invalid/"'
    default_line '^LICENSE=' 'LICENSE="GPL-2"'
    default_line '^SLOT=' 'SLOT="0"'
    default_line '^KEYWORDS=' 'KEYWORDS="amd64"'
    # shellcheck disable=SC2016
    default_line '^S=' 'S="${WORKDIR}"'
    printf '%s\n' "$body"
  } | file "$1/${1#*/}-$2.ebuild"
}
default_line() { grep -q "$1" <<<"$body" || echo "$2"; }

# finish DATE : one timestamp a state, each later than the one before: `emerge --sync`
# by rsync gives up when the other side's is equal or older.
finish() {
  date -u -d "$1" '+%a, %d %b %Y %H:%M:%S +0000' | file metadata/timestamp.chk
  chmod -R a+rX "$STATE"
}

STATE=v1
mkdir v1
# shellcheck source=profile.sh
source "$HERE/profile.sh"
# shellcheck source=v1.sh
source "$HERE/v1.sh"
finish 2026-01-10
STATE=v2
cp -r v1 v2
# shellcheck source=v2.sh
source "$HERE/v2.sh"
finish 2026-02-10
STATE=v2b
cp -r v2 v2b
# shellcheck source=v2b.sh
source "$HERE/v2b.sh"
finish 2026-03-10
