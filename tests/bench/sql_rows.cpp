// bench_sql_rows PORT TABLE insert|update ROWS SESSIONS: the rows of tests/bench/adapter.py as
// prepared statements over arrays, 2,000 rows each and a COMMIT behind it, by so many sessions at
// once. What the adapter is measured against; prints rows a second and its own CPU seconds per
// million rows.
#include "protocol/client/mysql_session.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace {

using obcanal::client::MysqlSession;
using obcanal::client::SqlArray;

constexpr int64_t kPiece = 2'000;

struct Rows {
    std::vector<std::string> texts;
    std::vector<SqlArray> arrays;

    void add_integers(int64_t first, int64_t count, auto value) {
        SqlArray& array = arrays.emplace_back();
        array.kind = SqlArray::Kind::Integer;
        array.indicators.assign(static_cast<size_t>(count), 0);
        for (int64_t i = 0; i < count; ++i) array.integers.push_back(value(first + i));
    }

    void add_texts(int64_t first, int64_t count, auto value) {
        SqlArray& array = arrays.emplace_back();
        array.indicators.assign(static_cast<size_t>(count), 0);
        for (int64_t i = 0; i < count; ++i) {
            texts.push_back(value(first + i));
            array.texts.push_back(texts.back().c_str());
            array.lengths.push_back(texts.back().size());
        }
    }
};

std::string decimal(int64_t id) {
    char text[32];
    std::snprintf(
        text,
        sizeof text,
        "%lld.%02lld",
        static_cast<long long>(id / 8),
        static_cast<long long>(id % 100)
    );
    return text;
}

void write_rows(uint16_t port, const std::string& table, bool update, int64_t from, int64_t to) {
    obcanal::client::MysqlSessionOptions options;
    options.server = {"127.0.0.1", port};
    options.user = "root";
    options.database = "bench";
    auto session = MysqlSession::open(options);
    if (!session) {
        std::fprintf(stderr, "%s\n", session.error().detail.c_str());
        std::exit(1);
    }
    static_cast<void>((*session)->execute("SET autocommit=0"));
    const std::string sql =
        update ? "UPDATE " + table + " SET name=?,role_id=? WHERE id=?"
               : "INSERT INTO " + table + " (id,name,role_id,price,c_time) VALUES (?,?,?,?,?)";
    for (int64_t first = from; first < to; first += kPiece) {
        const int64_t count = std::min(kPiece, to - first);
        Rows rows;
        rows.texts.reserve(static_cast<size_t>(count) * 3);
        const auto role = [](int64_t id) { return id % 97; };
        const auto id = [](int64_t number) { return number; };
        if (update) {
            rows.add_texts(first, count, [](int64_t i) { return "changed " + std::to_string(i); });
            rows.add_integers(first, count, role);
            rows.add_integers(first, count, id);
        } else {
            rows.add_integers(first, count, id);
            rows.add_texts(first, count, [](int64_t i) { return "name of " + std::to_string(i); });
            rows.add_integers(first, count, role);
            rows.add_texts(first, count, decimal);
            rows.add_texts(first, count, [](int64_t) {
                return std::string("2024-01-02 03:04:05.678901");
            });
        }
        uint64_t matched = 0;
        auto failed = (*session)->bulk(sql, rows.arrays, static_cast<size_t>(count), matched);
        if (!failed) failed = (*session)->execute("COMMIT");
        if (failed) {
            std::fprintf(stderr, "%s\n", failed->text.c_str());
            std::exit(1);
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 6) return 2;
    const auto port = static_cast<uint16_t>(std::atoi(argv[1]));
    const std::string table = argv[2];
    const bool update = std::string(argv[3]) == "update";
    const int64_t rows = std::atoll(argv[4]);
    const int64_t sessions = std::atoll(argv[5]);
    const auto begin = std::chrono::steady_clock::now();
    std::vector<std::thread> threads;
    for (int64_t i = 0; i < sessions; ++i) {
        threads.emplace_back(
            write_rows, port, table, update, 1 + rows * i / sessions, 1 + rows * (i + 1) / sessions
        );
    }
    for (std::thread& thread : threads) thread.join();
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const double cpu = static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                       static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    std::printf(
        "%.0f %.2f\n", static_cast<double>(rows) / seconds, cpu * 1e6 / static_cast<double>(rows)
    );
    return 0;
}
