#!/usr/bin/env bash
# run.sh FILTER_TOOL: 100,000 generated (list, name) pairs through Canal's own AviaterRegexFilter and through ours; then
# differences.txt, whose verdicts must be exactly the ones it gives. 0 nothing differs, 1 something does, 77 no Java.
# OBCANAL_SUPPORT: where services/lib.sh lies (default: tests/support of this tree). CANAL_VERSION: default 1.1.7.
# FILTER_SEED: default 20240607.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tool=$(realpath "${1:?path of filter_tool}")
export SVC_NAME=filter-exchange
# shellcheck source=/dev/null
. "${OBCANAL_SUPPORT:-$here/../../support}/services/lib.sh"
version=${CANAL_VERSION:-1.1.7}

java_home=$(svc_java 8 21) || { svc_log "no Java 8..21 found: skipped"; exit 77; }

build_peer() { # TMPDIR
  mkdir -p "$1/lib" "$1/classes"
  svc_mvn "$here/java/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
    -Dcv="$version" -DoutputDirectory="$1/lib" -DincludeScope=runtime
  "$java_home/bin/javac" -nowarn -Xlint:-options --release 8 -cp "$1/lib/*" -d "$1/classes" "$here"/java/*.java >&2
}
sum=$(cat "$here"/java/*.java "$here/java/pom.xml" | sha256sum | cut -c1-12)
programs=$(svc_cache_dir)/canal-filter-$version-$sum
svc_provision "$programs" build_peer

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
java_peer() { "$java_home/bin/java" -Xmx256m -cp "$programs/classes:$programs/lib/*" FilterPeer; }

failed=0
python3 "$here/generate.py" "${FILTER_SEED:-20240607}" 100000 >"$work/pairs"
java_peer <"$work/pairs" >"$work/java"
"$tool" <"$work/pairs" >"$work/ours"
python3 "$here/compare.py" "$work/pairs" "$work/java" "$work/ours" || failed=1

grep -v '^#' "$here/differences.txt" >"$work/listed"
cut -f2,3 "$work/listed" >"$work/pairs"
java_peer <"$work/pairs" >"$work/java"
"$tool" <"$work/pairs" >"$work/ours"
paste <(cut -f1-3 "$work/listed") "$work/java" "$work/ours" >"$work/found"
if diff -u "$work/listed" "$work/found"; then echo "ok: $(wc -l <"$work/listed") listed differences, as listed"
else echo "FAILED: differences.txt does not say what happens"; failed=1; fi
exit $failed
