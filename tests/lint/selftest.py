"""selftest.py: the two checks of this folder find what they are there for, in a tree made for that."""
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))

CASES = (
    # file, content, check, what the report must say (None: nothing)
    ("protocol/base/text.h", '#include "protocol/base/bytes.h"\n', "layers", None),
    ("protocol/base/text.h", '#include "server/config/load.h"\n', "layers", "protocol/base may not include server/config"),
    ("protocol/canal/frame.cpp", '#include "protocol/net/stream.h"\n', "layers", "protocol/canal may not include protocol/net"),
    ("protocol/oblog/frame.cpp", "#include <sys/socket.h>\n", "layers", "sans-I/O"),
    ("server/session/session.cpp", "#include <boost/asio/write.hpp>\n", "layers", "belongs to protocol/net"),
    ("server/session/session.cpp", '#include "session.h"\n', "layers", "write it from the root"),
    ("server/extra/new.cpp", "int x;\n", "layers", "not in layers.txt"),
    ("server/meta/store.h", '#include "protocol/canal/entry.pb.h"\n', "layers", "belongs to .cpp files"),
    ("server/main.cpp", "int x;\n", "style", None),
    ("server/main.cpp", "// TO" "DO later\n", "style", "unfinished"),
    ("server/main.cpp", "void f() { sleep_for(1); }\n", "style", "waits by sleeping"),
    ("protocol/base/long.h", "\n" * 251, "style", "more than 250"),
    ("packaging/broken.sh", "if true; then\n", "style", "syntax error"),
    ("tests/broken.py", "def f(:\n", "style", "line 1"),
)


def run(check, tree):
    script = os.path.join(HERE, check + ".py")
    table = [os.path.join(HERE, "layers.txt")] if check == "layers" else []
    return subprocess.run([sys.executable, script] + table + [tree], capture_output=True, text=True)


def main():
    wrong = 0
    for path, content, check, expected in CASES:
        with tempfile.TemporaryDirectory() as tree:
            os.makedirs(os.path.dirname(os.path.join(tree, path)))
            with open(os.path.join(tree, path), "w", encoding="utf-8") as file:
                file.write(content)
            if check == "layers":
                # One include that is right, so that "nothing looked at" is not what fails.
                os.makedirs(os.path.join(tree, "ha"))
                with open(os.path.join(tree, "ha/paths.h"), "w", encoding="utf-8") as file:
                    file.write('#include "protocol/base/text.h"\n')
            done = run(check, tree)
        good = done.returncode == 0 if expected is None else done.returncode == 1 and expected in done.stdout
        if not good:
            wrong += 1
            print("%s with %r: exit %d, expected %r\n%s%s" % (path, content, done.returncode, expected, done.stdout, done.stderr))
    print("cases=%d wrong=%d" % (len(CASES), wrong))
    return 1 if wrong else 0


sys.exit(main())
