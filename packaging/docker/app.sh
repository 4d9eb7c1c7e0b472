#!/bin/bash
# What the image runs: obcanal-server in the foreground, its log on standard error, as the owner of canal-server/.
#
# Every key of canal.properties and instance.properties may come as a variable of its name: -e canal.destinations=shop.
# One destination of another name takes conf/example over; several need a directory each in conf/, mounted, or
# canal.instance.multi.stream.on=true, with which each gets a copy of conf/example.
# Exit status: the server's; 2 when the destinations can't be set up.
set -euo pipefail
base=$(dirname "$(readlink -f "$0")")/canal-server
conf=$base/conf

names=$(printenv canal.destinations || true)
expression=$(printenv canal.destinations.expr || true)
if [[ $expression =~ ^([^{}]*)\{([0-9]+)-([0-9]+)\}$ ]]; then
  names=$(seq -f "${BASH_REMATCH[1]}%.0f" -s , "${BASH_REMATCH[2]}" "${BASH_REMATCH[3]}")
fi
missing=()
IFS=', ' read -r -a destinations <<<"$names"
for name in "${destinations[@]}"; do
  case $name in
    */* | .*) echo "app.sh: canal.destinations: '$name' is no name of a destination" >&2; exit 2 ;;
  esac
  [ -e "$conf/$name/instance.properties" ] || missing+=("$name")
done
if [ "${#missing[@]}" -gt 0 ]; then
  if [ "$(printenv canal.instance.multi.stream.on || true)" != true ] && [ "${#destinations[@]}" -gt 1 ]; then
    echo "app.sh: no instance.properties in $conf for: ${missing[*]}. With several destinations one set of variables can't" \
      "mean them all: mount a directory for each." >&2
    exit 2
  fi
  for name in "${missing[@]}"; do cp -r "$conf/example" "$conf/$name"; done
  # The sample is no destination of its own then.
  case ",$names," in *,example,*) ;; *) rm -r "$conf/example" ;; esac
fi

command=("$base/bin/obcanal-server" --conf "$conf" "$@")
if [ "$(id -u)" != 0 ]; then exec "${command[@]}"; fi
uid=$(stat -c %u "$base") gid=$(stat -c %g "$base")
# Cursors are written there, also where a volume of another owner is mounted.
chown -R "$uid:$gid" "$conf" "$base/logs"
exec setpriv --reuid "$uid" --regid "$gid" --clear-groups --no-new-privs "${command[@]}"
