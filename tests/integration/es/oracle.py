"""oracle.py VERSION OPERATIONS [SEED [BATCH [ROWS]]]: random operations on a source, under mappings of every shape; after each BATCH of
them every document equals the row of its mapping's SQL on the source. ROWS: of a batch that the adapter asks for; where one BATCH is many
of those, the adapter begins with some before the one before is written.
"""
import random
import struct
import sys
import time

from es_run import Elasticsearch, Run, obcanal

SCHEMA = """
CREATE TABLE user (id int PRIMARY KEY, name varchar(40), role_id int, boss_id int, code varchar(20), kind tinyint NOT NULL DEFAULT 0,
  price decimal(10,3), rate float, c_time datetime(3), e enum('x','y','z'), s set('p','q','r'), KEY (role_id), KEY (boss_id), KEY (code));
CREATE TABLE role (id int PRIMARY KEY, role_name varchar(40), rank_id int, kind tinyint NOT NULL DEFAULT 0, KEY (rank_id));
CREATE TABLE grade (id int PRIMARY KEY, title varchar(40), code varchar(20), KEY (code));
CREATE TABLE label (id int PRIMARY KEY, user_id int, label varchar(20), kind tinyint NOT NULL DEFAULT 0, KEY (user_id));
CREATE TABLE line (user_id int, no int, qty int, role_id int, PRIMARY KEY (user_id, no));
"""

# task: (id, the fields, the select)
SHAPES = {
    "single": "select a.id as _id, a.name, a.kind, a.price, a.rate, a.c_time, a.e, a.s, 1 as one, 'x''y' as src from user a",
    "plain": "select id as _id, name, `code` from user",
    "made": "select concat('u_', a.id) as _id, a.name, b.role_name from user a left join role b on b.id = a.role_id",
    "functions": "select a.id as _id, concat(a.name, '-', ifnull(a.code, '')) as both_, case a.kind when 1 then a.name else 'other' end as k, "
                 "cast(a.price as char) as p, a.rate, a.e, a.s, a.c_time from user a",
    "where": "select a.id as _id, a.name, a.kind from user a where a.kind > 1 or a.role_id = 1",
    "left": "select a.id as _id, a.name, a.role_id, a.rate, a.price, a.e, a.s, a.c_time, b.role_name from user a left join role b on b.id = a.role_id",
    "hidden": "select a.id as _id, b.id as rid, b.role_name from user a left join role b on b.id = a.role_id",
    "computed": "select a.id as _id, a.name, concat(b.role_name, '_', a.name) as rn from user a left join role b on a.role_id = b.id",
    "filtered": "select a.id as _id, b.role_name from user a left join role b on b.id = a.role_id and b.kind = 1 and a.kind < 3",
    "self": "select a.id as _id, a.name, p.name as boss, q.name as boss_of_boss from user a left join user p on p.id = a.boss_id "
            "left join user q on q.id = p.boss_id",
    "chain": "select a.id as _id, a.name, b.role_name, c.title from user a left join role b on b.id = a.role_id left join grade c on c.id = b.rank_id",
    "strings": "select a.id as _id, g.title from user a left join grade g on g.code = a.code",
    "inner": "select a.id as _id, a.name, b.role_name from user a join role b on b.id = a.role_id",
    "inner_where": "select a.id as _id, a.name, b.role_name, c.title from user a inner join role b on b.id = a.role_id "
                   "left join grade c on c.id = b.rank_id where b.kind = 1 and (a.kind < 3 or c.title is null)",
    "labels": "select a.id as _id, a.name, c.labels from user a left join (select user_id, group_concat(label order by id desc separator ';') "
              "as labels from label group by user_id) c on c.user_id = a.id",
    "counted": "select a.id as _id, c.n, c.top from user a left join (select l.user_id, count(*) as n, max(l.label) as top from label l "
               "where l.kind > 0 group by l.user_id) c on c.user_id = a.id",
    "colleagues": "select a.id as _id, c.n, c.names from user a left join (select role_id, count(*) as n, group_concat(name order by id) as names "
                  "from user group by role_id) c on c.role_id = a.role_id",
    "derived_inner": "select a.id as _id, c.labels, b.role_name from user a join (select user_id, group_concat(label order by id) as labels from label "
                     "group by user_id) c on c.user_id = a.id left join role b on b.id = a.role_id",
    "grouped": "select a.role_id as _id, count(*) as n, group_concat(a.name order by a.id separator '+') as names from user a group by a.role_id",
    "grouped_join": "select a.role_id as _id, count(*) as n, group_concat(b.title order by a.id, b.id) as titles from user a left join grade b "
                    "on b.code = a.code where a.kind < 3 group by a.role_id",
    "distinct": "select distinct a.role_id as _id, b.role_name from user a left join role b on b.id = a.role_id",
    "many": "select a.id as _id, a.name, l.label from user a left join label l on l.user_id = a.id",
    "composite": "select concat(l.user_id, '-', l.no) as _id, l.qty, a.name, b.role_name from line l left join user a on a.id = l.user_id "
                 "left join role b on b.id = l.role_id",
    "two_keys": "select a.id as _id, l.qty from user a left join line l on l.user_id = a.id and l.role_id = a.role_id",
    "unqualified": "select user.id as _id, name, role_name, title from user left join role on role.id = role_id left join grade on grade.id = rank_id",
    "unselected_key": "select a.code as _id, a.name from user a where a.code is not null",
}
# Not one row for each document: any of them is right.
SEVERAL = {"many", "two_keys", "strings", "unselected_key", "distinct"}


def pick(rng, low, high, nulls=0.0):
    return "NULL" if rng.random() < nulls else str(rng.randint(low, high))


def text(rng, nulls=0.0):
    if rng.random() < nulls:
        return "NULL"
    return "'" + rng.choice(["a", "b", "O''Brien", "é漢", "x\\\\y", "%", ""]) + str(rng.randint(0, 9)) + "'"


def code(rng):
    return rng.choice(["NULL", "'c1'", "'c2'", "'C2'", "'c''3'", "'ü'"])


USERS, ROLES, GRADES, LABELS = 40, 8, 4, 80


def user_values(rng, key):
    return "(%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s)" % (
        key, text(rng, 0.1), pick(rng, 1, ROLES, 0.2), pick(rng, 1, USERS, 0.3), code(rng), pick(rng, 0, 3), rng.choice(["NULL", "1.5", "-20.125"]),
        rng.choice(["NULL", "0.1", "1e10", "16777217", "3.4e38"]), rng.choice(["NULL", "'2024-01-02 03:04:05.120'", "'0000-00-00 00:00:00'"]),
        rng.choice(["NULL", "'x'", "'z'"]), rng.choice(["NULL", "''", "'p,r'"]))


def operation(rng):
    kind = rng.random()
    user, role, grade, label = pick(rng, 1, USERS), pick(rng, 1, ROLES), pick(rng, 1, GRADES), pick(rng, 1, LABELS)
    if kind < 0.13:
        return "INSERT IGNORE INTO user VALUES " + ",".join(user_values(rng, pick(rng, 1, USERS)) for _ in range(rng.choice([1, 1, 1, 5])))
    if kind < 0.19:
        return "DELETE FROM user WHERE id=" + user
    if kind < 0.42:
        column, value = rng.choice([
            ("name", text(rng, 0.1)), ("role_id", pick(rng, 1, ROLES, 0.2)), ("boss_id", pick(rng, 1, USERS, 0.2)), ("code", code(rng)),
            ("kind", pick(rng, 0, 3)), ("price", rng.choice(["NULL", "7.25"])), ("rate", "0.3"), ("c_time", "'2024-05-06 07:08:09.5'"),
            ("e", rng.choice(["'y'", "NULL"])), ("s", rng.choice(["'q'", "'p,q,r'"]))])
        where = rng.choice(["id=" + user, "id=" + user, "role_id=" + role, "id BETWEEN %s AND %s" % (user, int(user) + 5)])
        return "UPDATE user SET %s=%s WHERE %s" % (column, value, where)
    if kind < 0.45:
        return "UPDATE IGNORE user SET id=%s WHERE id=%s" % (pick(rng, 1, USERS), user)
    if kind < 0.49:
        return "REPLACE INTO role VALUES (%s,%s,%s,%s)" % (role, text(rng, 0.1), pick(rng, 1, GRADES, 0.2), pick(rng, 0, 2))
    if kind < 0.52:
        return "DELETE FROM role WHERE id=" + role
    if kind < 0.60:
        column, value = rng.choice([("role_name", text(rng, 0.1)), ("rank_id", pick(rng, 1, GRADES, 0.2)), ("kind", pick(rng, 0, 2))])
        return "UPDATE role SET %s=%s WHERE id=%s" % (column, value, role)
    if kind < 0.62:
        return "UPDATE IGNORE role SET id=%s WHERE id=%s" % (pick(rng, 1, ROLES), role)
    if kind < 0.66:
        return rng.choice([
            "INSERT IGNORE INTO grade VALUES (%s,%s,%s)" % (grade, text(rng), code(rng)), "DELETE FROM grade WHERE id=" + grade,
            "UPDATE grade SET title=%s WHERE id=%s" % (text(rng), grade), "UPDATE grade SET code=%s WHERE id=%s" % (code(rng), grade)])
    if kind < 0.76:
        return "INSERT IGNORE INTO label VALUES (%s,%s,%s,%s)" % (label, pick(rng, 1, USERS, 0.1), text(rng), pick(rng, 0, 2))
    if kind < 0.80:
        return rng.choice(["DELETE FROM label WHERE id=" + label, "DELETE FROM label WHERE user_id=" + user])
    if kind < 0.88:
        column, value = rng.choice([("user_id", pick(rng, 1, USERS, 0.1)), ("label", text(rng)), ("kind", pick(rng, 0, 2)),
                                    ("id", "id+0")])
        return "UPDATE label SET %s=%s WHERE %s" % (column, value, rng.choice(["id=" + label, "user_id=" + user]))
    if kind < 0.94:
        return "INSERT IGNORE INTO line VALUES (%s,%s,%s,%s)" % (user, pick(rng, 1, 3), pick(rng, 0, 99, 0.1), pick(rng, 1, ROLES, 0.1))
    return rng.choice(["DELETE FROM line WHERE user_id=" + user, "UPDATE line SET qty=qty+1 WHERE user_id=" + user,
                       "UPDATE IGNORE line SET user_id=%s WHERE user_id=%s" % (pick(rng, 1, USERS), user),
                       "UPDATE line SET role_id=%s WHERE user_id=%s" % (pick(rng, 1, ROLES, 0.1), user)])


def statements(rng, count):
    """Single ones, and some of them in transactions."""
    made = []
    while len(made) < count:
        several = rng.choice([1, 1, 1, 1, 4])
        some = [operation(rng) for _ in range(several)]
        made += ["BEGIN"] + some + ["COMMIT"] if several > 1 else some
    return made


def sources(run):
    """What every mapping's SQL gives, of one session with the source: {task: rows}."""
    # A FLOAT as it is, not rounded to six digits.
    text = "".join("SELECT '%s';%s;" % (task, sql.replace("a.rate,", "a.rate+0E0 as rate,")) for task, sql in run.selects.items())
    found, rows = {}, None
    for row in run.sql("SET sql_mode='';" + text):
        if len(row) == 1:
            rows = found.setdefault(row[0], [])
        else:
            rows.append(row)
    return found


def wanted(rows, names):
    """{id: [documents that are right]}."""
    found = {}
    for row in rows:
        if row[0] == "NULL":
            continue
        found.setdefault(row[0], []).append({name: plain(name, value) for name, value in zip(names, row[1:])})
    return found


def plain(name, value):
    return struct.pack("f", float(value)) if name == "rate" and value != "NULL" else value


def shown(name, value):
    """As the client of the source prints it."""
    if value is None:
        return "NULL"
    return plain(name, str(value).replace("\\", "\\\\"))


def differences(run, names):
    source, indexes = sources(run), run.es.all_documents(SHAPES)
    wrong = []
    for task in SHAPES:
        rows = wanted(source[task], names[task])
        got = {key: {name: shown(name, value) for name, value in document.items()} for key, document in indexes[task].items()}
        for key in sorted(set(rows) | set(got)):
            right = rows.get(key, [None])
            if len(right) > 1 and task not in SEVERAL:
                raise RuntimeError("%s: %s stands for several rows" % (task, key))
            if got.get(key) not in right:
                wrong.append("%s %s: %r instead of %r" % (task, key, got.get(key), right[:3]))
    return wrong


def main():
    version, operations = sys.argv[1], int(sys.argv[2])
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(1 << 30)
    batch = int(sys.argv[4]) if len(sys.argv) > 4 else 50
    rows = int(sys.argv[5]) if len(sys.argv) > 5 else 1000
    rng = random.Random(seed)
    print("seed %d" % seed, flush=True)
    with obcanal.Scratch("es-oracle-" + version) as scratch:
        es = Elasticsearch(scratch, version).start()
        # The node is never killed, and each check refreshes: what it writes to its disk meanwhile only takes time.
        es.ask("PUT", "/_template/oracle", {"index_patterns": ["*"], "settings": {
            "index": {"translog.durability": "async", "refresh_interval": "-1", "number_of_replicas": 0, "number_of_shards": 1}}})
        mappings = {task: "_index: %s\n_id: _id\nsql: >-\n  %s" % (task, sql) for task, sql in SHAPES.items()}
        run = Run(scratch, version, mappings, es=es, batch=rows)
        run.selects = SHAPES
        run.sql("SET sql_mode='';" + SCHEMA)
        names = {}
        for task, sql in SHAPES.items():
            columns = run.sql("SET sql_mode='';CREATE TEMPORARY TABLE shape AS %s LIMIT 0;SHOW COLUMNS FROM shape" % sql)
            names[task] = [row[0] for row in columns][1:]
            # Where there may be fields of others, changes are put into documents; elsewhere they are written whole.
            others = rng.choice([[], ["of_others"]])
            es.create(task, {name: {"type": "keyword"} for name in names[task] + others})
        run.adapter.start()
        run.stay()
        done, checks, begin = 0, 0, time.monotonic()
        while done < operations:
            some = statements(rng, min(batch, operations - done))
            done += sum(1 for one in some if one not in ("BEGIN", "COMMIT"))
            run.sql("SET sql_mode='';" + ";\n".join(some) + ";")
            run.wait_written(180)
            checks += 1
            if checks % 100 == 0:
                print("%d operations, %d checks, %.0f s" % (done, checks, time.monotonic() - begin), flush=True)
            wrong = differences(run, names)
            if wrong:
                print("\n".join(wrong[:20]))
                print("after %d operations, the last batch:\n%s" % (done, ";\n".join(some)))
                print(run.adapter.text()[-2000:])
                raise RuntimeError("%d differences, seed %d" % (len(wrong), seed))
        ahead = run.adapter.metric("obcanal_adapter_es_ahead_total")
        if rows * 4 < batch and not ahead:
            raise RuntimeError("no batch was begun with while the one before was being written")
        documents = sum(len(found) for found in es.all_documents(SHAPES).values())
        print("%s: operations=%d checks=%d shapes=%d documents=%d ahead=%d differences=0 seed=%d in %.0f s" % (
            version, done, checks, len(SHAPES), documents, ahead, seed, time.monotonic() - begin))


if __name__ == "__main__":
    main()
