#!/usr/bin/env bash
# run.sh [options of end_to_end.py]: builds the release preset and prints all figures: the row path's micro figures with their
# ratio to the protobuf library in the same run, then the whole server on a million rows. Nothing else should run meanwhile.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
mkdir -p build
cmake --preset release >build/release.log 2>&1 || { cat build/release.log; exit 1; }
cmake --build --preset release --target obcanal-server obcanal obcanal-adapter bench_micro bench_oblog bench_binlog bench_sql_rows -- -j"$(nproc)"
export OBCANAL_BIN=$PWD/build/release/bin OBCANAL_FIXTURES=$PWD/build/release/fixtures
build/release/bin/bench_micro
build/release/bin/bench_oblog
build/release/bin/bench_binlog
python3 tests/bench/end_to_end.py "$@"
# The binlog source beside the real Java Canal; its services come from tests/support.
case " $* " in *" --no-java "*) ;; *) python3 tests/bench/beside_java.py ;; esac
python3 tests/bench/adapter.py
