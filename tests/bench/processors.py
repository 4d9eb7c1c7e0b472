"""What processes took of this machine's processors, and what its host took away: for the figures of this folder."""
import os
import time

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid, path="stat"):
    """User and system time of all threads, those that have ended too; path "task/THREAD/stat": of one of them."""
    with open("/proc/%d/%s" % (pid, path), encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def wait_idle(pids):
    """Until these processes together take less than a tenth of a processor."""
    calm = 0
    while calm < 3:
        before = sum(map(cpu_seconds, pids))
        time.sleep(0.2)
        calm = calm + 1 if sum(map(cpu_seconds, pids)) - before < 0.025 else 0


class Stolen:
    """The part of the time of all processors in which somebody here wanted them and the host had given them to others, from here on."""

    def __init__(self):
        self.begin, self.before = time.monotonic(), self.seconds()

    @staticmethod
    def seconds():
        with open("/proc/stat", encoding="ascii") as file:
            return int(file.readline().split()[8]) / TICKS

    def percent(self):
        return 100 * (self.seconds() - self.before) / (time.monotonic() - self.begin) / os.cpu_count()
