// Documents as the text of bulks: what a mapping's fields are called and become in its index.
// Made for one mapping and one state of its index; strand of the writer.
#pragma once

#include "adapter/es/bulk_reply.h"
#include "adapter/es/document_change.h"
#include "adapter/es/es_client.h"
#include "adapter/es/es_value.h"
#include "adapter/es/mapping_plan.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace obcanal::adapter::es {

// What becomes of all changes of one document that are written at once.
enum class BulkAction : uint8_t {
    Index,   // the whole document takes the place of what was there
    Upsert,  // the document is made; as an Update where it is there already
    Update,  // fields are put into a document that should be there
    Delete,
};

class DocumentText {
 public:
    DocumentText(
        const MappingPlan& plan, const IndexMapping& index, std::shared_ptr<const TimeZone> zone
    );

    // {"name":"a","c_time":...} of the changes, a later one over an earlier one. `whole`: with the
    // relations' fields.
    void append_fields(std::string& to, std::span<const DocumentChange* const> changes, bool whole)
        const;
    // {"name":null,...}: what a row leaves of its fields, the pk apart, where documents are found
    // by `pk`.
    void append_nulls(std::string& to) const;
    // Does the index not know all of the fields?
    bool has_unknown() const { return has_unknown_; }

 private:
    struct Field {
        std::string name;  // "\"name\":"
        EsType type = EsType::Unknown;
        std::optional<ObjectField> object;
        bool written = false;
    };

    struct Relation {
        std::string text;  // "\"field\":{\"name\":\"order\""
        int parent = -1;
    };

    void append_relations(std::string& to, std::span<const FieldValue* const> values) const;

    std::vector<Field> fields_;
    std::vector<Relation> relations_;
    std::shared_ptr<const TimeZone> zone_;
    size_t id_field_;
    bool has_unknown_ = false;
};

// Can a whole document take the place of what is there, at any time? Only where nobody else's
// fields can be in it: as far as the index says, all of them are this mapping's.
bool owns_documents(const MappingPlan& plan, const IndexMapping& index);

// {"index":{"_index":"i","_id":"1","routing":"r","version":7,"version_type":"external_gte"}} and
// the line's end. Every action is one that has no effect when it arrives late, of a request that
// was given up: a whole document and a delete have a version from outside, fields are put into the
// document that we looked at and no other, and what is created wasn't there.
struct ActionLine {
    BulkAction action = BulkAction::Index;
    std::string_view index;
    std::string_view type;  // empty: the server has none
    std::string_view id;
    std::string_view routing;
    uint64_t version = 0;
    DocumentState before;  // of an Update; of a Delete that was found by a query
};
void append_action(std::string& to, const ActionLine& line);
// {"_index":"i","_id":"1","routing":"r"}: which one, of POST /_mget.
void append_document(std::string& to, const ActionLine& line);

}  // namespace obcanal::adapter::es
