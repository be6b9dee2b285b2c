# shellcheck shell=bash
# Guests: their files in $LAB_RUN/guests/NAME, their network, their life.
#   kind ip lower     what it is, fixed at creation
#   upper/ work/      its disk (the upper layer may be edited while it is off)
#   console           what its first process and sshd print
#   pid               host pid and start time of its first process, while it runs

guest_names() { local d; for d in "$LAB_RUN"/guests/*/; do [[ ! -e $d/ip ]] || basename "$d"; done; }
need_guest() { [[ ${1-} =~ ^[gb][0-9]+$ && -e $LAB_RUN/guests/$1/ip ]] || die "no guest '${1-}' in the lab $LAB_NAME"; }
guest_file() { cat "$LAB_RUN/guests/$1/$2"; }
netns_exists() { [[ -e /run/netns/$1 ]]; }

# A pid alone may belong to somebody else by now; with its start time it cannot.
start_time() { local s; s=$(cat "/proc/$1/stat" 2>/dev/null) || return 1; s=${s##*) }; cut -d' ' -f20 <<<"$s"; }
pid_of() {
  local pid started
  read -r pid started 2>/dev/null < "$LAB_RUN/guests/$1/pid" || return 1
  [[ $(start_time "$pid") == "$started" ]] && echo "$pid"
}

################################### creation ####################################
create_lab() {
  mkdir -p "$LAB_RUN"/{guests,pkgdir}
  chmod 755 "$LAB_RUN" "$LAB_RUN/pkgdir"
  echo "$LAB_NAME" > "$LAB_RUN/name"
  [[ -e $LAB_RUN/layers ]] || printf '%q=%q\n' BASE "$BASE" GCC "$GCC" TREES "$TREES" SEED "$SEED" > "$LAB_RUN/layers"
  use_layers
  [[ -e $LAB_RUN/repo.state ]] || publish v1
  [[ -e $LAB_RUN/key ]] || ssh-keygen -q -t ed25519 -N '' -C "lab $LAB_NAME" -f "$LAB_RUN/key"
  if ! netns_exists "$CTL"; then
    ip netns add "$CTL"
    ip -n "$CTL" link set lo up
    # A fixed MAC here too: otherwise it is the lowest of the ports', and changes with them.
    ip -n "$CTL" link add br0 address 02:fb:00:00:00:01 type bridge
    ip -n "$CTL" addr add "$LAB_NET.1/24" dev br0
    ip -n "$CTL" link set br0 up
  fi
}

create_guests() { # GUESTS BUILDERS
  local i pids=()
  for ((i = 1; i <= $1; i++)); do create_guest "g$i" guest "$LAB_NET.$((10 + i))" & pids+=($!); done
  for ((i = 1; i <= $2; i++)); do create_guest "b$i" builder "$LAB_NET.$((200 + i))" & pids+=($!); done
  wait_all "${pids[@]}" || die "could not create all guests"
}
wait_all() { local pid rc=0; for pid; do wait "$pid" || rc=1; done; return $rc; }

create_guest() { # NAME KIND IP
  local name=$1 kind=$2 ip=$3 place=$LAB_RUN/guests/$1 new upper lower user
  [[ -e $place/ip ]] && return
  new=$place.new upper=$new/upper
  rm -rf "$place" "$new"
  mkdir -p "$new"/{work,root} "$upper"/{etc/ssh,root/.ssh,home/fleet/.ssh,usr/local/sbin}
  lower=$SEED/root:$BASE
  [[ $kind == guest ]] || lower=$SEED/root:$GCC:$BASE
  echo "$lower" > "$new/lower"
  echo "$kind" > "$new/kind"
  make_host_keys "$name" "$upper/etc/ssh"
  for user in root home/fleet; do
    cp "$LAB_RUN/key.pub" "$upper/$user/.ssh/authorized_keys"
    chmod 700 "$upper/$user" "$upper/$user/.ssh"
  done
  chown -R 1000:1000 "$upper/home/fleet"
  echo "$name" > "$upper/etc/hostname"
  printf '127.0.0.1 localhost\n%s %s\n' "$ip" "$name" > "$upper/etc/hosts"
  install -m 755 "$LAB_DIR/guest-init.sh" "$upper/usr/local/sbin/lab-init"
  echo "$ip" > "$new/ip"
  mv "$new" "$place"
}

make_host_keys() { # NAME FOLDER
  local type pids=()
  for type in ed25519 ecdsa rsa; do
    rm -f "$2/ssh_host_${type}_key"
    ssh-keygen -q -t "$type" -N '' -C "root@$1" -f "$2/ssh_host_${type}_key" & pids+=($!)
  done
  wait_all "${pids[@]}"
}

# What a controller needs to reach the guests without asking; written whole, then renamed.
write_ssh_files() {
  local name ip run=$LAB_RUN file
  : > "$run/known_hosts.new"; : > "$run/ssh_config.new"; : > "$run/hosts.new"
  for name in $(guest_names); do
    ip=$(guest_file "$name" ip)
    echo "$ip $name" >> "$run/hosts.new"
    sed "s/^\([^ ]* [^ ]*\).*/$name,$ip \1/" "$run/guests/$name"/upper/etc/ssh/ssh_host_*_key.pub >> "$run/known_hosts.new"
    cat >> "$run/ssh_config.new" <<E
Host $name
  HostName $ip
  HostKeyAlias $name
E
  done
  cat >> "$run/ssh_config.new" <<E
Host *
  User root
  IdentityFile $run/key
  IdentitiesOnly yes
  BatchMode yes
  StrictHostKeyChecking yes
  UserKnownHostsFile $run/known_hosts
  GlobalKnownHostsFile /dev/null
  LogLevel ERROR
E
  for file in known_hosts ssh_config hosts; do mv "$run/$file.new" "$run/$file"; done
}

##################################### life ######################################
start_all() {
  local name pids=()
  for name in $(guest_names); do start_guest "$name" & pids+=($!); done
  wait_all "${pids[@]}" || die "could not start all guests"
}

start_guest() {
  local name=$1 place=$LAB_RUN/guests/$1 netns=$LAB_NAME-$1 ip i
  pid_of "$name" >/dev/null && return
  ip=$(guest_file "$name" ip)
  remove_guest_network "$name"
  ip netns add "$netns"
  ip -n "$netns" link set lo up
  # A fixed MAC, or the controller's ARP cache makes a restarted guest unreachable for seconds.
  ip -n "$CTL" link add "v-$name" type veth peer name eth0 address "02:fb:00:00:00:$(printf %02x "${ip##*.}")" netns "$netns"
  ip -n "$CTL" link set "v-$name" master br0 up
  ip -n "$netns" addr add "$ip/24" dev eth0
  ip -n "$netns" link set eth0 up
  rm -f "$place/pid"
  # LAB_BOOT marks it until it has a namespace by which `down` would find it.
  LAB_BOOT=$LAB_RUN setsid nsenter --net="/run/netns/$netns" \
    unshare --mount --uts --ipc --pid --fork --kill-child --propagation private \
    -- "$LAB_DIR/lab.sh" __boot "$name" </dev/null >"$place/console" 2>&1 8>&- &
  for ((i = 0; i < 1200; i++)); do
    if [[ -e $place/pid ]] && grep -q 'Server listening' "$place/console" && is_reachable "$ip"; then return; fi
    [[ -d /proc/$! ]] || break
    sleep 0.05
  done
  cat "$place/console" >&2
  die "guest $name did not boot"
}
# On a busy machine the bridge may take a while to forward to a new port.
is_reachable() { ip netns exec "$CTL" bash -c 'exec 3<>"/dev/tcp/$1/22"' reach "$1" 2>/dev/null; }

# Runs as first process of the guest's namespaces, still on the host's root.
boot_guest() {
  local name=$1 place=$LAB_RUN/guests/$1 root=$LAB_RUN/guests/$1/root pid pair state systemd=
  # The host's /proc is still mounted here, so this is the pid that the host knows.
  read -r pid _ < /proc/self/stat
  ! has_systemd "$name" || systemd=1
  [[ ! $systemd ]] || enter_cgroup "$name"
  echo "$pid $(start_time "$pid")" > "$place/pid.new"
  use_layers
  hostname "$name"
  mount -t overlay overlay -o "lowerdir=$(guest_file "$name" lower),upperdir=$place/upper,workdir=$place/work" "$root"
  bind_read_only "$LAB_RUN/repo" "$root/var/db/repos/gentoo"
  for state in v1 v2 v2b; do bind_read_only "$TREES/$state" "$root/var/db/repos/gentoo-$state"; done
  if [[ $(guest_file "$name" kind) == builder ]]; then
    mount --bind "$LAB_RUN/pkgdir" "$root/var/cache/binpkgs"
  else
    bind_read_only "$LAB_RUN/pkgdir" "$root/var/cache/binpkgs"
  fi
  mount -t proc proc "$root/proc"
  mount -t sysfs -o ro sysfs "$root/sys"
  mount -t tmpfs -o mode=755 tmpfs "$root/run"
  mkdir -p "$root/run/sshd" "$root/run/lock"
  mount -t tmpfs -o mode=755 tmpfs "$root/dev"
  mkdir -m 1777 "$root/dev/shm"
  mkdir "$root/dev/pts"
  for pair in null:3 zero:5 full:7 random:8 urandom:9; do mknod -m 666 "$root/dev/${pair%:*}" c 1 "${pair#*:}"; done
  mknod -m 666 "$root/dev/tty" c 5 0
  mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$root/dev/pts"
  ln -s pts/ptmx "$root/dev/ptmx"
  ln -s /proc/self/fd "$root/dev/fd"
  for pair in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${pair%:*}" "$root/dev/${pair#*:}"; done
  [[ ! $systemd ]] || prepare_for_systemd "$root" "$place/console"
  mv "$place/pid.new" "$place/pid"
  mkdir -p "$root/.old"
  cd "$root"
  pivot_root . .old
  umount -l /.old
  rmdir /.old
  if [[ $systemd ]]; then
    exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb container=lab \
      unshare --cgroup -- sh -c "$SYSTEMD_INIT"
  fi
  exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb \
    /bin/bash /usr/local/sbin/lab-init
}
bind_read_only() { mount --bind "$1" "$2"; mount -o remount,bind,ro "$2"; }

# The power is cut: killing the first process ends the whole pid namespace.
stop_guest() {
  local pid
  if pid=$(pid_of "$1"); then
    kill -KILL "$pid"
    while pid_of "$1" >/dev/null; do sleep 0.02; done
  fi
  rm -f "$LAB_RUN/guests/$1/pid"
  remove_cgroup "$1"
  remove_guest_network "$1"
}
remove_guest_network() {
  # Normally the veth goes with the guest's namespace; a half-made one may lack its end there.
  ! netns_exists "$LAB_NAME-$1" || ip netns del "$LAB_NAME-$1"
  ip -n "$CTL" link del "v-$1" 2>/dev/null || true
}

reset_guest() {
  local ip kind
  ip=$(guest_file "$1" ip) kind=$(guest_file "$1" kind)
  use_layers
  stop_guest "$1"
  rm -rf "${LAB_RUN:?}/guests/$1"
  create_guest "$1" "$kind" "$ip"
  write_ssh_files
  start_guest "$1"
}

# As after a reinstallation, or as an impostor would have: known_hosts is left alone.
rekey_guest() {
  local was_on=0
  ! pid_of "$1" >/dev/null || was_on=1
  stop_guest "$1"
  make_host_keys "$1" "$LAB_RUN/guests/$1/upper/etc/ssh"
  ((was_on == 0)) || start_guest "$1"
}

# As when a cable is cut somewhere in the middle, or a firewall forgets what it let through: each side
# sends to a machine address that nobody has, so no error comes back. What the guest had open is
# gone there, and the controller learns it when packets pass again and it says something.
silence_guest() {
  local ip netns=$LAB_NAME-$1
  ip=$(guest_file "$1" ip)
  ip -n "$CTL" neigh replace "$ip" lladdr 02:fb:00:00:00:fe nud permanent dev br0
  ip -n "$netns" neigh replace "$LAB_NET.1" lladdr 02:fb:00:00:00:fe nud permanent dev eth0
  ip netns exec "$netns" ss --kill --tcp state established '( sport = :22 )' >/dev/null
  [[ -z $(ip netns exec "$netns" ss --no-header --tcp state established '( sport = :22 )') ]] ||
    die "guest $1 keeps its connections: the kernel lacks CONFIG_INET_DIAG_DESTROY"
}
hear_guest() {
  ip -n "$CTL" neigh del "$(guest_file "$1" ip)" dev br0
  ip -n "$LAB_NAME-$1" neigh del "$LAB_NET.1" dev eth0
}

exec_in_guest() {
  local pid name=$1
  shift
  pid=$(pid_of "$name") || die "guest $name is off"
  # By its root as well: in a chroot the root of its mount namespace is still that of the machine.
  exec nsenter -t "$pid" -m -u -i -n -p --root --wd -- /usr/bin/env -i HOME=/root USER=root TERM="${TERM:-dumb}" \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

put_files() { # GUEST FOLDER
  tar -C "$2" -c . | exec_in_guest "$1" tar -C / --no-same-owner --keep-directory-symlink -x
}

################################## information ##################################
list() {
  local name
  for name in $(guest_names); do
    printf '%-4s %-8s %-15s pid %s\n' "$name" "$(guest_file "$name" kind)" "$(guest_file "$name" ip)" "$(pid_of "$name" || echo off)"
  done
}

print_env() {
  local name guests=() builders=()
  [[ -e $LAB_RUN/known_hosts ]] || die "the lab $LAB_NAME is not up"
  for name in $(guest_names); do
    if [[ $(guest_file "$name" kind) == builder ]]; then builders+=("$name"); else guests+=("$name"); fi
  done
  cat <<E
LAB_NAME=$LAB_NAME
LAB_NET=$LAB_NET
LAB_STATE=$LAB_STATE
LAB_CACHE=$LAB_CACHE
LAB_RUN=$LAB_RUN
LAB_CTL=$CTL
LAB_CTL_IP=$LAB_NET.1
LAB_SSH_KEY=$LAB_RUN/key
LAB_KNOWN_HOSTS=$LAB_RUN/known_hosts
LAB_SSH_CONFIG=$LAB_RUN/ssh_config
LAB_HOSTS=$LAB_RUN/hosts
LAB_PKGDIR=$LAB_RUN/pkgdir
LAB_REPO=$LAB_RUN/repo
LAB_REPO_STATE=$(cat "$LAB_RUN/repo.state")
LAB_GUESTS=$(IFS=,; echo "${guests[*]-}")
LAB_BUILDERS=$(IFS=,; echo "${builders[*]-}")
E
  for name in $(guest_names); do echo "LAB_IP_$name=$(guest_file "$name" ip)"; done
}
