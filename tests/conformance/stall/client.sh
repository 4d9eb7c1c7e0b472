#!/usr/bin/env bash
# client.sh PORT CYCLES: runs StallClient with the published canal.client.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
support=$here/../../support
export SVC_NAME=stall-client
# shellcheck source=/dev/null
. "$support/services/lib.sh"
version=${CANAL_VERSION:-1.1.8}
pom=$support/peers/canal-client-java/pom.xml

build_client() { # TMPDIR
  mkdir -p "$1/lib" "$1/classes"
  svc_mvn "$pom" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
    -Dcv="$version" -DoutputDirectory="$1/lib" -DincludeScope=runtime
  javac -nowarn -Xlint:-options --release 8 -cp "$1/lib/*" -d "$1/classes" "$here"/*.java >&2
}
sum=$(cat "$here"/*.java "$pom" | sha256sum | cut -c1-12)
programs=$(svc_cache_dir)/stall-client-$version-$sum
svc_provision "$programs" build_client
exec java -Xmx128m -XX:+UseSerialGC -cp "$support/peers/canal-client-java/conf:$programs/classes:$programs/lib/*" StallClient "$@"
