# The first process of a clean room: makes a throw-away view of the machine's root, changes into it,
# and becomes the command. It runs in mount, process and IPC namespaces of its own, so whatever it
# mounts and whoever it starts is gone when it ends, however that ends.
#
# $1 folder of the room: what the command writes goes here
# $2 store, which can be read in the room
# $3 folders that are the machine's own in the room too, to be written, one a line
# $4 a folder of which only what is among $3 is seen in the room
# $5 … the command
#
# Exit code 24: the room cannot be made here; the reason is the last line.
set -u
PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin
# As they are without links: a link below the view leads out of it, to the machine's own.
room=$(readlink -m -- "$1") store=$(readlink -m -- "$2") own=$3 hidden=$4
[ -z "$hidden" ] || hidden=$(readlink -m -- "$hidden")
shift 4
view=$room/view
layers=0

no_room() { printf '\n@@ gentoo-updater: no clean room: %s\n' "$1"; exit 24; }

# Lays a layer over a folder: what is changed there in the room is changed in the layer.
layer() {
    layers=$((layers + 1))
    upper=$room/layers/$layers/upper scratch=$room/layers/$layers/work
    mkdir -p "$upper" "$scratch" || return 1
    # The folder itself has the owner and the mode of its layer.
    chown "$(stat -c %u:%g "$1")" "$upper" && chmod "$(stat -c %a "$1")" "$upper" || return 1
    options=lowerdir=$1,upperdir=$upper,workdir=$scratch
    # Nobody needs on the disk what nobody reads after a crash; Linux before 5.10 cannot know that.
    mount -n -t overlay gentoo-updater -o "$options,volatile" "$view$1" 2>/dev/null ||
        mount -n -t overlay gentoo-updater -o "$options" "$view$1"
}

# Shows a folder or a file of the machine, to be read alone.
show() { mount -n --bind "$1" "$view$1" && mount -n -o remount,bind,ro "$view$1"; }

# The file systems that are mounted below the root, which its layer does not show: a line with type
# and place each, parents first.
mounted() {
    while read -r _ _ _ _ place rest; do
        rest=${rest#* - }
        printf '%b %s\n' "$place" "${rest%% *}"
    done </proc/self/mountinfo | LC_ALL=C sort -u
}

# Layers hold what only root may read. Nobody comes this way once the root is changed.
mkdir -p "$view" && chmod 700 "$room" || no_room "$room cannot be made"
# The layer of an overlay can lie on most file systems, and on no other overlay. Memory is left.
if ! said=$(layer / 2>&1); then
    mount -n -t tmpfs -o mode=700 gentoo-updater "$room" && mkdir -p "$view" ||
        no_room "an overlay cannot be mounted ($said), and neither can a tmpfs"
    layer / || no_room 'an overlay cannot be mounted: is CONFIG_OVERLAY_FS on?'
fi
layers=1
before=
while read -r place type; do
    case $place in
    "$before" | / | /proc | /proc/* | /sys | /sys/* | /dev | /dev/* | "$room" | "$room"/*) continue ;;
    esac
    case $type in
    ext[234] | xfs | btrfs | f2fs | bcachefs | zfs | jfs | tmpfs | overlay | squashfs | erofs)
        # Packages write to these places only. A layer that cannot be had is found out below.
        case $place in
        *[,:\\]*) ;;
        /usr | /usr/* | /etc | /etc/* | /opt | /opt/* | /var | /var/* | /run | /run/* | /tmp | \
            /tmp/* | /root | /bin | /sbin | /lib*)
            if [ -e "$view$place" ] && [ -d "$place" ] && layer "$place"; then
                before=$place
                continue
            fi
            ;;
        esac
        ;;
    nfs* | cifs | smb3 | 9p | virtiofs | fuse* | ceph | vfat | exfat | iso9660 | udf) ;;
    # Nothing that is read like a folder: namespaces, control groups and their like. What is mounted
    # at the same place above them is: an automount, say.
    *) continue ;;
    esac
    before=$place
    [ -e "$view$place" ] || continue
    show "$place" || printf '@@ gentoo-updater: %s is not to be seen in the room\n' "$place"
done <<END
$(mounted)
END
for place in /etc /usr /var/db/pkg /var/lib/portage /var/tmp /tmp; do
    place=$(readlink -m -- "$place")
    if [ -e "$view$place" ] && [ ! -w "$view$place" ]; then
        no_room "$place is on a file system over which no overlay can be laid"
    fi
done

mount -n -t proc proc "$view/proc" && mount -n --rbind /sys "$view/sys" &&
    mount -n --rbind /dev "$view/dev" || no_room '/proc, /sys and /dev cannot be mounted'
if [ -d /dev/shm ] && [ ! -L /dev/shm ]; then
    mount -n -t tmpfs -o mode=1777 gentoo-updater "$view/dev/shm" || no_room '/dev/shm cannot be mounted'
fi
show "$store" || no_room "the store $store cannot be mounted"
if [ -n "$hidden" ]; then
    mount -n -t tmpfs -o mode=755 gentoo-updater "$view$hidden" || no_room "$hidden cannot be hidden"
fi
# What signs binaries is none of a package's business: neither the keys, nor sockets of whoever has them
# in memory.
for place in /var/lib/gentoo-updater/signing /run/user; do
    # Where it is not there and cannot be made there is nothing to hide.
    [ -d "$view$place" ] || mkdir -p "$view$place" 2>/dev/null || continue
    mount -n -t tmpfs -o mode=700,ro gentoo-updater "$view$place" || no_room "$place cannot be hidden"
done
while read -r place; do
    [ -d "$place" ] || continue
    place=$(readlink -f -- "$place")
    mkdir -p "$view$place" && mount -n --bind "$place" "$view$place" ||
        no_room "$place cannot be mounted"
done <<END
$own
END

mkdir -p "$view/.machine" && cd "$view" && pivot_root . .machine && cd / &&
    umount -n -l /.machine && rmdir /.machine || no_room 'the root cannot be changed'
exec "$@"
