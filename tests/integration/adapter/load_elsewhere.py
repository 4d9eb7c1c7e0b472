"""load_elsewhere.py: two obcanal-adapters and a ZooKeeper. One follows the stream, the other one loads in full: meanwhile nobody else
writes the destination, or loads. Killed within its load, it holds nobody up, and goes on when it is back.
"""
import threading

from full_load import LoadRun, attempt, expect, hold_last_piece, obcanal, settled, wait_complete
from zookeeper import Zookeeper


def refused(run, adapter):
    answer = run.load("uniq.yml", adapter)
    return not answer["succeeded"] and "runs already" in answer["errorMessage"]


def main():
    with obcanal.Scratch("load-elsewhere") as scratch, Zookeeper(scratch.path, None) as zookeeper:
        run = LoadRun(scratch, "mariadb", 8000, zookeeper=zookeeper.place)
        follower, loader = run.adapter, run.make_adapter("loader", obcanal.free_port())
        follower.start()
        obcanal.wait_until(lambda: follower.metric("obcanal_adapter_connected") == 1, "a session")
        for task in ("nokey.yml", "pair.yml", "plain.yml", "types.yml", "uniq.yml"):
            run.loaded(task)
        loader.start()
        blocker = hold_last_piece(run)
        answers = []
        loading = threading.Thread(target=lambda: answers.append(attempt(run, "plain.yml", loader)))
        loading.start()
        obcanal.wait_until(lambda: loader.get("/etl") and run.figures(loader)["rows"] > 0, lambda: "a load to be under way: %r, %s" % (
            answers, loader.text()[-2000:]), 60)
        settled(run, loader)
        expect("the follower's session", follower.metric("obcanal_adapter_connected"), 0)
        before = follower.rows()
        run.source.sql(run.changes(5, 300), check=False)
        expect("a load beside it", refused(run, follower), True)
        expect("rows written beside the load", (follower.rows(), follower.metric("obcanal_adapter_connected")), (before, 0))
        loader.kill()
        loading.join()
        blocker.end()
        obcanal.wait_until(lambda: follower.metric("obcanal_adapter_connected") == 1, lambda: "the follower to go on\n" + follower.text()[-2000:], 60)
        run.wait_written()
        loader.start()
        wait_complete(loader)
        run.wait_written()
        print("loaded beside a follower: %d rows equal" % run.check_equal())


if __name__ == "__main__":
    main()
