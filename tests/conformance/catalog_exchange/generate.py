#!/usr/bin/env python3
"""generate.py SEED STATEMENTS: random DDL for a few tables, one statement a line, the same for the same seed.

A statement that does not fit the tables as they are is refused by the server and so never reaches its log. Every
25 statements, and at the end, a check point: a DROP TABLE that the log keeps, and what information_schema says.
"""
import random
import sys

SCHEMAS = ["s1", "s2"]
TABLES = ["t%d" % i for i in range(5)]
COLUMNS = ["c%d" % i for i in range(9)] + ["`odd, na``me`", "`key`"]
CHARSETS = ["utf8mb4", "latin1", "gbk", "utf8mb3", "ascii"]
STATE = """select concat_ws('|', c.table_schema, c.table_name, c.ordinal_position, c.column_name,
if((select count(*) from information_schema.statistics s where s.table_schema=c.table_schema and s.table_name=c.table_name
and s.index_name='PRIMARY' and s.column_name=c.column_name) > 0, 'key', ''),
if(c.is_nullable='YES', 'null', ''), ifnull(c.character_set_name, ''), if(c.column_type like '%unsigned%', 'unsigned', ''),
if(c.data_type in ('enum','set'), c.column_type, '')) from information_schema.columns c
where c.table_schema in ('s1','s2') order by binary c.table_schema, binary c.table_name, c.ordinal_position;""".replace("\n", " ")


class Maker:
    def __init__(self, rng):
        self.rng = rng

    def pick(self, *choices):
        return self.rng.choice(choices)

    def maybe(self, text, chance=0.3):
        return text if self.rng.random() < chance else ""

    def table(self):
        name = self.rng.choice(TABLES)
        if self.rng.random() < 0.3:
            name = "`%s`" % name
        return self.rng.choice(SCHEMAS) + "." + name if self.rng.random() < 0.4 else name

    def column(self):
        return self.rng.choice(COLUMNS)

    def charset(self):
        return self.pick(" character set ", " CHARSET ") + self.rng.choice(CHARSETS)

    def type(self):
        kind = self.rng.randint(0, 9)
        if kind < 3:
            return self.pick("INT", "int(11)", "BIGINT", "smallint", "TINYINT(1)", "mediumint( 7 )", "INTEGER", "bool",
                             "decimal(10,2)", "NUMERIC( 12 , 4 )", "float", "DOUBLE PRECISION", "double(8,3)") + self.maybe(
                                 self.pick(" unsigned", " UNSIGNED ZEROFILL", " zerofill"), 0.3)
        if kind < 6:
            return self.pick("varchar(20)", "CHAR(5)", "text", "TINYTEXT", "VARCHAR ( 30 )", "character varying(9)",
                             "mediumtext") + self.maybe(self.charset())
        if kind < 7:
            return self.pick("national varchar(4)", "nchar(3)", "char(3) byte", "varchar(3) collate latin1_bin",
                             "char(4) collate utf8mb4_general_ci", "varchar(5) ascii")
        if kind < 8:
            members = self.rng.sample(["'a'", "'b,c'", "'it''s'", "'(x)'", "'back\\\\slash'", '"dq"', "'sp ace'"], self.rng.randint(1, 4))
            return self.pick("enum", "SET") + "(" + self.pick(", ", ",").join(members) + ")" + self.maybe(self.charset(), 0.2)
        if kind < 9:
            return self.pick("datetime(3)", "DATE", "time", "year", "datetime default now()", "datetime on update now()")
        return self.pick("blob", "varbinary(10)", "BINARY(3)", "bit(5)", "geometry", "longblob")

    def attributes(self, type_text):
        out = self.maybe(self.pick(" not null", " NULL", " NOT NULL COMMENT 'x, y)'", " COMMENT 'first after'"), 0.4)
        number = type_text[:3].lower() in ("int", "big", "sma", "med", "tin", "dec", "num", "flo", "dou") and "text" not in type_text.lower()
        if number and "blob" not in type_text:
            out += self.maybe(self.pick(" default 0", " DEFAULT -1", " default (1+1)", " default '5'"), 0.2)
        return out

    def definition(self, name=None, key=True):
        type_text = self.type()
        text = (name or self.column()) + " " + type_text + self.attributes(type_text)
        if key:
            text += self.maybe(self.pick(" primary key", " unique", " unique key", " key"), 0.06)
        return text

    def position(self):
        return self.maybe(self.pick(" first", " after " + self.column(), " AFTER " + self.column()), 0.3)

    def key_columns(self):
        return "(" + ", ".join(self.rng.sample(COLUMNS[:6], self.rng.randint(1, 2))) + ")"

    def constraint(self):
        return self.pick("primary key", "constraint pk primary key", "unique", "unique key u%d" % self.rng.randint(0, 5), "index",
                         "key k%d" % self.rng.randint(0, 5)) + " " + self.key_columns()

    def create(self):
        columns = self.rng.sample(COLUMNS, self.rng.randint(1, 6))
        elements = [self.definition(c) for c in columns]
        if self.rng.random() < 0.5:
            elements.append("primary key (" + ", ".join(self.rng.sample(columns, self.rng.randint(1, min(2, len(columns))))) + ")")
        if self.rng.random() < 0.2:
            elements.append("key (" + columns[0] + ")")
        if self.rng.random() < 0.1 and len(columns) > 1:
            elements.append("check (" + columns[0] + " is not null)")
        return ("create " + "table " + self.maybe("if not exists ") + self.table() + self.maybe(" ", 0.5) + "("
                + self.pick(", ", ",").join(elements) + ")"
                + self.maybe(self.pick(" engine=innodb", " comment 'charset=gbk'", " row_format=dynamic"))
                + self.maybe(self.pick(" default charset=", " character set ", " charset ") + self.rng.choice(CHARSETS), 0.4))

    def item(self):
        kind = self.rng.randint(0, 19)
        if kind < 6:
            return "add " + self.maybe("column ", 0.5) + self.definition() + self.position()
        if kind < 7:
            return "add column (" + ", ".join(self.definition(key=False) for _ in range(2)) + ")"
        if kind < 9:
            return "drop " + self.maybe("column ", 0.5) + self.column()
        if kind < 12:
            return "modify " + self.maybe("column ", 0.5) + self.definition() + self.position()
        if kind < 14:
            return "change " + self.maybe("column ", 0.5) + self.column() + " " + self.definition() + self.position()
        if kind < 15:
            return "rename column " + self.column() + " to " + self.column()
        if kind < 16:
            return "add " + self.constraint()
        if kind < 17:
            return self.pick("drop primary key", "drop index k1", "drop key u1")
        if kind < 18:
            return "rename " + self.pick("to ", "as ", "") + self.table()
        return self.pick("convert to character set " + self.rng.choice(CHARSETS), "default charset = " + self.rng.choice(CHARSETS),
                         "engine=innodb", "comment='add c1 int'", "alter " + self.column() + " drop default",
                         "force", "charset " + self.rng.choice(CHARSETS) + " comment 'y'", "order by " + self.column())

    def alter(self):
        items = [self.item() for _ in range(self.pick(1, 1, 1, 2, 2, 3))]
        return "alter table " + self.table() + " " + self.pick(", ", ",").join(items)

    def statement(self):
        kind = self.rng.randint(0, 99)
        if kind < 22:
            return self.create()
        if kind < 74:
            return self.alter()
        if kind < 79:
            return "drop table " + self.maybe("if exists ") + self.table() + self.maybe(", " + self.table(), 0.2)
        if kind < 84:
            return "rename table " + self.table() + " to " + self.table() + self.maybe(", " + self.table() + " to " + self.table(), 0.4)
        if kind < 87:
            a, b = self.table(), self.table()
            return "rename table %s to x1, %s to %s, x1 to %s" % (a, b, a, b)
        if kind < 90:
            return "create table " + self.table() + self.pick(" like ", " (like ") + self.table()
        if kind < 92:
            return "create table " + self.table() + " as select * from " + self.table()
        if kind < 94:
            return self.pick("create index i on ", "create unique index i on ") + self.table() + " " + self.key_columns()
        if kind < 95:
            return self.pick("drop index i on ", "drop index `PRIMARY` on ") + self.table()
        if kind < 97:
            return "alter database " + self.rng.choice(SCHEMAS) + " character set " + self.rng.choice(CHARSETS)
        if kind < 98:
            return self.pick("truncate table ", "truncate ") + self.table()
        if kind < 99:
            return "insert into " + self.table() + " () values ()"
        return "create temporary table " + self.table() + " (c1 int)"


def main():
    maker = Maker(random.Random(int(sys.argv[1])))
    print("create database s1 character set latin1;")
    print("create database s2;")
    print("use s1;")
    total = int(sys.argv[2])
    for number in range(1, total + 1):
        statement = maker.statement().rstrip()
        if statement.count("(like ") == 1:
            statement += ")"
        print(statement + ";")
        if statement.startswith("create temporary"):
            print("drop temporary table if exists %s;" % statement.split()[3])
        if number % 40 == 0:
            print("use %s;" % maker.rng.choice(SCHEMAS))
        if number % 25 == 0 or number == total:
            print("drop table if exists checkpoint_%d;" % number)
            print("select 'checkpoint %d';" % number)
            print(STATE)


main()
