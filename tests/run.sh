#!/usr/bin/env bash
# run.sh [--no-install] [--replace] [PART...]: installs what the tests need, builds, and runs suites through ctest.
#
# PART  unit lint java server services fault   suites of the dev build, by ctest label
#       packages                        the .deb, the tarball and the image, from the release build; needs root
#       default                         all of those (what runs without a PART)
#       asan                            the same suites under the address and undefined behaviour sanitizers
#       tsan                            concurrency and fault tests, and served sessions, under the thread sanitizer
#       fuzz                            every libFuzzer target for OBCANAL_FUZZ_SECONDS (60) seconds
#       all                             default, asan, tsan and fuzz
# Exit status: 0 when every part passed. Each part ends with ctest's own closing lines.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. packaging/packages.sh

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; }

install=1 parts=()
while [ $# -gt 0 ]; do
  case $1 in
    --no-install) install=0 ;;
    --replace) export OBCANAL_REPLACE=1 ;;
    -h | --help) usage; exit 0 ;;
    unit | lint | java | server | services | fault | packages | asan | tsan | fuzz) parts+=("$1") ;;
    default) parts+=(unit lint java server services fault packages) ;;
    all) parts+=(unit lint java server services fault packages asan tsan fuzz) ;;
    *) echo "unknown part: $1" >&2; usage >&2; exit 2 ;;
  esac
  shift
done
[ "${#parts[@]}" -gt 0 ] || parts=(unit lint java server services fault packages)
[ "$install" = 0 ] || install_packages build test demo

jobs=$(nproc)
rm -f build/*.test.log
build() { # PRESET [TARGET...]
  local preset=$1 targets=() target
  shift
  for target in "$@"; do targets+=(--target "$target"); done
  echo "== build $preset"
  mkdir -p build
  cmake --preset "$preset" >"build/$preset.log" 2>&1 || { cat "build/$preset.log"; return 1; }
  cmake --build --preset "$preset" "${targets[@]}" -- -j"$jobs"
}
run() { # PRESET CTEST-ARGUMENTS...
  local preset=$1
  shift
  echo "== test $preset"
  ctest --test-dir "build/$preset" --output-on-failure --no-tests=error -j"$jobs" "$@" | tee "build/$preset.test.log"
}

labels=''
failed=()
for part in "${parts[@]}"; do
  case $part in packages | asan | tsan | fuzz) ;; *) labels+="${labels:+|}$part" ;; esac
done
if [ -n "$labels" ]; then
  # While the compilers run. What can't be had fails the tests that need it.
  fetching=''
  case $labels in *java* | *services* | *fault*) mkdir -p build; tests/support/fetch.sh >build/fetch.log 2>&1 & fetching=$! ;; esac
  built=0
  build dev || built=1
  [ -z "$fetching" ] || wait "$fetching" || { echo "not all services could be fetched:"; tail -n 40 build/fetch.log; }
  { [ "$built" = 0 ] && run dev -L "^($labels)\$"; } || failed+=("dev ($labels)")
fi
for part in "${parts[@]}"; do
  case $part in
    packages) { build release packages && run release -L '^packages$'; } || failed+=(packages) ;;
    asan) { build asan && run asan -LE '^lint$'; } || failed+=(asan) ;;
    tsan) { build tsan tsan_tests obcanal-server obcanal && run tsan -L '^(tsan|fault)$'; } || failed+=(tsan) ;;
    fuzz) { build fuzz fuzzers && run fuzz -L '^fuzz$'; } || failed+=(fuzz) ;;
  esac
done
if [ "${#failed[@]}" -gt 0 ]; then
  # Again, with how each ended: the parts before the last are far up.
  grep -HE '^ *[0-9]+/[0-9]+ Test .*\*\*\*' build/*.test.log >&2 || true
  echo "FAILED: ${failed[*]}" >&2
  exit 1
fi
echo "passed: ${parts[*]}"
