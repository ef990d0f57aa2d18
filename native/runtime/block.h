// Memory straight from the system: zero-filled, aligned, given back when the block dies. Arena, states and mapped files
// are blocks, so that what the core allocates can be counted exactly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace athanor {

class Block {
 public:
  // Zero-filled bytes, aligned to a page (to 2 MiB from that size on, for huge pages). nullptr when the system refuses.
  // For tests: with ATHANOR_GUARD_PAGES=end in the environment the last byte, with =start the first, touches a page that
  // nobody may read or write, so that a kernel which leaves its memory ends the process there.
  static std::shared_ptr<Block> allocate(size_t bytes);
  enum class Guard { none, start, end };
  static Guard guard();

  // `length` bytes of a file from `offset` on (or fewer, where the file ends), private to this process: a write changes
  // memory, never the file. On failure nullptr, and errno says why. The file must not be truncated while it is mapped
  // (the system answers a read beyond its end with SIGBUS).
  static std::shared_ptr<Block> mapFile(const char* path, uint64_t offset, uint64_t length);

  ~Block();
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  std::byte* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  Block(std::byte* map, size_t mapped, std::byte* data, size_t bytes)
      : map_(map), mapped_(mapped), data_(data), bytes_(bytes) {}
  std::byte* map_;  // as mapped, in whole pages
  size_t mapped_;
  std::byte* data_;  // as asked for
  size_t bytes_;
};

}  // namespace athanor
