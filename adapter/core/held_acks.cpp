#include "adapter/core/held_acks.h"

#include <utility>

namespace obcanal::adapter::core {

namespace {

// Gets without an answer, each of them as long as canal.conf.timeout says.
constexpr int kStarved = 5;

}  // namespace

void HeldAcks::clear() { *this = HeldAcks(); }

bool HeldAcks::is_last(const Dml& dml) const {
    return !file_.empty() && dml.log_file == file_ && dml.log_offset == offset_;
}

HeldAcks::Ids HeldAcks::begins(const DmlBatch& batch) {
    starved_ = 0;
    if (batch.dmls.empty()) return {};
    const bool same = is_last(batch.dmls.front());
    within_ = same && acknowledged_;
    return same ? Ids() : std::exchange(held_, {});
}

HeldAcks::Ids HeldAcks::written(const DmlBatch& batch, bool counts) {
    within_ = false;
    if (!counts) return {batch.id};
    held_.push_back(batch.id);
    for (const Dml& dml : batch.dmls) {
        if (is_last(dml)) {
            shared_ = true;
            continue;
        }
        if (file_ != dml.log_file) file_ = dml.log_file;
        offset_ = dml.log_offset;
        shared_ = false;
        acknowledged_ = false;
    }
    return batch.whole ? release() : Ids();
}

bool HeldAcks::starves() { return !held_.empty() && ++starved_ >= kStarved; }

HeldAcks::Ids HeldAcks::release() {
    acknowledged_ = true;
    starved_ = 0;
    return std::exchange(held_, {});
}

}  // namespace obcanal::adapter::core
