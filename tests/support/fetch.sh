#!/usr/bin/env bash
# fetch.sh: fetches the larger programs that the suites start, those in the cache at no cost: a slow registry then takes the time
# before the tests instead of the time limits of those that come first. Goes on after a failure, which its exit status tells.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
failed=0
get() { # WHAT START [OPTION...]
  local what=$1 start=$2 begin=$SECONDS
  shift 2
  if "$here/$start/start.sh" --fetch-only "$@" </dev/null; then echo "fetch: $what is there after $((SECONDS - begin)) s"
  else echo "fetch: $what can't be had"; failed=1; fi
}
for version in 5.6 5.7 8.0; do get "MySQL $version" services/mysql --version "$version"; done
get OpenSearch services/elasticsearch --version opensearch
get ZooKeeper services/zookeeper
get "Java Canal" peers/canal-server
exit "$failed"
