#!/bin/bash
# rabbitmq.sh - a private RabbitMQ node in a folder of its own. Runs as root, without systemd.
#
#   rabbitmq.sh start DIR PORT   start the node (keeps the data that DIR has) and wait until it serves
#   rabbitmq.sh stop DIR         clean stop (up to 30 s, then SIGKILL), its epmd too
#   rabbitmq.sh restart DIR      stop, and start again on the same port with the same data
#   rabbitmq.sh kill9 DIR        SIGKILL to the node, as when the power goes; `start` goes on from there
#   rabbitmq.sh env DIR [PORT]   KEY=VALUE lines: AMQP_URL, MANAGEMENT_URL, node name, ports
#   rabbitmq.sh ctl DIR CMD...   rabbitmqctl CMD... on that node
#   rabbitmq.sh status DIR       exit 0 if the node runs and serves
#
# Uses the ports PORT (AMQP), PORT+1 (Erlang distribution), PORT+2 (management HTTP) and
# PORT+3 (its own epmd), all on LAB_RABBITMQ_IP (default 127.0.0.1). User guest, password
# guest, which RabbitMQ accepts on loopback only.
# Under `ip netns exec NAME` it listens on that namespace's loopback; `ctl` and `status` must
# then be called in there too, `stop` and `kill9` work from anywhere.
set -euo pipefail

BIN=/usr/lib/rabbitmq/bin # /usr/sbin's wrapper changes the user and drops the environment
IP=${LAB_RABBITMQ_IP:-127.0.0.1}
START_SECONDS=120
STOP_SECONDS=30

say() { printf '>> rabbitmq: %s\n' "$*" >&2; }
die() { printf 'rabbitmq.sh: %s\n' "$*" >&2; exit 1; }
manual() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; }

set_port() {
  if [[ ! $1 =~ ^[0-9]{4,5}$ ]] || (($1 < 1024 || $1 > 65000)); then die "PORT must be from 1024 to 65000, not '$1'"; fi
  (($1 + 3 < 5672 || $1 > 5672)) || die "port 5672 is the system's broker: take others than $1..$(($1 + 3))"
  PORT=$1 DIST_PORT=$(($1 + 1)) HTTP_PORT=$(($1 + 2)) EPMD_PORT=$(($1 + 3))
}
known_port() {
  [[ -e $DIR/port ]] || die "$DIR has no node: start it with a PORT first"
  set_port "$(< "$DIR/port")"
}

# Everything that RabbitMQ would look for elsewhere is named here. LAB_RABBITMQ_DIR marks
# every process that comes of it, for they do not all descend from the node.
export_environment() {
  export LAB_RABBITMQ_DIR=$DIR HOME=$DIR LANG=C.UTF-8 LC_ALL=C.UTF-8
  export RABBITMQ_NODENAME=gu-$PORT@localhost
  export RABBITMQ_NODE_IP_ADDRESS=$IP RABBITMQ_NODE_PORT=$PORT RABBITMQ_DIST_PORT=$DIST_PORT
  export ERL_EPMD_PORT=$EPMD_PORT ERL_EPMD_ADDRESS=$IP
  export RABBITMQ_CONF_ENV_FILE=/dev/null RABBITMQ_CONFIG_FILE=$DIR/rabbitmq.conf
  export RABBITMQ_ADVANCED_CONFIG_FILE=$DIR/advanced.config RABBITMQ_ENABLED_PLUGINS_FILE=$DIR/enabled_plugins
  export RABBITMQ_MNESIA_BASE=$DIR/data RABBITMQ_LOG_BASE=$DIR/log RABBITMQ_PID_FILE=$DIR/pid
  export RABBITMQ_GENERATED_CONFIG_DIR=$DIR/generated RABBITMQ_SCHEMA_DIR=$DIR/schema
  export RABBITMQ_FEATURE_FLAGS_FILE=$DIR/feature_flags
  # No busy waiting: the machine belongs to the tests.
  export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {${IP//./,}} +sbwt none +sbwtdcpu none +sbwtdio none"
}

write_configuration() {
  mkdir -p "$DIR"/{data,log,generated,schema}
  echo "$PORT" > "$DIR/port"
  [[ -e $DIR/.erlang.cookie ]] || { head -c 30 /dev/urandom | base64 | tr -dc 'A-Za-z0-9' > "$DIR/.erlang.cookie"; }
  chmod 400 "$DIR/.erlang.cookie"
  echo '[rabbitmq_management].' > "$DIR/enabled_plugins"
  echo '[].' > "$DIR/advanced.config"
  # A test may add its own settings, as consumer_timeout, in DIR/extra.conf.
  cat > "$DIR/rabbitmq.conf" <<E
management.tcp.ip = $IP
management.tcp.port = $HTTP_PORT
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 50MB
log.file.level = info
E
  [[ ! -e $DIR/extra.conf ]] || cat "$DIR/extra.conf" >> "$DIR/rabbitmq.conf"
}

# Ours are the processes that carry the mark of this folder.
processes() { # [COMM]
  local file pid
  while IFS= read -r file; do
    pid=${file#/proc/} pid=${pid%/environ}
    [[ $pid != "$$" && $pid != "$BASHPID" ]] || continue
    [[ -z ${1-} || $(cat "/proc/$pid/comm" 2>/dev/null) == "$1" ]] && echo "$pid"
  done < <(grep -lsxzF -- "LAB_RABBITMQ_DIR=$DIR" /proc/[0-9]*/environ)
  return 0
}
# Not from DIR/pid: the node removes that file when it begins to stop.
node_pid() { processes beam.smp | grep -m1 .; }

# An open port alone is not enough: the node also serves the HTTP API of an administrator then.
serves() { (exec 3<>"/dev/tcp/$IP/$PORT") 2>/dev/null && (exec 3<>"/dev/tcp/$IP/$HTTP_PORT") 2>/dev/null; }

start() {
  local tick
  node_pid >/dev/null && { serves || die "the node in $DIR runs but does not serve here (another network namespace?)"; return 0; }
  ! serves || die "port $PORT is taken by somebody else"
  end_all # an epmd that outlived a crash
  write_configuration
  rm -f "$DIR/pid"
  ( export_environment
    cd "$DIR"
    # Ours, so that none is started as a daemon that nobody knows.
    setsid epmd -port "$EPMD_PORT" -address "$IP" </dev/null >"$DIR/log/epmd.log" 2>&1 &
    for ((tick = 0; tick < 100; tick++)); do (exec 3<>"/dev/tcp/$IP/$EPMD_PORT") 2>/dev/null && break; sleep 0.05; done
    setsid "$BIN/rabbitmq-server" -detached </dev/null >"$DIR/log/start.log" 2>&1 )
  for ((tick = 0; tick < START_SECONDS * 10; tick++)); do
    if node_pid >/dev/null && serves; then say "node gu-$PORT serves on $IP:$PORT"; return; fi
    # It has to come up within 10 s, and once it is there it may only go away by failing.
    if ((tick > 100)) && [[ -z $(processes beam.smp) ]]; then break; fi
    sleep 0.1
  done
  tail -n 40 "$DIR"/log/*.log >&2 || true
  end_all
  die "the node in $DIR did not start"
}

stop() {
  local pid tick
  if pid=$(node_pid); then
    kill -TERM "$pid"
    for ((tick = 0; tick < STOP_SECONDS * 10; tick++)); do
      node_pid >/dev/null || break
      sleep 0.1
    done
    ! node_pid >/dev/null || say "node gu-$PORT does not stop within $STOP_SECONDS s: killing it"
  fi
  end_all
}

kill9() {
  local pid
  pid=$(node_pid) || die "no node runs in $DIR"
  kill -KILL "$pid"
  end_all
}

# The node (if it still runs), its helpers, its epmd: nothing of this folder may stay.
end_all() {
  local tick pids
  for ((tick = 0; tick < 100; tick++)); do
    mapfile -t pids < <(processes)
    ((${#pids[@]})) || { rm -f "$DIR/pid"; return 0; }
    kill -KILL "${pids[@]}" 2>/dev/null || true
    sleep 0.05
  done
  die "these processes of $DIR do not end: ${pids[*]}"
}

print_env() {
  cat <<E
AMQP_URL=amqp://guest:guest@$IP:$PORT/%2f
MANAGEMENT_URL=http://guest:guest@$IP:$HTTP_PORT
RABBITMQ_NODENAME=gu-$PORT@localhost
RABBITMQ_PORT=$PORT
RABBITMQ_MANAGEMENT_PORT=$HTTP_PORT
RABBITMQ_LOG=$DIR/log/gu-$PORT@localhost.log
RABBITMQ_PID=$(node_pid || true)
E
}

command=${1-help}
case $command in
  help | -h | --help) manual; exit 0 ;;
  start | stop | restart | kill9 | env | ctl | status) ;;
  *) manual >&2; die "no such command: $command" ;;
esac
[[ -n ${2-} ]] || die "$command DIR"
DIR=$(realpath -ms "$2")
shift 2
if [[ $command =~ ^(start|env)$ && -n ${1-} ]]; then set_port "$1"; else known_port; fi
case $command in
  start | stop | kill9) "$command" ;;
  restart) stop; start ;;
  env) print_env ;;
  status) node_pid >/dev/null && serves ;;
  ctl) export_environment; unset LAB_RABBITMQ_DIR; exec "$BIN/rabbitmqctl" -n "$RABBITMQ_NODENAME" "$@" ;;
esac
