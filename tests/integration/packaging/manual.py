"""Manual pages against the programs: every option of every subcommand, every key that the server reads, and nothing torn."""
import os
import re

import packed
from packed import expect_in, obcanal

OPTION = re.compile(r"(?<![\w-])--?[a-zA-Z][\w-]*")


def page(base, name, section):
    with open("%s/man/man%d/%s.%d" % (base, section, name, section), encoding="utf-8") as file:
        text = file.read()
    if re.search("@[A-Z]+@", text):
        raise RuntimeError("%s.%d: a part of the template is left" % (name, section))
    return text.replace("\\-", "-").replace("\\fR", "").replace("\\fB", "").replace("\\e", "\\")


def helps(program, verbs=()):
    """(verbs, --help) of the program and of each of its subcommands."""
    text = packed.run([program, *verbs, "--help"])
    yield verbs, text
    below = text.split("\nSubcommands:\n")
    if len(below) == 2:
        for name in re.findall(r"^  (\S+)", below[1].split("\n\n")[0], re.M):
            yield from helps(program, (*verbs, name))


def main():
    with obcanal.Scratch("manual") as scratch:
        base = os.path.join(scratch.path, "canal")
        packed.unpack(base)
        options = 0
        for program, section in (("obcanal", 1), ("obcanal-server", 8), ("obcanal-adapter", 8)):
            text = page(base, program, section)
            for verbs, said in helps(os.path.join(base, "bin", program)):
                for line in re.findall(r"^  (-.*?)(?:  |$)", said, re.M):
                    for option in OPTION.findall(line.split(" ")[0]):
                        expect_in("%s %s" % (program, " ".join(verbs)), option, text)
                        options += 1
                if verbs and "\nSubcommands:" not in said:
                    expect_in(program, '.SS "' + " ".join(verbs), text)
        if options < 60:
            raise RuntimeError("only %d options found" % options)
        keys = page(base, "obcanal.properties", 5)
        printed = packed.run([os.path.join(base, "bin/obcanal-server"), "--conf", base + "/conf", "--print-config"])
        names = set(re.findall(r"\b((?:canal|rocketmq|rabbitmq|pulsarmq)\.[\w.]+) *=", printed))
        if len(names) < 50:
            raise RuntimeError("only %d keys in:\n%s" % (len(names), printed))
        for name in names:
            expect_in("obcanal.properties(5)", "\n" + name, keys)
    packed.done()


if __name__ == "__main__":
    main()
