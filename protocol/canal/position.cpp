#include "protocol/canal/position.h"

#include "protocol/base/bytes.h"
#include "protocol/base/json.h"
#include "protocol/base/text.h"
#include "protocol/canal/position_json.h"

#include <boost/json/object.hpp>

#include <algorithm>
#include <charconv>
#include <concepts>
#include <limits>
#include <utility>

namespace obcanal::canal {

namespace json = boost::json;

namespace {

constexpr std::string_view kType = "com.alibaba.otter.canal.protocol.position.LogPosition";

Error wrong(std::string_view member, std::string_view why) {
    std::string detail = "position: member ";
    detail.append(member).append(" ").append(why);
    return Error{Errc::BadPacket, Retry::Never, std::move(detail)};
}

// The member, or nullptr when it is not there or null: fastjson treats both alike.
const json::value* find(const json::object& object, std::string_view name) {
    const json::value* member = object.if_contains({name.data(), name.size()});
    return member == nullptr || member->is_null() ? nullptr : member;
}

// fastjson also takes a number from a string and from a number with a fraction of zero.
std::optional<int64_t> as_int64(const json::value& value) {
    if (const int64_t* number = value.if_int64()) return *number;
    if (const json::string* text = value.if_string())
        return parse_int({text->data(), text->size()});
    if (const double* number = value.if_double()) {
        constexpr double kLimit = 9007199254740992.0;  // 2^53: exact below
        if (*number >= -kLimit && *number <= kLimit &&
            *number == static_cast<double>(static_cast<int64_t>(*number)))
            return static_cast<int64_t>(*number);
    }
    return std::nullopt;
}

// One member of each kind into `to`, which stays as it is when the member is missing.
Result<void> read(const json::object& object, std::string_view name, int64_t& to) {
    const json::value* member = find(object, name);
    if (member == nullptr) return {};
    const std::optional<int64_t> number = as_int64(*member);
    if (!number) return wrong(name, "is not a number of 64 bits");
    to = *number;
    return {};
}

Result<void> read(const json::object& object, std::string_view name, std::string& to) {
    const json::value* member = find(object, name);
    if (member == nullptr) return {};
    const json::string* text = member->if_string();
    if (text == nullptr) return wrong(name, "is not a string");
    to.assign(text->data(), text->size());
    return {};
}

Result<void> read(const json::object& object, std::string_view name, bool& to) {
    const json::value* member = find(object, name);
    if (member == nullptr) return {};
    const bool* flag = member->if_bool();
    if (flag == nullptr) return wrong(name, "is not true or false");
    to = *flag;
    return {};
}

Result<const json::object*> read_object(const json::object& object, std::string_view name) {
    const json::value* member = find(object, name);
    if (member == nullptr) return static_cast<const json::object*>(nullptr);
    const json::object* inner = member->if_object();
    if (inner == nullptr) return wrong(name, "is not an object");
    return inner;
}

Result<void> read_identity(const json::object& from, LogIdentity& to) {
    if (auto done = read(from, "slaveId", to.slave_id); !done) return done;
    auto address = read_object(from, "sourceAddress");
    if (!address) return std::move(address).error();
    if (*address == nullptr) return {};
    if (auto done = read(**address, "address", to.host); !done) return done;
    int64_t port = 0;
    if (auto done = read(**address, "port", port); !done) return done;
    if (port < 0 || port > std::numeric_limits<uint16_t>::max())
        return wrong("port", "is not 0..65535");
    to.port = static_cast<uint16_t>(port);
    return {};
}

Result<OblogResume> read_resume(const json::object& from) {
    OblogResume resume;
    if (auto done = read(from, "commit", resume.commit_us); !done) return std::move(done).error();
    if (auto done = read(from, "open", resume.open); !done) return std::move(done).error();
    if (auto done = read(from, "ordered", resume.ordered); !done) return std::move(done).error();
    int64_t rows = 0;
    if (auto done = read(from, "openRows", rows); !done) return std::move(done).error();
    if (rows < 0) return wrong("openRows", "is negative");
    resume.open_rows = static_cast<uint64_t>(rows);
    if (const json::value* list = find(from, "consumed")) {
        const json::array* ids = list->if_array();
        if (ids == nullptr) return wrong("consumed", "is not a list");
        resume.consumed.reserve(ids->size());
        for (const json::value& id : *ids) {
            const json::string* text = id.if_string();
            if (text == nullptr) return wrong("consumed", "holds something that is not a string");
            resume.consumed.emplace_back(text->data(), text->size());
        }
    }
    return resume;
}

Result<BinlogResume> read_binlog_resume(const json::object& from) {
    BinlogResume resume;
    if (auto done = read(from, "done", resume.done); !done) return std::move(done).error();
    if (auto done = read(from, "gtid", resume.gtid); !done) return std::move(done).error();
    int64_t events = 0;
    if (auto done = read(from, "events", events); !done) return std::move(done).error();
    if (events < 0) return wrong("events", "is negative");
    resume.events = static_cast<uint64_t>(events);
    return resume;
}

// "postion", misspelt since Canal's first version.
Result<void> read_entry_position(const json::object& from, LogPosition& to) {
    if (auto done = read(from, "gtid", to.gtid); !done) return done;
    if (auto done = read(from, "included", to.included); !done) return done;
    if (auto done = read(from, "journalName", to.journal_name); !done) return done;
    if (auto done = read(from, "position", to.position); !done) return done;
    if (auto done = read(from, "timestamp", to.timestamp_ms); !done) return done;
    if (find(from, "serverId") != nullptr) {
        int64_t server_id = 0;
        if (auto done = read(from, "serverId", server_id); !done) return done;
        to.server_id = server_id;
    }
    auto oblog = read_object(from, "oblog");
    if (!oblog) return std::move(oblog).error();
    if (*oblog != nullptr) {
        auto resume = read_resume(**oblog);
        if (!resume) return std::move(resume).error().in("oblog");
        to.oblog = std::move(resume).value();
    }
    auto binlog = read_object(from, "binlog");
    if (!binlog) return std::move(binlog).error();
    if (*binlog != nullptr) {
        auto resume = read_binlog_resume(**binlog);
        if (!resume) return std::move(resume).error().in("binlog");
        to.binlog = std::move(resume).value();
    }
    return {};
}

template <std::integral Integer>
void append_number(std::string& to, Integer value) {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, value);
    to.append(digits, end.ptr);
}

void append_flag(std::string& to, bool value) { to += value ? "true" : "false"; }

void append_resume(std::string& to, const OblogResume& resume) {
    to += R"({"commit":)";
    append_number(to, resume.commit_us);
    to += R"(,"consumed":[)";
    bool first = true;
    for (const std::string& id : resume.consumed) {
        if (!first) to += ',';
        first = false;
        append_json_string(to, id);
    }
    to += R"(],"open":)";
    append_json_string(to, resume.open);
    to += R"(,"openRows":)";
    append_number(to, resume.open_rows);
    to += R"(,"ordered":)";
    append_flag(to, resume.ordered);
    to += '}';
}

void append_resume(std::string& to, const BinlogResume& resume) {
    to += R"({"done":)";
    append_flag(to, resume.done);
    to += R"(,"events":)";
    append_number(to, resume.events);
    to += R"(,"gtid":)";
    append_json_string(to, resume.gtid);
    to += '}';
}

// `text` without the type letters behind numbers; strings are left alone.
std::string without_type_letters(std::string_view text) {
    std::string plain;
    plain.reserve(text.size());
    bool quoted = false;
    for (size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        if (quoted) {
            plain += c;
            if (c == '\\' && at + 1 < text.size()) plain += text[++at];
            if (c == '"') quoted = false;
            continue;
        }
        const bool behind_digit = at > 0 && text[at - 1] >= '0' && text[at - 1] <= '9';
        if (behind_digit && (c == 'L' || c == 'S' || c == 'B' || c == 'F' || c == 'D')) continue;
        if (c == '"') quoted = true;
        plain += c;
    }
    return plain;
}

template <class Value>
int order(const Value& a, const Value& b) {
    if (a < b) return -1;
    return b < a ? 1 : 0;
}

// canal-for-ob's cursors name this journal and lack our member.
bool is_checkpoint(const LogPosition& at) {
    return at.oblog || at.journal_name == "LogProxyMessageFile";
}

int64_t checkpoint_us(const LogPosition& at) {
    return static_cast<int64_t>(
        static_cast<uint64_t>(at.timestamp_ms / 1000) * 1'000'000U +
        static_cast<uint64_t>(at.position)
    );
}

}  // namespace

Result<json::value> parse_canal_json(std::string_view text) {
    return parse_json(without_type_letters(text));
}

Result<LogPosition> read_log_position(const json::value& value) {
    const json::object* object = value.if_object();
    if (object == nullptr)
        return Error{Errc::BadPacket, Retry::Never, "position: not a JSON object"};
    LogPosition position;
    auto identity = read_object(*object, "identity");
    if (!identity) return std::move(identity).error();
    if (*identity != nullptr) {
        if (auto done = read_identity(**identity, position.identity); !done)
            return std::move(done).error();
    }
    auto entry = read_object(*object, "postion");
    if (!entry) return std::move(entry).error();
    if (*entry == nullptr) return wrong("postion", "is missing");
    if (auto done = read_entry_position(**entry, position); !done) return std::move(done).error();
    return position;
}

Result<LogPosition> parse_log_position(std::string_view text) {
    auto value = parse_canal_json(text);
    if (!value) return std::move(value).error().in("position");
    return read_log_position(*value);
}

void append_json_string(std::string& to, std::string_view text) {
    if (!is_utf8(as_bytes(text))) {
        append_json_string(to, repair_utf8(as_bytes(text)));
        return;
    }
    constexpr std::string_view kHex = "0123456789abcdef";
    to += '"';
    for (const char c : text) {
        const auto code = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            to += '\\';
            to += c;
        } else if (code < 0x20) {
            to += "\\u00";
            to += kHex[code >> 4];
            to += kHex[code & 15];
        } else {
            to += c;
        }
    }
    to += '"';
}

void append_json(std::string& to, const LogPosition& position, bool with_type) {
    to += '{';
    if (with_type) to.append(R"("@type":")").append(kType).append(R"(",)");
    to += R"("identity":{"slaveId":)";
    append_number(to, position.identity.slave_id);
    // Java turns a null address into 0.0.0.0, so an unknown one is better left out as a whole.
    if (!position.identity.host.empty()) {
        to += R"(,"sourceAddress":{"address":)";
        append_json_string(to, position.identity.host);
        to += R"(,"port":)";
        append_number(to, position.identity.port);
        to += '}';
    }
    to += R"(},"postion":{"gtid":)";
    append_json_string(to, position.gtid);
    to += R"(,"included":)";
    append_flag(to, position.included);
    to += R"(,"journalName":)";
    append_json_string(to, position.journal_name);
    to += R"(,"position":)";
    append_number(to, position.position);
    if (position.server_id) {
        to += R"(,"serverId":)";
        append_number(to, *position.server_id);
    }
    to += R"(,"timestamp":)";
    append_number(to, position.timestamp_ms);
    if (position.oblog) {
        to += R"(,"oblog":)";
        append_resume(to, *position.oblog);
    }
    if (position.binlog) {
        to += R"(,"binlog":)";
        append_resume(to, *position.binlog);
    }
    to += "}}";
}

std::string to_json(const LogPosition& position, bool with_type) {
    std::string text;
    text.reserve(384);
    append_json(text, position, with_type);
    return text;
}

int compare(const LogPosition& a, const LogPosition& b) {
    // A checkpoint is a time of the cluster: it compares whatever proxy it came through.
    if (is_checkpoint(a) && is_checkpoint(b)) {
        if (const int by = order(checkpoint_us(a), checkpoint_us(b)); by != 0) return by;
        static const OblogResume kNothing;
        const OblogResume& had = a.oblog ? *a.oblog : kNothing;
        const OblogResume& has = b.oblog ? *b.oblog : kNothing;
        if (const int by = order(had.commit_us, has.commit_us); by != 0) return by;
        if (const int by = order(had.consumed.size(), has.consumed.size()); by != 0) return by;
        return order(had.open_rows, has.open_rows);
    }
    if (a.identity != b.identity) return order(a.timestamp_ms, b.timestamp_ms);
    if (const int by = order(a.journal_name, b.journal_name); by != 0) return by;
    if (const int by = order(a.position, b.position); by != 0) return by;
    static const BinlogResume kNothing;
    const BinlogResume& had = a.binlog ? *a.binlog : kNothing;
    const BinlogResume& has = b.binlog ? *b.binlog : kNothing;
    if (const int by = order(had.done, has.done); by != 0) return by;
    return order(had.events, has.events);
}

}  // namespace obcanal::canal
