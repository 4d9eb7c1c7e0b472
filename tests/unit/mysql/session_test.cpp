// Packets, greeting, login and commands, against recorded bytes and published vectors.
#include "protocol/base/crypto.h"
#include "protocol/base/ed25519.h"
#include "protocol/base/text.h"
#include "protocol/mysql/auth.h"
#include "protocol/mysql/command.h"
#include "protocol/mysql/handshake.h"
#include "protocol/mysql/packet.h"
#include "protocol/mysql/wire.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <memory>

namespace obcanal::mysql {
namespace {

void feed(InputBuffer& in, std::string_view bytes) {
    const auto room = in.room(bytes.size());
    std::memcpy(room.data(), bytes.data(), bytes.size());
    in.received(bytes.size());
}

std::string packet(std::string_view payload, uint8_t sequence = 0) {
    std::string out;
    append_packet(out, payload, sequence);
    return out;
}

std::string error_payload(uint16_t number, std::string_view message) {
    std::string out("\xFF");
    append_le(out, number, 2);
    return out + "#HY000" + std::string(message);
}

TEST(Packet, CutAtEveryByte) {
    uint8_t sequence = 0;
    std::string bytes;
    append_packet(bytes, "hello", sequence);
    append_packet(bytes, "", sequence);
    append_packet(bytes, std::string(300, 'x'), sequence);
    EXPECT_EQ(sequence, 3);
    InputBuffer in(16);
    PacketReader reader;
    std::vector<std::string> payloads;
    for (const char c : bytes) {
        feed(in, {&c, 1});
        for (;;) {
            const auto next = reader.next(in);
            ASSERT_TRUE(next.ok());
            if (!*next) break;
            payloads.emplace_back(as_text((*next)->payload));
        }
    }
    EXPECT_EQ(payloads, (std::vector<std::string>{"hello", "", std::string(300, 'x')}));
}

TEST(Packet, PayloadsOfSeveralParts) {
    for (const size_t size : {kFullPacket - 1, kFullPacket, kFullPacket + 1, 2 * kFullPacket}) {
        std::string payload(size, 'a');
        payload.back() = 'z';
        uint8_t sequence = 7;
        std::string bytes;
        append_packet(bytes, payload, sequence);
        EXPECT_EQ(sequence, 7 + 1 + size / kFullPacket);
        InputBuffer in;
        PacketReader reader;
        reader.expect_sequence(7);
        std::string_view rest = bytes;
        bool seen = false;
        while (!rest.empty()) {
            feed(in, rest.substr(0, 1 << 20));
            rest.remove_prefix(std::min<size_t>(rest.size(), 1 << 20));
            const auto next = reader.next(in);
            ASSERT_TRUE(next.ok()) << next.error().detail;
            if (!*next) continue;
            EXPECT_TRUE(as_text((*next)->payload) == payload) << size;
            seen = true;
        }
        EXPECT_TRUE(seen) << size;
        EXPECT_TRUE(in.pending().empty());
    }
}

TEST(Packet, WrongNumberAndTooLargeAreRefused) {
    InputBuffer in;
    feed(in, packet("x", 1));
    PacketReader reader;
    EXPECT_FALSE(reader.next(in).ok());
    InputBuffer large;
    feed(large, packet(std::string(101, 'x')).substr(0, 50));
    PacketReader small(100);
    EXPECT_FALSE(small.next(large).ok());
}

TEST(Packet, ServerErrors) {
    const Error purged = server_error(
        as_bytes(error_payload(1236, "Could not find first log file name in binary log index file")
        ),
        "dump"
    );
    EXPECT_EQ(purged.code, Errc::PositionPurged);
    EXPECT_EQ(
        purged.detail,
        "dump: the server answers 1236: Could not find first log file name in binary log index file"
    );
    EXPECT_EQ(server_error(as_bytes(error_payload(1045, "no")), "login").code, Errc::Auth);
    EXPECT_EQ(server_error(as_bytes(error_payload(1040, "no")), "login").retry, Retry::Backoff);
    EXPECT_EQ(parse_error(as_bytes("\xFF")).number, 0);
}

// A MySQL 8.0 server's greeting.
std::string greeting_payload(std::string_view plugin, std::string_view version = "8.0.33") {
    std::string out("\x0A");
    out += version;
    out += '\0';
    append_le(out, 42, 4);
    out += "12345678";
    out += '\0';
    append_le(out, 0xFFFF, 2);
    append_le(out, 255, 1);
    append_le(out, 2, 2);
    append_le(out, 0xDFFF, 2);
    append_le(out, 21, 1);
    out.append(10, '\0');
    out += "abcdefghijkl";
    out += '\0';
    out += plugin;
    out += '\0';
    return out;
}

TEST(Handshake, GreetingAndLogin) {
    const std::string payload = greeting_payload("caching_sha2_password");
    const auto greeting = parse_greeting(as_bytes(payload));
    ASSERT_TRUE(greeting.ok()) << greeting.error().detail;
    EXPECT_EQ(greeting->server_version, "8.0.33");
    EXPECT_EQ(greeting->connection_id, 42U);
    EXPECT_EQ(greeting->seed, "12345678abcdefghijkl");
    EXPECT_EQ(greeting->plugin, "caching_sha2_password");
    EXPECT_TRUE(greeting->offers_tls());
    EXPECT_FALSE(greeting->mariadb);

    LoginOptions options;
    options.user = "canal";
    const std::string login = login_packet(*greeting, options, "mysql_native_password", "SCRAMBLE");
    ByteReader in(as_bytes(login));
    const uint32_t capabilities = in.u32_le();
    EXPECT_EQ(capabilities & capability::kSsl, 0U);
    EXPECT_NE(capabilities & capability::kPluginAuth, 0U);
    in.skip(4 + 1 + 23);
    EXPECT_EQ(read_nul_text(in, as_bytes(login)), "canal");
    EXPECT_EQ(in.text(in.u8()), "SCRAMBLE");
    EXPECT_EQ(read_nul_text(in, as_bytes(login)), "mysql_native_password");
    EXPECT_TRUE(in.ok() && in.empty());
    options.tls = true;
    const std::string request = tls_request(*greeting, options);
    EXPECT_EQ(request.size(), 32U);
    EXPECT_NE(load_le<uint32_t>(as_bytes(request).data()) & capability::kSsl, 0U);
}

TEST(Handshake, MariadbSaysItsOwnVersion) {
    const std::string payload =
        greeting_payload("mysql_native_password", "5.5.5-10.11.19-MariaDB-0+deb12u1-log");
    const auto greeting = parse_greeting(as_bytes(payload));
    ASSERT_TRUE(greeting.ok());
    EXPECT_TRUE(greeting->mariadb);
    EXPECT_EQ(greeting->server_version, "10.11.19-MariaDB-0+deb12u1-log");
}

TEST(Handshake, BadGreetings) {
    const std::string payload = greeting_payload("x");
    for (size_t size = 0; size < payload.size() - 2; ++size) {
        const auto greeting = parse_greeting(as_bytes(payload).first(size));
        if (greeting.ok()) {
            EXPECT_GE(size, payload.size() - 3) << size;
        }
    }
    EXPECT_EQ(parse_greeting(as_bytes(error_payload(1129, "blocked"))).error().code, Errc::Refused);
    EXPECT_FALSE(parse_greeting(as_bytes("HTTP/1.1 400 Bad Request")).ok());
}

// As a server checks them, which keeps digests of the password only.
TEST(Auth, Scrambles) {
    EXPECT_EQ(
        to_hex(as_bytes(native_scramble("secret", as_bytes("12345678abcdefghijkl")))),
        to_hex(scramble411("secret", as_bytes("12345678abcdefghijkl")))
    );
    const std::string seed = *from_hex("0a6456613c3f4f4b1a46303d4a463b6a0b2e3d55");
    const std::string token = sha2_scramble("secret", as_bytes(seed));
    ASSERT_EQ(token.size(), 32U);
    // token XOR SHA256(SHA256(SHA256(password)) + seed) = SHA256(password)
    std::string mask(as_text(sha256(sha256(as_bytes("secret")))));
    mask += seed;
    const Sha256 hidden = sha256(as_bytes(mask));
    std::string back = token;
    for (size_t i = 0; i < back.size(); ++i)
        back[i] = static_cast<char>(back[i] ^ std::to_integer<char>(hidden[i]));
    EXPECT_EQ(back, as_text(sha256(as_bytes("secret"))));
}

// RFC 8032, 7.1, tests 1 to 3.
TEST(Auth, Ed25519Vectors) {
    const auto sign = [](const char* secret, const char* message) {
        return to_hex(ed25519_sign(as_bytes(*from_hex(secret)), as_bytes(*from_hex(message))));
    };
    EXPECT_EQ(
        sign("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", ""),
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701c"
        "f9b46bd25bf5f0595bbe24655141438e7a100b"
    );
    EXPECT_EQ(
        sign("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "72"),
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0"
        "f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    );
    EXPECT_EQ(
        sign("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "af82"),
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f76098"
        "4dc6594a7c15e9716ed28dc027beceea1ec40a"
    );
}

std::string switch_payload(std::string_view plugin, std::string_view seed) {
    std::string out("\xFE");
    out += plugin;
    out += '\0';
    out += seed;
    out += '\0';
    return out;
}

TEST(Auth, NativeAndSwitches) {
    Authenticator login("secret", false);
    EXPECT_EQ(login.choose("auth_gssapi_client"), "mysql_native_password");
    const std::string seed = "12345678abcdefghijkl";
    EXPECT_EQ(*login.first_answer(seed), native_scramble("secret", as_bytes(seed)));
    const std::string other = "ABCDEFGHIJKLMNOPQRST";
    const auto step = login.receive(as_bytes(switch_payload("caching_sha2_password", other)));
    ASSERT_TRUE(step.ok()) << step.error().detail;
    EXPECT_FALSE(step->done);
    EXPECT_EQ(step->answer, sha2_scramble("secret", as_bytes(other)));
    const auto fast = login.receive(as_bytes("\x01\x03"));
    ASSERT_TRUE(fast.ok());
    EXPECT_FALSE(fast->done || fast->answer);
    EXPECT_TRUE(login.receive(as_bytes(std::string("\0\0\0\2\0\0\0", 7)))->done);
}

TEST(Auth, RefusesWhatItShould) {
    Authenticator login("secret", false);
    login.choose("mysql_native_password");
    EXPECT_EQ(
        login.receive(as_bytes(switch_payload("mysql_clear_password", ""))).error().code, Errc::Auth
    );
    EXPECT_FALSE(login.receive(as_bytes(switch_payload("sha999", "x"))).ok());
    EXPECT_FALSE(login.receive(as_bytes("\xFE")).ok());
    EXPECT_FALSE(login.receive({}).ok());
    EXPECT_FALSE(login.receive(as_bytes("\x01\x04")).ok());
    EXPECT_EQ(login.receive(as_bytes(error_payload(1045, "no"))).error().code, Errc::Auth);
    Authenticator secure("secret", true);
    const auto step = secure.receive(as_bytes(switch_payload("mysql_clear_password", "")));
    EXPECT_EQ(step->answer, std::string("secret\0", 7));
    Authenticator empty("", false);
    empty.choose("caching_sha2_password");
    EXPECT_EQ(*empty.first_answer("12345678abcdefghijkl"), "");
}

TEST(Auth, Ed25519AfterSwitch) {
    Authenticator login("secret", false);
    login.choose("client_ed25519");
    EXPECT_EQ(*login.first_answer("12345678abcdefghijkl"), "");
    const std::string seed(32, 's');
    const auto step = login.receive(as_bytes(switch_payload("client_ed25519", seed)));
    ASSERT_TRUE(step.ok()) << step.error().detail;
    EXPECT_EQ(*step->answer, as_text(ed25519_sign(as_bytes("secret"), as_bytes(seed))));
    EXPECT_FALSE(login.receive(as_bytes(switch_payload("client_ed25519", "short"))).ok());
}

struct FreeKey {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

std::string public_pem(EVP_PKEY* key) {
    BIO* out = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(out, key);
    char* data = nullptr;
    const long size = BIO_get_mem_data(out, &data);
    std::string pem(data, static_cast<size_t>(size));
    BIO_free(out);
    return pem;
}

std::string decrypt(EVP_PKEY* key, std::string_view encrypted) {
    EVP_PKEY_CTX* context = EVP_PKEY_CTX_new(key, nullptr);
    EVP_PKEY_decrypt_init(context);
    EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING);
    std::string out(encrypted.size(), '\0');
    size_t size = out.size();
    const int done = EVP_PKEY_decrypt(
        context,
        reinterpret_cast<unsigned char*>(out.data()),
        &size,
        reinterpret_cast<const unsigned char*>(encrypted.data()),
        encrypted.size()
    );
    EVP_PKEY_CTX_free(context);
    EXPECT_EQ(done, 1);
    out.resize(size);
    return out;
}

TEST(Auth, FullExchangeWithRsa) {
    const std::unique_ptr<EVP_PKEY, FreeKey> key(EVP_RSA_gen(2048));
    const std::string seed = "12345678abcdefghijkl";
    for (const char* scheme : {"caching_sha2_password", "sha256_password"}) {
        Authenticator login("a long secret of more bytes than the seed has", false);
        login.choose(scheme);
        std::string request = *login.first_answer(seed);
        if (std::string_view(scheme) == "caching_sha2_password") {
            EXPECT_EQ(request.size(), 32U);
            request = *login.receive(as_bytes("\x01\x04"))->answer;
            EXPECT_EQ(request, "\x02");
        } else {
            EXPECT_EQ(request, "\x01");
        }
        const auto step = login.receive(as_bytes("\x01" + public_pem(key.get())));
        ASSERT_TRUE(step.ok()) << step.error().detail;
        std::string password = decrypt(key.get(), *step->answer);
        for (size_t i = 0; i < password.size(); ++i)
            password[i] = static_cast<char>(password[i] ^ seed[i % seed.size()]);
        EXPECT_EQ(password, std::string("a long secret of more bytes than the seed has") + '\0');
        Authenticator again("secret", false);
        again.choose(scheme);
        ASSERT_TRUE(again.first_answer(seed).ok());
        if (std::string_view(scheme) == "caching_sha2_password") {
            ASSERT_TRUE(again.receive(as_bytes("\x01\x04")).ok());
        }
        EXPECT_FALSE(again.receive(as_bytes("\x01no key")).ok());
    }
    // Under TLS the password goes as it is.
    Authenticator secure("secret", true);
    secure.choose("caching_sha2_password");
    ASSERT_TRUE(secure.first_answer(seed).ok());
    EXPECT_EQ(*secure.receive(as_bytes("\x01\x04"))->answer, std::string("secret\0", 7));
}

TEST(Command, Payloads) {
    EXPECT_EQ(query_command("select 1"), "\x03select 1");
    EXPECT_EQ(
        to_hex(as_bytes(binlog_dump_command(77, "bin.000001", 4))),
        "120400000000004d00000062696e2e303030303031"
    );
    EXPECT_EQ(
        to_hex(as_bytes(register_replica_command({77, "h", 3306}))),
        "154d00000001680000ea0c0000000000000000"
    );
    EXPECT_EQ(
        to_hex(as_bytes(binlog_dump_gtid_command(77, GtidSet()))),
        "1e04004d000000000000000400000000000000080000000000000000000000"
    );
}

std::string column_payload(std::string_view name) {
    std::string out;
    for (const std::string_view part :
         {std::string_view("def"),
          std::string_view(),
          std::string_view(),
          std::string_view(),
          name,
          name})
        append_length_text(out, part);
    return out + std::string("\x0c\x21\0\0\0\0\0\xfd\0\0\0\0\0", 13);
}

TEST(QueryResult, Rows) {
    QueryResult result("reading the position");
    EXPECT_FALSE(*result.receive(as_bytes("\x02")));
    EXPECT_FALSE(*result.receive(as_bytes(column_payload("File"))));
    EXPECT_FALSE(*result.receive(as_bytes(column_payload("Position"))));
    const std::string eof("\xFE\0\0\2\0", 5);
    EXPECT_FALSE(*result.receive(as_bytes(eof)));
    EXPECT_FALSE(
        *result.receive(as_bytes("\x0A"
                                 "bin.000001\xFB"))
    );
    EXPECT_FALSE(
        *result.receive(as_bytes("\x01"
                                 "b\x01"
                                 "4"))
    );
    EXPECT_TRUE(*result.receive(as_bytes(eof)));
    EXPECT_EQ(result.rows().size(), 2U);
    EXPECT_EQ(result.value("file"), "bin.000001");
    EXPECT_EQ(result.value("Position"), std::nullopt);
    EXPECT_EQ(result.rows()[1][1], "4");
    EXPECT_FALSE(result.receive(as_bytes(eof)).ok());
}

// MySQL 8.0's SHOW SLAVE HOSTS, of a replica whose session has lost its @slave_uuid.
TEST(QueryResult, ARowWithoutItsLastColumns) {
    QueryResult result("SHOW SLAVE HOSTS");
    const std::string eof("\xFE\0\0\0\0", 5);
    EXPECT_FALSE(*result.receive(as_bytes("\x02")));
    for (const char* name : {"Server_id", "Slave_UUID"})
        EXPECT_FALSE(*result.receive(as_bytes(column_payload(name))));
    EXPECT_FALSE(*result.receive(as_bytes(eof)));
    EXPECT_FALSE(
        *result.receive(as_bytes("\x01"
                                 "7"))
    );
    EXPECT_TRUE(*result.receive(as_bytes(eof)));
    ASSERT_EQ(result.rows().size(), 1U);
    EXPECT_EQ(result.rows()[0][0], "7");
    EXPECT_EQ(result.rows()[0][1], std::nullopt);
    QueryResult torn("SHOW SLAVE HOSTS");
    EXPECT_FALSE(*torn.receive(as_bytes("\x01")));
    EXPECT_FALSE(*torn.receive(as_bytes(std::string("\0\0\0\0\1a", 6))));
    EXPECT_FALSE(*torn.receive(as_bytes(eof)));
    EXPECT_FALSE(torn.receive(as_bytes("")).ok());
}

TEST(QueryResult, OkAndErrorsInPlaceOfRows) {
    QueryResult ok("select");
    EXPECT_TRUE(*ok.receive(as_bytes(std::string("\0\0\0\2\0\0\0", 7))));
    EXPECT_EQ(ok.value("x"), std::nullopt);
    // OceanBase's Binlog Service, for a SELECT that it does not know.
    QueryResult nothing("select");
    EXPECT_TRUE(*nothing.receive(as_bytes(std::string("\xFE\0\0\2\0", 5))));
    EXPECT_TRUE(nothing.rows().empty());
    EXPECT_TRUE(nothing.columns().empty());
    QueryResult failed("select");
    EXPECT_EQ(failed.receive(as_bytes(error_payload(1227, "no"))).error().code, Errc::Auth);
    QueryResult file("select");
    EXPECT_FALSE(file.receive(as_bytes("\xFB/etc/passwd")).ok());
    QueryResult torn("select");
    EXPECT_FALSE(*torn.receive(as_bytes("\x01")));
    EXPECT_FALSE(torn.receive(as_bytes("\x05"
                                       "de"))
                     .ok());
}

}  // namespace
}  // namespace obcanal::mysql
