"""program_page.py TEMPLATE PAGE VERSION PROGRAM: a manual page from a template and what the program says about itself.

@OPTIONS@ in the template becomes the program's options, and a subsection for each of its subcommands, as --help has them;
@VERSION@ the version. So a page can't be behind its program.
"""
import os
import re
import subprocess
import sys

TERM = re.compile(r"^  (\S.*?)(?:\s{2,}(\S.*))?$")
MORE = re.compile(r"^\s{20,}(\S.*)$")
VALUE = re.compile(r"^(?P<type>HOST:PORT|[^\s:=]+)(?::(?P<check>.+?))?(?:=(?P<default>.*?))?"
                   r"(?P<many> \.\.\.)?(?P<required> REQUIRED)?(?: \(Env:(?P<env>\w+)\))?$")
RANGE = re.compile(r"in \[(\S+) - (\S+)\]$")
ENDLESS = "1e+09"


def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text.startswith((".", "'")) else text


def sentence(text):
    """With a capital, unless it begins with a value's name."""
    return text if re.match(r"\w+[:=]", text) else text[:1].upper() + text[1:]


class Help:
    """One --help: groups of (term, text), the names of subcommands, and the words around them."""

    def __init__(self, program, verbs):
        said = subprocess.run([program, *verbs, "--help"], stdout=subprocess.PIPE, check=True, text=True).stdout
        self.verbs, self.groups, self.footer = verbs, [], []
        self.about, usage, *lines = said.split("\n")
        self.usage = usage.split(" ", 2)[2].split("[OPTIONS]", 1)[-1].strip()
        for line in lines:
            term, more = TERM.match(line), MORE.match(line)
            if re.match(r"^\S.*:$", line):
                self.groups.append((line[:-1], []))
            elif more and self.groups:
                name, text = self.groups[-1][1][-1]
                self.groups[-1][1][-1] = (name, (text + " " + more.group(1)).strip())
            elif term and self.groups:
                self.groups[-1][1].append((term.group(1), term.group(2) or ""))
            elif line.strip():
                self.footer.append(line.strip())

    def subcommands(self):
        return [name for title, entries in self.groups if title == "Subcommands" for name, _ in entries]


def entry(term, text):
    """An option or argument: its name, its kind of value, and in words what CLI11 puts into signs."""
    name, _, rest = term.partition(" ")
    value = VALUE.match(rest) if rest else None
    if rest and not value:
        sys.exit("can't read the help of %s: %r" % (name, rest))
    notes, shown = [], "\\fB%s\\fR" % roff(name)
    if value:
        shown += " \\fI%s\\fR" % roff(value["type"] + (value["many"] or ""))
        check = value["check"] or ""
        limits = RANGE.search(check)
        if check.startswith("{"):
            notes.append("One of " + check.strip("{}").replace(",", ", "))
        elif limits:
            notes.append("At least %s" % limits[1] if limits[2] == ENDLESS else "From %s to %s" % limits.groups())
        if value["default"]:
            notes.append("Default: " + value["default"])
        if value["required"]:
            notes.append("Required")
        if value["env"]:
            notes.append("Also from the environment: " + value["env"])
    text = ". ".join([sentence(text)] + notes) + "."
    return [".TP", shown, roff(text)]


def section(program, verbs):
    help_text = Help(program, verbs)
    below = help_text.subcommands()
    lines = []
    if verbs and not below:
        lines += [".SS \"%s\"" % roff(" ".join(verbs + [help_text.usage]).strip())]
        lines += [roff(sentence(help_text.about) + ".")]
    if not verbs or not below:
        for title, entries in help_text.groups:
            entries = [e for e in entries if not (verbs and e[0] == "-h,--help")]
            if title == "Subcommands" or not entries:
                continue
            if title not in ("Options", "Positionals"):
                lines += [".PP", roff(title) + ":"]
            for term, text in entries:
                lines += entry(term, text)
        if verbs:
            for line in help_text.footer:
                if not line.startswith("Exit status"):
                    lines += [".PP", roff(line)]
    for name in below:
        lines += section(program, verbs + [name])
    return lines


def main():
    template, page, version, program = sys.argv[1:]
    with open(template, encoding="utf-8") as file:
        text = file.read()
    if text.count("@OPTIONS@\n") != 1:
        sys.exit("%s: one line @OPTIONS@ is needed" % template)
    text = text.replace("@VERSION@", version).replace("@OPTIONS@\n", "\n".join(section(program, [])) + "\n")
    os.makedirs(os.path.dirname(page), exist_ok=True)
    with open(page, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main()
