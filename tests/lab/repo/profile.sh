# shellcheck shell=bash
# Profile, metadata, licences, news and the eclass: what a repository has beside packages.
file metadata/layout.conf <<'E'
repo-name = gentoo
masters =
thin-manifests = true
sign-manifests = false
cache-formats = md5-dict
profile-formats = portage-2
E
file profiles/repo_name <<<gentoo
file profiles/eapi <<<8
printf '%s\n' amd64 arm64 x86 | file profiles/arch.list
printf '%s\n' app-admin app-misc dev-lang dev-libs dev-util net-misc sys-apps sys-kernel virtual www-servers | file profiles/categories
file profiles/profiles.desc <<'E'
amd64 default/linux/amd64/23.0 stable
E
file profiles/base/eapi <<<8
file profiles/base/make.defaults <<'E'
USE_EXPAND="ELIBC FAKELANG_TARGETS KERNEL"
USE_EXPAND_HIDDEN="ELIBC KERNEL"
USE_EXPAND_IMPLICIT="ARCH ELIBC KERNEL"
USE_EXPAND_UNPREFIXED="ARCH"
USE_EXPAND_VALUES_ARCH="amd64 arm64 x86"
USE_EXPAND_VALUES_ELIBC="glibc musl"
USE_EXPAND_VALUES_KERNEL="linux"
IUSE_IMPLICIT="prefix prefix-guest prefix-stack"
ELIBC="glibc"
KERNEL="linux"
FAKELANG_TARGETS="fl3-1"
ACCEPT_LICENSE="-* @FREE"
E
file profiles/base/packages <<'E'
# the @system set
*sys-apps/labbase
E
file profiles/default/linux/amd64/23.0/parent <<<../../../../base
file profiles/default/linux/amd64/23.0/eapi <<<8
file profiles/default/linux/amd64/23.0/make.defaults <<'E'
ARCH="amd64"
ACCEPT_KEYWORDS="amd64"
CHOST="x86_64-pc-linux-gnu"
CFLAGS="-O2 -pipe"
ABI="amd64"
DEFAULT_ABI="amd64"
LIBDIR_amd64="lib64"
SYMLINK_LIB="no"
USE="nls"
E
file profiles/desc/fakelang_targets.desc <<'E'
fl3-1 - Build for fakelang 3.1
fl3-2 - Build for fakelang 3.2
E
file profiles/license_groups <<'E'
FREE GPL-2
E
file profiles/package.mask <<'E'
# Lab Maintainer <lab@lab.invalid> (2026-01-02)
# Masked for the lab: eats your homework. Removal on 2026-02-02.
# Bug #123456.
app-misc/hardmasked
E
file profiles/use.desc <<'E'
color - Coloured output
doc - Install documentation
nls - Native language support
ssl - Secure sockets
E
echo 'GNU General Public License, version 2 (lab stub).' | file licenses/GPL-2
echo 'Lab EULA: you may look but not touch.' | file licenses/Lab-EULA
file metadata/news/2026-01-05-lab-news/2026-01-05-lab-news.en.txt <<'E'
Title: Lab news item
Author: Lab Maintainer <lab@lab.invalid>
Posted: 2026-01-05
Revision: 1
News-Item-Format: 2.0
Display-If-Installed: app-misc/hello

This is a lab news item. Read it, please.
E
file eclass/labpkg.eclass <<'E'
# @ECLASS: labpkg.eclass
# Helpers which really compile a little C.
case ${EAPI} in 8) ;; *) die "EAPI ${EAPI} unsupported" ;; esac
lab_cc() { local cc=${CC:-${CHOST}-gcc}; type -P "${cc}" >/dev/null || cc=gcc
	echo "${cc} ${CFLAGS} ${LDFLAGS} $*"; ${cc} ${CFLAGS} ${LDFLAGS} "$@" || die "compile failed"; }
# lab_lib NAME SOVERSION [linker args]: libNAME.so.SOVERSION with NAME_apiSOVERSION()
lab_lib() { local n=$1 so=$2; shift 2
	printf 'int %s_api%s(void){return %s;}\nconst char *%s_version="%s";\n' $n $so $so $n "${PV}" > lib$n.c || die
	lab_cc -shared -fPIC -Wl,-soname,lib$n.so.$so -o lib$n.so.$so lib$n.c "$@"
	ln -sf lib$n.so.$so lib$n.so || die; echo "$so" > lib$n.so.num || die; }
lab_inst_lib() { local n=$1 so; so=$(<lib$n.so.num) || die
	dolib.so lib$n.so.$so lib$n.so; insinto /usr/include; echo "#define $(echo $n|tr a-z A-Z)_SO $so
int ${n}_api${so}(void);" > $n.h || die; doins $n.h; }
# lab_bin NAME [libs...]: a program which really links with, and calls, those libraries
lab_bin() { local n=$1 l args=() ; shift
	{ echo '#include <stdio.h>'; for l; do echo "#include <$l.h>"; done
	  echo '#define CAT2(a,b) a##b'; echo '#define CAT(a,b) CAT2(a,b)'
	  echo 'int main(void){'; echo "printf(\"$n ${PVR}\");"
	  for l; do local up=$(echo $l|tr a-z A-Z); echo "printf(\" $l=%d\", CAT(${l}_api,${up}_SO)());"; args+=(-l$l); done
	  echo 'puts("");return 0;}'; } > $n.c || die
	lab_cc -I"${ESYSROOT}"/usr/include -o $n $n.c -L"${ESYSROOT}"/usr/$(get_libdir) "${args[@]}"; }
E
