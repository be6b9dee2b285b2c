# shellcheck shell=bash
# What a guest's world file holds. app-misc/gone leaves the repository in v2.
# shellcheck disable=SC2034
WORLD=(
  app-misc/hello app-misc/greeter app-misc/wantsvirtual www-servers/tinyd dev-libs/slotted
  app-misc/slowpoke app-misc/failer app-misc/postfail app-misc/gone app-misc/rebuildme
  app-misc/downgraded app-misc/bigdata app-misc/leaner dev-util/plugin
)

# Runs in the layer; its arguments are WORLD. What was wanted at build time only goes again:
# a guest that installed from binaries would not have it. @system is no matter of the world file.
# shellcheck disable=SC2016,SC2034
SEED_SCRIPT='
  export LAB_SLOW_SECS=0
  emerge --color=n --quiet --oneshot --buildpkg sys-apps/labbase
  emerge --color=n --quiet --jobs=3 --buildpkg "$@"
  emerge --color=n --quiet --depclean --with-bdeps=n
  rm -f /var/log/emerge.log
  rm -rf /var/log/portage/elog'
