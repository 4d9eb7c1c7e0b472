#include "adapter/rdb/mysql_target.h"

#include "adapter/core/source_session.h"
#include "adapter/rdb/sql_text.h"
#include "protocol/base/text.h"

#include <algorithm>
#include <charconv>
#include <set>

namespace obcanal::adapter::rdb {

namespace {

using client::MysqlSession;
using client::SqlArray;
using client::SqlFailure;

constexpr int32_t kTypesVarchar = 12;
constexpr size_t kBulkRows = 2'000;  // of one execution
constexpr size_t kTexts = 250;       // UPDATEs and DELETEs in one round trip
constexpr size_t kStatementLimit = size_t{4} << 20;

// DDL that finds its effect there already: table, column or key exists, or is gone.
constexpr uint32_t kIdle[] = {1007, 1008};
constexpr uint32_t kApplied[] = {1050, 1051, 1060, 1061, 1091, 1146, 1054};
constexpr uint32_t kDuplicate[] = {1062, 1022, 1586, 1859};
constexpr uint32_t kReference[] = {1216, 1217, 1451, 1452};
constexpr uint32_t kAgain[] = {1213, 1205, 1020, 1317, 3572};
// Disk and memory (those from 4000 on: OceanBase's), connections, read-only, privileges.
constexpr uint32_t kUnable[] = {3,    1021, 1026, 1030, 1037, 1038, 1041, 1044, 1045, 1114, 1142,
                                1143, 1203, 1223, 1227, 1290, 1370, 1836, 4013, 4030, 4184, 4263};

// "... for key 'PRIMARY'", "... for key 't.PRIMARY'"
std::string constraint_of(const std::string& text) {
    const auto end = text.rfind('\'');
    const auto mark = text.rfind("for key '");
    if (mark == std::string::npos || end == std::string::npos || end < mark + 9) {
        return {};
    }
    std::string name = text.substr(mark + 9, end - mark - 9);
    const auto dot = name.rfind('.');
    return dot == std::string::npos ? name : name.substr(dot + 1);
}

// Strict, but with what a source may hold: zero dates, 31st of February, 0 in AUTO_INCREMENT.
constexpr std::string_view kStrictMode =
    "SET SESSION sql_mode='STRICT_TRANS_TABLES,ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO,"
    "NO_ENGINE_SUBSTITUTION'";
constexpr std::string_view kLenientMode =
    "SET SESSION sql_mode='ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION'";
constexpr std::string_view kTruncated = "1265";

bool is_one_of(std::span<const uint32_t> codes, uint32_t code) {
    return std::ranges::find(codes, code) != codes.end();
}

Outcome to_outcome(const std::optional<SqlFailure>& failed) {
    if (!failed) {
        return std::nullopt;
    }
    Failure out;
    out.text = failed->text;
    if (failed->lost) {
        out.cause = Cause::Lost;
    } else if (is_one_of(kDuplicate, failed->code)) {
        out.cause = Cause::Duplicate;
        out.constraint = constraint_of(failed->text);
    } else if (is_one_of(kReference, failed->code)) {
        out.cause = Cause::Reference;
    } else if (is_one_of(kAgain, failed->code) || failed->state.starts_with("40")) {
        out.cause = Cause::Again;
    } else if (is_one_of(kApplied, failed->code)) {
        out.cause = Cause::Applied;
    } else if (is_one_of(kIdle, failed->code)) {
        out.cause = Cause::Idle;
    } else if (is_one_of(kUnable, failed->code)) {
        out.cause = Cause::Unable;
    }
    return out;
}

// False: no number where one is wanted.
bool put(SqlArray& array, size_t at, const Arg& arg) {
    array.indicators[at] = arg.null ? 1 : 0;
    if (array.kind != SqlArray::Kind::Integer) {
        array.texts[at] = arg.text.data() == nullptr ? "" : arg.text.data();
        array.lengths[at] = arg.text.size();
        return true;
    }
    array.integers[at] = 0;
    if (arg.null) {
        return true;
    }
    const char* end = arg.text.data() + arg.text.size();
    std::from_chars_result read{};
    if (array.is_unsigned) {
        uint64_t number = 0;
        read = std::from_chars(arg.text.data(), end, number);
        array.integers[at] = static_cast<int64_t>(number);
    } else {
        read = std::from_chars(arg.text.data(), end, array.integers[at]);
    }
    return read.ec == std::errc() && read.ptr == end;
}

std::string text_of(const std::optional<std::string>& cell) { return cell.value_or(""); }

// A row with members of its ENUMs where these are empty, and the change that makes them so.
struct StandIn {
    std::vector<core::DmlValue> values;
    std::vector<core::DmlValue> there;  // the row by then
    core::DmlRow row;
    core::DmlRow blank;

    // False where the member could be taken for another row's value.
    bool make(const Unit& unit, const Shape& blanks) {
        const core::DmlRow& from = *unit.rows[0];
        values.assign(from.after.begin(), from.after.end());
        for (const uint16_t i : blanks.columns) {
            const PlanColumn& column = unit.plan->columns[i];
            const bool unique =
                std::ranges::any_of(unit.plan->unique, [&](const TargetIndex& index) {
                    return std::ranges::find(index.columns, column.target) != index.columns.end();
                });
            const auto uses =
                std::ranges::count(unit.plan->columns, column.source, &PlanColumn::source);
            if (column.in_key || unique || uses > 1) {
                return false;
            }
            values[column.source].text = column.rule.enum_member;
            values[column.source].sql_type = kTypesVarchar;
        }
        there = values;
        for (size_t i = 0; i < there.size() && !from.before.empty(); i++) {
            if (there[i].state == core::ValueState::Unknown) {
                there[i] = from.before[i];
            }
        }
        row = {from.before, values};
        blank = {there, from.after};
        return true;
    }
};

}  // namespace

Result<std::unique_ptr<TargetSession>> MysqlTarget::open(
    const config::JdbcUrl& url, const std::string& user, const std::string& password
) {
    auto options = core::mysql_options(url, user, password);
    if (!options) {
        return options.error();
    }
    Error last;
    for (const Endpoint& server : url.servers) {
        options->server = server;
        auto session = MysqlSession::open(*options);
        if (!session) {
            last = std::move(session).error();
            continue;
        }
        std::unique_ptr<MysqlTarget> target(new MysqlTarget(std::move(*session), url.database));
        if (const Outcome failed = target->set_up(url)) {
            last = Error{Errc::Refused, Retry::Backoff, server.text() + ": " + failed->text};
            continue;
        }
        return std::unique_ptr<TargetSession>(std::move(target));
    }
    return last;
}

Outcome MysqlTarget::set_up(const config::JdbcUrl& url) {
    std::string sql(kStrictMode);
    sql += ",autocommit=0";
    const std::string_view variables = parameter(url, "sessionVariables");
    if (!variables.empty()) {
        sql += "," + std::string(variables);
    }
    if (auto failed = to_outcome(session_->execute(sql))) {
        return failed;
    }
    std::vector<SqlRow> rows;
    if (auto failed =
            query("SELECT @@max_allowed_packet,@@binlog_format,@@version_comment", rows)) {
        return failed;
    }
    if (!rows.empty()) {
        const auto packet = parse_uint(text_of(rows[0][0]));
        packet_ = std::min<size_t>(kStatementLimit, packet.value_or(kStatementLimit) / 2);
        const std::string make = to_lower(text_of(rows[0][2]));
        oceanbase_ =
            make.find("oceanbase") != std::string::npos || make.find("seekdb") != std::string::npos;
    }
    if (rows.empty() || !rows[0][1] || !equals_ignore_case(*rows[0][1], "STATEMENT")) {
        // Fewer locks between lanes; a server that logs statements refuses it.
        return to_outcome(session_->execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
        ));
    }
    return std::nullopt;
}

Outcome MysqlTarget::commit() { return to_outcome(session_->execute("COMMIT")); }

Outcome MysqlTarget::rollback() { return to_outcome(session_->execute("ROLLBACK")); }

Outcome MysqlTarget::execute(const std::string& sql) { return to_outcome(session_->execute(sql)); }

Outcome MysqlTarget::query(const std::string& sql, std::vector<SqlRow>& rows) {
    client::SqlRows read;
    auto failed = to_outcome(session_->query(sql, read));
    rows = std::move(read.rows);
    return failed;
}

Outcome MysqlTarget::execute_ddl(const std::string& database, const std::string& sql) {
    const std::string& place = database.empty() ? database_ : database;
    if (!place.empty()) {
        if (auto failed = to_outcome(session_->execute("USE " + quote_name(family(), place)))) {
            // CREATE DATABASE and DROP DATABASE run outside of it.
            if (failed->cause == Cause::Lost) {
                return failed;
            }
        }
    }
    return to_outcome(session_->execute(sql));
}

Outcome MysqlTarget::run(const Unit& unit, uint64_t& matched) {
    matched = 0;
    if (session_->has_bulk() && !unit.plan->key.empty() && unit.rows.size() > 1) {
        return run_bulk(unit, matched);
    }
    return unit.kind == OpKind::Insert ? run_inserts(unit) : run_texts(unit, matched);
}

Outcome MysqlTarget::run_alone(const Unit& unit, uint64_t& matched) {
    matched = 0;
    Outcome failed = run_one(unit, matched);
    if (failed && failed->text.starts_with(kTruncated)) {
        const Shape blanks = blank_enums(unit);
        return blanks.columns.empty() ? failed
                                      : run_with_blanks(unit, blanks, std::move(*failed), matched);
    }
    return failed;
}

Outcome MysqlTarget::run_one(const Unit& unit, uint64_t& matched) {
    return unit.kind == OpKind::Insert ? run_inserts(unit) : run_texts(unit, matched);
}

// Columns of the row that hold what a source keeps for a value that is none of an ENUM's members.
Shape MysqlTarget::blank_enums(const Unit& unit) {
    Shape blanks;
    if (unit.kind == OpKind::Delete) {
        return blanks;
    }
    for (const uint16_t i : unit.shape->columns) {
        const PlanColumn& column = unit.plan->columns[i];
        Arena arena;
        const Arg arg = read_value(column.rule, unit.rows[0]->after[column.source], arena);
        if (!column.rule.enum_member.empty() && !arg.null && arg.text.empty()) {
            blanks.columns.push_back(i);
        }
    }
    return blanks;
}

// A server takes such values only where it takes others, too, cut off.
Outcome MysqlTarget::run_with_blanks(
    const Unit& unit, const Shape& blanks, Failure refused, uint64_t& matched
) {
    if (Outcome failed = execute("SAVEPOINT blank")) {
        return failed;
    }
    bool whole = false;
    Outcome failed = oceanbase_ ? write_blanks_apart(unit, blanks, whole, matched)
                                : write_blanks_warned(unit, blanks, whole, matched);
    if ((failed && failed->cause == Cause::Lost) || (!failed && whole)) {
        return failed;
    }
    if (Outcome lost = execute("ROLLBACK TO SAVEPOINT blank")) {
        return lost;
    }
    return failed ? failed : std::optional(std::move(refused));
}

// A session that stayed lenient would be worse than none.
Outcome MysqlTarget::be_strict() {
    Outcome failed = execute(std::string(kStrictMode));
    if (failed) {
        failed->cause = Cause::Lost;
    }
    return failed;
}

// One warning for each of them and no other, or it is not the whole row.
Outcome MysqlTarget::write_blanks_warned(
    const Unit& unit, const Shape& blanks, bool& whole, uint64_t& matched
) {
    if (Outcome failed = execute(std::string(kLenientMode))) {
        return failed;
    }
    Outcome failed = run_one(unit, matched);
    std::vector<SqlRow> warnings;
    if (!failed) {
        failed = query("SHOW WARNINGS", warnings);
    }
    whole = warnings.size() == blanks.columns.size() &&
            std::ranges::all_of(warnings, [](const SqlRow& warning) {
                return warning.size() > 1 && warning[1] == kTruncated;
            });
    if (Outcome lost = be_strict()) {
        return lost;
    }
    return failed;
}

// OceanBase cuts off without a warning: members of the ENUMs stand in for the empty values until a
// statement of these alone.
Outcome MysqlTarget::write_blanks_apart(
    const Unit& unit, const Shape& blanks, bool& whole, uint64_t& matched
) {
    StandIn stand_in;
    if (!stand_in.make(unit, blanks)) {
        return std::nullopt;
    }
    Unit strict = unit;
    strict.rows = {&stand_in.row};
    if (Outcome failed = run_one(strict, matched)) {
        return failed;
    }
    if (unit.kind == OpKind::Update && matched == 0) {
        whole = true;
        return std::nullopt;
    }
    Unit lenient;
    lenient.plan = unit.plan;
    lenient.kind = OpKind::Update;
    lenient.shape = &blanks;
    lenient.rows = {&stand_in.blank};
    if (Outcome failed = execute(std::string(kLenientMode))) {
        return failed;
    }
    uint64_t found = 0;
    Outcome failed = run_texts(lenient, found);
    whole = found == 1;
    if (Outcome lost = be_strict()) {
        return lost;
    }
    return failed;
}

Outcome MysqlTarget::run_inserts(const Unit& unit) {
    const Shape& shape = *unit.shape;
    std::string sql;
    size_t rows = 0;
    for (size_t i = 0; i < unit.rows.size(); i++) {
        if (rows == 0) {
            sql.clear();
            append_insert_head(sql, *unit.plan, shape);
        }
        sql += rows++ > 0 ? "," : "";
        append_insert_row(sql, family(), *unit.plan, shape, *unit.rows[i]);
        if (sql.size() >= packet_ / 2 || i + 1 == unit.rows.size()) {
            if (unit.upsert) {
                append_upsert_tail(sql, family(), *unit.plan, shape);
            }
            if (auto failed = to_outcome(session_->execute(sql))) {
                return failed;
            }
            rows = 0;
        }
    }
    return std::nullopt;
}

Outcome MysqlTarget::run_texts(const Unit& unit, uint64_t& matched) {
    std::string sql;
    std::vector<uint64_t> counts;
    size_t statements = 0;
    for (size_t i = 0; i < unit.rows.size(); i++) {
        sql += statements++ > 0 ? ";" : "";
        if (unit.kind == OpKind::Update) {
            append_update(sql, family(), *unit.plan, *unit.shape, *unit.rows[i]);
        } else {
            append_delete(sql, family(), *unit.plan, *unit.rows[i]);
        }
        if (statements == kTexts || sql.size() >= packet_ / 2 || i + 1 == unit.rows.size()) {
            if (auto failed = to_outcome(session_->execute_all(sql, counts))) {
                return failed;
            }
            for (const uint64_t count : counts) {
                matched += count;
            }
            sql.clear();
            statements = 0;
        }
    }
    return std::nullopt;
}

void MysqlTarget::add_parameter(const PlanColumn& column, bool old, size_t count) {
    if (arrays_.size() == parameters_.size()) {
        arrays_.emplace_back();
    }
    SqlArray& array = arrays_[parameters_.size()];
    parameters_.push_back({&column, old});
    const BindAs bind = column.rule.bind;
    const bool integer = bind == BindAs::Signed || bind == BindAs::Unsigned;
    array.kind = integer ? SqlArray::Kind::Integer : SqlArray::Kind::Text;
    array.kind = bind == BindAs::Bytes ? SqlArray::Kind::Bytes : array.kind;
    array.is_unsigned = bind == BindAs::Unsigned;
    array.indicators.resize(count);
    array.integers.resize(integer ? count : 0);
    array.texts.resize(integer ? 0 : count);
    array.lengths.resize(integer ? 0 : count);
}

// False when a value has not the form that its column's type promises; text says it all then.
bool MysqlTarget::fill(const Unit& unit, size_t first, size_t count, Arena& arena) {
    const SqlPlan& plan = *unit.plan;
    parameters_.clear();
    for (const uint16_t i : unit.shape->columns) {
        add_parameter(plan.columns[i], false, count);
    }
    for (const PlanColumn& column : plan.key) {
        if (unit.kind != OpKind::Insert) {
            add_parameter(column, true, count);
        }
    }
    arrays_.resize(parameters_.size());
    for (size_t i = 0; i < count; i++) {
        const core::DmlRow& row = *unit.rows[first + i];
        for (size_t p = 0; p < parameters_.size(); p++) {
            const uint16_t source = parameters_[p].column->source;
            const bool before =
                parameters_[p].old && !row.before.empty() &&
                (row.after.empty() || row.before[source].state != core::ValueState::Unknown);
            const core::DmlValue& value = before ? row.before[source] : row.after[source];
            if (!put(arrays_[p], i, read_value(parameters_[p].column->rule, value, arena))) {
                return false;
            }
        }
    }
    return true;
}

Outcome MysqlTarget::run_bulk(const Unit& unit, uint64_t& matched) {
    const std::string& sql =
        unit.upsert ? unit.shape->upsert : unit.shape->prepared[static_cast<size_t>(unit.kind)];
    for (size_t first = 0; first < unit.rows.size();) {
        size_t count = std::min(kBulkRows, unit.rows.size() - first);
        Arena arena;
        while (true) {
            if (!fill(unit, first, count, arena)) {
                Unit rest = unit;
                rest.rows.erase(rest.rows.begin(), rest.rows.begin() + static_cast<int64_t>(first));
                return rest.kind == OpKind::Insert ? run_inserts(rest) : run_texts(rest, matched);
            }
            size_t bytes = 0;
            for (const SqlArray& array : arrays_) {
                for (const unsigned long length : array.lengths) {
                    bytes += length;
                }
            }
            if (bytes <= packet_ || count == 1) {
                break;
            }
            count = std::max<size_t>(1, count / 2);
        }
        uint64_t found = 0;
        if (auto failed = to_outcome(session_->bulk(sql, arrays_, count, found))) {
            return failed;
        }
        matched += found;
        first += count;
    }
    return std::nullopt;
}

Outcome MysqlTarget::describe(
    const std::string& database, const std::string& name, TargetTable& table
) {
    table = {};
    table.database = database;
    table.name = name;
    const std::string place = (database.empty() ? "DATABASE()" : literal(family(), database)) +
                              " AND TABLE_NAME=" + literal(family(), name);
    if (auto failed = describe_columns(place, table)) {
        return failed;
    }
    return describe_keys(place, table);
}

Outcome MysqlTarget::describe_columns(const std::string& place, TargetTable& table) {
    std::vector<SqlRow> rows;
    auto failed = query(
        "SELECT COLUMN_NAME,DATA_TYPE,COLUMN_TYPE,EXTRA FROM information_schema.COLUMNS"
        " WHERE TABLE_SCHEMA=" +
            place + " ORDER BY ORDINAL_POSITION",
        rows
    );
    for (const SqlRow& row : rows) {
        TargetColumn column;
        column.name = text_of(row[0]);
        column.type = to_lower(text_of(row[1]));
        column.full_type = text_of(row[2]);
        const std::string extra = to_lower(text_of(row[3]));
        column.generated = extra.find("virtual") != std::string::npos ||
                           extra.find("stored") != std::string::npos ||
                           extra.find("persistent") != std::string::npos;
        column.wkb = oceanbase_;
        table.columns.push_back(std::move(column));
    }
    return failed;
}

Outcome MysqlTarget::describe_keys(const std::string& place, TargetTable& table) {
    std::vector<SqlRow> rows;
    if (auto failed = query(
            "SELECT INDEX_NAME,COLUMN_NAME FROM information_schema.STATISTICS"
            " WHERE NON_UNIQUE=0 AND TABLE_SCHEMA=" +
                place + " ORDER BY INDEX_NAME,SEQ_IN_INDEX",
            rows
        )) {
        return failed;
    }
    for (const SqlRow& row : rows) {
        const std::string name = text_of(row[0]);
        if (table.unique.empty() || table.unique.back().name != name) {
            table.unique.emplace_back().name = name;
            table.unique.back().primary = name == "PRIMARY";
        }
        table.unique.back().columns.push_back(text_of(row[1]));
    }
    std::string triggers = place;
    const auto at = triggers.find("TABLE_NAME=");
    triggers.replace(at, 11, "EVENT_OBJECT_TABLE=");
    std::string referred = place;
    referred.replace(at, 11, "REFERENCED_TABLE_NAME=");
    auto failed = query(
        "SELECT 1 FROM information_schema.KEY_COLUMN_USAGE WHERE REFERENCED_TABLE_NAME IS NOT NULL"
        " AND TABLE_SCHEMA=" +
            place +
            " UNION ALL SELECT 1 FROM information_schema.KEY_COLUMN_USAGE"
            " WHERE REFERENCED_TABLE_SCHEMA=" +
            referred +
            " UNION ALL SELECT 1 FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA=" +
            triggers + " LIMIT 1",
        rows
    );
    table.constrained = !rows.empty();
    return failed;
}

}  // namespace obcanal::adapter::rdb
