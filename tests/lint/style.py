"""style.py ROOT: what a reader can't be asked to check by eye.

Headers up to 250 lines and sources up to 600, no unfinished places, every C++ file as clang-format 18 writes it (when that
version is installed), scripts that their interpreters accept, no test that is skipped or tried again in silence.
Prints one line per finding; exit 1 when there is one.
"""
import ast
import os
import re
import shutil
import subprocess
import sys

LIMITS = {".h": 250, ".cpp": 600}
SKIPPED_FOLDERS = {".git", "build", "__pycache__", ".cache"}
# Programs and scripts of other makers, kept as they are.
FOREIGN = ("tests/support/peers", "tests/support/services", "tests/support/tools")
UNFINISHED = re.compile(r"\b(%s)\b" % "|".join(("TO" "DO", "FIX" "ME", "XX" "X", "HA" "CK", "not imple" "mented")))
SKIPPED_TESTS = re.compile("GTEST_" "SKIP|DIS" "ABLED_|until-" "pass")
SLEEPS = re.compile(r"\b(sleep_for|sleep_until|usleep|nanosleep)\b")
PRODUCT = ("protocol/", "server/", "adapter/", "ha/")
TEXT = (".h", ".cpp", ".py", ".sh", ".cmake", ".txt", ".md", ".proto", ".java", ".yml", ".properties", ".json")


def files(root):
    for folder, below, names in os.walk(root):
        below[:] = sorted(d for d in below if d not in SKIPPED_FOLDERS)
        for name in sorted(names):
            yield os.path.relpath(os.path.join(folder, name), root)


def check_text(path, text):
    lines = text.count("\n")
    ending = os.path.splitext(path)[1]
    if lines > LIMITS.get(ending, lines):
        yield "%d lines: more than %d" % (lines, LIMITS[ending])
    for number, line in enumerate(text.splitlines(), 1):
        if UNFINISHED.search(line):
            yield "line %d: unfinished: %s" % (number, line.strip())
        if SKIPPED_TESTS.search(line):
            yield "line %d: a test that may not run: %s" % (number, line.strip())
        if path.startswith(PRODUCT) and SLEEPS.search(line):
            yield "line %d: waits by sleeping: %s" % (number, line.strip())


def check_script(root, path, text):
    full = os.path.join(root, path)
    if path.endswith(".py"):
        try:
            ast.parse(text, path)
        except SyntaxError as error:
            yield "line %s: %s" % (error.lineno, error.msg)
    elif path.endswith(".sh") or text.startswith(("#!/usr/bin/env bash", "#!/bin/bash")):
        done = subprocess.run(["bash", "-n", full], capture_output=True, text=True)
        if done.returncode:
            yield done.stderr.strip()
        if text.startswith("#!") and not os.access(full, os.X_OK):
            yield "has no run bit"


def clang_format():
    program = shutil.which("clang-format-18") or shutil.which("clang-format")
    if not program:
        return None
    version = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    return program if " 18." in version else None


def check_format(root, paths, program):
    done = subprocess.run([program, "-n", "-Werror"] + paths, cwd=root, capture_output=True, text=True)
    for line in done.stderr.splitlines():
        if ": error:" in line:
            yield line


def main():
    root = sys.argv[1]
    found, looked_at, cpp = [], 0, []
    for path in files(root):
        if not path.endswith(TEXT) and not path.startswith(".ci/"):
            continue
        with open(os.path.join(root, path), encoding="utf-8") as file:
            text = file.read()
        looked_at += 1
        findings = list(check_script(root, path, text))
        if not path.startswith(FOREIGN):
            findings += check_text(path, text)
            if path.endswith((".h", ".cpp")):
                cpp.append(path)
        found += ["%s: %s" % (path, what) for what in findings]
    program = clang_format()
    if program and cpp:
        found += check_format(root, cpp, program)
    for line in found:
        print(line)
    print("files=%d cpp=%d findings=%d%s" % (
        looked_at, len(cpp), len(found), "" if program else " (clang-format 18 is not installed: format not checked)"))
    return 1 if found or not looked_at else 0


if __name__ == "__main__":
    sys.exit(main())
