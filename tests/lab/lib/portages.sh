# shellcheck shell=bash
# Other versions of Portage beside the one that a guest runs on: /opt/portage-VERSION with
#
#   lib/       the Python packages; PYTHONPATH for whoever runs the programs in bin
#   bin/       emerge and the others
#   config/    make.globals, repos.conf and sets
#
# They use the guest's own configuration, repository and list of installed packages. For pretends
# only: what they would leave behind is theirs, not that of the guest's own version.

# put_portages GUEST VERSION...
put_portages() {
  local guest=$1 version layer pids=()
  shift
  (($#)) || die "portage G VERSION...: which versions"
  for version; do
    [[ $version =~ ^[0-9]+(\.[0-9]+)+$ ]] || die "'$version' is not a version of Portage"
  done
  use_layers
  # The parent holds the lock, and each version is one layer.
  (
    flock -w 1800 9 || die "somebody else has been building $LAB_CACHE for 30 minutes"
    printf '%s\n' "$@" | xargs -r -n 1 -P "$(nproc)" "$LAB_DIR/lab.sh" __portage
  ) 9>"$LAB_CACHE/lock"
  for version; do
    layer=$(portage_layer "$version")
    tar -C "$layer" -c . | exec_in_guest "$guest" sh -euc "mkdir -p '/opt/portage-$version'; tar -C '/opt/portage-$version' -x" &
    pids+=($!)
  done
  wait_all "${pids[@]}" || die "could not copy every version into $guest"
}

portage_layer() {
  local hash
  hash=$({ basename "$BASE"; cat "$LAB_DIR/lib/portages.sh"; } | hash_of)
  echo "$LAB_CACHE/portage-$1-$hash"
}

# Runs once for each version, several at a time.
build_one_portage() {
  use_layers
  PORTAGE_VERSION=$1
  build_layer "$(portage_layer "$1")" build_portage
}

# The oldest release comes as sources, the others as wheels of the flavour MODULE. All are made to
# use the file system as a Gentoo does, but their own programs and defaults; see base.sh.
build_portage() {
  # shellcheck source=base.sh
  source "$LAB_DIR/lib/base.sh"
  local to=$1 from=$1.from place=/opt/portage-$PORTAGE_VERSION file python
  rm -rf "$from"
  python3 -m pip --quiet download --no-deps --dest "$from" "portage==$PORTAGE_VERSION"
  for file in "$from"/portage-*; do :; done
  case $file in
    *.whl)
      unzip -qo "$file" -d "$from"
      mkdir "$to/lib"
      mv "$from/portage" "$from/_emerge" "$to/lib/"
      mv "$from/portage-$PORTAGE_VERSION.data/data/lib/portage/bin" "$from/portage-$PORTAGE_VERSION.data/data/share/portage/config" "$to/"
      ;;
    *.tar.gz)
      tar -C "$from" --strip-components=1 -xf "$file"
      mv "$from/lib" "$from/bin" "$to/"
      mv "$from/cnf" "$to/config"
      ;;
    *) die "portage $PORTAGE_VERSION comes as $file: neither a wheel nor sources" ;;
  esac
  # Its own tests are two thirds of the files.
  rm -rf "$from" "$to/lib/portage/tests"
  python=$to/lib/portage
  if [[ -e $python/installation.py ]]; then
    replace "$python/installation.py" '^if "MODULE" == "MODULE"' 'if "SYSTEM" == "MODULE"'
    replace "$python/installation.py" '^elif "MODULE" == "SYSTEM"' 'elif "SYSTEM" == "SYSTEM"'
  else
    replace "$python/const.py" '^EPREFIX = .*' 'EPREFIX = ""'
  fi
  # The first of several is the one of the flavour SYSTEM, where there are flavours.
  replace "$python/const.py" 'PORTAGE_BASE_PATH *= .*' "PORTAGE_BASE_PATH = \"$place\""
  replace "$python/const.py" 'PORTAGE_BIN_PATH *= .*' "PORTAGE_BIN_PATH = \"$place/bin\""
  sed -Ei "s|^( *)GLOBAL_CONFIG_PATH *= .*|\1GLOBAL_CONFIG_PATH = \"$place/config\"|" "$python/const.py"
  grep -qF "GLOBAL_CONFIG_PATH = \"$place/config\"" "$python/const.py" || die "const.py has no GLOBAL_CONFIG_PATH"
  chmod -R a+rX "$to"
  in_layer "$BASE" "$to.scratch" "$to=/opt" python3 -m compileall -q -s /opt -p "$place" /opt/lib
  rm -rf "$to.scratch"{,.work,.mnt}
}
