#include "protocol/mysql/binlog_event.h"

#include "protocol/base/text.h"
#include "tests/unit/mysql/log_writer.h"

#include <gtest/gtest.h>

namespace obcanal::mysql {
namespace {

std::string rotate_body(uint64_t position, const std::string& file) {
    std::string body;
    append_le(body, position, 8);
    return body + file;
}

TEST(EventReader, ChecksumsFollowTheFormat) {
    EventReader reader;
    const std::string format = format_bytes("8.0.33");
    ASSERT_TRUE(reader.read(as_bytes(format)).ok());
    EXPECT_TRUE(reader.format().checksums);
    EXPECT_EQ(reader.format().server_version, "8.0.33");
    EXPECT_EQ(reader.format().post_header(EventType::WriteRows), 10);

    std::string xid = event_bytes(EventType::Xid, std::string(8, '\x01'));
    const auto event = reader.read(as_bytes(xid));
    ASSERT_TRUE(event.ok()) << event.error().detail;
    EXPECT_EQ(*parse_xid(*event), 0x0101010101010101U);
    xid[EventHeader::kSize] ^= 1;
    const auto torn = reader.read(as_bytes(xid));
    ASSERT_FALSE(torn.ok());
    EXPECT_EQ(torn.error().code, Errc::BadPacket);
    EXPECT_EQ(torn.error().detail, "XID ending at 1031: checksum differs");
    reader.verify_checksums(false);
    EXPECT_TRUE(reader.read(as_bytes(xid)).ok());
}

TEST(EventReader, ServersWithoutChecksums) {
    EventReader reader;
    const std::string off = format_bytes("5.7.44", false);
    ASSERT_TRUE(reader.read(as_bytes(off)).ok());
    EXPECT_FALSE(reader.format().checksums);
    const std::string xid = event_bytes(EventType::Xid, std::string(8, '\x01'), false);
    EXPECT_EQ(reader.read(as_bytes(xid))->body.size(), 8U);

    // MySQL 5.5 knows none: nothing stands behind the sizes.
    std::string old = format_bytes("5.5.62");
    const std::string body = old.substr(EventHeader::kSize, old.size() - EventHeader::kSize - 5);
    old = event_bytes(EventType::FormatDescription, body, false);
    ASSERT_TRUE(reader.read(as_bytes(old)).ok());
    EXPECT_FALSE(reader.format().checksums);
    EXPECT_EQ(reader.format().post_header(EventType::TableMap), 8);
}

TEST(EventReader, FormatOfALogInUse) {
    std::string format = format_bytes("10.11.6-MariaDB-log");
    format[17] |= 1;  // set after the sum was made
    EventReader reader;
    ASSERT_TRUE(reader.read(as_bytes(format)).ok());
    EXPECT_TRUE(reader.format().mariadb);
    EXPECT_TRUE(reader.format().checksums);
    format[60] ^= 1;
    EXPECT_FALSE(reader.read(as_bytes(format)).ok());
}

// The stream's first event comes before the format; OceanBase's Binlog Service sends it without a
// sum even where the rest has one.
TEST(EventReader, FirstRotateWithAndWithoutSum) {
    for (const bool checksum : {true, false}) {
        EventReader reader;
        const std::string bytes = event_bytes(
            EventType::Rotate, rotate_body(4, "mysql-bin.000001"), checksum, event_flag::kArtificial
        );
        const auto event = reader.read(as_bytes(bytes));
        ASSERT_TRUE(event.ok());
        const auto rotate = parse_rotate(*event);
        ASSERT_TRUE(rotate.ok());
        EXPECT_EQ(rotate->file, "mysql-bin.000001");
        EXPECT_EQ(rotate->position, 4U);
    }
}

TEST(EventReader, WrongLengthsAndOldVersions) {
    EventReader reader;
    const std::string xid = event_bytes(EventType::Xid, std::string(8, '\x01'), false);
    for (size_t size = 0; size < xid.size(); ++size)
        EXPECT_FALSE(reader.read(as_bytes(xid).first(size)).ok());
    EXPECT_FALSE(reader.read(as_bytes(xid + "x")).ok());
    std::string format = format_bytes("4.1.22");
    format[EventHeader::kSize] = 3;
    EXPECT_EQ(reader.read(as_bytes(format)).error().code, Errc::Unsupported);
    const std::string whole = format_bytes("8.0.33");
    for (size_t size = EventHeader::kSize; size < EventHeader::kSize + 57 + 5; ++size) {
        std::string cut = whole.substr(0, size);
        cut[9] = static_cast<char>(size);
        cut[10] = static_cast<char>(size >> 8);
        EXPECT_FALSE(reader.read(as_bytes(cut)).ok()) << size;
    }
}

TEST(BinlogEvent, Query) {
    std::string status;
    append_le(status, 0, 1);
    append_le(status, 0, 4);
    append_le(status, 1, 1);
    append_le(status, 0x55, 8);
    status += std::string("\x06\x03std", 5);
    append_le(status, 4, 1);
    append_le(status, 28, 2);
    append_le(status, 33, 4);
    append_le(status, 200, 1);  // of a later server
    std::string body;
    append_le(body, 9, 4);
    append_le(body, 0, 4);
    append_le(body, 2, 1);
    append_le(body, 1317, 2);
    append_le(body, status.size(), 2);
    body += status + "db" + '\0' + "BEGIN";
    std::string text;
    const BinlogFormat format;
    const auto query = parse_query(event_of(EventType::Query, body), format, text);
    ASSERT_TRUE(query.ok()) << query.error().detail;
    EXPECT_EQ(query->thread_id, 9U);
    EXPECT_EQ(query->error_code, 1317);
    EXPECT_EQ(query->schema, "db");
    EXPECT_EQ(query->sql, "BEGIN");
    EXPECT_EQ(query->sql_mode, 0x55U);
    EXPECT_EQ(query->client_collation, 28);
    for (size_t size = 0; size < body.size() - 5; ++size)
        EXPECT_FALSE(
            parse_query(event_of(EventType::Query, body.substr(0, size)), format, text).ok()
        );
}

// Recorded from a MySQL 9.2 server.
TEST(BinlogEvent, TaggedGtid) {
    const std::string body = *from_hex(
        "0276000002022502dcf0090230f90322bd03ad02210244445a6851032204"
        "04060c666f6f62617a08000a040c7f1583222d5c2e0610490312c3020b"
    );
    const auto gtid = parse_gtid(event_of(EventType::TaggedGtid, body));
    ASSERT_TRUE(gtid.ok()) << gtid.error().detail;
    EXPECT_EQ(gtid->gtid.text(), "896e7882-18fe-11ef-ab88-22222d34d411:foobaz:1");
    EXPECT_EQ(gtid->last_committed, 0);
    EXPECT_EQ(gtid->sequence_number, 1);
    EXPECT_EQ(gtid->commit_us, 1739823289369365U);
    EXPECT_FALSE(parse_gtid(event_of(EventType::TaggedGtid, body.substr(0, 20))).ok());
    EXPECT_FALSE(parse_gtid(event_of(EventType::TaggedGtid, "")).ok());
}

TEST(BinlogEvent, Gtid) {
    std::string body(1, '\x01');
    body += *from_hex("896e788218fe11efab8822222d34d411");
    append_le(body, 5, 8);
    const auto plain = parse_gtid(event_of(EventType::Gtid, body));  // MySQL 5.6
    ASSERT_TRUE(plain.ok());
    EXPECT_EQ(plain->gtid.text(), "896e7882-18fe-11ef-ab88-22222d34d411:5");
    EXPECT_EQ(plain->sequence_number, 0);
    append_le(body, 2, 1);
    append_le(body, 11, 8);
    append_le(body, 12, 8);
    append_le(body, 1700000000000001 | uint64_t{1} << 55, 7);
    const auto full = parse_gtid(event_of(EventType::AnonymousGtid, body));
    ASSERT_TRUE(full.ok());
    EXPECT_TRUE(full->anonymous);
    EXPECT_EQ(full->last_committed, 11);
    EXPECT_EQ(full->sequence_number, 12);
    EXPECT_EQ(full->commit_us, 1700000000000001U);
    EXPECT_FALSE(parse_gtid(event_of(EventType::Gtid, body.substr(0, 24))).ok());
}

TEST(BinlogEvent, Heartbeats) {
    const std::string name = "binlog.000001";  // what is parsed points into it
    const auto first = parse_heartbeat(event_of(EventType::Heartbeat, name));
    EXPECT_EQ(first->file, "binlog.000001");
    const std::string fields(
        "\x01\x0d"
        "binlog.000001\x02\x04\xfd\xbb\xaf\x27\x00",
        22
    );
    const auto second = parse_heartbeat(event_of(EventType::HeartbeatV2, fields));
    ASSERT_TRUE(second.ok());
    EXPECT_EQ(second->file, "binlog.000001");
    EXPECT_EQ(second->position, 2600891U);
    const std::string torn(
        "\x01\x0d"
        "binlog.000001\x02\x02\x9e",
        18
    );
    EXPECT_FALSE(parse_heartbeat(event_of(EventType::HeartbeatV2, torn)).ok());
}

TEST(BinlogEvent, SmallOnes) {
    const std::string incident("\x01\x00\x04lost", 7);
    EXPECT_EQ(parse_incident(event_of(EventType::Incident, incident))->message, "lost");
    EXPECT_FALSE(parse_incident(event_of(EventType::Incident, "x")).ok());
    EXPECT_EQ(*parse_rows_query(event_of(EventType::RowsQuery, "\x05select")), "select");
    EXPECT_EQ(*parse_rows_query(event_of(EventType::AnnotateRows, "select")), "select");
    EXPECT_FALSE(parse_xid(event_of(EventType::Xid, "1234567")).ok());
    EXPECT_FALSE(parse_rotate(event_of(EventType::Rotate, std::string(8, 'x'))).ok());
    EXPECT_FALSE(parse_xa_prepare(event_of(EventType::XaPrepare, std::string(13, '\x7f'))).ok());
    std::string gtid;
    append_le(gtid, 77, 8);
    append_le(gtid, 3, 4);
    append_le(gtid, 1 | 2, 1);
    append_le(gtid, 5, 8);
    const auto mariadb = parse_mariadb_gtid(event_of(EventType::MariadbGtid, gtid));
    EXPECT_EQ(mariadb->gtid.text(), "3-7-77");
    EXPECT_FALSE(parse_mariadb_gtid(event_of(EventType::MariadbGtid, gtid.substr(0, 15))).ok());
    std::string list;
    append_le(list, 2 | 1U << 28, 4);
    for (const uint64_t sequence : {5, 9}) {
        append_le(list, 1, 4);
        append_le(list, 2, 4);
        append_le(list, sequence, 8);
    }
    const auto set = parse_mariadb_gtid_list(event_of(EventType::MariadbGtidList, list));
    EXPECT_EQ(set->text(), "1-2-9");
    list[0] = '\x7f';
    EXPECT_FALSE(parse_mariadb_gtid_list(event_of(EventType::MariadbGtidList, list)).ok());
    EXPECT_EQ(event_type_name(static_cast<EventType>(99)), "event type 99");
}

TEST(BinlogEvent, Variables) {
    const auto statement = [](EventType type, const std::string& body) {
        const auto text = variable_statement(event_of(type, body));
        return text ? *text : "error";
    };
    std::string number;
    append_le(number, 42, 8);
    EXPECT_EQ(statement(EventType::IntVar, "\x01" + number), "SET LAST_INSERT_ID = 42");
    EXPECT_EQ(statement(EventType::IntVar, "\x02" + number), "SET INSERT_ID = 42");
    EXPECT_EQ(
        statement(EventType::Rand, number + number), "SET SESSION rand_seed1 = 42 , rand_seed2 = 42"
    );
    const auto variable = [&](uint8_t type, const std::string& value, const std::string& flags) {
        std::string body;
        append_le(body, 1, 4);
        body += std::string("v\0", 2);
        append_le(body, type, 1);
        append_le(body, 33, 4);
        append_le(body, value.size(), 4);
        return statement(EventType::UserVar, body + value + flags);
    };
    EXPECT_EQ(variable(0, "text", ""), "SET @v := 'text'");
    EXPECT_EQ(variable(2, std::string(8, '\xff'), std::string(1, '\0')), "SET @v := -1");
    EXPECT_EQ(variable(2, std::string(8, '\xff'), "\x01"), "SET @v := 18446744073709551615");
    EXPECT_EQ(variable(1, *from_hex("000000000000f83f"), ""), "SET @v := 1.5");
    EXPECT_EQ(variable(4, *from_hex("04028132"), ""), "SET @v := 1.50");
    EXPECT_EQ(variable(4, "x", ""), "error");
    EXPECT_EQ(variable(3, "x", ""), "error");
    EXPECT_EQ(statement(EventType::UserVar, std::string("\x01\0\0\0v\x01", 6)), "SET @v := NULL");
    EXPECT_EQ(statement(EventType::UserVar, "x"), "error");
}

}  // namespace
}  // namespace obcanal::mysql
