#!/bin/bash
# stop.sh: stops the server of this directory and waits until it has. The server answers what is under way and writes its
# cursors first, within 5 seconds as a rule; it is never killed.
# Exit status: 0 stopped, or it was not running; 1 it did not end within a minute.
. "$(dirname "$(readlink -f "$0")")/common.sh"

if ! pid=$(running_pid); then
  echo "obcanal-server is not running"
  rm -f "$pid_file"
  exit 0
fi
echo "$HOSTNAME: stopping process $pid"
kill "$pid" || exit 1
start=$SECONDS
while [ "$(running_pid)" = "$pid" ]; do
  if [ $((SECONDS - start)) -gt 60 ]; then
    echo "stop.sh: process $pid has not ended within a minute; see $base/logs/canal/canal.log" >&2
    exit 1
  fi
  sleep 0.05
done
rm -f "$pid_file"
echo "stopped after $((SECONDS - start)) s"
