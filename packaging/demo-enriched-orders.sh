#!/usr/bin/env bash
# demo-enriched-orders.sh [--once] [--keep] [--engine 7|8|opensearch] [--port N] [--no-install] [--replace]: orders of OceanBase,
# joined with their products, in a search index that follows every change.
#
# Builds obcanal, starts an OceanBase engine, a search engine, log proxy, server and adapter on this machine alone, loads what is
# there, then inserts, updates and deletes orders and products. After each step it shows the documents that changed, and compares
# the whole index with the join on the database. A live page shows counts, search, speed and delay.
#   --once        all steps without a pause, then ends; status 0 only if no document differed after any step
#   --keep        leaves everything running after the steps, until Ctrl-C (without both: with more changes)
#   --engine E    7 (Elasticsearch 7, the default), 8 or opensearch; fetched once from a package registry
#   --no-install  installs no Debian packages
#   --replace     packages that exclude ours may be removed (Boost's development packages of another version do)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. packaging/packages.sh

install=1 options=()
while [ $# -gt 0 ]; do
  case $1 in
    --no-install) install=0 ;;
    --replace) export OBCANAL_REPLACE=1 ;;
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; exec python3 packaging/demo/demo.py --help ;;
    *) options+=("$1") ;;
  esac
  shift
done
[ "$install" = 0 ] || install_packages build demo
if ! [ -e build/release/build.ninja ]; then
  echo "Configuring ..."
  mkdir -p build
  cmake --preset release >build/configure.log 2>&1 || { cat build/configure.log >&2; exit 1; }
fi
cmake --build --preset release --target obcanal-server obcanal obcanal-adapter
exec python3 packaging/demo/demo.py ${options[@]+"${options[@]}"}
