// What a batch of row changes asks for: of each mapping, the documents that the images of rows tell
// already, the ones that have to be read back, and the values of joined rows by which further ones
// are found. Several changes of one document are one here. The planner makes it for each batch; one
// thread. Views into the batch.
#pragma once

#include "adapter/core/dml.h"
#include "adapter/core/key_table.h"
#include "adapter/es/document_change.h"
#include "adapter/es/mapping_plan.h"
#include "adapter/es/row_value.h"
#include "protocol/base/result.h"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace obcanal::adapter::es {

// A change that is a cause.
struct Cause {
    const core::Dml* dml = nullptr;
    uint32_t row = 0;

    const core::DmlRow& values() const { return dml->rows[row]; }
};

class EventForm;

// A document, or the documents of a key.
struct KeyWork {
    std::vector<FieldValue> key;
    bool read = false;    // back from the source; then it may also turn out to be gone
    bool remove = false;  // as the images tell
    bool whole = false;   // all fields are written: it may be a new one
    FieldSet changed;
    Cause cause;                      // the latest
    const EventForm* form = nullptr;  // of the cause
};

// Documents whose main row is joined to rows with these values.
struct ParentWork {
    std::vector<FieldValue> values;
    FieldSet changed;
    bool select = false;  // some may come or go
    Cause cause;
};

struct PlanWork {
    const MappingPlan* plan = nullptr;
    bool replaces = false;  // documents are always written whole
    bool truncate = false;  // first of all
    bool refresh = false;   // then all documents are read back: a joined table was emptied
    FieldSet refreshed;
    std::vector<KeyWork> keys;                            // in the order of their first change
    core::KeyTable by_key;                                // of keys
    std::map<uint32_t, std::vector<ParentWork>> parents;  // by use
    std::map<uint32_t, core::KeyTable> by_values;         // of parents
    Cause truncated;
    Cause latest_read;  // the latest change that something has to be read back for

    bool empty() const { return !truncate && !refresh && keys.empty() && parents.empty(); }
    // Nothing is asked of the plan any more. Keeps memory for the next batch.
    void clear();
};

// A table's columns in events of one form, as one use of the table sees them.
class EventForm {
 public:
    EventForm(const MappingPlan& plan, const TableUse& use, const core::Dml& dml);

    bool made_for(const core::Dml& dml) const;

    struct Column {
        uint32_t event = 0;  // of Dml::columns
        const TableUse::Column* use = nullptr;
        EventColumn reader;
    };

    static constexpr int kLiteral = -1;
    static constexpr int kAbsent = -2;  // the event has no such column

    std::vector<Column> columns;  // that the use knows
    // Of `columns`, for MappingPlan::key and TableUse::own. Empty: `missing` says why.
    std::vector<uint32_t> key;
    std::vector<uint32_t> own;
    std::string missing;
    std::vector<int> fields;  // main table: of `columns`, by field
    bool unique = false;      // the key has the table's primary key in it

 private:
    std::vector<std::pair<std::string, std::string>> form_;  // name, mysqlType
};

class BatchWork {
 public:
    // Of the plans, for which it is made anew when they change.
    void set_plans(const std::vector<const MappingPlan*>& plans);

    // An Error names the table and what its rows lack. `only_task`: empty, or the one that takes
    // it.
    Result<void> collect(const core::DmlBatch& batch);
    // `replaced`: tasks whose documents are always written whole.
    void clear(const std::set<std::string>& replaced = {});

    std::vector<PlanWork>& works() { return works_; }

 private:
    struct Use {
        uint32_t plan = 0;  // of works_
        uint32_t number = 0;
        std::vector<std::unique_ptr<EventForm>> forms;  // the latest used in front
    };

    struct Row {
        const EventForm& form;
        Cause cause;
    };
    using Key = std::vector<FieldValue>;

    std::vector<Use>* uses_of(const core::Dml& dml);
    EventForm& form_of(Use& use, const core::Dml& dml);
    Result<void> collect_rows(Use& use, const core::Dml& dml);
    Result<void> collect_main(PlanWork& work, const Row& row);
    Result<void> collect_joined(PlanWork& work, const TableUse& use, const Row& row);
    void truncate(PlanWork& work, const TableUse& use, const core::Dml& dml);
    KeyWork& key_work(PlanWork& work, Key key, const Row& row);
    void add_read(PlanWork& work, Key key, bool whole, const FieldSet& changed, const Row& row);
    void add_insert(PlanWork& work, Key key, const Row& row);
    void add_delete(PlanWork& work, Key key, const Row& row);
    void add_update(PlanWork& work, Key key, const Row& row);
    void add_parent(
        PlanWork& work,
        const TableUse& use,
        Key values,
        const FieldSet& changed,
        bool select,
        const Row& row
    );

    std::vector<PlanWork> works_;
    std::unordered_map<std::string, std::vector<Use>> uses_;  // by schema NUL table, lower case
    std::string name_;
};

// The change of a document that needs no reading.
DocumentChange direct_change(const PlanWork& work, const KeyWork& key);
// Fills `change` with what its cause's image tells; false: that isn't the whole document.
bool whole_from_image(DocumentChange& change);

}  // namespace obcanal::adapter::es
