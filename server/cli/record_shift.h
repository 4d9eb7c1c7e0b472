// Moves records along in time, so that a recording can follow itself as a stream that goes on:
// commit time and checkpoint by whole seconds, the number in the unique id by a stride. Everything
// else stays byte for byte. Pure functions.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/oblog/log_record.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace obcanal::cli {

struct RecordShift {
    int64_t seconds = 0;
    uint64_t numbers = 0;

    bool none() const { return seconds == 0 && numbers == 0; }
};

// Where the bytes are that move.
struct ShiftPlan {
    uint32_t number_at = 0;     // digits inside the unique id
    uint8_t number_digits = 0;  // 0: the record has no number
    uint32_t crc_at = 0;        // 0: the writer stored none
};

// The number of a BEGIN's or DDL's unique id: its last group of digits. Empty: it has none.
std::string_view last_number(std::string_view unique_id);

// `transaction`: the number of the BEGIN around the record, which also stands somewhere in the ids
// of its rows; where it does not, the last group of digits moves. REQUIRES: record.ok() after
// usec() and unique_id() were read.
ShiftPlan plan_shift(oblog::LogRecord& record, std::string_view transaction);

uint64_t number_of(Bytes record, const ShiftPlan& plan);

// Gives the plan for the record as it was appended. REQUIRES: `record` and `plan` belong together.
ShiftPlan append_shifted(
    Bytes record, const ShiftPlan& plan, const RecordShift& shift, std::string& to
);

// A HEARTBEAT as OceanBase's log library writes it (sub-version 5), checkpoint and time the same.
std::string heartbeat_record(int64_t time_us);

}  // namespace obcanal::cli
