#!/usr/bin/env bash
# run.sh SCHEMA_TOOL mariadb|mysql-VERSION [STATEMENTS]: random DDL on a real server; our catalog reads the statements that
# the server wrote to its binary log, and must know the same columns as its information_schema at every check point.
# OBCANAL_SUPPORT: where services/ lies (default: tests/support of this tree). CATALOG_SEED: default 20240607.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tool=$(realpath "${1:?path of schema_tool}")
server=${2:?mariadb or mysql-VERSION}
services=$(realpath "${OBCANAL_SUPPORT:-$here/../../support}/services")
export SVC_NAME=catalog-exchange
# shellcheck source=/dev/null
. "$services/lib.sh"

work=$(mktemp -d)
chmod 755 "$work"
port=$(svc_free_port)
case $server in
  mariadb) start=("$services/mariadb/start.sh" --port "$port" --data "$work/db"); kind=mariadb ;;
  mysql-*) start=("$services/mysql/start.sh" --port "$port" --data "$work/db" --version "${server#mysql-}"); kind=mysql ;;
  *) svc_die "unknown server '$server'" ;;
esac
trap '"$services/$kind/stop.sh" --data "$work/db" --kill --purge >/dev/null 2>&1; rm -rf "$work"' EXIT
"${start[@]}" -- --innodb-flush-log-at-trx-commit=0 --sync-binlog=0 --log-bin=binlog >&2 || { svc_log "no $server: skipped"; exit 77; }
client() { mariadb --no-defaults -h127.0.0.1 -P"$port" -uroot --batch --skip-column-names --default-character-set=utf8mb4 "$@"; }

charset=$(client -e 'select @@character_set_server')
python3 "$here/generate.py" "${CATALOG_SEED:-20240607}" "${3:-2000}" >"$work/statements"
client --raw --force <"$work/statements" >"$work/server" 2>"$work/refused" || true

# Query events: the database, and the statement as it stands in the log, its line ends as blanks.
client -e 'show binary logs' | cut -f1 >"$work/logs"
while read -r log; do client -e "show binlog events in '$log'"; done <"$work/logs" |
  python3 -c '
import re, sys
for line in sys.stdin:
    fields = line.rstrip("\n").split("\t", 5)
    if len(fields) < 6 or fields[2] != "Query":
        continue
    text = re.sub(r"\\(.)", lambda m: {"n": " ", "t": " "}.get(m.group(1), m.group(1)), fields[5])
    use = re.match(r"use `((?:[^`]|``)*)`; (.*)", text)
    database, statement = (use.group(1), use.group(2)) if use else ("", text)
    print(database + "\t" + statement)
' >"$work/log"
"$tool" "$charset" <"$work/log" >"$work/catalog" 2>"$work/said"
# One name for what was renamed, binary text is no text, and only the tables of the test.
same() { sed -e 's/|utf8mb3|/|utf8|/; s/|binary|/||/' "$1" | { grep -E '^(checkpoint|s[12]\|)' || true; }; }
same "$work/server" >"$work/expected"
same "$work/catalog" >"$work/found"
checkpoints=$(grep -c '^checkpoint' "$work/expected")
echo "server=$server $(tail -1 "$work/said") refused=$(grep -c '^ERROR' "$work/refused") checkpoints=$checkpoints columns=$(grep -vc '^checkpoint' "$work/expected")"
failed=0
grep -m 20 '^unknown' "$work/said" && { echo "FAILED: statements that were not understood"; failed=1; }
[ "$checkpoints" -ge 20 ] || { echo "FAILED: too few check points"; failed=1; }
if ! diff "$work/expected" "$work/found" >"$work/diff"; then
  failed=1
  echo "FAILED: < the server, > our catalog"
  sed 12q "$work/diff"
  first=$(sed -E '1!d; s/^([0-9]+).*/\1/' "$work/diff")
  mark=$(sed -nE "1,${first}s/^checkpoint ([0-9]+)/\1/p" "$work/expected" | tail -1)
  echo "statements in the log before checkpoint $mark:"
  sed "/checkpoint_$mark[^0-9]/q" "$work/log" | tail -28
fi
exit $failed
