#include "server/cli/replay_packets.h"

#include "protocol/base/assert.h"

#include <algorithm>

namespace obcanal::cli {

void ReplayPackets::prepare(size_t bytes) {
    for (uint64_t packet = 0; log_.packet_begin(packet) < log_.end(); ++packet) {
        if (prepared_bytes_ >= bytes) return;
        Frame made = frame(packet);
        prepared_bytes_ += made->size();
        prepared_.push_back(std::move(made));
    }
}

ReplayPackets::Frame ReplayPackets::frame(uint64_t packet) const {
    if (packet < prepared_.size()) return prepared_[packet];
    return encode(log_.packet_begin(packet), log_.packet_begin(packet + 1));
}

ReplayPackets::Frame ReplayPackets::encode(uint64_t begin, uint64_t end) const {
    RecordBatch batch;
    for (uint64_t record = begin; record < end; ++record) batch.add(log_, record);
    return std::make_shared<const std::string>(
        oblog::encode_data(oblog::kNewestVersion, batch.records(), compression_, 0)
    );
}

void RecordBatch::add(const ReplayLog& log, uint64_t record) {
    log.append(record, bytes_);
    ends_.push_back(bytes_.size());
}

void RecordBatch::add(std::string_view record) {
    bytes_ += record;
    ends_.push_back(bytes_.size());
}

std::vector<Bytes> RecordBatch::records() const {
    std::vector<Bytes> views;
    views.reserve(ends_.size());
    size_t begin = 0;
    for (const size_t end : ends_) {
        views.push_back(as_bytes(bytes_).subspan(begin, end - begin));
        begin = end;
    }
    return views;
}

void RecordBatch::clear() {
    bytes_.clear();
    ends_.clear();
}

}  // namespace obcanal::cli
