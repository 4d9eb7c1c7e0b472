// What one lane writes of a batch: the changes in their order, and the statements that bring the
// target to the same state with fewer round trips. Several changes of a row become one where
// nothing can see the difference: no other unique key, no foreign key, no trigger
// (client-adapter, 2.6). Pure; the changes are the pipeline's strand's, all else the lane's.
#pragma once

#include "adapter/rdb/target_session.h"

#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::adapter::rdb {

struct Op {
    SqlPlan* plan = nullptr;
    const core::Dml* dml = nullptr;
    uint32_t row = 0;  // of dml->rows
    OpKind kind = OpKind::Insert;
    uint32_t shape = 0;
    bool moves = false;  // an UPDATE of the key
    uint64_t place = 0;  // key_place()

    const core::DmlRow& values() const { return dml->rows[row]; }
};

// A shape that a plan lacks.
struct OwnShape {
    const SqlPlan* plan = nullptr;
    Shape shape;
};

struct LaneWork {
    std::vector<Op> ops;
    std::vector<Unit> units;
    std::list<OwnShape> shapes;  // of units
    // A full load has brought newer rows than these changes: INSERTs take their place.
    bool after_load = false;
    bool parks = true;     // refused changes of mappings that want it go to the dead letters
    bool recheck = false;  // an earlier delivery may have parked some of them
};

// Fills `units` from `ops`.
void make_units(LaneWork& work);

}  // namespace obcanal::adapter::rdb
