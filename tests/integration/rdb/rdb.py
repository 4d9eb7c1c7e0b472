"""rdb.py TARGET [--operations N] [--seed S] [--mirror] [--image MINIMAL|NOBLOB] [--batch N]: obcanal-adapter from a real MariaDB into TARGET
(mariadb, 5.7, 8.0, seekdb, postgres): the matrix of types, an ENUM's empty value beside one that does not fit, and N random operations;
every table of the target equals the source's. --mirror: DDL is mirrored into PostgreSQL too, where tables are mapped otherwise.
--batch: of so few units that batches wait behind each other, and are divided while the one before is written.
"""
import argparse
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from rdb_run import MATRIX, Run, Workload, obcanal  # noqa: E402


def nothing_cut_off(run):
    """What a server takes for an ENUM's empty value only as one of others is written, and nothing else is cut off with it."""
    run.source.sql("CREATE TABLE mytest.blank (id int PRIMARY KEY, e enum('a'), s set('x','y'));"
                   "CREATE TABLE mytest.keyless (e enum('a') NOT NULL, n int);"
                   "INSERT IGNORE INTO mytest.keyless VALUES ('a',1),('none',1),('none',NULL)")
    run.wait_written()
    run.target.sql("ALTER TABLE mytest.blank MODIFY s set('x')")
    run.source.sql("INSERT IGNORE INTO mytest.blank VALUES (1,'none','x,y')")
    obcanal.wait_until(lambda: "mytest.blank, id=1: 1265" in run.adapter.text(), lambda: "a refusal\n" + run.adapter.text()[-3000:])
    if run.target.sql("SELECT * FROM mytest.blank"):
        raise RuntimeError("a value was cut off: %r" % run.target.sql("SELECT * FROM mytest.blank"))
    run.target.sql("ALTER TABLE mytest.blank MODIFY s set('x','y')")
    run.wait_written()
    run.check_equal()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("--operations", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mirror", action="store_true")
    parser.add_argument("--image", default="FULL", help="the source's binlog_row_image during the operations")
    parser.add_argument("--batch", type=int, default=1000)
    arguments = parser.parse_args()
    with obcanal.Scratch("rdb-" + arguments.target) as scratch:
        run = Run(scratch, arguments.target, mirror=arguments.mirror, batch=arguments.batch)
        run.adapter.start()
        run.create_tables()
        run.source.sql("USE mytest;" + MATRIX)
        run.wait_written()
        run.check_equal()
        if run.target.family == "mysql":
            nothing_cut_off(run)
        workload = Workload(arguments.seed, ddl=run.mirror)
        run.source.sql("SET GLOBAL binlog_row_image = '%s'" % arguments.image)
        start = time.monotonic()
        run.source.sql(workload.script(arguments.operations), check=False)
        run.wait_written(600)
        rows = run.check_equal()
        ahead = run.adapter.metric("obcanal_adapter_rdb_ahead_total")
        print("%s, seed %d: %d operations, %d rows equal, %d batches divided ahead, %.1f s" %
              (arguments.target, arguments.seed, arguments.operations, rows, ahead, time.monotonic() - start))
        if arguments.batch < 100 and not ahead:
            raise RuntimeError("no batch was divided ahead")


if __name__ == "__main__":
    main()
