// A schema history in {data_dir}/{destination}/schema.log, beside the cursors. Each append is one
// frame and synced before the next, so only the last one can be torn by a crash, and is cut off;
// damage before that is an error, because what follows cannot be understood without it.
//
//   file   := "OBCSCHM1" { frame }*
//   frame  := size:u32 crc32(records):u32 records          little-endian
//   records := see record_list.h
#pragma once

#include "protocol/base/durable_file.h"
#include "server/schema/schema_store.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::schema {

struct SchemaFrames {
    std::vector<std::string> records;
    size_t size = 0;  // of the part that is whole
};

// BadPacket: no such file, or damaged before its end.
Result<SchemaFrames> read_schema_frames(std::string_view bytes);

class FileSchemaStore final : public SchemaStore {
 public:
    static constexpr size_t kMaxFileBytes = size_t{1} << 30;
    static constexpr const char* kFileName = "schema.log";

    FileSchemaStore(const std::string& data_dir, const std::string& destination);

    // Makes the directory. Conflict: another process has the file.
    Result<std::vector<std::string>> load() override;
    Result<void> append(std::span<const std::string> records) override;
    Result<void> replace(std::span<const std::string> records) override;

 private:
    Result<void> open();

    const std::string directory_;
    const std::string path_;
    FileHandle lock_;  // of a file of its own: replace() changes which file schema.log is
    FileHandle file_;
    size_t size_ = 0;  // of what is whole and durable
};

}  // namespace obcanal::schema
