# Tells what this machine has for builds.
#
# $1 … folders where something is built
#
# Prints `memory KILOBYTES` for the memory of the machine and `limit BYTES` for each limit that a
# container sets, and for each folder a line `space FOLDER` with what df says of it behind it.
set -u -f
sed -n 's/^MemTotal: *\([0-9]*\) kB$/memory \1/p' /proc/meminfo || exit 1
for file in /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; do
    if [ -r "$file" ] && read -r limit < "$file"; then printf 'limit %s\n' "$limit"; fi
done
for folder; do
    printf 'space %s\n' "$folder"
    # What does not exist yet will lie in the file system of its parent.
    while [ ! -e "$folder" ] && [ "$folder" != / ]; do folder=$(dirname "$folder"); done
    LC_ALL=C df -P -k "$folder" | tail -n 1
done
