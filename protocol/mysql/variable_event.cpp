// Session variables that statement-format events need, as the SET statements Canal prints.
#include "protocol/base/text.h"
#include "protocol/mysql/binlog_event.h"
#include "protocol/mysql/cell_text.h"
#include "protocol/mysql/java_number.h"

#include <bit>

namespace obcanal::mysql {
namespace {

// Item_result of the server.
enum class ResultType : uint8_t { String = 0, Real = 1, Integer = 2, Decimal = 4 };

Result<std::string> user_variable(const Event& event) {
    ByteReader in(event.body);
    const std::string statement = "SET @" + std::string(in.text(in.u32_le())) + " := ";
    const bool is_null = in.u8() != 0;
    if (!in.ok()) return bad_event(event, "truncated");
    if (is_null) return statement + "NULL";
    const auto type = static_cast<ResultType>(in.u8());
    in.skip(4);  // collation
    const uint32_t size = in.u32_le();
    const Bytes value = in.take(size);
    constexpr uint8_t kUnsigned = 1;
    const bool is_unsigned = !in.empty() && (in.u8() & kUnsigned) != 0;
    if (!in.ok()) return bad_event(event, "truncated");
    switch (type) {
        case ResultType::String: return statement + "'" + repair_utf8(value) + "'";
        case ResultType::Real:
            if (size != 8) break;
            return statement + java_text(std::bit_cast<double>(load_le<uint64_t>(value.data())));
        case ResultType::Integer:
            if (size != 8) break;
            if (is_unsigned) return statement + std::to_string(load_le<uint64_t>(value.data()));
            return statement + std::to_string(load_le<int64_t>(value.data()));
        case ResultType::Decimal: {
            const auto text = packed_decimal_text(value);
            if (!text) break;
            return statement + *text;
        }
    }
    return bad_event(event, "bad value");
}

}  // namespace

Result<std::string> variable_statement(const Event& event) {
    ByteReader in(event.body);
    switch (event.header.type) {
        case EventType::IntVar: {
            constexpr uint8_t kLastInsertId = 1;
            const uint8_t which = in.u8();
            const uint64_t value = in.u64_le();
            if (!in.ok()) return bad_event(event, "truncated");
            return (which == kLastInsertId ? "SET LAST_INSERT_ID = " : "SET INSERT_ID = ") +
                   std::to_string(value);
        }
        case EventType::Rand: {
            const uint64_t first = in.u64_le();
            const uint64_t second = in.u64_le();
            if (!in.ok()) return bad_event(event, "truncated");
            return "SET SESSION rand_seed1 = " + std::to_string(first) +
                   " , rand_seed2 = " + std::to_string(second);
        }
        case EventType::UserVar: return user_variable(event);
        default: return bad_event(event, "sets no variable");
    }
}

}  // namespace obcanal::mysql
