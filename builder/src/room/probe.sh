# Looks whether a clean room can be had on this machine, by making one. Leaves nothing behind.
#
# $1 what makes a room  $2 where gentoo-updater builds  $3 store
# $4 … the machine's folders of which builds make use, which the room has too
#
# Prints nothing but the reason, where none can be had. Exit code 0: one can be had.
set -u
inside=$1 work=$2 store=$3
shift 3

[ "$(id -u)" = 0 ] || { echo 'only root can make one'; exit 1; }
for program in unshare mount pivot_root; do
    PATH=$PATH:/usr/sbin:/sbin command -v "$program" >/dev/null ||
        { echo "$program is missing: install sys-apps/util-linux"; exit 1; }
done
mkdir -p "$work" && folder=$(mktemp -d "$work/room.XXXXXX") || exit 1
own=$(printf '%s\n' "$@")
said=$(unshare --mount --ipc --pid --fork --kill-child --propagation private \
    sh -c "$inside" room "$folder" "$store" "$own" '' true 2>&1)
status=$?
rm -rf -- "$folder"
[ "$status" = 0 ] || printf '%s\n' "$said" | sed 's/^@@ gentoo-updater: no clean room: //' | tail -n 1
exit "$status"
