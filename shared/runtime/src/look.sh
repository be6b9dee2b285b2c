# look MARKER FORMER QUESTION KIND:PATH... -- [COMMAND...]: looks at all that an answer depends on.
#
# The fingerprint is a SHA-256 over QUESTION and what is found. Without a COMMAND it is printed, or
# `-` where something could not be looked at. With one, {"unchanged":FINGERPRINT} is printed between
# two lines that hold MARKER where the fingerprint is FORMER; else COMMAND takes this shell's place,
# with the fingerprint as its last argument.
#
#   tree:PATH      all below PATH, links followed: folders by name, the rest with size and times
#   flat:PATH      the same of what lies in the folder PATH itself
#   links:PATH     where the links below PATH lead
#   packages:PATH  the folders in the folders of PATH with their times: a list of installed packages
#
# A path that is not there is part of what is found. Times are those of the last change of content
# and of anything at all (ctime, which nobody can set back), to the nanosecond. POSIX sh, with find,
# sort, sha256sum and date as every Gentoo has them.
marker=$1 former=$2 question=$3
shift 3

# A file system may give two changes that follow each other the same time: what changed less than
# two seconds ago could change again unseen. It is listed along with the moment of this look, and so
# this fingerprint is that of no other look.
entry() {
    find -L "$@" -printf '%y %m %s %T@ %C@ %p\0' \
        -newerct "@$((now - 2))" ! -newerct "@$((now + 2))" -printf "changing $now $$ %p\0"
}

# A folder's own times say nothing that its entries do not, and every lock in it changes them.
entries() {
    entry "$@" -name .git -type d -prune -o -name '*.portage_lockfile' -o \
        -type d -printf '%y %m %p\0' -o
}

list() {
    now=$(date +%s) && [ "$now" -gt 2 ] || return 1
    printf 'question %s\0' "$question"
    for word; do
        path=${word#*:}
        case $word in
        --) return 0 ;;
        tree:/* | flat:/* | links:/* | packages:/*) printf 'word %s\0' "$word" ;;
        *) return 1 ;;
        esac
        if ! [ -e "$path" ]; then
            printf 'missing %s\0' "$path"
            continue
        fi
        # The slash follows a link to a folder.
        if [ -d "$path" ]; then path=$path/; fi
        case $word in
        tree:*) entries "$path" ;;
        flat:*) entries "$path" -maxdepth 1 ;;
        links:*) find "$path" -type l -printf '%p leads to %l\0' ;;
        packages:*) entry "$path" -mindepth 2 -maxdepth 2 ;;
        esac || return 1
    done
    # The words were cut off.
    return 1
}

take() {
    # What fails anywhere in a pipe would go unnoticed otherwise.
    found=$(
        {
            { list "$@" || echo failed >&3; } </dev/null 2>/dev/null |
                { LC_ALL=C sort -z || echo failed >&3; } |
                { sha256sum || echo failed >&3; }
        } 3>&1
    )
    fingerprint=${found%%  -*}
    case $found in *failed*) fingerprint=- ;; esac
    if [ "${#fingerprint}" -ne 64 ]; then fingerprint=-; fi
}

# Where nothing is named, and somebody is there to ask, the look is the command's business.
command=
for word; do
    case $command$word in
    --) command=none ;;
    none*) command=some ;;
    esac
done
fingerprint=-
if [ "$1" != -- ] || [ "$command" = none ]; then take "$@"; fi
if [ "$command" = none ]; then
    printf '%s\n' "$fingerprint"
    exit 0
fi
if [ "$fingerprint" != - ] && [ "$fingerprint" = "$former" ]; then
    printf '\n%s\n{"unchanged":"%s"}\n%s\n' "$marker" "$fingerprint" "$marker"
    exit 0
fi
while [ "$#" -gt 0 ] && [ "$1" != -- ]; do shift; done
if [ "$#" -gt 0 ]; then shift; fi
exec "$@" "$fingerprint"
