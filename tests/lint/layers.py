"""layers.py LAYERS.TXT ROOT: every #include of the product's sources against the table of layers.

Prints file:line for each include that the table does not allow; exit 1 when there is one.
"""
import os
import re
import sys

INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')
TOPS = ("protocol", "ha", "server", "adapter")
SANS_IO = ("protocol/canal", "protocol/oblog", "protocol/mysql")
# Bytes in, bytes out: no socket, thread, clock or log.
IO_HEADERS = ("boost/asio", "thread", "mutex", "condition_variable", "future", "sys/socket.h", "netinet/", "unistd.h",
              "protocol/base/log.h", "protocol/base/clock.h")


def read_table(path):
    folders, owners = {}, {}
    for number, line in enumerate(open(path, encoding="utf-8"), 1):
        line = line.split("#", 1)[0].strip()
        if not line:
            continue
        name, _, rest = line.partition(":")
        if name.startswith("<"):
            owners[name.strip("<>")] = rest.split()
            continue
        for other in rest.split():
            if other not in folders:
                sys.exit("%s:%d: %s may include %s, which does not stand above it" % (path, number, name, other))
        folders[name] = set(rest.split())
    return folders, owners


def sources(root):
    for top in TOPS:
        for folder, below, names in os.walk(os.path.join(root, top)):
            below.sort()
            for name in sorted(names):
                if name.endswith((".h", ".cpp", ".cc", ".hpp")):
                    yield os.path.relpath(os.path.join(folder, name), root)


def within(place, path):
    return path.startswith(place + "/") or os.path.splitext(path)[0] == place


def finding(path, quoted, header, folders, owners):
    folder = os.path.dirname(path)
    if folder in SANS_IO and header.startswith(IO_HEADERS):
        return "%s is sans-I/O and includes %s" % (folder, header)
    if quoted:
        target = os.path.dirname(header)
        if target not in folders:
            return "includes %s: write it from the root, and have its folder in layers.txt" % header
        if target != folder and target not in folders[folder]:
            return "%s may not include %s" % (folder, target)
        if header.endswith(".pb.h") and not path.endswith(".cpp"):
            return "%s is included by a header: generated protobuf code belongs to .cpp files" % header
        return None
    for prefix, places in owners.items():
        if header.startswith(prefix) and not any(within(place, path) for place in places):
            return "<%s> belongs to %s" % (header, " ".join(places))
    return None


def main():
    folders, owners = read_table(sys.argv[1])
    root = sys.argv[2]
    includes = wrong = 0
    for path in sources(root):
        if os.path.dirname(path) not in folders:
            wrong += 1
            print("%s: its folder is not in layers.txt" % path)
            continue
        for number, line in enumerate(open(os.path.join(root, path), encoding="utf-8"), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            includes += 1
            what = finding(path, match.group(1) == '"', match.group(2), folders, owners)
            if what:
                wrong += 1
                print("%s:%d: %s" % (path, number, what))
    print("includes=%d wrong=%d" % (includes, wrong))
    return 1 if wrong or not includes else 0


if __name__ == "__main__":
    sys.exit(main())
