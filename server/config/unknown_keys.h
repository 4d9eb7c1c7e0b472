// Tells keys that nobody reads: typing errors, keys in the wrong file, keys of parts that obcanal
// does not have.
#pragma once

#include "protocol/base/finding.h"
#include "server/config/key_reader.h"
#include "server/config/layers.h"

#include <set>
#include <string>

namespace obcanal::config {

using KeyNames = std::set<std::string, std::less<>>;

// `asked`: the names that placeholders refer to.
void judge_file(
    const Properties& file,
    bool of_instance,
    const KeyNames& asked,
    KeyReader& reader,
    FindingList& findings
);
// Keys of the command line and of the environment (there those that begin with "canal." only).
void judge_overrides(
    const Layers::Defines& defines, const KeyNames& asked, KeyReader& reader, FindingList& findings
);

}  // namespace obcanal::config
