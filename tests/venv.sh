# shellcheck shell=bash
# A Python environment of this checkout, with packages of PyPI. Sourced.

# make_venv NAME TARGET MODULE... -- REQUIREMENT...: makes TARGET/NAME (TARGET: target/ of this
# checkout where it is empty), unless it is there with these requirements and its modules can be
# imported, and puts its path into VENV. Nothing outside of that folder is touched. Any number may
# run at once. Needs python3 with venv and pip.
make_venv() {
  local name=$1 target=$2 root modules=()
  root=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/..
  shift 2
  while [[ $1 != -- ]]; do modules+=("$1"); shift; done
  shift
  target=${target:-${CARGO_TARGET_DIR:-$root/target}}
  mkdir -p "$target"
  target=$(readlink -f "$target")
  VENV=$target/$name
  exec 9> "$target/.$name.lock"
  flock 9
  # The system may have got another Python since.
  if [[ -e $VENV/complete && $(< "$VENV/complete") == "$*" ]] && can_import "${modules[@]}"; then return; fi
  rm -rf "$VENV"
  # Without a pip of its own, so that python3-venv is not needed: the system's pip installs into it.
  {
    python3 -m venv --without-pip "$VENV"
    python3 -m pip --python "$VENV/bin/python" --disable-pip-version-check install --quiet "$@"
  } >&2
  can_import "${modules[@]}" || { echo "$name: ${modules[*]} cannot be imported" >&2; return 1; }
  printf '%s\n' "$*" > "$VENV/complete"
}

can_import() { local IFS=,; "$VENV/bin/python" -c "import $*" 2>/dev/null; }
