// Reads what one get() brought into Dmls: views into the packet, made without allocating once the
// reader has grown to the size of its batches. Sans-I/O; one thread, and what read() returned is
// good until the next one.
#pragma once

#include "adapter/core/dml_form.h"
#include "protocol/base/bytes.h"
#include "protocol/base/result.h"
#include "protocol/canal/packets.h"

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace obcanal::adapter::core {

// Memory for the values of rows: grows block by block, so that spans stay where they are.
class ValueArena {
 public:
    void clear();
    // Room for one row's values; a second claim takes what the first has not kept.
    std::span<DmlValue> claim(size_t count);
    // The first `count` values of the last claim stay.
    std::span<DmlValue> keep(size_t count);

 private:
    struct Block {
        std::unique_ptr<DmlValue[]> values;
        size_t size = 0;
        size_t used = 0;
    };

    std::vector<Block> blocks_;
    size_t block_ = 0;
};

class DmlReader {
 public:
    // Texts of statements that changed rows (binlog_annotate_row_events, on in MariaDB, sends one
    // with each) become no Dmls; DDL does.
    void leave_out_statements(bool leave_out) { leaves_out_ = leave_out; }
    // `messages` must stay alive as long as the batch is used. An Error names the entry.
    Result<DmlBatch> read(std::string_view destination, const canal::Messages& messages);

 private:
    struct Named {
        DmlColumn column;
        DmlValue value;
    };

    Result<void> read_entry(Bytes entry);
    bool read_header(Bytes header, Dml& dml);
    Result<void> read_change(Bytes change, Dml& dml);
    bool read_row(Bytes row, Dml& dml, DmlRow& to);
    // Columns of one image, which begin at `at` and go on as long as their tag is the same.
    bool read_image(
        const std::byte*& at, const std::byte* end, Dml& dml, std::span<const DmlValue>& to
    );
    bool read_formed(
        const DmlForm& form,
        const std::byte*& at,
        const std::byte* end,
        std::span<const DmlValue>& to
    );
    void take_columns(const DmlForm& form, Dml& dml);
    bool read_free(
        const std::byte*& at, const std::byte* end, Dml& dml, std::span<const DmlValue>& to
    );
    bool by_name(Dml& dml, std::span<const DmlValue>& to);
    bool align(Dml& dml);
    Dml& next_dml();

    // Columns that the Dml of the same index had before: of the same form they are there already.
    struct Spare {
        uint64_t form = 0;
        std::vector<DmlColumn> columns;

        std::vector<DmlColumn> take() {
            form = 0;
            return std::move(columns);
        }
    };

    std::vector<Dml> dmls_;
    std::vector<Spare> spares_;
    DmlForms forms_;
    size_t count_ = 0;
    size_t filled_ = 0;  // values that upstream left out
    bool whole_ = true;  // no transaction is open
    bool leaves_out_ = false;
    // Of the Dml before, in this batch: equal texts become one, so that who compares them later
    // does not fetch every entry's bytes again.
    std::string_view log_file_;
    std::string_view database_;
    std::string_view table_;
    ValueArena arena_;
    size_t usual_columns_ = 1;
    std::vector<Named> named_;  // an image whose columns are not those of the first one
};

}  // namespace obcanal::adapter::core
