# shellcheck shell=bash
# The real distcc in a builder: it has other machines compile, and compiles for others.

# put_distcc MACHINE
put_distcc() {
  local layer
  use_layers
  layer=$LAB_CACHE/distcc-$({ basename "$BASE"; cat "$LAB_DIR/lib/distcc.sh"; } | hash_of)
  (
    flock -w 1800 9 || die "somebody else has been building $LAB_CACHE for 30 minutes"
    build_layer "$layer" build_distcc
  ) 9>"$LAB_CACHE/lock"
  tar -C "$layer" -c . | exec_in_guest "$1" tar -C / --keep-directory-symlink -x
}

build_distcc() {
  local to=$1
  # shellcheck disable=SC2016
  in_layer "$BASE" "$to.scratch" "$to=/mnt" sh -euc '
    apt-get -qq update
    cd /tmp
    apt-get -qq -o APT::Sandbox::User=root download distcc libavahi-client3 libavahi-common3 \
      libdbus-1-3 libpopt0 libgssapi-krb5-2
    for package in *.deb; do dpkg -x "$package" /mnt; done
    rm -rf /mnt/usr/share /mnt/etc/init.d /mnt/lib/systemd
    # Where Portage looks for it, and which compilers the server lets others call.
    mkdir -p /mnt/usr/lib/distcc/bin
    for name in cc gcc x86_64-pc-linux-gnu-gcc x86_64-linux-gnu-gcc; do
      ln -s ../../../bin/distcc "/mnt/usr/lib/distcc/bin/$name"
      ln -s ../../bin/distcc "/mnt/usr/lib/distcc/$name"
    done'
  rm -rf "$to.scratch"{,.work,.mnt}
}
