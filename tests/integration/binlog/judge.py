"""Compares the entries of ours with those of the real Java Canal for the same log, field by field.

A difference has to be a row of conf/DIFFERENCES.md, and then be what that row says.
"""
import collections
import struct

# Columns whose text Java Canal decodes by the connection's character set instead of their own.
OWN_CHARSET = {"t_latin1", "t_gbk", "t_cs"}


def number(text, kind):
    """The value of a FLOAT (7) or DOUBLE (8)."""
    return struct.pack("<f" if kind == 7 else "<d", float(text))


class Judge:
    def __init__(self, listed):
        self.listed, self.met, self.wrong = listed, collections.Counter(), []

    def differs(self, row):
        if row not in self.listed:
            raise KeyError("%s is no row of DIFFERENCES.md" % row)
        self.met[row] += 1
        return True

    def column(self, table, java, ours):
        """Whether the difference of two columns is one that is listed."""
        if java == ours:
            return True
        if java["isKey"] != ours["isKey"] and table == "d1":  # its primary key was dropped
            return self.differs("table-history") and self.column(table, dict(java, isKey=ours["isKey"]), ours)
        rest = {k: v for k, v in java.items() if k not in ("sqlType", "value", "mysqlType")}
        if rest != {k: v for k, v in ours.items() if k not in ("sqlType", "value", "mysqlType")}:
            return False
        if java["mysqlType"] != ours["mysqlType"]:
            return table == "t_gen" and self.differs("ddl-understood") and self.column(
                table, dict(java, mysqlType=ours["mysqlType"]), ours)
        kinds = java["sqlType"], ours["sqlType"]
        text, mine = java.get("value"), ours.get("value")
        if kinds == (2004, 2005):
            return self.differs("text-is-text")
        if ours["sqlType"] == 2004 and kinds[0] != 2004:
            return self.differs("binary-charset")
        if kinds[0] == kinds[1] and (table in OWN_CHARSET or "\ufffd" in (text or "")):
            return self.differs("own-charset")
        if kinds[0] == kinds[1] and kinds[0] in (7, 8) and text and mine and number(text, kinds[0]) == number(mine, kinds[0]):
            return self.differs("shortest-float")
        return False

    def entry(self, java, ours):
        java, ours = dict(java), dict(ours)
        java.pop("rawBase64", None)
        ours.pop("rawBase64", None)
        if java == ours:
            return True
        change, mine = java.get("rowChange"), ours.get("rowChange")
        if change is None or mine is None:
            return False
        if change.get("isDdl") and change["sql"] == mine["sql"] and change["eventType"] == "QUERY":
            return self.differs("ddl-understood")
        if java["header"] != ours["header"]:
            return False
        if {k: v for k, v in change.items() if k != "rowDatas"} != {k: v for k, v in mine.items() if k != "rowDatas"}:
            return False
        if len(change["rowDatas"]) != len(mine["rowDatas"]):
            return False
        table = java["header"]["tableName"]
        for theirs, row in zip(change["rowDatas"], mine["rowDatas"]):
            for side in ("beforeColumns", "afterColumns"):
                if len(theirs[side]) != len(row[side]):
                    return False
                if not all(self.column(table, a, b) for a, b in zip(theirs[side], row[side])):
                    return False
        return True


def compare(java, ours, differences):
    with open(differences, encoding="utf-8") as file:
        listed = {line.split("|")[1].strip() for line in file if line.startswith("|")}
    judge = Judge(listed)
    for number, (theirs, mine) in enumerate(zip(java, ours)):
        if not judge.entry(theirs, mine):
            judge.wrong.append("entry %d:\n  java %.1500r\n  ours %.1500r" % (number, theirs, mine))
    for text in judge.wrong[:10]:
        print(text)
    for row, count in sorted(judge.met.items()):
        print("difference %-20s %6d times" % (row, count))
    print("entries: java %d, ours %d, wrong %d" % (len(java), len(ours), len(judge.wrong)))
    if judge.wrong or len(java) != len(ours) or not ours:
        raise SystemExit("not what the Java server sends")
