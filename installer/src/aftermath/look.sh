# Prints what an administrator has to know of a machine after an update. Changes nothing.
# POSIX sh, coreutils, findutils, grep, sed and, for differences, diffutils.
#
# $1 places whose configuration files Portage protects (CONFIG_PROTECT), words
# $2 ebuild repositories, words     $3 how many lines of a difference are printed
# $4 how many configuration files and $5 how many processes are looked at
#
# Each line begins with a word that says what it is about, and a tab; so no content of a file can
# be taken for something else. `end` is the last one.
set -u
LC_ALL=C
export LC_ALL
protected=$1 repositories=$2 lines=$3 files=$4 processes=$5
tab=$(printf '\t')

# Whether everybody may read a file: what is in others is nobody else's business.
is_public() {
    # What a link leads to may lie in a folder that is not for everybody.
    set -- "$(readlink -f -- "$1")"
    [ -n "$1" ] || return 1
    case $(stat -L -c %a -- "$1" 2>/dev/null) in *[4567]) ;; *) return 1 ;; esac
    folder=${1%/*}
    while [ -n "$folder" ]; do
        case $(stat -L -c %a -- "$folder" 2>/dev/null) in *[1357]) ;; *) return 1 ;; esac
        folder=${folder%/*}
    done
}

pending() {
    set -f
    for place in $protected; do
        set +f
        if [ -d "$place" ]; then
            find "$place" -type f -name '._cfg[0-9][0-9][0-9][0-9]_*'
        elif [ -e "$place" ]; then
            find "${place%/*}/" -maxdepth 1 -type f -name "._cfg[0-9][0-9][0-9][0-9]_${place##*/}"
        fi
    done | sort -u | head -n $((files + 1))
    set +f
}

pending | {
seen=0
while IFS= read -r new; do
    seen=$((seen + 1))
    if [ "$seen" -gt "$files" ]; then
        printf 'more\tconfig\n'
        break
    fi
    name=${new##*/}
    old=${new%/*}/${name#._cfg????_}
    if [ ! -e "$old" ]; then
        printf 'config\tgone\t%s\n' "$new"
    elif ! is_public "$new" || ! is_public "$old"; then
        printf 'config\tsecret\t%s\n' "$new"
    elif ! command -v diff >/dev/null; then
        printf 'config\tunknown\t%s\n' "$new"
    else
        printf 'config\tshown\t%s\n' "$new"
        diff -u -- "$old" "$new" | head -n "$lines" | cut -c 1-1000 | sed "s/^/diff$tab/"
    fi
done
}

# The first process may be of another kind than the files of /run say: both count.
read -r first </proc/1/comm || first=
printf 'first\t%s\n' "$first"
if [ -d /run/systemd/system ]; then
    printf 'manager\tsystemd\n'
elif [ -e /run/openrc/softlevel ]; then
    printf 'manager\topenrc\n'
fi

# Sets $parent, $session and $terminal from /proc/$1/stat. The name of the program stands in
# parentheses and may hold anything.
read_process() {
    stat=
    while IFS= read -r part; do stat="$stat $part"; done 2>/dev/null <"/proc/$1/stat"
    case $stat in *') '*) ;; *) return 1 ;; esac
    set -- ${stat##*) }
    parent=$2 session=$4 terminal=$5
}
name_of() { tr '\n\t' '??' 2>/dev/null <"/proc/$1/comm" | sed 's/?$//'; }

# Processes of containers have namespaces of their own, and owners of their own.
space=$(readlink /proc/$$/ns/pid)
count=0
grep -l ' (deleted)$' /proc/[0-9]*/maps 2>/dev/null | while IFS= read -r maps; do
    process=${maps#/proc/}
    process=${process%/maps}
    [ "$(readlink "/proc/$process/ns/pid" 2>/dev/null)" = "$space" ] || continue
    # A library or a program has a part that can be executed.
    deleted=$(sed -n 's/^[^ ]* ..x. [^ ]* [^ ]* [^ ]* *\(\/.*\) (deleted)$/\1/p' "$maps" \
        2>/dev/null | sort -u | head -n 50)
    [ -n "$deleted" ] && read_process "$process" || continue
    count=$((count + 1))
    if [ "$count" -gt "$processes" ]; then
        printf 'more\tprocess\n'
        break
    fi
    printf 'process\t%s\t%s\t%s\t%s\n' "$process" "$session" "$terminal" "$(name_of "$process")"
    printf '%s\n' "$deleted" | sed "s/^/file$tab/"
    sed "s/^/cgroup$tab/" "/proc/$process/cgroup" 2>/dev/null
    while [ "$parent" -gt 1 ]; do
        printf 'parent\t%s\t%s\n' "$parent" "$(name_of "$parent")"
        read_process "$parent" || break
    done
done

# Whoever runs this is not to be restarted for it.
asking=$$
while [ "$asking" -gt 1 ]; do
    printf 'asking\t%s\n' "$asking"
    read_process "$asking" || break
    asking=$parent
done

# OpenRC writes down where the pids of a service's daemons stand: for what its start-stop-daemon
# started, and for what a script names as its pidfile.
daemon() { # SERVICE PIDFILE
    read -r process 2>/dev/null <"$2" || [ -n "$process" ] || return 0
    printf 'daemon\t%s\t%s\n' "$1" "$process"
}
for started in /run/openrc/daemons/*/* /run/openrc/options/*/pidfile; do
    [ -e "$started" ] || continue
    service=${started%/*}
    case $started in
    */pidfile) file=$(cat "$started") ;;
    *) file=$(sed -n 's/^pidfile=//p' "$started") ;;
    esac
    process=
    [ -z "$file" ] || daemon "${service##*/}" "$file"
done

registry=/var/lib/portage/preserved_libs_registry
if [ -s "$registry" ]; then
    # Portage writes it without an end of line.
    { cat "$registry" && echo; } | sed "s/^/registry$tab/"
    names=$(grep -o '"/[^"]*"' "$registry" | sed 's/^.*\///; s/"$//')
    if [ -n "$names" ]; then
        printf '%s\n' "$names" |
            grep -F -f - /var/db/pkg/*/*/NEEDED.ELF.2 /dev/null |
            sed "s/^\/var\/db\/pkg\/\([^:]*\)\/NEEDED.ELF.2:/needed$tab\1$tab/"
    fi
fi

for unread in /var/lib/gentoo/news/news-*.unread; do
    [ -s "$unread" ] || continue
    while IFS= read -r item; do
        title=
        set -f
        for repository in $repositories; do
            text=$repository/metadata/news/$item/$item.en.txt
            [ -r "$text" ] || continue
            title=$(sed -n 's/^Title: *//p; /^$/q' "$text" | head -n 1)
            break
        done
        set +f
        printf 'news\t%s\t%s\n' "$item" "$title"
    done <"$unread"
done

printf 'kernel\t%s\n' "$(uname -r)"
for modules in /lib/modules/*/; do
    [ -d "$modules" ] || continue
    modules=${modules%/}
    printf 'modules\t%s\n' "${modules##*/}"
done
for package in /var/db/pkg/sys-kernel/*/; do
    [ -d "$package" ] || continue
    package=${package%/}
    printf 'package\tsys-kernel/%s\n' "${package##*/}"
done
printf 'end\t\n'
