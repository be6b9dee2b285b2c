# shellcheck shell=bash disable=SC2016
# State v2b, on top of v2: what fails on purpose.
ebuild app-misc/failer 2.0 <<'E'
src_compile() { printf 'int main(void){ return undeclared_thing; }\n' > failer.c; einfo "about to fail"; lab_cc -o failer failer.c; }
src_install() { dobin failer; }
E
ebuild app-misc/postfail 2.0 <<'E'
src_install() { echo ${PV} > postfail; insinto /usr/share/lab; doins postfail; }
pkg_postinst() { die "postfail: pkg_postinst fails on purpose"; }
E
# held back: needs the version that does not compile
ebuild app-misc/leaner 2.0 <<'E'
RDEPEND=">=app-misc/failer-2.0"
src_install() { echo 2 > leaner; insinto /usr/share/lab; doins leaner; }
E
