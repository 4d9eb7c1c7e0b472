// Keys and certificates made for one test run, as PEM files in a directory that goes with it.
#pragma once

#include "tests/unit/scratch_dir.h"

#include <string>

namespace obcanal {

class TestCertificates {
 public:
    // `name`.crt and `name`.key, signed by a CA of its own in `name`-ca.crt.
    void make(const std::string& name);

    std::string cert(const std::string& name) const { return file(name + ".crt"); }
    std::string key(const std::string& name) const { return file(name + ".key"); }
    std::string ca(const std::string& name) const { return file(name + "-ca.crt"); }
    std::string file(const std::string& name) const { return directory_.path() + "/" + name; }

 private:
    ScratchDir directory_;
};

}  // namespace obcanal
