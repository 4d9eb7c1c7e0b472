#!/bin/bash
# startup.sh [local | FILE]: starts the server of this directory in the background.
#
#   local    keys of the server from conf/canal_local.properties
#   FILE     keys of the server from FILE
#            without either from conf/canal.properties
# Returns when the server is ready. Its id is in bin/canal.pid, its log in logs/canal/canal.log; what is wrong with the
# configuration in logs/canal/canal_stdout.log. Of JAVA_OPTS, -Dcanal.* counts; everything else is for Java and has no effect.
# Exit status: 0 ready, 1 it runs already or does not start, 2 wrong arguments or configuration.
. "$(dirname "$(readlink -f "$0")")/common.sh"

usage() { sed -n '2,/^\. /{/^\. /d;s/^# \{0,1\}//;p}' "$0"; }

options=(--conf "$base/conf" --log-file "$base/logs/canal/canal.log")
case $# in
  0) ;;
  1 | 2)
    if [ "$1" = -h ] || [ "$1" = --help ]; then
      usage
      exit 0
    elif [ "$1" = local ]; then
      options+=("-Dcanal.conf=$base/conf/canal_local.properties")
    elif [ -f "$1" ]; then
      options+=("-Dcanal.conf=$(readlink -f "$1")")
    elif [ "$1" = debug ]; then
      echo "startup.sh: 'debug ${2:-}' is for a Java debugger: no effect" >&2
    else
      echo "startup.sh: $1: neither 'local' nor a file" >&2
      exit 2
    fi
    ;;
  *)
    usage >&2
    exit 2
    ;;
esac

set -f # words of JAVA_OPTS are no file patterns
ignored=()
for word in ${JAVA_OPTS:-}; do
  case $word in
    -Dcanal.*) options+=("$word") ;;
    *) ignored+=("$word") ;;
  esac
done
set +f
[ "${#ignored[@]}" = 0 ] || echo "startup.sh: of JAVA_OPTS, without effect: ${ignored[*]}" >&2

mkdir -p "$base/logs/canal" || exit 1
exec 9>>"$bin/canal.lock" || exit 1
if ! flock -n 9; then
  echo "startup.sh: another one is at work" >&2
  exit 1
fi
if pid=$(running_pid); then
  echo "startup.sh: $pid_file: process $pid is running: stop.sh first" >&2
  exit 1
fi
[ ! -e "$pid_file" ] || echo "startup.sh: $pid_file: is left from a server that is gone" >&2

stdout_log=$base/logs/canal/canal_stdout.log log=$base/logs/canal/canal.log
size() { stat -c %s "$1" 2>/dev/null || echo 0; }
stdout_start=$(size "$stdout_log") log_start=$(size "$log")
cd "$bin" || exit 1
setsid "$bin/obcanal-server" "${options[@]}" >>"$stdout_log" 2>&1 </dev/null 9>&- &
pid=$!
echo "$pid" >"$pid_file"

since() { tail -c +$(($2 + 1)) "$1" 2>/dev/null; } # FILE SIZE: what was written since it had SIZE bytes
limit=$((SECONDS + 60))
until since "$log" "$log_start" | grep -q " server ready .*pid=$pid\$"; do
  if ! kill -0 "$pid" 2>/dev/null; then
    wait "$pid"
    status=$?
    rm -f "$pid_file"
    echo "startup.sh: the server ended with status $status:" >&2
    { since "$stdout_log" "$stdout_start"; since "$log" "$log_start"; } | tail -n 40 >&2
    [ "$status" = 2 ] || status=1
    exit "$status"
  fi
  if [ "$SECONDS" -gt "$limit" ]; then
    echo "startup.sh: process $pid is not ready after a minute; it goes on, see $log" >&2
    exit 1
  fi
  sleep 0.05
done
echo "obcanal-server is ready: process $pid, log $log"
[ "$(size "$stdout_log")" = "$stdout_start" ] || echo "There are remarks on the configuration in $stdout_log"
