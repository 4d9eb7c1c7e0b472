// main() of a fuzz target without libFuzzer: gives it every file of its corpus, each also cut short
// at every length up to 4 KiB and with every byte of its first KiB inverted.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr size_t kCuts = 4096;
constexpr size_t kInversions = 1024;

// An own allocation of the exact size, so that a sanitizer sees the first byte read beyond it.
void give(const std::vector<uint8_t>& bytes, size_t size) {
    const std::vector<uint8_t> exact(
        bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)
    );
    LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

void replay(std::vector<uint8_t> bytes) {
    give(bytes, bytes.size());
    for (size_t size = 0; size < bytes.size() && size < kCuts; ++size) give(bytes, size);
    for (size_t i = 0; i < bytes.size() && i < kInversions; ++i) {
        bytes[i] = static_cast<uint8_t>(~bytes[i]);
        give(bytes, bytes.size());
        bytes[i] = static_cast<uint8_t>(~bytes[i]);
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: fuzz_<decoder> CORPUS\n";
        return 2;
    }
    size_t files = 0;
    for (const auto& item : std::filesystem::recursive_directory_iterator(argv[1])) {
        if (!item.is_regular_file()) continue;
        std::ifstream in(item.path(), std::ios::binary);
        replay({std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()});
        ++files;
    }
    std::cout << "corpus files replayed: " << files << "\n";
    return files == 0 ? 1 : 0;
}
