#include "adapter/es/document_text.h"

#include "adapter/core/json_text.h"

#include <algorithm>
#include <array>

namespace obcanal::adapter::es {

using core::append_json_string;

DocumentText::DocumentText(
    const MappingPlan& plan, const IndexMapping& index, std::shared_ptr<const TimeZone> zone
)
    : zone_(std::move(zone)), id_field_(plan.id_field) {
    const config::EsMapping& mapping = *plan.task;
    for (const PlanField& field : plan.fields) {
        Field& made = fields_.emplace_back();
        append_json_string(made.name, field.name);
        made.name.push_back(':');
        made.type = index.type_of(field.name);
        made.written = field.written;
        for (const auto& [name, spec] : mapping.obj_fields) {
            if (name == field.name) made.object = read_object_field(spec);
        }
        has_unknown_ = has_unknown_ || (field.written && made.type == EsType::Unknown);
    }
    for (const config::EsRelation& relation : mapping.relations) {
        Relation& made = relations_.emplace_back();
        append_json_string(made.text, relation.field);
        made.text += R"(:{"name":)";
        append_json_string(made.text, relation.name);
        for (size_t i = 0; i < plan.fields.size(); ++i) {
            if (!relation.parent.empty() && plan.fields[i].name == relation.parent) {
                made.parent = static_cast<int>(i);
            }
        }
    }
}

void DocumentText::append_relations(std::string& to, std::span<const FieldValue* const> values)
    const {
    for (const Relation& relation : relations_) {
        if (to.back() != '{') to.push_back(',');
        to += relation.text;
        const FieldValue* const parent =
            relation.parent < 0 ? nullptr : values[static_cast<size_t>(relation.parent)];
        if (parent != nullptr && !parent->is_null()) {
            to += R"(,"parent":)";
            append_json_string(to, parent->text);
        }
        to.push_back('}');
    }
}

void DocumentText::append_fields(
    std::string& to, std::span<const DocumentChange* const> changes, bool whole
) const {
    // Most have few: no memory of its own for every document.
    std::array<const FieldValue*, 32> few{};
    std::vector<const FieldValue*> many(fields_.size() > few.size() ? fields_.size() : 0);
    const std::span<const FieldValue*> values =
        many.empty() ? std::span(few).first(fields_.size()) : std::span(many);
    for (const DocumentChange* const change : changes) {
        for (const DocumentField& field : change->fields) values[field.field] = &field.value;
    }
    to.push_back('{');
    for (size_t i = 0; i < fields_.size(); ++i) {
        const Field& field = fields_[i];
        if (values[i] == nullptr || !field.written) continue;
        if (to.back() != '{') to.push_back(',');
        to += field.name;
        if (field.object) {
            append_object_field(to, *field.object, *values[i]);
        } else {
            append_es_value(to, field.type, *values[i], *zone_);
        }
    }
    if (whole) append_relations(to, values);
    to.push_back('}');
}

void DocumentText::append_nulls(std::string& to) const {
    to.push_back('{');
    for (size_t i = 0; i < fields_.size(); ++i) {
        const Field& field = fields_[i];
        // By the pk the document is found again when its row comes back.
        if (!field.written || i == id_field_) continue;
        if (to.back() != '{') to.push_back(',');
        to += field.name;
        to += "null";
    }
    to.push_back('}');
}

bool owns_documents(const MappingPlan& plan, const IndexMapping& index) {
    const config::EsMapping& mapping = *plan.task;
    if (mapping.upsert || plan.by_pk || index.hides_fields) return false;
    return std::ranges::all_of(index.types, [&](const auto& known) {
        const auto is_it = [&known](const PlanField& field) {
            return field.written && field.name == known.first;
        };
        return std::ranges::any_of(plan.fields, is_it) ||
               std::ranges::find(mapping.relations, known.first, &config::EsRelation::field) !=
                   mapping.relations.end();
    });
}

namespace {

// Without the closing brace.
void append_place(std::string& to, const ActionLine& line) {
    to += R"({"_index":)";
    append_json_string(to, line.index);
    if (!line.type.empty()) {
        to += R"(,"_type":)";
        append_json_string(to, line.type);
    }
    to += R"(,"_id":)";
    append_json_string(to, line.id);
    if (!line.routing.empty()) {
        to += R"(,"routing":)";
        append_json_string(to, line.routing);
    }
}

}  // namespace

void append_document(std::string& to, const ActionLine& line) {
    append_place(to, line);
    to.push_back('}');
}

void append_action(std::string& to, const ActionLine& line) {
    constexpr std::array<std::string_view, 4> kNames{"index", "create", "update", "delete"};
    to += R"({")";
    to += kNames.at(static_cast<size_t>(line.action));
    to += R"(":)";
    append_place(to, line);
    const bool looked = line.action == BulkAction::Update || line.before.found;
    if (looked) {
        // The update API knows no versions from outside; Elasticsearch 6 compares its own, later
        // ones only the sequence.
        if (!line.type.empty()) {
            to += R"(,"version":)" + std::to_string(line.before.version);
        } else {
            to += R"(,"if_seq_no":)" + std::to_string(line.before.seq_no);
            to += R"(,"if_primary_term":)" + std::to_string(line.before.primary_term);
        }
    } else if (line.action != BulkAction::Upsert) {
        to += R"(,"version":)" + std::to_string(line.version);
        to += R"(,"version_type":"external_gte")";
    }
    to += "}}\n";
}

}  // namespace obcanal::adapter::es
