#!/usr/bin/env bash
# peer.sh HOST PORT PROTOCOL START_US RECORDS: runs RecordPeer, the published Java log-proxy client (com.oceanbase:oblogclient-logproxy).
# The first run fetches it with Maven and compiles. OBLOGCLIENT_VERSION: default 1.1.2.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export SVC_NAME=oblogclient
# shellcheck source=/dev/null
. "${OBCANAL_SUPPORT:-$here/../../support}/services/lib.sh"
version=${OBLOGCLIENT_VERSION:-1.1.2}
java_home=$(svc_java 8 21) || svc_die "no Java 8..21 found"

build_peer() { # TMPDIR
  mkdir -p "$1/lib" "$1/classes"
  svc_mvn "$here/java/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
    -Dcv="$version" -DoutputDirectory="$1/lib" -DincludeScope=runtime
  "$java_home/bin/javac" -nowarn -Xlint:-options --release 8 -cp "$1/lib/*" -d "$1/classes" "$here"/java/*.java >&2
}
sum=$(cat "$here"/java/*.java "$here/java/pom.xml" | sha256sum | cut -c1-12)
programs=$(svc_cache_dir)/oblogclient-$version-$sum
svc_provision "$programs" build_peer
exec "$java_home/bin/java" -Xmx512m -XX:+UseSerialGC -Dfile.encoding=UTF-8 -cp "$programs/classes:$programs/lib/*" RecordPeer "$@"
