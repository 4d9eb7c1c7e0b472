#include "server/meta/zookeeper_schema_store.h"

#include "protocol/base/bytes.h"
#include "protocol/base/crypto.h"
#include "protocol/base/gzip.h"
#include "protocol/base/text.h"
#include "server/meta/zookeeper_meta_store.h"
#include "server/schema/record_list.h"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace obcanal::meta {
namespace {

using schema::ReadTo;
using Kind = ha::ZookeeperStep::Kind;

constexpr std::string_view kMagic = "OBZ1";
constexpr size_t kPartHeader = 8;
constexpr std::string_view kFormat = "obcanal schema history 1, generation ";

Error damaged(const std::string& path, const std::string& what) {
    return Error{
        Errc::BadPacket,
        Retry::Backoff,
        "schema history, ZooKeeper " + path + ": " + what +
            "; without these nodes the tables are read from the source as they are now"
    };
}

struct PartName {
    uint64_t frame = 0;
    uint64_t number = 0;
    uint64_t parts = 0;
};

std::string name_of(const PartName& part) {
    char text[64];
    std::snprintf(
        text,
        sizeof text,
        "f%010llu-%04llu-%04llu",
        static_cast<unsigned long long>(part.frame),
        static_cast<unsigned long long>(part.number),
        static_cast<unsigned long long>(part.parts)
    );
    return text;
}

std::optional<PartName> parse_name(std::string_view name) {
    if (!name.starts_with('f')) return std::nullopt;
    const std::vector<std::string_view> fields = split(name.substr(1), '-');
    if (fields.size() != 3) return std::nullopt;
    const auto frame = parse_uint(fields[0]);
    const auto number = parse_uint(fields[1]);
    const auto parts = parse_uint(fields[2]);
    if (!frame || !number || !parts) return std::nullopt;
    const PartName part{*frame, *number, *parts};
    const bool sound = part.number >= 1 && part.number <= part.parts && name == name_of(part);
    return sound ? std::optional(part) : std::nullopt;
}

// Those that are there, in this order.
Result<void> remove(ha::Term& term, const std::vector<std::string>& paths) {
    constexpr size_t kAtOnce = 1000;
    for (size_t first = 0; first < paths.size(); first += kAtOnce) {
        std::vector<ha::ZookeeperStep> steps;
        for (size_t i = first; i < std::min(first + kAtOnce, paths.size()); ++i)
            steps.push_back({Kind::Remove, paths[i], std::nullopt, -1});
        Result<ha::ZookeeperSteps> outcome = term.write(steps);
        if (!outcome) return std::move(outcome).error();
        if (outcome->failed) return std::move(outcome->why);
    }
    return {};
}

}  // namespace

std::string part_data(std::string_view bytes) {
    std::string data(kMagic);
    const uint32_t sum = crc32(as_bytes(bytes));
    for (int shift = 0; shift < 32; shift += 8) data += static_cast<char>(sum >> shift & 0xff);
    data += bytes;
    return data;
}

Result<std::string_view> part_bytes(std::string_view data) {
    ByteReader in(as_bytes(data));
    if (data.size() < kPartHeader || in.text(kMagic.size()) != kMagic)
        return Error{Errc::BadPacket, Retry::Never, "is no part of a schema history"};
    const uint32_t sum = in.u32_le();
    const std::string_view bytes = data.substr(kPartHeader);
    if (crc32(as_bytes(bytes)) != sum)
        return Error{Errc::BadPacket, Retry::Never, "its checksum is wrong"};
    return bytes;
}

ZookeeperSchemaStore::ZookeeperSchemaStore(CurrentTerm term, std::string path)
    : term_(std::move(term)), path_(std::move(path)), schema_path_(path_ + "/schema") {}

std::string ZookeeperSchemaStore::generation_path(uint64_t generation) const {
    return schema_path_ + "/g" + std::to_string(generation);
}

Result<std::optional<uint64_t>> ZookeeperSchemaStore::current_generation(Session& session) const {
    Result<std::optional<ha::ZookeeperNode>> node = session.get(schema_path_);
    if (!node) return std::move(node).error();
    // Without data: the first generation was being written.
    if (!*node || (*node)->data.empty()) return std::optional<uint64_t>();
    const std::string_view data = (*node)->data;
    const auto generation =
        data.starts_with(kFormat) ? parse_uint(data.substr(kFormat.size())) : std::nullopt;
    if (!generation || *generation == 0)
        return damaged(schema_path_, "holds " + printable(data) + ", which is not known here");
    return std::optional<uint64_t>(*generation);
}

Result<std::vector<ZookeeperSchemaStore::Frame>> ZookeeperSchemaStore::list_frames(Session& session
) {
    const std::string path = generation_path(generation_);
    Result<std::vector<std::string>> names = session.children(path);
    if (!names) return std::move(names).error();
    std::sort(names->begin(), names->end());
    std::vector<Frame> frames;
    for (std::string& name : *names) {
        const std::optional<PartName> part = parse_name(name);
        if (!part) return damaged(path + "/" + printable(name), "is not known here");
        if (frames.empty() || frames.back().number != part->frame)
            frames.push_back({part->frame, part->parts, {}});
        Frame& frame = frames.back();
        if (frame.parts != part->parts)
            return damaged(path + "/" + name, "is of another size than its frame");
        frame.names.push_back(std::move(name));
    }
    for (size_t i = 0; i < frames.size(); ++i) {
        const Frame& frame = frames[i];
        const bool whole = frame.names.size() == frame.parts;
        // The first one was whole before its generation had a name.
        const bool torn = !whole && i > 0 && i + 1 == frames.size();
        if (frame.number != i || (!whole && !torn))
            return damaged(
                path + "/" + frame.names.front(), "what belongs before or beside it is missing"
            );
    }
    return frames;
}

Result<void> ZookeeperSchemaStore::read_frame(
    Session& session, const Frame& frame, std::vector<std::string>& records
) const {
    const std::string path = generation_path(generation_) + "/";
    std::string bytes;
    for (const std::string& name : frame.names) {
        Result<std::optional<ha::ZookeeperNode>> node = session.get(path + name);
        if (!node) return std::move(node).error();
        if (!*node) return damaged(path + name, "has just been removed");
        const Result<std::string_view> part = part_bytes((*node)->data);
        if (!part) return damaged(path + name, part.error().detail);
        bytes += *part;
    }
    const Result<std::string> text = gunzip(bytes, kMostRecordBytes);
    if (!text) return damaged(path + frame.names.front(), text.error().detail);
    if (!schema::split_records(as_bytes(*text), records))
        return damaged(path + frame.names.front(), "its records are malformed");
    return {};
}

Result<std::vector<std::string>> ZookeeperSchemaStore::load() {
    next_frame_.reset();
    const Result<std::shared_ptr<ha::Term>> term = term_();
    if (!term) return term.error();
    const Result<std::optional<uint64_t>> generation = current_generation((*term)->session());
    if (!generation) return generation.error();
    std::vector<std::string> records;
    generation_ = generation->value_or(0);
    if (generation_ == 0) return records;
    Result<std::vector<Frame>> frames = list_frames((*term)->session());
    if (!frames) return std::move(frames).error();
    if (frames->empty())
        return damaged(generation_path(generation_), "has no records, and was written with some");
    if (frames->back().names.size() < frames->back().parts) {
        const std::string path = generation_path(generation_) + "/";
        // From the end, so that what is left is always the beginning of a frame.
        for (auto name = frames->back().names.rbegin(); name != frames->back().names.rend();
             ++name) {
            if (Result<void> gone = remove(**term, {path + *name}); !gone)
                return std::move(gone).error();
        }
        frames->pop_back();
    }
    for (const Frame& frame : *frames) {
        if (Result<void> read = read_frame((*term)->session(), frame, records); !read)
            return std::move(read).error();
    }
    next_frame_ = frames->size();
    return records;
}

Result<bool> ZookeeperSchemaStore::create(
    ha::Term& term, const std::string& path, const std::optional<std::string>& data
) const {
    const Result<ha::ZookeeperSteps> outcome = term.write({{Kind::Create, path, data, -1}});
    if (!outcome) return outcome.error();
    if (!outcome->failed) return true;
    if (outcome->why.code == Errc::Conflict) return false;
    return outcome->why;
}

Result<void> ZookeeperSchemaStore::write_frame(
    ha::Term& term, uint64_t generation, uint64_t number, std::span<const std::string> records
) const {
    const std::string joined = schema::join_records(records);
    const std::string bytes = gzip(joined);
    const uint64_t parts = (bytes.size() + kPartBytes - 1) / kPartBytes;
    if (joined.size() > kMostRecordBytes || parts > 9'999) {
        return Error{
            Errc::Unsupported,
            Retry::Never,
            "schema records of " + std::to_string(joined.size()) + " bytes at once"
        };
    }
    if (number == 0) {
        for (const std::string& folder : {schema_path_, generation_path(generation)}) {
            Result<bool> made = create(term, folder, std::nullopt);
            if (!made) return std::move(made).error().in("schema history");
        }
    }
    for (uint64_t part = 0; part < parts; ++part) {
        const std::string path =
            generation_path(generation) + "/" + name_of({number, part + 1, parts});
        const std::string data =
            part_data(std::string_view(bytes).substr(part * kPartBytes, kPartBytes));
        Result<bool> made = create(term, path, data);
        if (!made) return std::move(made).error().in("schema history");
        if (!*made) {
            return Error{
                Errc::Conflict,
                Retry::Backoff,
                "schema history, ZooKeeper " + path + ": another server has written it"
            };
        }
    }
    return {};
}

Result<void> ZookeeperSchemaStore::append(std::span<const std::string> records) {
    if (records.empty()) return {};
    if (!next_frame_) {
        if (Result<std::vector<std::string>> there = load(); !there)
            return std::move(there).error();
    }
    if (generation_ == 0) return replace(records);
    if (*next_frame_ >= kMostFrames) {
        Result<std::vector<std::string>> all = load();
        if (!all) return std::move(all).error();
        all->insert(all->end(), records.begin(), records.end());
        return replace(*all);
    }
    const Result<std::shared_ptr<ha::Term>> term = term_();
    if (!term) return term.error();
    const uint64_t number = *next_frame_;
    next_frame_.reset();
    Result<void> written = write_frame(**term, generation_, number, records);
    if (written) next_frame_ = number + 1;
    return written;
}

Result<void> ZookeeperSchemaStore::replace(std::span<const std::string> records) {
    next_frame_.reset();
    const Result<std::shared_ptr<ha::Term>> term = term_();
    if (!term) return term.error();
    const Result<std::optional<uint64_t>> current = current_generation((*term)->session());
    if (!current) return current.error();
    // What others left that were not named any more.
    if (Result<void> gone = drop_other_generations(**term, current->value_or(0)); !gone)
        return gone;
    const uint64_t generation = current->value_or(0) + 1;
    if (Result<void> written = write_frame(**term, generation, 0, records); !written)
        return written;
    const std::string data = std::string(kFormat) + std::to_string(generation);
    Result<ha::ZookeeperSteps> named = (*term)->write({{Kind::Set, schema_path_, data, -1}});
    if (!named) return std::move(named).error().in("schema history");
    if (named->failed) return std::move(named->why).in("schema history");
    generation_ = generation;
    next_frame_ = 1;
    // It is in use already: what is left behind goes with the next one.
    static_cast<void>(drop_other_generations(**term, generation));
    return {};
}

Result<void> ZookeeperSchemaStore::drop_other_generations(ha::Term& term, uint64_t current) const {
    Result<std::vector<std::string>> names = term.session().children(schema_path_);
    if (!names) return std::move(names).error();
    const std::string in_use = "g" + std::to_string(current);
    for (const std::string& name : *names) {
        if (name == in_use) continue;
        Result<std::vector<std::string>> nodes = term.session().tree(schema_path_ + "/" + name);
        if (!nodes) return std::move(nodes).error();
        std::reverse(nodes->begin(), nodes->end());
        if (Result<void> gone = remove(term, *nodes); !gone) return gone;
    }
    return {};
}

Result<std::vector<ReadTo>> ZookeeperSchemaStore::readers() {
    const Result<std::shared_ptr<ha::Term>> term = term_();
    if (!term) return term.error();
    Result<std::vector<std::string>> names = (*term)->session().children(path_);
    if (!names) return std::move(names).error();
    std::vector<ReadTo> readers;
    for (const std::string& name : *names) {
        const std::optional<canal::ClientId> client = client_of_node(name);
        if (!client) continue;
        const std::string path = path_ + "/" + name + "/cursor";
        Result<std::optional<ha::ZookeeperNode>> node = (*term)->session().get(path);
        if (!node) return std::move(node).error();
        if (!*node) continue;
        const Result<ClientRecord> record = client_from_nodes(*client, std::nullopt, (*node)->data);
        if (!record) return Error(record.error()).in("ZooKeeper " + path);
        if (!record->cursor) continue;
        const canal::LogPosition& at = *record->cursor;
        readers.push_back(
            {Endpoint{at.identity.host, at.identity.port}.text(),
             {{at.journal_name, static_cast<uint64_t>(std::max<int64_t>(at.position, 0))},
              at.timestamp_ms}}
        );
    }
    return readers;
}

}  // namespace obcanal::meta
