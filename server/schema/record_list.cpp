#include "server/schema/record_list.h"

#include <array>

namespace obcanal::schema {

std::string join_records(std::span<const std::string> records) {
    std::string bytes;
    for (const std::string& record : records) {
        std::array<std::byte, 10> size;
        const std::byte* end = write_varint(size.data(), record.size());
        bytes += as_text({size.data(), static_cast<size_t>(end - size.data())});
        bytes += record;
    }
    return bytes;
}

bool split_records(Bytes bytes, std::vector<std::string>& records) {
    ByteReader in(bytes);
    while (in.ok() && !in.empty()) records.emplace_back(in.text(in.varint()));
    return in.ok();
}

}  // namespace obcanal::schema
