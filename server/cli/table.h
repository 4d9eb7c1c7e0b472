// Tables for people, of what other programs gave as JSON.
#pragma once

#include <boost/json/object.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::cli {

using Row = std::vector<std::string>;

// In columns, the first row being their names. REQUIRES: rows of one length, at least one.
void append_rows(std::string& to, const std::vector<Row>& rows);

// Members of an answer: absent or of another type reads as nothing.
const boost::json::object& object_at(const boost::json::object& in, std::string_view key);
int64_t number_at(const boost::json::object& in, std::string_view key);
std::string text_at(const boost::json::object& in, std::string_view key);
bool flag_at(const boost::json::object& in, std::string_view key);

// Of a cursor in Canal's JSON.
std::string cursor_text(const boost::json::object& cursor);

}  // namespace obcanal::cli
