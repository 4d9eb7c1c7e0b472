"""The shop: orders and products in a tenant of OceanBase (seekdb here), every change committed there first and then logged."""
import random
import subprocess
import time
import xml.etree.ElementTree

import log_records
from log_records import Column

TENANT, DATABASE = "obtenant", "mydb"
TABLES = {
    "products": [Column("id", 3), Column("name", 253, 255, text=True), Column("description", 253, 512, nullable=True, text=True)],
    "orders": [Column("order_id", 3), Column("order_date", 12), Column("customer_name", 253, 255, text=True),
               Column("price", 246, precision=10, scale=5), Column("product_id", 3), Column("order_status", 1)],
}
SCHEMA = """
CREATE DATABASE IF NOT EXISTS mydb;
CREATE TABLE mydb.products (id int NOT NULL AUTO_INCREMENT, name varchar(255) NOT NULL, description varchar(512), PRIMARY KEY (id));
CREATE TABLE mydb.orders (order_id int NOT NULL AUTO_INCREMENT, order_date datetime NOT NULL, customer_name varchar(255) NOT NULL,
    price decimal(10,5) NOT NULL, product_id int NOT NULL, order_status tinyint(1) NOT NULL, PRIMARY KEY (order_id),
    KEY by_product (product_id));
"""
NAMES = ["hammer", "spare tire", "scooter", "car battery", "12-pack drill bits", "jacket", "rocks", "boots", "lamp", "teapot"]
CUSTOMERS = ["Jark", "Sally", "Edward", "Chloé", "Ming 明", "O'Brien", "Fatima", "Nils", "Yuki", "Ana"]


def quoted(value):
    return "NULL" if value is None else "'%s'" % value.replace("\\", "\\\\").replace("'", "''")


class Shop:
    """Rows are lists of texts in the order of the columns; their first column is the key."""

    def __init__(self, port, log):
        self.client = ["mariadb", "--no-defaults", "-h127.0.0.1", "-P%d" % port, "-uroot", "--ssl=0", "--default-character-set=utf8mb4"]
        self.log, self.rows, self.number, self.last_us = open(log, "ab", buffering=0), {"orders": {}, "products": {}}, 5_000_000, 0
        self.random = random.Random(7)
        self.run(SCHEMA)

    def run(self, sql):
        done = subprocess.run(self.client, input=sql, text=True, capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError("the database refuses %s: %s" % (sql[:200], done.stderr.strip()))
        return done.stdout

    def query(self, sql):
        """Rows as {column: text or None}."""
        done = subprocess.run(self.client + ["--xml", "-e", sql], text=True, capture_output=True, check=True)
        nil = "{http://www.w3.org/2001/XMLSchema-instance}nil"
        return [{field.get("name"): None if field.get(nil) else field.text or "" for field in row}
                for row in xml.etree.ElementTree.fromstring(done.stdout).iter("row")]

    # -- changes: (table, key or None, row or None)
    def commit(self, *changes, logged=True):
        statements, images = [], []
        for table, key, row in changes:
            columns, rows = TABLES[table], self.rows[table]
            where = "%s = %s" % (columns[0].name, key)
            if key is None:
                statements.append("INSERT INTO %s VALUES (%s)" % (table, ",".join(map(quoted, row))))
            elif row is None:
                statements.append("DELETE FROM %s WHERE %s" % (table, where))
            else:
                values = ", ".join("%s = %s" % (column.name, quoted(value)) for column, value in zip(columns, row))
                statements.append("UPDATE %s SET %s WHERE %s" % (table, values, where))
            before = None if key is None else rows.pop(key)
            if row is not None:
                rows[row[0]] = list(row)
            images.append(((TENANT + "." + DATABASE, table), columns, [0], before, row))
        self.run("USE %s; START TRANSACTION; %s; COMMIT" % (DATABASE, "; ".join(statements)))
        if logged:
            commit_us = max(time.time_ns() // 1000, self.last_us + 1)
            self.number += 1
            self.log.write(log_records.transaction(self.number, commit_us, max(self.last_us, commit_us - 1_000_000), images))
            self.last_us = commit_us

    def change(self, table, key, **values):
        """What commit() takes to change some columns of a row."""
        row = list(self.rows[table][key])
        for index, column in enumerate(TABLES[table]):
            row[index] = values.get(column.name, row[index])
        return table, key, row

    # -- data
    def order(self, number, product, status="0"):
        date = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(1_595_000_000 + self.random.randrange(10_000_000)))
        price = "%d.%05d" % (self.random.randrange(1, 500), self.random.randrange(100_000))
        return [str(number), date, self.random.choice(CUSTOMERS), price, str(product), status]

    def product(self, number):
        name = self.random.choice(NAMES)
        words = None if self.random.randrange(8) == 0 else "%s no %s, batch %d" % (name, number, self.random.randrange(1000))
        return [str(number), name, words]

    def fill(self, products, orders):
        """What is there before anybody reads the log."""
        rows = [("products", None, self.product(100 + i)) for i in range(products)]
        # Some orders are of products that are not there.
        rows += [("orders", None, self.order(10_001 + i, 100 + self.random.randrange(products + 2))) for i in range(orders)]
        for at in range(0, len(rows), 500):
            self.commit(*rows[at:at + 500], logged=False)

    def random_transaction(self):
        """One to five statements on rows that are not in it yet."""
        used, changes = set(), []
        for _ in range(self.random.randrange(1, 6)):
            table = "orders" if self.random.randrange(4) else "products"
            rows = [key for key in self.rows[table] if (table, key) not in used]
            kind = self.random.randrange(10)
            if kind < 4 or len(rows) < 10:
                key = str(max((int(k) for k in self.rows[table]), default=100) + 1 + len(changes))
                product = 100 + self.random.randrange(len(self.rows["products"]) + 3)
                row = self.order(key, product) if table == "orders" else self.product(key)
                changes.append((table, None, row))
            else:
                key = self.random.choice(rows)
                row = None if kind == 9 else self.changed(table, key)
                changes.append((table, key, row))
            used.add((table, key))
        self.commit(*changes)

    def changed(self, table, key):
        if table == "products":
            return self.product(key)
        row = list(self.rows[table][key])
        if self.random.randrange(2):
            row[4] = str(100 + self.random.randrange(len(self.rows["products"]) + 3))
        else:
            row[5] = "1" if row[5] == "0" else "0"
        return row
