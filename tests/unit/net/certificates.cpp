#include "tests/unit/net/certificates.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>

namespace obcanal {
namespace {

struct Free {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(X509* certificate) const { X509_free(certificate); }
    void operator()(std::FILE* file) const { std::fclose(file); }
};

using Key = std::unique_ptr<EVP_PKEY, Free>;
using Certificate = std::unique_ptr<X509, Free>;
using File = std::unique_ptr<std::FILE, Free>;

Certificate sign(
    const std::string& subject, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key, bool is_ca
) {
    Certificate made(X509_new());
    X509_set_version(made.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made.get()), is_ca ? 1 : 2);
    X509_gmtime_adj(X509_getm_notBefore(made.get()), -60);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), 3600);
    X509_set_pubkey(made.get(), key);
    const auto* text = reinterpret_cast<const unsigned char*>(subject.c_str());
    X509_NAME_add_entry_by_txt(
        X509_get_subject_name(made.get()), "CN", MBSTRING_UTF8, text, -1, -1, 0
    );
    X509* const by = issuer != nullptr ? issuer : made.get();
    X509_set_issuer_name(made.get(), X509_get_subject_name(by));
    if (is_ca) {
        X509V3_CTX context;
        X509V3_set_ctx(&context, by, made.get(), nullptr, nullptr, 0);
        X509_EXTENSION* const ca =
            X509V3_EXT_conf_nid(nullptr, &context, NID_basic_constraints, "critical,CA:TRUE");
        X509_add_ext(made.get(), ca, -1);
        X509_EXTENSION_free(ca);
    }
    EXPECT_GT(X509_sign(made.get(), issuer_key, EVP_sha256()), 0);
    return made;
}

void write(const std::string& path, X509* certificate) {
    const File file(std::fopen(path.c_str(), "w"));
    ASSERT_TRUE(file);
    ASSERT_EQ(PEM_write_X509(file.get(), certificate), 1);
}

}  // namespace

void TestCertificates::make(const std::string& name) {
    const Key ca_key(EVP_EC_gen("P-256"));
    const Key own_key(EVP_EC_gen("P-256"));
    const Certificate authority = sign(name + " CA", ca_key.get(), nullptr, ca_key.get(), true);
    const Certificate own = sign("localhost", own_key.get(), authority.get(), ca_key.get(), false);
    write(ca(name), authority.get());
    write(cert(name), own.get());
    const File file(std::fopen(key(name).c_str(), "w"));
    ASSERT_TRUE(file);
    ASSERT_EQ(
        PEM_write_PrivateKey(file.get(), own_key.get(), nullptr, nullptr, 0, nullptr, nullptr), 1
    );
}

}  // namespace obcanal
