// Acknowledgements that wait, for a target that tells changes that come again from new ones by
// counting those of each place in the source's log. All changes of a compressed transaction have
// one place; acknowledged within it, a server would go on where nothing says how many of them were
// before. Pure; the pipeline's strand.
#pragma once

#include "adapter/core/dml.h"

#include <cstdint>
#include <string>
#include <vector>

namespace obcanal::adapter::core {

class HeldAcks {
 public:
    using Ids = std::vector<canal::BatchId>;

    // A session begins: what was held comes again.
    void clear();

    // A batch has come and is not written yet. What may be acknowledged because it begins at
    // another place.
    Ids begins(const DmlBatch& batch);
    // Changes of the place at which it begins are acknowledged: how many it has can't be known.
    bool within_acknowledged() const { return within_; }
    // It is written. What may be acknowledged; `counts`: a target counts.
    Ids written(const DmlBatch& batch, bool counts);

    // Nothing came. True: it has been so for a while, the server may have no room for what is not
    // acknowledged. Then release().
    bool starves();
    // The last place has more than one change.
    bool shared() const { return shared_; }
    Ids release();

 private:
    bool is_last(const Dml& dml) const;

    Ids held_;
    std::string file_;  // place of the last change that was written
    int64_t offset_ = 0;
    bool shared_ = false;
    bool within_ = false;
    bool acknowledged_ = false;  // a change at the last place
    int starved_ = 0;
};

}  // namespace obcanal::adapter::core
