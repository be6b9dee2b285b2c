# Prints what runs and builds have left on this machine, each line ended by a NUL:
#
#   now SECONDS
#   work|room|runs|logs|job|group SECONDS PATH      when it was written last, and its path below
#
# $1 where builds work  $2 what belongs to runs  $3 their logs  $4 jobs  $5 … where control groups are
set -u
printf 'now %s\0' "$(date +%s)"
# What goes meanwhile is no trouble.
look() {
    kind=$1 folder=$2
    shift 2
    [ -d "$folder" ] || return 0
    find "$folder" -ignore_readdir_race -mindepth 1 "$@" -printf "$kind %T@ %P\\0" || exit 1
}
look work "$1" -maxdepth 2
look room "$1" -mindepth 3 -maxdepth 3 -name room
look runs "$2" -maxdepth 2
look logs "$3" -maxdepth 2
look job "$4" -maxdepth 1 -type d ! -name '.*'
shift 4
for groups; do
    look group "$groups" -maxdepth 1 -type d -name 'gentoo-updater-build-*'
done
