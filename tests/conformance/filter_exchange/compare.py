#!/usr/bin/env python3
"""compare.py PAIRS JAVA OURS: counts, and every pair on which the two differ; 1 if there is one.

X (ORO itself failed while matching: it overflows on repeated groups that can be empty) is no verdict to compare with,
and L is ours where it has given up: both are filter-limits in conf/DIFFERENCES.md, and must stay rare.
"""
import collections
import sys
import urllib.parse

pairs, java, ours = ([line.rstrip("\n") for line in open(path, encoding="utf-8")] for path in sys.argv[1:4])
if not len(pairs) == len(java) == len(ours):
    sys.exit("FAILED: %d pairs, %d verdicts of Canal, %d of ours" % (len(pairs), len(java), len(ours)))
counts = collections.Counter(java)
given_up = ours.count("L")
print("pairs=%d distinct=%d match=%d no_match=%d refused=%d oro_failed=%d given_up=%d"
      % (len(pairs), len(set(pairs)), counts["1"], counts["0"], counts["E"], counts["X"], given_up))
if min(counts["0"], counts["1"]) < len(pairs) // 4 or counts["E"] < len(pairs) // 1000 or counts["X"] + given_up > len(pairs) // 1000:
    sys.exit("FAILED: the pairs are too one-sided to say anything")
different = [row for row in zip(pairs, java, ours) if row[1] not in ("X", row[2]) and row[2] != "L"]
for pair, theirs, own in different[:50]:
    print("different: %s Canal=%s ours=%s" % (" ".join(map(repr, map(urllib.parse.unquote, pair.split("\t")))), theirs, own))
print("differences=%d" % len(different))
sys.exit(1 if different else 0)
