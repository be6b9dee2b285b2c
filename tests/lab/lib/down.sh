# shellcheck shell=bash
# Taking a lab down, from whatever state it is in: half made, crashed, already down.
# Nothing here trusts the lab's own files: what lives in its network namespaces is its own.

lab_netns() { local f; for f in /run/netns/"$LAB_NAME"-*; do [[ ! -e $f ]] || basename "$f"; done; }

# What is in the lab's namespaces, what the guests' files say, and what is about to boot.
lab_processes() {
  local netns name file
  for netns in $(lab_netns); do ip netns pids "$netns" 2>/dev/null || true; done
  for name in $(guest_names); do pid_of "$name" || true; done
  while IFS= read -r file; do
    file=${file#/proc/}
    echo "${file%/environ}"
  done < <(grep -lsxzF -- "LAB_BOOT=$LAB_RUN" /proc/[0-9]*/environ)
}

down() {
  local netns name
  if [[ -e /run/netns/$CTL && $(stat -Lc %i "/run/netns/$CTL") == "$(stat -Lc %i /proc/self/ns/net)" ]]; then
    die "down ends every process in $CTL: call it from outside"
  fi
  for name in $(guest_names); do stop_guest "$name"; done
  end_processes
  for netns in $(lab_netns); do ip netns del "$netns"; done
  rm -rf "$LAB_RUN"
  report_leftovers
}

# First politely: a broker or a worker of a test may want to put its files in order.
end_processes() {
  local i pids
  for ((i = 0; i < 100; i++)); do
    mapfile -t pids < <(lab_processes)
    ((${#pids[@]})) || return 0
    case $i in
      0) kill -TERM "${pids[@]}" 2>/dev/null || true ;;
      30 | 60 | 90) kill -KILL "${pids[@]}" 2>/dev/null || true ;;
    esac
    sleep 0.1
  done
  die "these processes of the lab $LAB_NAME do not end: ${pids[*]}"
}

# In every mount namespace of the machine, not only in ours.
report_leftovers() {
  local left=() found
  found=$(lab_netns); [[ -z $found ]] || left+=("network namespaces: ${found//$'\n'/ }")
  found=$(lab_processes); [[ -z $found ]] || left+=("processes: ${found//$'\n'/ }")
  found=$(grep -lsF -- "$LAB_RUN/" /proc/[0-9]*/mounts || true)
  [[ -z $found ]] || left+=("mounts, seen by: ${found//$'\n'/ }")
  found=$(lab_cgroups); [[ -z $found ]] || left+=("cgroups: ${found//$'\n'/ }")
  [[ ! -e $LAB_RUN ]] || left+=("folder: $LAB_RUN")
  ((${#left[@]} == 0)) || die "left of the lab $LAB_NAME: $(printf '\n  %s' "${left[@]}")"
}

purge() {
  down
  # A layer that is still mounted belongs to another lab that runs.
  ! grep -qsF -- "$LAB_CACHE/" /proc/[0-9]*/mounts || die "another lab stands on $LAB_CACHE: take it down first"
  rm -rf "$LAB_CACHE"
}
