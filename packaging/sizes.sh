#!/bin/sh
# sizes.sh FOLDER - how large the programs in a folder are, as a table of Markdown.
set -eu
cd "${1:?sizes.sh FOLDER}"
echo '| program | MB |'
echo '|---|---|'
for program in gentoo-updater gentoo-updater-*; do
	case $program in *.d | *-chaos-*) continue ;; esac
	[ -x "$program" ] || continue
	printf '| `%s` | %s |\n' "$program" "$(stat -c %s "$program" | awk '{ printf "%.1f", $1 / 1000000 }')"
done
