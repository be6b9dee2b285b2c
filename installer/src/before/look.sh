# Prints what decides whether binaries fit a machine, before anything is installed. Changes nothing.
#
# $1 where Portage unpacks (PORTAGE_TMPDIR)  $2 the folder into which binaries are fetched, or nothing
# $3 number N of the folders of the root that get files, then these N folders, number M of the packages, these M as category/name, and last the libraries
# whose versions are asked for, by their sonames.
#
# Each line begins with a word that says what it is about, and a tab. `end` is the last one.
set -u
LC_ALL=C
export LC_ALL

space() {
    folder=$1
    # What does not exist yet will lie in the file system of its parent.
    while [ ! -e "$folder" ] && [ "$folder" != / ]; do folder=$(dirname -- "$folder"); done
    line=$(df -P -k -- "$folder" | tail -n 1)
    # Two folders are of one file system when they have one device.
    printf 'space\t%s\t%s\t%s\n' "$1" "$(stat -L -c %d -- "$folder")" "$line"
}

space "$1/portage"
if [ -n "$2" ]; then
    space "$2"
    # Kilobytes of what was fetched already.
    there=$(du -sk -- "$2" 2>/dev/null | cut -f 1)
    printf 'fetched\t%s\n' "${there:-0}"
fi
number=$3
shift 3
while [ "$number" -gt 0 ]; do
    space "$1"
    shift
    number=$((number - 1))
done

read_first() {
    value=
    if [ -s "$1" ]; then read -r value <"$1" || :; fi
}
number=$1
shift
while [ "$number" -gt 0 ]; do
    for package in /var/db/pkg/"$1"-[0-9]*/; do
        [ -d "$package" ] || continue
        package=${package%/}
        read_first "$package/SIZE"
        size=$value
        read_first "$package/SLOT"
        printf 'installed\t%s\t%s\t%s\n' "${package#/var/db/pkg/}" "$value" "$size"
    done
    shift
    number=$((number - 1))
done

# The linker takes the first library of a name.
for soname; do
    file=$(ldconfig -p 2>/dev/null | grep -F "	$soname (" | head -n 1 | sed 's/^.* => //')
    [ -n "$file" ] && [ -r "$file" ] || continue
    printf 'library\t%s\t%s\n' "$soname" "$file"
    # The versions that it defines stand in it as texts; `readelf` is on few guests.
    grep -a -o -E '(GLIBC|GLIBCXX|CXXABI|GCC)_([0-9]+(\.[0-9]+)*|ABI_DT_RELR)' "$file" | sort -u |
        sed 's/^/version	/'
done
printf 'end\t\n'
