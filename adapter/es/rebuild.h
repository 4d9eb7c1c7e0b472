// An index that is built anew beside the one in use, and takes its place under the same name: an
// alias, made of an index of that name where it was one. Pure functions, texts of the requests.
#pragma once

#include "protocol/base/result.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::adapter::es {

// "users-20240102030405"; `name` without such an ending of an earlier rebuild.
std::string rebuilt_name(std::string_view name, int64_t unix_seconds);
// Is `index` one that a rebuild of `name` has made?
bool is_rebuilt(std::string_view name, std::string_view index);

// The body of PUT /{new index}, of the reply of GET /{name}: the mappings and the settings that one
// chooses, not those that the server gives. Of several indexes, the first.
Result<std::string> new_index_body(std::string_view reply);

// The body of POST /_aliases: at one moment `name` means `next`. `indexes`: what it meant before;
// those of earlier rebuilds, and an index called `name` itself, are deleted.
std::string switch_body(
    std::string_view name, const std::vector<std::string>& indexes, std::string_view next
);

}  // namespace obcanal::adapter::es
