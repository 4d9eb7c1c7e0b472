#include "server/schema/file_schema_store.h"

#include "protocol/base/bytes.h"
#include "protocol/base/crypto.h"
#include "server/schema/record_list.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace obcanal::schema {
namespace {

constexpr std::string_view kMagic = "OBCSCHM1";
constexpr size_t kFrameHeader = 8;

void append_u32(std::string& to, uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8) to += static_cast<char>(value >> shift & 0xff);
}

Result<void> append_frame(std::string& to, std::span<const std::string> records) {
    const std::string payload = join_records(records);
    if (payload.size() > FileSchemaStore::kMaxFileBytes) {
        return Error{
            Errc::Unsupported,
            Retry::Never,
            "schema records of " + std::to_string(payload.size()) + " bytes at once"
        };
    }
    append_u32(to, static_cast<uint32_t>(payload.size()));
    append_u32(to, crc32(as_bytes(payload)));
    to += payload;
    return {};
}

bool only_zeros(std::string_view bytes) {
    return bytes.find_first_not_of('\0') == std::string_view::npos;
}

}  // namespace

Result<SchemaFrames> read_schema_frames(std::string_view bytes) {
    SchemaFrames frames;
    // The file's first bytes may be torn as well.
    if (bytes.size() < kMagic.size() && kMagic.starts_with(bytes)) return frames;
    ByteReader in(as_bytes(bytes));
    if (in.text(kMagic.size()) != kMagic)
        return Error{Errc::BadPacket, Retry::Never, "not a schema history"};
    frames.size = kMagic.size();
    while (in.remaining() >= kFrameHeader) {
        const uint32_t size = in.u32_le();
        const uint32_t sum = in.u32_le();
        // A size of nothing is what a file system leaves where nothing was written yet.
        if (size == 0 || size > in.remaining()) break;
        const Bytes payload = in.take(size);
        const bool sound = crc32(payload) == sum;
        if (!sound && only_zeros(bytes.substr(in.position()))) break;
        if (!sound || !split_records(payload, frames.records)) {
            return Error{
                Errc::BadPacket,
                Retry::Never,
                "damaged at byte " + std::to_string(frames.size) + " of " +
                    std::to_string(bytes.size()) +
                    "; without this file the tables are read from the source as they are now"
            };
        }
        frames.size = in.position();
    }
    return frames;
}

FileSchemaStore::FileSchemaStore(const std::string& data_dir, const std::string& destination)
    : directory_(data_dir + "/" + destination), path_(directory_ + "/" + kFileName) {}

Result<void> FileSchemaStore::open() {
    if (!lock_.is_open()) {
        const std::string path = path_ + ".lock";
        FileHandle lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
        if (!lock.is_open()) return file_error(path, "can't open");
        if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
            if (errno != EWOULDBLOCK) return file_error(path, "can't lock");
            return Error{Errc::Conflict, Retry::Backoff, path_ + ": in use by another process"};
        }
        lock_ = std::move(lock);
    }
    file_ = FileHandle(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (!file_.is_open()) return file_error(path_, "can't open");
    return {};
}

Result<std::vector<std::string>> FileSchemaStore::load() {
    if (auto made = make_directories(directory_); !made) return std::move(made).error();
    if (auto opened = open(); !opened) return std::move(opened).error();
    auto content = read_file(path_, kMaxFileBytes);
    if (!content) return std::move(content).error();
    auto frames = read_schema_frames(content->value_or(""));
    if (!frames) return std::move(frames).error().in(path_);
    size_ = frames->size;
    return std::move(frames->records);
}

Result<void> FileSchemaStore::append(std::span<const std::string> records) {
    OBC_ASSERT(file_.is_open());
    std::string bytes(size_ == 0 ? kMagic : "");
    if (auto framed = append_frame(bytes, records); !framed) return framed;
    // What a crash or an earlier failure left behind what is whole.
    if (::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0)
        return file_error(path_, "can't truncate");
    if (auto written = write_at(file_, path_, bytes, size_); !written) return written;
    if (::fsync(file_.get()) != 0) return file_error(path_, "can't sync");
    if (size_ == 0) {
        const FileHandle folder(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!folder.is_open()) return file_error(directory_, "can't open");
        if (::fsync(folder.get()) != 0) return file_error(directory_, "can't sync");
    }
    size_ += bytes.size();
    return {};
}

Result<void> FileSchemaStore::replace(std::span<const std::string> records) {
    std::string bytes(kMagic);
    for (const std::string& record : records) {
        if (auto framed = append_frame(bytes, {&record, 1}); !framed) return framed;
    }
    Replaced replaced = replace_file(directory_, kFileName, bytes);
    if (!replaced.renamed) return std::move(replaced.done);
    // The open file is no longer the one of that name.
    if (auto opened = open(); !opened) return opened;
    size_ = bytes.size();
    return std::move(replaced.done);
}

}  // namespace obcanal::schema
