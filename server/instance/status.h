// What one destination is doing at a moment, as plain values: for the admin port, the metrics page
// and `obcanal status`.
#pragma once

#include "protocol/canal/ids.h"
#include "protocol/canal/position.h"
#include "server/config/instance_config.h"
#include "server/instance/client_counters.h"
#include "server/source/source.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::instance {

// Idle: known, not started (lazy, or stopped by an operator). Failed: could not start, or its
// source is gone for good. Standby: another server of the cluster serves it.
enum class Phase : uint8_t { Idle, Running, Failed, Stopped, Standby };

std::string_view phase_name(Phase phase);

struct ClientStatus {
    canal::ClientId id;
    std::optional<std::string> filter;
    std::optional<canal::LogPosition> cursor;
    size_t open_batches = 0;
};

// How far one stage (put into the ring, handed out, acknowledged) has come.
struct StageStatus {
    int64_t sequence = -1;  // of its last entry, counted from 0 since the start
    int64_t rows = 0;
    int64_t bytes = 0;
    int64_t execute_ms = 0;  // executeTime of its last entry; 0: none yet
};

struct ClusterStatus {
    std::string leader;                   // who serves; empty: nobody, as far as is known
    std::vector<std::string> candidates;  // who has it, this server included
    std::optional<int32_t> epoch;         // of our term
};

struct InstanceStatus {
    std::string destination;
    Phase phase = Phase::Idle;
    std::string failure;         // why it is Failed, or why the source is away
    std::string refused_config;  // why what its files say now is not in use
    bool configured = true;      // false: its files were never right, so its source is not known
    config::SourceKind source = config::SourceKind::Oblogproxy;

    bool connected = false;
    source::SourceState::Place place;
    // Until the source may purge the log in which the first cursor stands, at the earliest.
    std::optional<double> purge_hours;
    uint64_t source_bytes = 0;
    uint64_t source_records = 0;
    uint64_t source_connections = 0;
    uint64_t repeated_transactions = 0;  // sent again after a reconnect and left out
    uint64_t unnamed_tables = 0;         // rows of theirs have columns without names
    uint64_t filter_limits = 0;          // names for which a filter's expression took too long
    uint64_t transactions = 0;
    int64_t checkpoint_us = 0;  // of the last heartbeat; everything committed up to it was read

    StageStatus put;
    StageStatus got;
    StageStatus acked;
    int64_t blocked_ns = 0;  // waited for room in the ring
    size_t ring_slots = 0;
    size_t ring_bytes = 0;    // the limit
    size_t memory_bytes = 0;  // of chunks in use, bytes that clients still receive included
    config::BatchMode batch_mode = config::BatchMode::MemSize;

    std::optional<ClusterStatus> cluster;

    ClientCounters::Values requests;
    std::vector<ClientStatus> clients;  // in the order of subscription
};

}  // namespace obcanal::instance
