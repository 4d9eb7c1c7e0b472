// The text of a dead letter, and the Dml made of it again.
//   {"letter": 1, "group": "g1", "adapter": "key", "task": "user.yml", "cause": "...",
//    "parked_at": "2024-01-02T03:04:05Z", "keys": [...],
//    "change": {"type": 2, "ddl": false, "database": "mytest", "table": "user", "sql": "",
//               "ddl_schema": "", "es": 0, "log_file": "", "log_offset": 0, "row": 0,
//               "gtid": "",
//               "columns": [["id", "int(11)", true], ...],
//               "before": [VALUE, ...], "after": [VALUE, ...]}}
// VALUE: [text, java.sql.Types, updated]; the text null for NULL, false where upstream did not log
// it, {"hex": "..."} where it is not UTF-8. Pure functions.
#pragma once

#include "adapter/core/dead_letter_store.h"
#include "adapter/core/dml.h"
#include "protocol/base/result.h"

#include <boost/json/object.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::adapter::core {

boost::json::object change_text(const Dml& dml, size_t row);
Result<Letter> read_letter(const boost::json::object& line);

// Empty or 0 when there is no such member of that kind.
std::string_view string_member(const boost::json::object& object, std::string_view name);
uint64_t number_member(const boost::json::object& object, std::string_view name);

// A Dml with the memory that it points into.
class LetterDml {
 public:
    static Result<std::unique_ptr<LetterDml>> make(const Letter& letter);
    const Dml& dml() const { return dml_; }

 private:
    Result<void> read(const boost::json::object& change);
    Result<void> read_columns(const boost::json::object& change);
    Result<void> read_image(
        const boost::json::object& change, std::string_view name, std::vector<DmlValue>& to
    );
    std::string_view keep(std::string_view text);

    Dml dml_;
    std::vector<DmlValue> before_;
    std::vector<DmlValue> after_;
    std::vector<std::unique_ptr<std::string>> texts_;
};

}  // namespace obcanal::adapter::core
