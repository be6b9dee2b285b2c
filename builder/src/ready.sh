# Looks whether this machine can build. Leaves nothing behind.
#
# $1 store  $2 where Portage builds (PORTAGE_TMPDIR)  $3 where gentoo-updater builds
# $4 the compiler that is configured (CC), with its options  $5 CHOST  $6 PATH of emerge
#
# Prints for each of the three folders a line `space FOLDER`, and behind it what df says of it.
# Exit codes: 40 there is no store, 41 it cannot be written, 42 PORTAGE_TMPDIR cannot be,
# 43 there is no compiler, 44 it does not compile or link.
set -u -f
store=$1 temporary=$2 work=$3 cc=$4 chost=$5 path=$6

space() {
    folder=$1
    # What does not exist yet will lie in the file system of its parent.
    while [ ! -e "$folder" ] && [ "$folder" != / ]; do folder=$(dirname "$folder"); done
    printf 'space %s\n' "$1"
    LC_ALL=C df -P -k "$folder" | tail -n 1
}

space "$store"
space "$temporary"
space "$work"

# Two builders may have one store, so the name is one's own.
[ -d "$store" ] || { echo 'there is no such folder' >&2; exit 40; }
control=$store/.gentoo-updater
mkdir -p "$control" && file=$(mktemp "$control/ready.XXXXXX") || exit 41
printf 'ready\n' > "$file"
written=$?
rm -f -- "$file" && [ "$written" = 0 ] || exit 41

# As Portage finds it (toolchain-funcs.eclass): what is configured, or that of CHOST, or any.
if [ -z "$cc" ]; then
    for candidate in "$chost-gcc" gcc cc; do
        if PATH=$path command -v "$candidate" > /dev/null; then cc=$candidate; break; fi
    done
fi
[ -n "$cc" ] && PATH=$path command -v "${cc%% *}" > /dev/null || {
    echo "${cc:-$chost-gcc, gcc and cc}: not found" >&2
    exit 43
}
folder=$(mktemp -d "$temporary/gentoo-updater-ready.XXXXXX") || exit 42
printf '#include <stdio.h>\nint main(void) { return puts("ready") < 0; }\n' > "$folder/ready.c"
written=$?
# The words of CC are its options, as for emerge.
PATH=$path LC_ALL=C TMPDIR=$folder $cc -o "$folder/ready" "$folder/ready.c" &&
    [ "$("$folder/ready")" = ready ]
compiled=$?
rm -rf -- "$folder"
[ "$written" = 0 ] || exit 42
[ "$compiled" = 0 ] || exit 44
