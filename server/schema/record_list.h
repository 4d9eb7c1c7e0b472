// Records of a schema history as one piece of bytes. Pure functions, any thread.
//
//   records := { varint(size) record }*
#pragma once

#include "protocol/base/bytes.h"

#include <span>
#include <string>
#include <vector>

namespace obcanal::schema {

std::string join_records(std::span<const std::string> records);
// Appends them to `records`. False: malformed.
bool split_records(Bytes bytes, std::vector<std::string>& records);

}  // namespace obcanal::schema
