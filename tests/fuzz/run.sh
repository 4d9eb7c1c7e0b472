#!/usr/bin/env bash
# run.sh PROGRAM CORPUS: fuzzes for OBCANAL_FUZZ_SECONDS (60), starting from CORPUS, which stays as it is.
# What a run finds is left in the current directory as crash-*, oom-* or timeout-*.
set -euo pipefail
program=$1 corpus=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# libFuzzer adds what it discovers to its first directory.
"$program" -max_total_time="${OBCANAL_FUZZ_SECONDS:-60}" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
  -artifact_prefix="$PWD/" "$scratch" "$corpus"
