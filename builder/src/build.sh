# Builds one package into a private PKGDIR, in a clean room or on the machine itself.
#
# $1 working folder of this job      $2 store
# $3 category/name                   $4 name-version
# $5 lines for package.use, $6 for package.accept_keywords, $7 for package.license,
# $8 for package.unmask
# $9 the steps: commands of emerge as a shell program, made by the builder, quoted
# ${10} the name of this job on the machine, ${11} its log
# ${12} how many megabytes of memory it may use, or nothing, ${13} how many it may write into the log
# ${14} what makes a clean room; nothing where the machine itself is built on
# ${15} where it is left what the build does to the machine itself: emerge's log, and what is installed
# before and after; ${16} where the machine's own log is, or nothing
# ${17} … the machine's folders that the room has too, to be written
#
# Exit codes: 20 the machine is unfit, 21 the dependencies from the store could not be installed,
# 22 other dependencies could not be, 23 the package itself could not be built, 24 no clean room can
# be had, 25 and 26 it took more memory or wrote more into its log than it may.
set -u
work=$1 store=$2 package=$3 pf=$4 steps=$9
use=$5 keywords=$6 license=$7 unmask=$8
shift 9
id=$1 log=$2 memory=$3 most_log=$4 inside=$5 told=$6 logs=$7
shift 7

step() { printf '\n@@ gentoo-updater: %s\n' "$1"; }
unfit() { printf '\n@@ gentoo-updater: unfit: %s\n' "$1"; exit 20; }

step "prepare $pf"
rm -rf "$work" && mkdir -p "$work/config/etc" "$work/packages/$package" ||
    unfit "cannot write below $work"
# The folder itself can be a link, and be kept elsewhere.
mkdir "$work/config/etc/portage" && cp -a /etc/portage/. "$work/config/etc/portage" ||
    unfit "cannot copy /etc/portage"
portage=$work/config/etc/portage
if profile=$(readlink -f /etc/portage/make.profile) && [ -d "$profile" ]; then
    # The link is often relative, and means something else here.
    ln -sfn "$profile" "$portage/make.profile" || unfit "cannot write below $work"
fi
entry() {
    # What is written here must not reach what a link leads to: it is the machine's own.
    if [ -L "$portage/$1" ]; then
        target=$(readlink -f "/etc/portage/$1")
        rm "$portage/$1" || unfit "cannot write below $work"
        [ ! -e "$target" ] || cp -aL "$target" "$portage/$1" || unfit "cannot copy /etc/portage/$1"
    fi
    # The administrator may keep either one file or a folder of files, which are read in order.
    if [ -f "$portage/$1" ]; then
        mv "$portage/$1" "$portage/$1.file" && mkdir "$portage/$1" &&
            mv "$portage/$1.file" "$portage/$1/00-administrator" || unfit "cannot write below $work"
    fi
    mkdir -p "$portage/$1" && printf '%s\n' "$2" > "$portage/$1/zzzz-gentoo-updater" ||
        unfit "cannot write below $work"
}
entry package.use "$use"
entry package.accept_keywords "$keywords"
entry package.license "$license"
entry package.unmask "$unmask"

# A number of its own among the binaries of this version, that nobody else can get: the number is
# written into the binary, so the file cannot be renamed later. Portage takes the first number
# whose file is not there.
step "reserve a BUILD_ID"
ids=$store/.gentoo-updater/build-ids/$package
mkdir -p "$ids" || unfit "cannot write to the store $store"
reserved() {
    if mkdir "$ids/$pf-$1" 2>/dev/null; then return 0; fi
    # Somebody else has it, or nobody can have any: a full disk, say.
    [ -d "$ids/$pf-$1" ] || unfit "cannot reserve a BUILD_ID in $ids"
    return 1
}
number=1
while [ -e "$store/$package/$pf-$number.gpkg.tar" ] || [ -e "$store/$package/$pf-$number.xpak" ] ||
    ! reserved "$number"; do
    : > "$work/packages/$package/$pf-$number.gpkg.tar"
    : > "$work/packages/$package/$pf-$number.xpak"
    number=$((number + 1))
done
printf '%s\n' "$number" > "$work/build-id" || unfit "cannot write below $work"

if [ -z "$inside" ]; then
    packages() { (cd /var/db/pkg && grep -H '' -- */*/COUNTER) > "$told/$1"; }
    mkdir -p "$told" && packages before || unfit "cannot write $told, or read /var/db/pkg"
    limited "$id" "$memory" "$log" "$most_log" '' sh -c "$steps" steps
    status=$?
    packages after || rm -f "$told/after"
    # Some of it may stay, so the machine's log has it, too.
    if [ -n "$logs" ] && [ -e "$told/emerge.log" ]; then
        cat "$told/emerge.log" >> "$logs/emerge.log" || step "cannot write $logs/emerge.log"
    fi
    exit "$status"
fi
# With the room's first process everything ends that was started in it, and with the last one of
# them its mounts are gone. What the room wrote is of no use to anybody.
step "build in a clean room"
own=$(printf '%s\n' "$work/config" "$work/packages" "$@")
limited "$id" "$memory" "$log" "$most_log" room \
    unshare --mount --ipc --pid --fork --kill-child --propagation private \
    sh -c "$inside" room "$work/room" "$store" "$own" "$work" sh -c "$steps" steps
status=$?
rm -rf "$work/room"
exit "$status"
