#!/bin/bash
# by_hand.sh [--builder-first] SSH_CONFIG FOLDER BUILDER GUEST... - a fleet is updated step by step, as
# an administrator does who has a builder, guests that are alike, and a loop in a shell:
#   0. with --builder-first the builder updates itself
#   1. all guests are asked at once what they need
#   2. their lists become one without duplicates
#   3. the builder installs what each package needs, and builds it, one package after another
#   4. all guests install the binaries at once
#   5. the builder removes what is not needed any more
# FOLDER keeps the lists, what each step said, and in `problems` which calls failed; a failure ends
# nothing, as it ends no loop in a shell.
set -euo pipefail
builder_first=0
[[ $1 != --builder-first ]] || { builder_first=1; shift; }
config=$1 folder=$2 builder=$3
shift 3

# on MACHINE STEP COMMAND... : what it says goes to FOLDER/STEP
on() {
  local machine=$1 step=$2 code=0
  shift 2
  ssh -F "$config" "$machine" "$@" </dev/null >>"$folder/$step" 2>&1 || code=$?
  ((code == 0)) || echo "$machine: $* ended with $code" >>"$folder/problems"
}
: >"$folder/problems"

((builder_first == 0)) || on "$builder" first emerge -uDN1 @world

asked=()
for guest; do on "$guest" "$guest.plan" emerge -NDpavu1 world & asked+=($!); done
for one in "${asked[@]}"; do wait "$one"; done

for guest; do
  sed -n 's/^\[ebuild[^]]*\] \([^ :]*\).*/\1/p' "$folder/$guest.plan"
done | awk '!seen[$0]++' >"$folder/list"

while read -r package; do
  on "$builder" build emerge -o "=$package"
  on "$builder" build emerge -B "=$package"
done <"$folder/list"

installing=()
for guest; do on "$guest" "$guest.install" emerge -NDvu1 --usepkgonly world & installing+=($!); done
for one in "${installing[@]}"; do wait "$one"; done

on "$builder" depclean emerge --depclean
