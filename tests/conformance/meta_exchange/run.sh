#!/usr/bin/env bash
# run.sh META_TOOL: cursors go back and forth between Java Canal's meta managers and our stores, as meta.dat and in ZooKeeper.
# Ends with 0 when nothing differs, 1 with a diff when something does, 77 when there is no Java.
# OBCANAL_SUPPORT: where services/lib.sh lies (default: tests/support of this tree). CANAL_VERSION: default 1.1.7.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tool=$(realpath "${1:?path of meta_tool}")
export SVC_NAME=meta-exchange
# shellcheck source=/dev/null
. "${OBCANAL_SUPPORT:-$here/../../support}/services/lib.sh"
version=${CANAL_VERSION:-1.1.7}

# Java 9 or later: jdk.net.hosts.file keeps the addresses of the cases away from the machine's name service.
java_home=$(svc_java 9 21) || { svc_log "no Java 9..21 found: skipped"; exit 77; }

build_peer() { # TMPDIR
  mkdir -p "$1/lib" "$1/classes"
  svc_mvn "$here/java/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
    -Dcv="$version" -DoutputDirectory="$1/lib" -DincludeScope=runtime
  "$java_home/bin/javac" -nowarn -Xlint:-options --release 8 -cp "$1/lib/*" -d "$1/classes" "$here"/java/*.java >&2
}
sum=$(cat "$here"/java/*.java "$here/java/pom.xml" | sha256sum | cut -c1-12)
programs=$(svc_cache_dir)/canal-meta-$version-$sum
svc_provision "$programs" build_peer

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
java_peer() {
  "$java_home/bin/java" -Xmx128m -Dfile.encoding=UTF-8 -Djdk.net.hosts.file="$here/hosts" \
    -cp "$here/java:$programs/classes:$programs/lib/*" MetaPeer "$@"
}
grep -v '^#' "$here/cases.txt" >"$work/cases"
mapfile -t destinations < <(cut -f1 "$work/cases" | sort -u)
for d in "${destinations[@]}"; do awk -F'\t' -v d="$d" '$1 == d' "$work/cases"; done >"$work/expected"

failed=0
same() { # WHAT EXPECTED ACTUAL
  if diff -u "$2" "$3"; then echo "ok: $1"; else echo "FAILED: $1"; failed=1; fi
}

java_peer write "$work/java" "$work/cases"
"$tool" dump "$work/java" "${destinations[@]}" >"$work/out"
same "Java wrote, we read" "$work/expected" "$work/out"

"$tool" write "$work/ours" "$work/cases"
java_peer dump "$work/ours" "${destinations[@]}" >"$work/out"
same "we wrote, Java reads" "$work/expected" "$work/out"

for d in "${destinations[@]}"; do same "same bytes: $d" "$work/java/$d/meta.dat" "$work/ours/$d/meta.dat"; done

"$tool" write-oblog "$work/oblog" "$work/cases"
java_peer dump "$work/oblog" "${destinations[@]}" >"$work/out"
same "Java ignores our own member" "$work/expected" "$work/out"

awk -F'\t' -v OFS='\t' '$1 == "shop" { if ($2 == 1001) $5 = 777; print }' "$work/expected" >"$work/moved"
"$tool" save "$work/ours" shop 1001 777
"$tool" dump "$work/ours" shop >"$work/out"
same "a saved cursor needs no flush" "$work/moved" "$work/out"

# Java takes over a directory whose journal is newer than meta.dat: from then on the journal is void.
java_peer touch "$work/ours" shop 1001 888
sed 's/\t777\t/\t888\t/' "$work/moved" >"$work/touched"
"$tool" dump "$work/ours" shop >"$work/out"
same "Java rewrote, we follow" "$work/touched" "$work/out"

# The same in ZooKeeper, which lists clients by their number and has no blank filter. Negative ids are not listed by Java.
zookeeper=$here/../../support/services/zookeeper
port=$(svc_free_port)
"$zookeeper/start.sh" --data "$work/zookeeper" --ports "$port" --tick 500
trap '"$zookeeper/stop.sh" --data "$work/zookeeper" --kill; rm -rf "$work"' EXIT
awk -F'\t' '$2 >= 0' "$work/cases" >"$work/zk-cases"
sort -t$'\t' -k1,1 -k2,2n "$work/zk-cases" | awk -F'\t' -v OFS='\t' '$3 == "" { $3 = "-" } { print }' >"$work/zk-expected"
for place in java ours oblog; do "$tool" make "zk:127.0.0.1:$port" "/$place"; done
java_peer write "zk:127.0.0.1:$port/java" "$work/zk-cases"
"$tool" nodes "zk:127.0.0.1:$port/java" /otter >"$work/java-nodes"
"$tool" dump "zk:127.0.0.1:$port/java" "${destinations[@]}" >"$work/out"
same "Java wrote to ZooKeeper, we read" "$work/zk-expected" "$work/out"
"$tool" write "zk:127.0.0.1:$port/ours" "$work/zk-cases"
"$tool" nodes "zk:127.0.0.1:$port/ours" /otter | grep -Ev '/(cluster|epoch)(/|[[:space:]]|$)' >"$work/our-nodes"  # ours alone: who serves, and its term
same "same nodes and bytes in ZooKeeper" "$work/java-nodes" "$work/our-nodes"
java_peer dump "zk:127.0.0.1:$port/ours" "${destinations[@]}" >"$work/out"
same "we wrote to ZooKeeper, Java reads" "$work/zk-expected" "$work/out"
"$tool" write-oblog "zk:127.0.0.1:$port/oblog" "$work/zk-cases"
java_peer dump "zk:127.0.0.1:$port/oblog" "${destinations[@]}" >"$work/out"
same "Java ignores our own member in ZooKeeper" "$work/zk-expected" "$work/out"
exit $failed
