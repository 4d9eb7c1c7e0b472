// The admin port's packets: the bytes that the Java server was seen to send, and the protobuf
// library as the oracle for both directions.
#include "protocol/canal/admin_packets.h"

#include "protocol/base/text.h"
#include "protocol/canal/admin.pb.h"
#include "protocol/canal/frame.h"

#include <gtest/gtest.h>

#include <string>

namespace obcanal::canal::admin {
namespace {

namespace pb = obcanal::pb::admin;

std::string body_of(const std::string& frame) {
    const auto read = read_frame(as_bytes(frame), 1 << 20);
    EXPECT_TRUE(read.ok() && read->has_value());
    EXPECT_EQ((*read)->size, frame.size());
    return std::string(as_text((*read)->body));
}

std::string hex_of(const std::string& frame) { return to_hex(as_bytes(body_of(frame))); }

pb::Packet reread(const std::string& frame) {
    pb::Packet packet;
    EXPECT_TRUE(packet.ParseFromString(body_of(frame)));
    EXPECT_EQ(packet.SerializeAsString(), body_of(frame));
    return packet;
}

TEST(AdminPackets, ServerBytesAreTheReferences) {
    const std::string seed = *from_hex("0102030405060708");
    EXPECT_EQ(hex_of(encode_handshake(as_bytes(seed))), "10011801220a12080102030405060708");
    EXPECT_EQ(hex_of(encode_ack(0, "1")), "1001180322050800120131");
    EXPECT_EQ(hex_of(encode_ack(0, "")), "1001180322020800");
    EXPECT_EQ(hex_of(encode_ack(300, "x")), "10011803220608ac02120178");
}

TEST(AdminPackets, RequestsAreWhatProtobufReads) {
    const pb::Packet server = reread(encode_server_admin({"check"}));
    EXPECT_EQ(server.type(), pb::SERVER);
    EXPECT_FALSE(server.has_version());
    pb::ServerAdmin check;
    ASSERT_TRUE(check.ParseFromString(server.body()));
    EXPECT_EQ(check.action(), "check");

    const pb::Packet instance = reread(encode_instance_admin({"example", "restart"}));
    EXPECT_EQ(instance.type(), pb::INSTANCE);
    pb::InstanceAdmin restart;
    ASSERT_TRUE(restart.ParseFromString(instance.body()));
    EXPECT_EQ(restart.destination(), "example");
    EXPECT_EQ(restart.action(), "restart");

    LogAdmin tail{"instance", "tail", "example", "meta.log", 0};
    const pb::Packet log = reread(encode_log_admin(tail));
    EXPECT_EQ(log.type(), pb::LOG);
    pb::LogAdmin read;
    ASSERT_TRUE(read.ParseFromString(log.body()));
    EXPECT_EQ(read.file(), "meta.log");
    EXPECT_TRUE(read.has_count());
    EXPECT_EQ(read.count(), 0);

    const pb::Packet auth = reread(encode_auth({"admin", "00ff", 5000, -1}));
    EXPECT_EQ(auth.type(), pb::CLIENTAUTHENTICATION);
    pb::ClientAuth login;
    ASSERT_TRUE(login.ParseFromString(auth.body()));
    EXPECT_EQ(login.username(), "admin");
    EXPECT_EQ(login.net_write_timeout(), -1);
}

TEST(AdminPackets, WhatProtobufWritesIsRead) {
    pb::LogAdmin log;
    log.set_type("instance");
    log.set_action("tail");
    log.set_destination("example");
    log.set_count(-5);
    const std::string body = log.SerializeAsString();
    const Result<LogAdmin> read = parse_log_admin(as_bytes(body));
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(read->destination, "example");
    EXPECT_EQ(read->file, "");
    EXPECT_EQ(read->count, -5);

    pb::ClientAuth auth;
    auth.set_username("admin");
    auth.set_password("7de4");
    auth.set_net_read_timeout(60000);
    const std::string auth_body = auth.SerializeAsString();
    pb::Packet packet;
    packet.set_magic_number(17);
    packet.set_version(1);
    packet.set_type(pb::CLIENTAUTHENTICATION);
    packet.set_body(auth_body);
    const std::string bytes = packet.SerializeAsString();
    const Result<Packet> outer = parse_packet(as_bytes(bytes));
    ASSERT_TRUE(outer.ok());
    EXPECT_EQ(outer->type, PacketType::ClientAuthentication);
    const Result<ClientAuth> login = parse_client_auth(outer->body);
    ASSERT_TRUE(login.ok());
    EXPECT_EQ(login->password, "7de4");
    EXPECT_EQ(login->net_read_timeout, 60000);
}

TEST(AdminPackets, EveryTruncationIsAnErrorOrAShorterMessage) {
    const std::string body = body_of(encode_log_admin({"instance", "tail", "example", "a", 100}));
    const Result<Packet> whole = parse_packet(as_bytes(body));
    ASSERT_TRUE(whole.ok());
    size_t refused = 0;
    for (size_t size = 0; size < whole->body.size(); ++size) {
        const Result<LogAdmin> cut = parse_log_admin(whole->body.first(size));
        if (!cut) ++refused;
    }
    // Only at the four borders between the five fields, and at 0, a prefix is a message.
    EXPECT_EQ(refused, whole->body.size() - 5);
}

TEST(AdminPackets, TextThatIsNoUtf8IsRefused) {
    const std::string bad = *from_hex("0a02c328");
    const Result<ServerAdmin> read = parse_server_admin(as_bytes(bad));
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.error().detail, "ServerAdmin: a string is not UTF-8");
}

TEST(AdminPackets, TypesHaveTheProtocolsNames) {
    EXPECT_EQ(packet_type_name(PacketType::Log), "LOG");
    EXPECT_EQ(packet_type_name(static_cast<PacketType>(7)), "UNRECOGNIZED");
    EXPECT_EQ(packet_type_name(static_cast<PacketType>(-1)), "UNRECOGNIZED");
}

}  // namespace
}  // namespace obcanal::canal::admin
