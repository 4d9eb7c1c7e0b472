// A destination's schema history in ZooKeeper, beside its cursors: whoever takes the destination
// over has the tables as the cursors need them. Written under the term of the leader only, so that
// a server which has lost the destination can write no more. Owned by the destination's SchemaLog;
// all calls wait for ZooKeeper, on the lane of the meta store that has made it and outlives it.
//
//   {destination}/schema           "obcanal schema history 1, generation {n}"
//   {destination}/schema/g{n}      one child per part of a frame
//   part    := f{frame}-{number}-{parts}  counted from 1, in digits of fixed width
//   data    := "OBZ1" crc32(bytes):u32 bytes      little-endian; bytes: a piece of the frame
//   frame   := gzip(records)                      see server/schema/record_list.h
//
// Another generation is written whole before the first node names it. Of the last frame, parts are
// missing when its writer died over it; parts missing elsewhere are damage.
#pragma once

#include "ha/leadership.h"
#include "server/schema/schema_store.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::meta {

// Of the leader that this server is; an Error when it is not. On the lane.
using CurrentTerm = std::function<Result<std::shared_ptr<ha::Term>>()>;

class ZookeeperSchemaStore final : public schema::SchemaStore {
 public:
    // A node holds up to 1 MiB, with what goes around it on the wire; a part stays well below.
    static constexpr size_t kPartBytes = size_t{256} << 10;
    // Ensembles keep everything in memory, on each server.
    static constexpr size_t kKeepBytes = size_t{8} << 20;
    static constexpr size_t kMostRecordBytes = size_t{256} << 20;
    // So many appended frames are written as one.
    static constexpr uint64_t kMostFrames = 256;

    // `path`: the destination's (ha::destination_path).
    ZookeeperSchemaStore(CurrentTerm term, std::string path);

    Result<std::vector<std::string>> load() override;
    Result<void> append(std::span<const std::string> records) override;
    Result<void> replace(std::span<const std::string> records) override;
    size_t keep_bytes() const override { return kKeepBytes; }
    // The cursors that stand in ZooKeeper.
    Result<std::vector<schema::ReadTo>> readers() override;

 private:
    using Session = ha::ZookeeperSession;

    // What is there, as far as the names tell.
    struct Frame {
        uint64_t number = 0;
        uint64_t parts = 0;
        std::vector<std::string> names;  // of the parts that are there, in order
    };

    std::string generation_path(uint64_t generation) const;
    Result<std::optional<uint64_t>> current_generation(Session& session) const;
    Result<std::vector<Frame>> list_frames(Session& session);
    Result<void> read_frame(Session& session, const Frame& frame, std::vector<std::string>& records)
        const;
    // False: it is there already.
    Result<bool> create(
        ha::Term& term, const std::string& path, const std::optional<std::string>& data
    ) const;
    Result<void> write_frame(
        ha::Term& term, uint64_t generation, uint64_t number, std::span<const std::string> records
    ) const;
    Result<void> drop_other_generations(ha::Term& term, uint64_t current) const;

    const CurrentTerm term_;
    const std::string path_;         // of the destination
    const std::string schema_path_;  // of the history
    uint64_t generation_ = 0;        // 0: there is none yet
    // Nothing: a write ended without an answer, so what is there has to be looked at first.
    std::optional<uint64_t> next_frame_;
};

// What a node of the history holds; BadPacket: damaged. For any thread.
std::string part_data(std::string_view bytes);
Result<std::string_view> part_bytes(std::string_view data);

}  // namespace obcanal::meta
