// Writes what a log proxy sends into a recording: whole transactions once each, also when a
// connection broke and the proxy sends again what was committed since the checkpoint. One thread.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"
#include "protocol/oblog/log_record.h"
#include "protocol/oblog/resume_window.h"
#include "server/cli/recording_file.h"

#include <cstdint>
#include <optional>
#include <string>

namespace obcanal::cli {

class StreamRecorder {
 public:
    struct Totals {
        uint64_t records = 0;
        uint64_t rows = 0;
        uint64_t transactions = 0;
        uint64_t repeated = 0;  // transactions and schema changes that came again
    };

    explicit StreamRecorder(RecordingFile& file) : file_(file) {}

    // -- around each connection; the end takes back a transaction that did not come whole.
    void begin_stream() { window_.restart(); }
    Result<void> end_stream();

    Result<void> add(Bytes record);
    // Since when the next connection has to ask; 0: nothing is known yet.
    int64_t checkpoint_us() const { return window_.checkpoint_us(); }
    // Of what is complete.
    const Totals& totals() const { return totals_; }

 private:
    struct Open {
        std::string id;
        int64_t commit_us = 0;
        bool repeated = false;
        uint64_t records = 0;
        uint64_t rows = 0;
    };

    Result<void> begin(oblog::LogRecord& record);
    Result<void> commit(oblog::LogRecord& record);
    Result<void> schema_change(oblog::LogRecord& record);
    Result<void> heartbeat(oblog::LogRecord& record);
    Result<void> write(Bytes record);

    RecordingFile& file_;
    oblog::ResumeWindow window_;
    std::optional<Open> open_;
    int64_t heartbeat_us_ = 0;  // of the last one written
    Totals totals_;
};

}  // namespace obcanal::cli
