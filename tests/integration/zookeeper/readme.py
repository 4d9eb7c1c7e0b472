"""The cluster of the README as it stands there: its keys on top of the sample configuration, its addresses, its commands.

readme.py ROOT. Exit status 77: this machine does not let us make network namespaces.
"""
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "support"))
sys.path.insert(0, os.path.join(HERE, "..", "..", "fault"))
import cluster_lab as lab  # noqa: E402
import network  # noqa: E402
import obcanal  # noqa: E402

SKIPPED = 77
OURS = "10.0.0.11"  # as the README has it
PROGRAM = "build/release/bin/obcanal "


def written(root):
    """Keys and commands of the section."""
    with open(os.path.join(root, "README.md"), encoding="utf-8") as file:
        section = file.read().split("\n## Several servers\n")[1].split("\n## ")[0]
    lines = [line.strip() for line in section.splitlines() if line.startswith("    ")]
    return [line for line in lines if " = " in line], [line for line in lines if line.startswith(PROGRAM)]


class Server(obcanal.Program):
    """With the sample configuration and these keys, in a directory like the tarball's."""

    def __init__(self, scratch, host, root, keys):
        self.host, place = host, os.path.join(scratch.path, host.name)
        os.makedirs(os.path.join(place, "bin"))
        for name in ("canal.properties", "example/instance.properties", "users.yml"):
            os.makedirs(os.path.dirname(os.path.join(place, "conf", name)), exist_ok=True)
            shutil.copyfile(os.path.join(root, "conf", name), os.path.join(place, "conf", name))
        with open(os.path.join(place, "conf", "canal.properties"), "a", encoding="utf-8") as file:
            file.writelines(line.replace(OURS, host.address) + "\n" for line in keys)
        super().__init__(host.argv("env", "-C", os.path.join(place, "bin"), os.path.join(obcanal.bin_dir(), "obcanal-server"),
                                   "--conf", os.path.join(place, "conf")), os.path.join(place, "server.log"))
        scratch.keep(self)

    def start(self):
        self.spawn()
        self.wait_ready(lambda: " ready " in self.text())
        return self


def main():
    root = sys.argv[1]
    keys, commands = written(root)
    if len(keys) < 4 or len(commands) != 2:
        raise RuntimeError("the section has changed: %r %r" % (keys, commands))
    with network.Network("10.0.0.") as net, obcanal.Scratch("readme") as scratch:
        lab.Ensemble(scratch, net, (1, 2, 3)).start()
        servers = [Server(scratch, net.host(name, number), root, keys).start() for name, number in (("one", 11), ("two", 12))]

        def run(command):
            words = command.split()[1:]
            return subprocess.run(servers[0].host.argv(os.path.join(obcanal.bin_dir(), "obcanal"), *words), capture_output=True,
                                  text=True, timeout=60)
        seen = []

        def complete():
            seen[:] = [run(commands[0])]
            text = seen[0].stdout
            return seen[0].returncode == 0 and all(s.host.address + ":11111" in text for s in servers) and "example" in text
        obcanal.wait_until(complete, lambda: "both servers in: %s%s" % (seen[0].stdout, seen[0].stderr))
        print(seen[0].stdout)
        balanced = run(commands[1])
        if balanced.returncode:
            raise RuntimeError("%s: %s%s" % (commands[1], balanced.stdout, balanced.stderr))
        print(balanced.stdout)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except network.NotPermitted as error:
        print("SKIPPED: no network namespaces here: %s" % error)
        sys.exit(SKIPPED)
