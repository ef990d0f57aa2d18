// Memory straight from the system: zero-filled, aligned, given back when the block dies. Arena, states and mapped files
// are blocks, so that what the core allocates can be counted exactly.
#pragma once

#include <cstddef>
#include <memory>

namespace athanor {

class Block {
 public:
  // Zero-filled bytes, aligned to a page (to 2 MiB from that size on, for huge pages). nullptr when the system refuses.
  static std::shared_ptr<Block> allocate(size_t bytes);

  // A file's bytes, private to this process: a write changes memory, never the file. On failure nullptr, and errno says
  // why. The file must not be truncated while it is mapped (the system answers a read beyond its end with SIGBUS).
  static std::shared_ptr<Block> mapFile(const char* path);

  ~Block();
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  std::byte* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  Block(std::byte* data, size_t bytes, size_t mapped) : data_(data), bytes_(bytes), mapped_(mapped) {}
  std::byte* data_;
  size_t bytes_;   // as asked for
  size_t mapped_;  // as mapped
};

}  // namespace athanor
