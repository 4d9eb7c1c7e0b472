"""adapter.py TARGET [--cycles N] [--seed S] [--position]: obcanal-adapter is killed, its connections with the target are cut and the
target is restarted while random operations flow; at the end every table equals the source's.

With --position the position is kept in the target, and a table without any key is among them, where each change that is applied twice
shows.
"""
import argparse
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration", "rdb"))
from rdb_run import Run, Workload, obcanal  # noqa: E402


def cut_connections(run):
    if run.mirror:
        for row in run.target.sql("SHOW PROCESSLIST"):
            if row[3] == "mytest":
                run.target.sql("KILL %s" % row[0], check=False)
    else:
        run.target.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name='obcanal-adapter'")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("--cycles", type=int, default=8)
    parser.add_argument("--operations", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--position", action="store_true")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    properties = {"canal.adapter.position": "target"} if arguments.position else {}
    with obcanal.Scratch("fault-adapter") as scratch:
        run = Run(scratch, arguments.target, properties)
        run.adapter.start()
        run.create_tables()
        run.wait_written()
        workload = Workload(arguments.seed, ddl=False, keyless=arguments.position)
        for cycle in range(arguments.cycles):
            script = workload.script(arguments.operations)
            writing = threading.Thread(target=run.source.sql, args=(script, False))
            writing.start()
            time.sleep(rng.random() * 0.6)
            fault = rng.choice(["kill", "kill", "cut"])
            if fault == "cut":
                cut_connections(run)
            else:
                run.adapter.kill()
                run.adapter.start()
            writing.join()
            if cycle % 4 == 3:
                run.wait_written(300)
                run.check_equal()
        run.wait_written(300)
        print("%s, seed %d: %d cycles, %d rows equal" % (arguments.target, arguments.seed, arguments.cycles, run.check_equal()))


if __name__ == "__main__":
    main()
