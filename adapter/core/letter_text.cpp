#include "adapter/core/letter_text.h"

#include "protocol/base/text.h"

#include <boost/json/array.hpp>

namespace obcanal::adapter::core {
namespace {

boost::json::value text_value(std::string_view text) {
    if (is_utf8(as_bytes(text))) return boost::json::string(text);
    return boost::json::object{{"hex", to_hex(as_bytes(text))}};
}

boost::json::array image_text(std::span<const DmlValue> image) {
    boost::json::array values;
    for (const DmlValue& value : image) {
        boost::json::value text = nullptr;
        if (value.state == ValueState::Value) text = text_value(value.text);
        if (value.state == ValueState::Unknown) text = false;
        values.push_back(boost::json::array{std::move(text), value.sql_type, value.updated});
    }
    return values;
}

Error unreadable(std::string_view what) {
    return {Errc::BadPacket, Retry::Never, "a letter without a readable " + std::string(what)};
}

const boost::json::array* array_member(const boost::json::object& object, std::string_view name) {
    const boost::json::value* const value = object.if_contains(name);
    return value == nullptr ? nullptr : value->if_array();
}

}  // namespace

std::string_view string_member(const boost::json::object& object, std::string_view name) {
    const boost::json::value* const value = object.if_contains(name);
    const boost::json::string* const text = value == nullptr ? nullptr : value->if_string();
    return text == nullptr ? std::string_view() : std::string_view(text->data(), text->size());
}

uint64_t number_member(const boost::json::object& object, std::string_view name) {
    const boost::json::value* const value = object.if_contains(name);
    if (value == nullptr) return 0;
    if (value->is_uint64()) return value->get_uint64();
    return value->is_int64() ? static_cast<uint64_t>(value->get_int64()) : 0;
}

boost::json::object change_text(const Dml& dml, size_t row) {
    boost::json::array columns;
    for (const DmlColumn& column : dml.columns) {
        columns.push_back(
            boost::json::array{text_value(column.name), text_value(column.mysql_type), column.key}
        );
    }
    DmlRow images;
    if (row < dml.rows.size()) images = dml.rows[row];
    return {
        {"type", static_cast<uint64_t>(dml.type)},
        {"ddl", dml.is_ddl},
        {"database", repair_utf8(as_bytes(dml.database))},
        {"table", repair_utf8(as_bytes(dml.table))},
        {"sql", repair_utf8(as_bytes(dml.sql))},
        {"ddl_schema", repair_utf8(as_bytes(dml.ddl_schema))},
        {"es", dml.execute_ms},
        {"log_file", repair_utf8(as_bytes(dml.log_file))},
        {"log_offset", dml.log_offset},
        {"row", static_cast<uint64_t>(row)},
        {"gtid", repair_utf8(as_bytes(dml.gtid))},
        {"columns", std::move(columns)},
        {"before", image_text(images.before)},
        {"after", image_text(images.after)}
    };
}

Result<Letter> read_letter(const boost::json::object& line) {
    Letter letter;
    letter.id = number_member(line, "letter");
    letter.owner.group = string_member(line, "group");
    letter.owner.adapter = string_member(line, "adapter");
    letter.task = string_member(line, "task");
    letter.cause = string_member(line, "cause");
    letter.parked_at = string_member(line, "parked_at");
    const boost::json::array* const keys = array_member(line, "keys");
    const boost::json::value* const change = line.if_contains("change");
    if (letter.id == 0) return unreadable("number");
    if (keys == nullptr) return unreadable("list of keys");
    if (change == nullptr || !change->is_object()) return unreadable("change");
    for (const boost::json::value& key : *keys) {
        if (!key.is_string()) return unreadable("key");
        letter.keys.emplace_back(key.get_string());
    }
    letter.change = change->get_object();
    return letter;
}

std::string_view LetterDml::keep(std::string_view text) {
    texts_.push_back(std::make_unique<std::string>(text));
    return *texts_.back();
}

Result<std::unique_ptr<LetterDml>> LetterDml::make(const Letter& letter) {
    auto made = std::make_unique<LetterDml>();
    Result<void> read = made->read(letter.change);
    if (!read) return std::move(read).error().in("letter " + std::to_string(letter.id));
    return made;
}

Result<void> LetterDml::read(const boost::json::object& change) {
    const uint64_t type = number_member(change, "type");
    if (type == 0 || type > static_cast<uint64_t>(canal::EventType::XaRollback))
        return unreadable("type");
    dml_.type = static_cast<canal::EventType>(type);
    const boost::json::value* const ddl = change.if_contains("ddl");
    dml_.is_ddl = ddl != nullptr && ddl->is_bool() && ddl->get_bool();
    dml_.database = keep(string_member(change, "database"));
    dml_.table = keep(string_member(change, "table"));
    dml_.sql = keep(string_member(change, "sql"));
    dml_.ddl_schema = keep(string_member(change, "ddl_schema"));
    dml_.execute_ms = static_cast<int64_t>(number_member(change, "es"));
    dml_.log_file = keep(string_member(change, "log_file"));
    dml_.log_offset = static_cast<int64_t>(number_member(change, "log_offset"));
    dml_.gtid = keep(string_member(change, "gtid"));
    for (const Result<void>& done :
         {read_columns(change),
          read_image(change, "before", before_),
          read_image(change, "after", after_)}) {
        if (!done) return done;
    }
    if (!before_.empty() || !after_.empty()) dml_.rows.push_back({before_, after_});
    return {};
}

Result<void> LetterDml::read_columns(const boost::json::object& change) {
    const boost::json::array* const columns = array_member(change, "columns");
    if (columns == nullptr) return unreadable("list of columns");
    for (const boost::json::value& one : *columns) {
        const boost::json::array* const parts = one.if_array();
        if (parts == nullptr || parts->size() != 3 || !(*parts)[2].is_bool())
            return unreadable("column");
        DmlColumn column;
        for (size_t i = 0; i < 2; ++i) {
            std::string text;
            if ((*parts)[i].is_string()) {
                text = (*parts)[i].get_string();
            } else if ((*parts)[i].is_object()) {
                text = from_hex(string_member((*parts)[i].get_object(), "hex")).value_or("");
            } else {
                return unreadable("column");
            }
            (i == 0 ? column.name : column.mysql_type) = keep(text);
        }
        column.key = (*parts)[2].get_bool();
        dml_.columns.push_back(column);
    }
    return {};
}

Result<void> LetterDml::read_image(
    const boost::json::object& change, std::string_view name, std::vector<DmlValue>& to
) {
    const boost::json::array* const values = array_member(change, name);
    if (values == nullptr) return unreadable(name);
    if (!values->empty() && values->size() != dml_.columns.size()) return unreadable(name);
    for (const boost::json::value& one : *values) {
        const boost::json::array* const parts = one.if_array();
        if (parts == nullptr || parts->size() != 3 || !(*parts)[1].is_int64() ||
            !(*parts)[2].is_bool())
            return unreadable(name);
        const boost::json::value& text = (*parts)[0];
        DmlValue value;
        value.sql_type = static_cast<int32_t>((*parts)[1].get_int64());
        value.updated = (*parts)[2].get_bool();
        if (text.is_string()) {
            value.text = keep(std::string_view(text.get_string()));
        } else if (text.is_object()) {
            value.text = keep(from_hex(string_member(text.get_object(), "hex")).value_or(""));
        } else {
            value.state = text.is_null() ? ValueState::Null : ValueState::Unknown;
        }
        to.push_back(value);
    }
    return {};
}

}  // namespace obcanal::adapter::core
