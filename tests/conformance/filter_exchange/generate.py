#!/usr/bin/env python3
"""generate.py SEED PAIRS: "list TAB name" lines (percent-encoded), the same for the same seed.

Half of the lists are what people write into canal.instance.filter.regex, half come from the grammar of Perl 5
expressions. The names of a list are made along with it, so that many match, and then damaged, so that many
nearly do. Left out is what stands in differences.txt.
"""
import random
import re
import sys
import urllib.parse

NAMES_PER_LIST = 5
LETTERS = "abcxyz_09AZ"
OTHERS = "-$é中表Ж#@ \t"
# Options taken back, options or comments that end a branch, quantified anchors, \\G, and \\x with an x behind: differences.txt.
DIFFERENT = re.compile(r"\(\?[a-z]*-|\(\?[a-z#]+\)[|)]|\(\?[a-z#]+\)$|[\^$][*+?{]|\\[AZGbB][*+?{]|\)[*+?{]|\\x.?x|\\G")
CLASSES = ["alpha", "digit", "alnum", "space", "upper", "lower", "punct", "word", "xdigit", "print", "graph",
           "cntrl", "blank"]


class Maker:
    """Makes an expression and, along the way, a text that it should match."""

    def __init__(self, rng):
        self.rng = rng
        self.groups = []  # text of each capturing group, None while it is open
        self.may_damage = False

    def word(self):
        return "".join(self.rng.choice(LETTERS) for _ in range(self.rng.randint(1, 5)))

    def character(self):
        return self.rng.choice(LETTERS) if self.rng.random() < 0.85 else self.rng.choice(OTHERS)

    def literal(self):
        c = self.character()
        if c in "$":
            return "\\" + c, c
        if c == "\t":
            return self.rng.choice([("\\t", c), ("\t", c), ("\\x09", c), ("\\011", c)])
        if c.isascii() and self.rng.random() < 0.08:
            return "\\x%02x" % ord(c), c
        if not c.isalnum() and self.rng.random() < 0.3:
            return "\\" + c, c
        return c, c

    def bracket(self):
        negated = self.rng.random() < 0.2
        inside, members = "", ""
        for i in range(self.rng.randint(1, 3)):
            kind = self.rng.random()
            if kind < 0.35:
                low = self.rng.choice("adAD05")
                high = chr(ord(low) + self.rng.randint(1, 4))
                inside += low + "-" + high
                members += chr(self.rng.randint(ord(low), ord(high)))
            elif kind < 0.5:
                cls, member = self.rng.choice([("\\w", "q"), ("\\d", "7"), ("\\s", " "), ("\\W", "-"), ("\\D", "x"),
                                               ("\\S", ".")])
                inside += cls
                members += member
            elif kind < 0.65:
                inside += "[:%s:]" % self.rng.choice(CLASSES)
                members += self.rng.choice("a5-_ ")
            elif i == 0 and kind < 0.72:
                c = self.rng.choice("]-")
                inside += c
                members += c
            else:
                c = self.rng.choice("abz09_.*+?(|)${}#é中")
                inside += c
                members += c
        text = self.rng.choice("mn-.5") if negated else self.rng.choice(members)
        return "[" + ("^" if negated else "") + inside + "]", text

    def atom(self, depth):
        kind = self.rng.random()
        if kind < 0.45:
            return self.literal()
        if kind < 0.55:
            return ".", self.character()
        if kind < 0.63:
            return self.rng.choice([("\\w", "k"), ("\\d", "3"), ("\\s", " "), ("\\W", "-"), ("\\D", "d"), ("\\S", "s"),
                                    ("\\.", "."), ("\\p", "p"), ("\\z", "z"), ("\\Q", "Q"), ("\\-", "-"), ("\\/", "/"),
                                    ("\\_", "_"), ("\\e", "\x1b"), ("\\cb", "\x02"), ("\\a", "\x07")])
        if kind < 0.66:
            return self.rng.choice([("\\b", ""), ("\\B", ""), ("^", ""), ("$", ""), ("\\A", ""), ("\\Z", "")])
        if kind < 0.78:
            return self.bracket()
        closed = [i for i, text in enumerate(self.groups) if text is not None]
        if kind < 0.81 and closed:
            number = self.rng.choice(closed)
            return "\\%d" % (number + 1), self.groups[number]
        if depth > 2:
            return self.literal()
        if kind < 0.84:
            inside, text = self.alternatives(depth + 1)
            return self.rng.choice([("(?=" + inside + ")", ""), ("(?!" + inside + ")", "")])
        if kind < 0.86:
            expression, text = self.literal()
            return self.rng.choice(["(?i)", "(?s)", "(?#no)", "(?is)", "(?i-m)"]) + expression, text
        if kind < 0.93:
            self.groups.append(None)
            number = len(self.groups)
            inside, text = self.alternatives(depth + 1)
            self.groups[number - 1] = text
            return "(" + inside + ")", text
        inside, text = self.alternatives(depth + 1)
        return "(?:" + inside + ")", text

    def repeated(self, depth):
        expression, text = self.atom(depth)
        # Quantified anchors and look-aheads are in differences.txt.
        if self.rng.random() < 0.3 and text != "":
            quantifier, times = self.rng.choice([("*", 0), ("*", 2), ("+", 1), ("+", 3), ("?", 0), ("?", 1), ("{2}", 2),
                                                 ("{1,3}", 2), ("{2,}", 4), ("{0,1}", 1), ("{0}", 0)])
            lazy = self.rng.choice(["", "", "", "?"])
            return expression + quantifier + lazy, text * times
        return expression, text

    def branch(self, depth):
        parts = [self.repeated(depth) for _ in range(self.rng.randint(1, 4))]
        return "".join(p[0] for p in parts), "".join(p[1] for p in parts)

    def alternatives(self, depth):
        branches = [self.branch(depth) for _ in range(self.rng.choice([1, 1, 1, 2, 2, 3]))]
        return "|".join(b[0] for b in branches), self.rng.choice(branches)[1]

    def damaged_expression(self, expression):
        at = self.rng.randint(0, len(expression))
        damaged = expression[:at] + self.rng.choice("()[]{}*+?|\\^$.,-") + expression[at:]
        return expression if DIFFERENT.search(damaged) else damaged

    def usual(self):
        schema, table = self.word(), self.word()
        return self.rng.choice([
            (".*", schema + "." + table),
            (".*\\..*", schema + "." + table),
            (schema + "\\..*", schema + "." + table),
            (schema + "\\." + table, schema + "." + table),
            (schema + "." + table, schema + "." + table),
            (schema + ".*\\." + table + ".*", schema + "_1." + table + "_2"),
            (schema + "\\." + table + "_\\d+", schema + "." + table + "_17"),
            (schema + "\\." + table + "_[0-9]{1,2}", schema + "." + table + "_4"),
            (schema + "\\.(" + table + "|other)", schema + "." + table),
            (schema + "\\.(?!tmp_).*", schema + "." + table),
            (schema + "\\.(?!" + table + ")\\w+", schema + ".q" + table),
            ("(" + schema + "|b)\\.(" + table + "|t)$", schema + "." + table),
            (schema + "\\." + table + "|b\\.t", "b.t"),
            ("[" + schema + "]+\\.\\w*", schema[0] + "." + table),
            (" " + schema + "\\." + table, schema + "." + table),
            (schema + "\\.表_.*", schema + ".表_" + table),
            ("*", schema + "." + table),
            ("*.*", schema + "." + table),
            (schema, schema),
        ])

    def item(self):
        self.groups = []
        if self.rng.random() < 0.5:
            return self.usual()
        expression, text = self.alternatives(0)
        if self.may_damage and self.rng.random() < 0.08:
            expression = self.damaged_expression(expression)
        return expression, text


def splits_at_every_comma(text):
    """Canal 1.1.7 splits there; later versions leave commas inside of any kind of bracket alone."""
    depth = {"(": 0, "[": 0, "{": 0}
    opening = {")": "(", "]": "[", "}": "{"}
    i = 0
    while i < len(text):
        if text[i] == "\\":
            i += 1
            if text[i : i + 1] == ",":
                return False
        elif text[i] in depth:
            depth[text[i]] += 1
        elif text[i] in opening:
            depth[opening[text[i]]] = max(0, depth[opening[text[i]]] - 1)
        elif text[i] == "," and any(depth.values()):
            return False
        i += 1
    return True


def damaged_name(rng, name):
    kind = rng.randint(0, 4)
    at = rng.randint(0, max(0, len(name) - 1))
    if kind == 0:
        return name[:at] + name[at + 1 :]
    if kind == 1:
        return name[:at] + rng.choice(LETTERS + OTHERS + ".\n") + name[at:]
    if kind == 2:
        return name.swapcase()
    if kind == 3:
        return name + rng.choice(LETTERS + "\n.")
    return name[:at] + rng.choice(LETTERS + ".") + name[at + 1 :]


def main():
    rng = random.Random(int(sys.argv[1]))
    pairs = int(sys.argv[2])
    made = 0
    while made < pairs:
        maker = Maker(rng)
        count = rng.choice([1, 1, 1, 2, 3])
        maker.may_damage = count == 1  # Canal joins the items, so one can close what another one opens
        items = [maker.item() for _ in range(count)]
        expressions = [item[0] for item in items]
        # A back reference behind an item with groups of its own counts differently: differences.txt.
        if len(items) > 1 and any(c in e for e in expressions for c in ("\\1", "\\2", "\\3", "\\4")):
            continue
        separator = rng.choice([",", ",", ",", ",,"])
        text = separator.join(expressions)
        if any("," in e for e in expressions) or not splits_at_every_comma(text):
            continue
        names = [item[1] for item in items][:2]
        while len(names) < NAMES_PER_LIST:
            names.append(damaged_name(rng, rng.choice(names)) if rng.random() < 0.85 else maker.word() + "." + maker.word())
        for name in names[:NAMES_PER_LIST]:
            if not name:
                continue
            print(urllib.parse.quote(text, safe="") + "\t" + urllib.parse.quote(name, safe=""))
            made += 1


main()
