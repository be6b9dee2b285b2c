# shellcheck shell=bash
# The base layer: Debian without a compiler, Portage from its wheel, a Gentoo-like
# configuration, and what sshd needs. Each function gets the layer's folder.

base_debian() {
  mmdebstrap --quiet --mode=root --variant=minbase \
    --aptopt='Acquire::Languages "none"' --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --include=python3,openssh-server,iproute2,procps,pax-utils,file,patch,xz-utils,bzip2,zstd,rsync,ca-certificates,sudo,wget,gpg,gpg-agent \
    "$SUITE" "$1"
}

base_portage() {
  local base=$1 wheel=$1.new-wheel data python=$1/usr/lib/python3/dist-packages name
  rm -rf "$wheel"
  python3 -m pip --quiet download --no-deps --dest "$wheel" "portage==$PORTAGE_VERSION"
  unzip -qo "$wheel"/portage-*.whl -d "$wheel/x"
  data=$wheel/x/portage-$PORTAGE_VERSION.data
  cp -r "$wheel/x/portage" "$wheel/x/_emerge" "$python/"
  # The wheel is the flavour MODULE, whose EPREFIX is sys.prefix: it would use
  # /usr/etc/portage and /usr/var/db/pkg. Gentoo installs the flavour SYSTEM.
  replace "$python/portage/installation.py" '^if "MODULE" == "MODULE"' 'if "SYSTEM" == "MODULE"'
  replace "$python/portage/installation.py" '^elif "MODULE" == "SYSTEM"' 'elif "SYSTEM" == "SYSTEM"'
  replace "$python/portage/const.py" 'PORTAGE_BASE_PATH = """"""' 'PORTAGE_BASE_PATH = "/usr/lib/portage"'
  replace "$python/portage/const.py" 'PORTAGE_BIN_PATH = """"""' 'PORTAGE_BIN_PATH = "/usr/lib/portage/bin"'
  mkdir -p "$base/usr/lib/portage" "$base/usr/share"
  cp -r "$data/data/lib/portage/bin" "$base/usr/lib/portage/"
  cp -r "$data/data/share/portage" "$base/usr/share/"
  cp -r "$data/data/etc/." "$base/etc/"
  cp "$data"/scripts/* "$base/usr/sbin/"
  chmod 755 "$base"/usr/sbin/{etc-update,emerge-webrsync}
  chmod -R a+rX "$base/usr/lib/portage" "$base/usr/share/portage" "$python/portage" "$python/_emerge"
  for name in emerge ebuild egencache portageq quickpkg emaint; do
    ln -sf "../lib/portage/bin/$name" "$base/usr/bin/$name"
  done
  for name in archive-conf dispatch-conf env-update fixpackages regenworld; do
    ln -sf "../lib/portage/bin/$name" "$base/usr/sbin/$name"
  done
  ln -sf python3 "$base/usr/bin/python" # the scripts ask for `env python`
  ln -sf tar "$base/usr/bin/gtar"       # packing xpak calls gtar
  echo 'portage:x:250:250:portage:/var/tmp/portage:/usr/sbin/nologin' >> "$base/etc/passwd"
  echo 'portage:x:250:portage' >> "$base/etc/group"
  chroot "$base" python3 -m compileall -q /usr/lib/python3/dist-packages/{portage,_emerge}
  rm -rf "$wheel"
}

# replace FILE REGEX TEXT: once, and it must be there (another Portage may look otherwise).
replace() {
  grep -Eq -- "$2" "$1" || die "$1 has no line $2: does this script know Portage $PORTAGE_VERSION?"
  sed -Ei "0,/$2/s|$2|$3|" "$1"
}

base_configuration() {
  local base=$1 state
  mkdir -p "$base"/etc/portage/{package.use,package.accept_keywords,package.mask,package.license,env,repos.conf} \
    "$base"/var/{db/pkg,cache/binpkgs,cache/distfiles,cache/edb,lib/portage,lib/gentoo/news,log/portage,tmp/portage}
  for state in "" -v1 -v2 -v2b; do mkdir -p "$base/var/db/repos/gentoo$state"; done
  chown 250:250 "$base"/var/{tmp/portage,cache/edb,log/portage,cache/distfiles}
  chmod 2755 "$base/var/cache/edb"
  ln -sfn ../../var/db/repos/gentoo/profiles/default/linux/amd64/23.0 "$base/etc/portage/make.profile"
  cat > "$base/etc/portage/make.conf" <<'E'
CFLAGS="-O2 -pipe"
CXXFLAGS="${CFLAGS}"
FEATURES="-ipc-sandbox -network-sandbox -pid-sandbox -sandbox -usersandbox -merge-sync -qa-unresolved-soname-deps"
EMERGE_WARNING_DELAY="0"
CLEAN_DELAY="0"
E
  cat > "$base/etc/portage/repos.conf/gentoo.conf" <<'E'
[DEFAULT]
main-repo = gentoo

[gentoo]
location = /var/db/repos/gentoo
auto-sync = no
E
  mkdir -p "$base/etc/env.d"
  echo 'LDPATH="/usr/lib64"' > "$base/etc/env.d/05lab" # env-update writes ld.so.conf from it
}

base_logins() {
  local base=$1
  rm -f "$base"/etc/ssh/ssh_host_* "$base/etc/motd"
  cat > "$base/etc/ssh/sshd_config.d/lab.conf" <<'E'
PermitRootLogin prohibit-password
PasswordAuthentication no
PrintMotd no
UseDNS no
E
  chroot "$base" useradd --create-home --shell /bin/bash fleet
  chroot "$base" usermod --password '*' fleet
  echo 'fleet ALL=(ALL) NOPASSWD: ALL' > "$base/etc/sudoers.d/fleet"
  chmod 440 "$base/etc/sudoers.d/fleet"
}
