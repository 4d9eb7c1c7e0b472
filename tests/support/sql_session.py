"""A session with a MySQL or MariaDB that stays open: the stock client, fed one text of statements after the other."""
import subprocess

# What is written comes back at once, and errors where they happen.
CLIENT = ["mariadb", "--no-defaults", "-N", "-B", "-n", "--unbuffered", "--ssl=0", "--force", "--default-character-set=utf8mb4"]


class SqlSession:
    log = ""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(CLIENT + list(arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        text=True, encoding="utf-8", errors="replace")
        self.asked = 0

    def run(self, sql):
        """(rows as lists of texts, errors) of all statements in the text."""
        self.asked += 1
        end = "end-%d" % self.asked
        # "USE name" is the client's own: the delimiter stands on its line.
        self.process.stdin.write("%s\nSELECT '%s';\n" % (sql if sql.rstrip().endswith(";") else sql + ";", end))
        self.process.stdin.flush()
        rows, errors = [], []
        for line in self.process.stdout:
            line = line.rstrip("\n")
            if line == end:
                return rows, errors
            if line.startswith("ERROR "):
                errors.append(line)
            else:
                rows.append(line.split("\t"))
        raise RuntimeError("the client ended at: %s" % sql[:500])

    def __call__(self, sql):
        rows, errors = self.run(sql)
        if errors:
            raise RuntimeError("%s\n%s" % (sql[:500], errors[0]))
        return rows

    def stop(self):
        self.process.kill()
        self.process.wait()

    kill = stop

    def text(self):
        return ""
