"""rdb.py TARGET [--operations N] [--seed S] [--mirror] [--image MINIMAL|NOBLOB]: obcanal-adapter from a real MariaDB into TARGET (mariadb, 5.7, 8.0, seekdb, postgres):
the matrix of types and N random operations; every table of the target equals the source's. --mirror: DDL is mirrored
into PostgreSQL too, where tables are mapped otherwise.
"""
import argparse
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from rdb_run import MATRIX, Run, Workload, obcanal  # noqa: E402


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("--operations", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mirror", action="store_true")
    parser.add_argument("--image", default="FULL", help="the source's binlog_row_image during the operations")
    arguments = parser.parse_args()
    with obcanal.Scratch("rdb-" + arguments.target) as scratch:
        run = Run(scratch, arguments.target, mirror=arguments.mirror)
        run.adapter.start()
        run.create_tables()
        # OceanBase's engine takes no empty value into an ENUM: the destination would wait.
        matrix = MATRIX.replace("INSERT IGNORE INTO types", "-- ") if arguments.target == "seekdb" else MATRIX
        run.source.sql("USE mytest;" + matrix)
        run.wait_written()
        run.check_equal()
        workload = Workload(arguments.seed, ddl=run.mirror)
        run.source.sql("SET GLOBAL binlog_row_image = '%s'" % arguments.image)
        start = time.monotonic()
        run.source.sql(workload.script(arguments.operations), check=False)
        run.wait_written(600)
        rows = run.check_equal()
        print("%s, seed %d: %d operations, %d rows equal, %.1f s" %
              (arguments.target, arguments.seed, arguments.operations, rows, time.monotonic() - start))


if __name__ == "__main__":
    main()
