#!/usr/bin/env bash
# quickstart.sh [--once] [--no-install] [--replace]: builds obcanal and shows it at work, live, on this machine alone.
#
# Starts a log proxy that replays a recorded OceanBase workload, the server that reads it, and a client whose rows scroll by.
#   --once        ends by itself after 20 rows
#   --no-install  installs no Debian packages (they, or their counterparts elsewhere, are there already)
#   --replace     packages that exclude ours may be removed (Boost's development packages of another version do)
# Ctrl-C stops everything. Exit status: 0 stopped or done, 1 something failed, 2 wrong arguments.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. packaging/packages.sh

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; }

install=1 tail_options=(--format pretty)
while [ $# -gt 0 ]; do
  case $1 in
    --once) tail_options+=(--count 20) ;;
    --no-install) install=0 ;;
    --replace) export OBCANAL_REPLACE=1 ;;
    -h | --help) usage; exit 0 ;;
    *) echo "unknown option: $1" >&2; usage >&2; exit 2 ;;
  esac
  shift
done

# -- build

[ "$install" = 0 ] || install_packages build
bin=build/release/bin recording=build/release/fixtures/oblog/shop.logmsg
if ! [ -e build/release/build.ninja ]; then
  echo "Configuring ..."
  mkdir -p build
  cmake --preset release >build/configure.log 2>&1 || { cat build/configure.log >&2; exit 1; }
fi
cmake --build --preset release --target obcanal-server obcanal

# -- start

port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
port_from() { # the first free port at or above $1
  local port=$1
  while port_taken "$port"; do port=$((port + 1)); done
  echo "$port"
}
started=() work=$(mktemp -d "${TMPDIR:-/tmp}/obcanal-quickstart.XXXXXX")
stop_all() {
  trap - EXIT INT TERM
  local pid
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap 'stop_all' EXIT
trap 'stop_all; exit 0' INT TERM

start() { # LOG PROGRAM...: in the background, its output in LOG
  local log=$1
  shift
  "$@" >"$log" 2>&1 </dev/null &
  started+=($!)
}
wait_for() { # WHAT LOG CONDITION...: until CONDITION is true, or the program started last has ended
  local what=$1 log=$2 limit=$((SECONDS + 20))
  shift 2
  until "$@"; do
    if ! kill -0 "${started[-1]}" 2>/dev/null || [ "$SECONDS" -gt "$limit" ]; then
      echo "$what does not start:" >&2
      tail -n 20 "$log" >&2
      exit 1
    fi
    sleep 0.05
  done
}

proxy_port=$(port_from 2983) port=$(port_from 11111)
conf=$work/conf
mkdir -p "$conf/example" "$conf/yours" "$work/data"
cat >"$conf/canal.properties" <<PROPERTIES
canal.ip = 127.0.0.1
canal.serverMode = tcp
canal.port = $port
canal.destinations = example,yours
canal.auto.scan = false
canal.file.data.dir = $work/data
PROPERTIES
for destination in example yours; do
  cat >"$conf/$destination/instance.properties" <<PROPERTIES
canal.instance.oceanbase.logproxy.address = 127.0.0.1:$proxy_port
canal.instance.oceanbase.rsList = 127.0.0.1:2882:2881
canal.instance.oceanbase.username = user@tenant
canal.instance.oceanbase.password = secret
canal.instance.oceanbase.tenant = obtenant
canal.instance.oceanbase.startTimestamp = 1
canal.instance.filter.regex = .*\\\\..*
PROPERTIES
done

start "$work/logproxy.log" "$bin/obcanal" logproxy serve --input "$recording" --listen "127.0.0.1:$proxy_port" --rate 20 --loop
wait_for "The log proxy" "$work/logproxy.log" port_taken "$proxy_port"
start "$work/server.log" "$bin/obcanal-server" --conf "$conf"
wait_for "The server" "$work/server.log" grep -qw ready "$work/server.log"

cat <<TEXT

  log proxy  127.0.0.1:$proxy_port   replays a recorded OceanBase workload, 20 rows a second
  server     127.0.0.1:$port  destinations example (shown below) and yours (for your own client); no password
  files      $work

  Your own Canal client, as it is, while this runs:
    Java    CanalConnectors.newSingleConnector(new InetSocketAddress("127.0.0.1", $port), "yours", "", "")
    Python  client.connect("127.0.0.1", $port); client.check_valid(); client.subscribe(b"1001", b"yours")
    shell   $bin/obcanal tail --server 127.0.0.1:$port --destination yours

TEXT
status=0
"$bin/obcanal" tail --server "127.0.0.1:$port" --destination example --wait 10 "${tail_options[@]}" || status=$?
if [ "$status" != 0 ]; then
  echo "The client ended with status $status; the server's last words:" >&2
  tail -n 20 "$work/server.log" >&2
fi
exit "$status"
