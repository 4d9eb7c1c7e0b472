// What clients of a translator would see: changes encoded and published a transaction at a time, as
// instance::Feed does it, with the visible part of an open transaction under the test's control.
#pragma once

#include "protocol/canal/entry.pb.h"
#include "protocol/canal/entry_encoder.h"
#include "server/config/instance_config.h"
#include "server/source/oblog_position.h"
#include "server/source/oblog_translator.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace obcanal::source {

struct Published {
    std::string entry;  // Canal's Entry, serialised
    std::string txn;
    int64_t commit_us = 0;
    int64_t checkpoint_us = 0;
    bool ordered = false;
    uint64_t rows_done = 0;
    bool complete = false;  // the last entry of its transaction
};

class Delivery {
 public:
    explicit Delivery(config::InstanceConfig with = {}, const std::string& white = ".*\\..*")
        : config(std::move(with)) {
        auto compiled = filter::TableFilter::compile(white, "");
        EXPECT_TRUE(compiled.ok());
        filter = std::make_shared<LiveFilter>(
            std::make_shared<const filter::TableFilter>(std::move(compiled).value())
        );
        auto made = OblogTranslator::make(config, *filter, state);
        EXPECT_TRUE(made.ok());
        translator = std::move(made).value();
        translator->begin_stream();
    }

    // Empty, or what is wrong.
    // The record must live until the next emit(), as a packet's bytes do.
    std::string add(const std::string& record) {
        auto added = translator->add(as_bytes(record));
        if (added.ok() && *added == OblogTranslator::Added::EmitFirst) {
            emit();
            added = translator->add(as_bytes(record));
            EXPECT_TRUE(!added.ok() || *added == OblogTranslator::Added::Done);
        }
        if (added.ok()) return "";
        error = added.error();
        return error.detail;
    }

    // A packet: all records, then one emit().
    std::string add_all(const std::vector<std::string>& records) {
        std::string wrong;
        for (const std::string& record : records) {
            if (wrong = add(record); !wrong.empty()) break;
        }
        emit();
        return wrong;
    }

    void emit() {
        for (const canal::Change& change : translator->changes()) take(change);
        translator->clear();
    }

    // Publishes what there is of the open transaction, as for one larger than the buffer.
    void publish_piece() {
        emit();
        if (open.empty() && !visible) return;
        visible = rows_done;
        publish_open();
    }

    void reconnect() {
        emit();
        translator->end_stream(visible);
        open.clear();
        visible.reset();
        translator->begin_stream();
    }

    std::vector<std::string> entries() const {
        std::vector<std::string> out;
        for (const Published& one : published) out.push_back(one.entry);
        return out;
    }

    static pb::entry::Entry parse(const std::string& entry) {
        pb::entry::Entry parsed;
        EXPECT_TRUE(parsed.ParseFromString(entry));
        return parsed;
    }

    pb::entry::Entry entry(size_t i) const { return parse(published.at(i).entry); }

    pb::entry::RowChange rows(size_t i) const {
        pb::entry::RowChange parsed;
        EXPECT_TRUE(parsed.ParseFromString(entry(i).storevalue()));
        return parsed;
    }

    config::InstanceConfig config;
    SourceState state;
    std::shared_ptr<LiveFilter> filter;
    std::unique_ptr<OblogTranslator> translator;
    std::vector<Published> published;
    std::vector<int64_t> heartbeats;
    std::vector<Published> open;
    std::optional<uint64_t> visible;
    uint64_t rows_done = 0;
    Error error;

 private:
    void take(const canal::Change& change) {
        if (const auto* beat = std::get_if<canal::Heartbeat>(&change)) {
            heartbeats.push_back(beat->checkpoint_us);
            return;
        }
        if (const auto* begin = std::get_if<canal::TxnBegin>(&change)) start(begin->txn);
        if (const auto* ddl = std::get_if<canal::DdlChange>(&change)) start(*ddl->txn);
        if (const auto* rows = std::get_if<canal::RowsChange>(&change)) rows_done = rows->rows_done;
        const Bytes record = std::visit(
            [this](const auto& one) -> Bytes {
                if constexpr (std::is_same_v<std::decay_t<decltype(one)>, canal::Heartbeat>) {
                    return {};
                } else {
                    return encoder.encode(one);
                }
            },
            change
        );
        const auto* begin = std::get_if<canal::TxnBegin>(&change);
        if (begin != nullptr && begin->resumed) {
            visible = 0;
            return;
        }
        ByteReader reader(record);
        reader.skip(1);
        const uint64_t size = reader.varint();
        Published one;
        one.entry = reader.text(size);
        one.txn = id_;
        one.commit_us = txn_.commit_us;
        one.checkpoint_us = txn_.checkpoint_us;
        one.ordered = txn_.ordered;
        one.rows_done = rows_done;
        open.push_back(one);
        const bool last = std::holds_alternative<canal::TxnEnd>(change) ||
                          std::holds_alternative<canal::DdlChange>(change);
        if (!last) return;
        open.back().complete = true;
        publish_open();
        visible.reset();
    }

    void start(const canal::TxnMark& txn) {
        open.clear();
        visible.reset();
        rows_done = 0;
        txn_ = txn;
        id_ = txn.id;
    }

    void publish_open() {
        published.insert(published.end(), open.begin(), open.end());
        open.clear();
    }

    canal::EntryEncoder encoder{kOblogJournal};
    canal::TxnMark txn_;
    std::string id_;
};

}  // namespace obcanal::source
