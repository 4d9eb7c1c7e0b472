#!/bin/bash
# restart.sh [ARGUMENTS OF startup.sh]: stop.sh, then startup.sh.
. "$(dirname "$(readlink -f "$0")")/common.sh"

"$bin/stop.sh" && exec "$bin/startup.sh" "$@"
