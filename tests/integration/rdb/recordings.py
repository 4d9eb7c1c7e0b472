"""recordings.py TARGET: what an OceanBase log had, recorded, through `obcanal logproxy serve`, obcanal-server and obcanal-adapter into TARGET
(mariadb, 5.7, 8.0, seekdb, postgres): the shop workload and its schema changes mirrored, the matrix of types mapped. Every table has the
values that were put into the recording.
"""
import json
import os
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from rdb_run import Adapter, MysqlFamily, Postgres, obcanal  # noqa: E402

# Column: (MySQL's type, PostgreSQL's). Text and bytes are compared as HEX of what they are.
TYPES = {
    "id": ("bigint PRIMARY KEY", "bigint PRIMARY KEY"), "c_tinyint": ("tinyint", "smallint"), "c_tinyint_u": ("tinyint unsigned", "smallint"),
    "c_bool": ("tinyint(1)", "smallint"), "c_smallint": ("smallint", "smallint"), "c_smallint_u": ("smallint unsigned", "integer"),
    "c_mediumint": ("mediumint", "integer"), "c_mediumint_u": ("mediumint unsigned", "integer"), "c_int": ("int", "integer"),
    "c_int_u": ("int unsigned", "bigint"), "c_bigint": ("bigint", "bigint"), "c_bigint_u": ("bigint unsigned", "numeric(20)"),
    "c_decimal": ("decimal(65,30)", "numeric(65,30)"), "c_decimal_u": ("decimal(20,4)", "numeric(20,4)"),
    "c_decimal0": ("decimal(10,0)", "numeric(10,0)"), "c_float": ("float", "real"), "c_double": ("double", "double precision"),
    "c_bit1": ("bit(1)", "bit(1)"), "c_bit64": ("bit(64)", "bit(64)"), "c_date": ("date", "date"), "c_time": ("time", "interval(0)"),
    "c_time6": ("time(6)", "interval(6)"), "c_datetime": ("datetime", "timestamp(0)"), "c_datetime3": ("datetime(3)", "timestamp(3)"),
    "c_datetime6": ("datetime(6)", "timestamp(6)"), "c_timestamp": ("timestamp NULL", "timestamp(0)"),
    "c_timestamp6": ("timestamp(6) NULL", "timestamp(6)"), "c_year": ("year", "smallint"), "c_char": ("char(10)", "varchar(10)"),
    "c_varchar": ("varchar(255)", "varchar(255)"), "c_binary": ("binary(8)", "bytea"), "c_varbinary": ("varbinary(512)", "bytea"),
    "c_tinytext": ("tinytext", "text"), "c_text": ("text", "text"), "c_mediumtext": ("mediumtext", "text"), "c_longtext": ("longtext", "text"),
    "c_tinyblob": ("tinyblob", "bytea"), "c_blob": ("blob", "bytea"), "c_mediumblob": ("mediumblob", "bytea"), "c_longblob": ("longblob", "bytea"),
    "c_enum": ("enum('red','green','蓝')", "text"), "c_set": ("set('a','b','c','d')", "text"), "c_json": ("json", "json"),
    "c_geometry": ("geometry", "bytea"),
}


def wkb(text):
    """Of the recording's geometries: SRID, and a WKB made by hand."""
    srid, shape = text[5:].split(";")
    numbers = lambda part: b"".join(struct.pack("<dd", *map(float, pair.strip("() ").split())) for pair in part.split(","))  # noqa: E731
    inner = shape[shape.index("(") + 1:-1]
    head = lambda kind: b"\1" + struct.pack("<I", kind)  # noqa: E731
    if shape.startswith("POINT"):
        body = head(1) + numbers(inner)
    elif shape.startswith("LINESTRING"):
        body = head(2) + struct.pack("<I", inner.count(",") + 1) + numbers(inner)
    elif shape.startswith("POLYGON"):
        body = head(3) + struct.pack("<II", 1, inner.count(",") + 1) + numbers(inner)
    else:
        parts = inner.split(",")
        body = head(4) + struct.pack("<I", len(parts)) + b"".join(head(1) + numbers(part) for part in parts)
    return struct.pack("<I", int(srid)) + body


def records(name):
    with open(obcanal.fixture("oblog/%s.jsonl" % name), encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def head_of(scratch, name, count):
    """The first `count` records of a recording, as a file."""
    path = os.path.join(scratch.path, "%s-%d.logmsg" % (name, count))
    with open(obcanal.fixture("oblog/%s.logmsg" % name), "rb") as source, open(path, "wb") as out:
        for _ in range(count):
            size = source.read(4)
            out.write(size + source.read(struct.unpack(">I", size)[0]))
    return path


def value(cell):
    return None if cell is None else cell["s"].encode() if "s" in cell else bytes.fromhex(cell["x"])


def table_after(changes, table):
    """{key: {column: bytes}} after these records."""
    rows = {}
    for record in changes:
        if record["table"] != table or record["op"] not in ("INSERT", "UPDATE", "DELETE"):
            continue
        names = [column["name"] for column in record["cols"]]
        if record["op"] != "INSERT":
            rows.pop(value(record["old"][0]))
        if record["op"] != "DELETE":
            rows[value(record["new"][0])] = {name: value(cell) for name, cell in zip(names, record["new"])}
    return rows


class Recordings:
    def __init__(self, scratch, make):
        self.scratch, self.make, self.number = scratch, make, 0
        self.target = Postgres(scratch) if make == "postgres" else MysqlFamily(scratch, make)
        self.postgres = make == "postgres"

    def flow(self, path, changes, mappings):
        """A server and an adapter of their own until all rows are written; the adapter."""
        self.number += 1
        folder = os.path.join(self.scratch.path, "flow%d" % self.number)
        os.mkdir(folder)
        logproxy = self.scratch.keep(obcanal.LogProxy(folder, [path])).start()
        server = self.scratch.keep(obcanal.Server(folder, logproxy.port)).start()
        outer = [{"name": "rdb", "key": "target", "properties": {
            "jdbc.url": self.target.url(), "jdbc.username": self.target.user, "jdbc.password": ""}}]
        adapter = self.scratch.keep(Adapter(folder, {"g1": outer}, {"canal.tcp.server.host": "127.0.0.1:%d" % server.port}))
        for name, mapping in mappings.items():
            adapter.write("rdb/%s.yml" % name, json.dumps({"destination": "example", "groupId": "g1", "outerAdapterKey": "target",
                                                           "concurrent": True, "dbMapping": mapping}))
        adapter.start()
        rows = sum(record["op"] in ("INSERT", "UPDATE", "DELETE") for record in changes)
        ddls = sum(record["op"] == "DDL" for record in changes)
        obcanal.wait_until(lambda: adapter.rows() >= rows and adapter.metric("obcanal_adapter_rows_total", 'type="ddl"') >= ddls,
                           lambda: "%d of %d rows:\n%s" % (adapter.rows(), rows, adapter.text()[-3000:]), 120)
        adapter.stop()
        return adapter

    def shown(self, column, kind="text"):
        name = '"%s"' % column if self.postgres else "`%s`" % column
        if self.postgres:
            return ("upper(encode(%s,'hex'))" if kind == "bytes" else "upper(encode(convert_to(%s::text,'UTF8'),'hex'))") % name
        if kind == "bytes":
            return "HEX(%s)" % name
        return "HEX(CAST(%s AS CHAR CHARACTER SET utf8mb4))" % (name + "+0" if kind == "bit" else name)

    def read(self, place, columns):
        """Rows as dictionaries of bytes, by the first column."""
        select = ",".join(self.shown(name, kind) for name, kind in columns)
        zone = "" if self.postgres else "SET time_zone='+00:00';"
        rows = self.target.sql("%s SELECT %s FROM %s" % (zone, select, place))
        cells = lambda row: [None if text == "NULL" else bytes.fromhex(text) for text in row]  # noqa: E731
        return {row[0]: dict(zip((name for name, _ in columns), row)) for row in map(cells, rows)}

    def expect(self, what, got, wanted):
        for key in sorted(set(got) | set(wanted)):
            if got.get(key) != wanted.get(key):
                mine, theirs = got.get(key) or {}, wanted.get(key) or {}
                differ = {name: (mine.get(name), theirs.get(name)) for name in {*mine, *theirs} if mine.get(name) != theirs.get(name)}
                raise RuntimeError("%s, row %r: got and wanted %.1500r" % (what, key, differ))
        return len(wanted)

    def shop(self):
        changes = records("shop")
        self.flow(obcanal.fixture("oblog/shop.logmsg"), changes, {"mirror": {"mirrorDb": True, "database": "mydb"}})
        final = {}
        with open(obcanal.fixture("oblog/shop.final.jsonl"), encoding="utf-8") as file:
            for record in map(json.loads, file):
                row = {name: None if text is None else text.encode() for name, text in record["row"].items()}
                final.setdefault(record["table"], {})[next(iter(row.values()))] = row
        count = 0
        for table, rows in final.items():
            columns = [(name, "text") for name in next(iter(rows.values()))]
            count += self.expect("shop, " + table, self.read("mydb." + table, columns), rows)
        return count

    def schema_changes(self):
        """Up to the drop of what is left."""
        changes = records("shop-ddl")
        end = next(i for i, record in enumerate(changes) if record["op"] == "DDL" and record["new"][0]["s"].startswith("DROP TABLE"))
        self.target.sql("SET client_min_messages=error; DROP SCHEMA mydb CASCADE" if self.postgres else "DROP DATABASE mydb")
        self.flow(head_of(self.scratch, "shop-ddl", end), changes[:end], {"mirror": {"mirrorDb": True, "database": "mydb"}})
        rows = table_after(changes[:end], "orders")
        for row in rows.values():
            row.setdefault("note", b"n/a")
            row.pop("product_id", None)
        names = ["order_id", "order_date", "customer_name", "price", "note", "order_status"]
        count = self.expect("shop-ddl, orders_old", self.read("mydb.orders_old", [(name, "text") for name in names]), rows)
        self.expect("shop-ddl, products", self.read("mydb.products", [("id", "text")]), {})
        return count

    def types(self):
        changes = records("types")
        # seekdb comes without its spatial reference systems, and takes SRID 0 only.
        known = {name: types for name, types in TYPES.items() if self.make != "seekdb" or name != "c_geometry"}
        end = next(i for i, record in enumerate(changes) if record["op"] == "DELETE") - 1
        columns = ", ".join("%s %s" % (name, types[self.postgres]) for name, types in known.items())
        place = "t_all_types" if self.postgres else "mytest.t_all_types"
        self.target.sql("CREATE TABLE %s (%s)" % (place, columns))
        mapping = {"database": "typesdb", "table": "t_all_types", "targetTable": place, "targetPk": {"id": "id"}, "targetColumns": {name: "" for name in known}}
        self.flow(head_of(self.scratch, "types", end), changes[:end], {"types": mapping})
        kinds = {name: "bytes" if "blob" in types[0] or "binary" in types[0] or name == "c_geometry" else
                 "bit" if types[0].startswith("bit") else "text" for name, types in known.items()}
        got = self.read(place, list(kinds.items()))
        wanted = table_after(changes[:end], "t_all_types")
        for rows in (got, wanted):
            for row in rows.values():
                for name in set(row) - set(known):
                    del row[name]
                for name in row:
                    row[name] = self.meaning(name, row[name], rows is wanted)
        count = self.expect("types", got, wanted)
        # All of it, and the rows go away again.
        self.flow(obcanal.fixture("oblog/types.logmsg"), changes, {"types": mapping})
        self.expect("types at the end", self.read(place, [("id", "text")]), {})
        return count

    def meaning(self, name, cell, recorded):
        """What dialects print differently, as what it means."""
        kind = TYPES[name][0]
        if cell is None:
            return None
        if name == "c_geometry":
            return wkb(cell.decode()) if recorded else cell
        if kind.startswith(("float", "double")):
            return float(cell)
        if name == "c_json":
            return json.dumps(json.loads(cell, parse_int=float), sort_keys=True)  # 1.5e10 is 15000000000 to MySQL 5.7
        if name == "c_year":
            return int(cell)
        if kind.startswith("char"):
            return cell.rstrip()
        if kind.startswith("binary"):
            return cell.ljust(8, b"\0")
        if self.postgres and kind.startswith("bit"):
            return int(cell, 10 if recorded else 2)
        if self.postgres and recorded and cell.startswith(b"0000-00-00"):
            return None  # canal.adapter.zeroDate
        if self.postgres and kind.startswith(("time", "date")) and b"." in cell:
            return cell.rstrip(b"0").rstrip(b".")
        return cell


def main():
    with obcanal.Scratch("recordings-" + sys.argv[1]) as scratch:
        run = Recordings(scratch, sys.argv[1])
        counts = run.shop(), run.schema_changes(), run.types()
    print("recordings into %s: %d rows of the shop, %d after schema changes, %d of the types equal" % ((sys.argv[1],) + counts))


if __name__ == "__main__":
    main()
