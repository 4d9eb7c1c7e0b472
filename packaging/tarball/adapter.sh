#!/bin/bash
# adapter.sh start|stop|restart: the adapter of this directory, in the background.
#
# start returns when the adapter is ready. Its id is in bin/adapter.pid, its log in logs/adapter/adapter.log; what is wrong
# with conf/application.yml in logs/adapter/adapter_stdout.log.
# Exit status: 0 done, 1 it runs already, does not start or does not end, 2 wrong arguments or configuration.
bin=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
base=$(dirname "$bin")
pid_file=$bin/adapter.pid
logs=$base/logs/adapter

# Prints the id of the running adapter. A number that another process got since is none.
running_pid() {
  local pid='' command=''
  { read -r pid <"$pid_file"; } 2>/dev/null
  case $pid in '' | *[!0-9]*) return 1 ;; esac
  { command=$(tr '\0' ' ' <"/proc/$pid/cmdline"); } 2>/dev/null
  case $command in "$bin/obcanal-adapter "*) echo "$pid" ;; *) return 1 ;; esac
}

size() { stat -c %s "$1" 2>/dev/null || echo 0; }

start() {
  mkdir -p "$logs" || exit 1
  if pid=$(running_pid); then
    echo "adapter.sh: process $pid is running: adapter.sh stop first" >&2
    exit 1
  fi
  local log=$logs/adapter.log said=$logs/adapter_stdout.log
  local log_start said_start limit=$((SECONDS + 60)) pid status
  log_start=$(size "$log") said_start=$(size "$said")
  setsid "$bin/obcanal-adapter" --conf "$base/conf" --log-file "$log" >>"$said" 2>&1 </dev/null &
  pid=$!
  echo "$pid" >"$pid_file"
  until tail -c +$((log_start + 1)) "$log" 2>/dev/null | grep -q " adapter ready .*pid=$pid\$"; do
    if ! kill -0 "$pid" 2>/dev/null; then
      wait "$pid"
      status=$?
      rm -f "$pid_file"
      echo "adapter.sh: the adapter ended with status $status:" >&2
      { tail -c +$((said_start + 1)) "$said"; tail -c +$((log_start + 1)) "$log"; } 2>/dev/null | tail -n 40 >&2
      [ "$status" = 2 ] || status=1
      exit "$status"
    fi
    if [ "$SECONDS" -gt "$limit" ]; then
      echo "adapter.sh: process $pid is not ready after a minute; it goes on, see $log" >&2
      exit 1
    fi
    sleep 0.05
  done
  echo "obcanal-adapter is ready: process $pid, log $log"
  [ "$(size "$said")" = "$said_start" ] || echo "There are remarks on the configuration in $said"
}

stop() {
  if ! pid=$(running_pid); then
    echo "obcanal-adapter is not running"
    rm -f "$pid_file"
    return
  fi
  kill "$pid" || exit 1
  local start=$SECONDS
  while [ "$(running_pid)" = "$pid" ]; do
    if [ $((SECONDS - start)) -gt 60 ]; then
      echo "adapter.sh: process $pid has not ended within a minute; see $logs/adapter.log" >&2
      exit 1
    fi
    sleep 0.05
  done
  rm -f "$pid_file"
  echo "stopped process $pid"
}

case $#:${1:-} in
  1:start) start ;;
  1:stop) stop ;;
  1:restart) stop && start ;;
  *)
    sed -n '2,/^bin=/{/^bin=/d;s/^# \{0,1\}//;p}' "$0" >&2
    exit 2
    ;;
esac
