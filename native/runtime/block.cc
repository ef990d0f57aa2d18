#include "block.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace athanor {

namespace {
constexpr size_t HUGE_PAGE = size_t(2) << 20;  // on x86-64 and on arm64 with 4 KiB pages
constexpr size_t LARGEST = size_t(1) << 47;    // the user's half of a 48-bit address space
}  // namespace

Block::Guard Block::guard() {
  static const Guard chosen = [] {
    const char* word = std::getenv("ATHANOR_GUARD_PAGES");
    return word == nullptr ? Guard::none : std::strcmp(word, "start") == 0 ? Guard::start : Guard::end;
  }();
  return chosen;
}

std::shared_ptr<Block> Block::allocate(size_t bytes) {
  if (bytes > LARGEST) return nullptr;
  const size_t page = size_t(sysconf(_SC_PAGESIZE));
  if (guard() != Guard::none) {
    const size_t length = (bytes + page - 1) / page * page, mapped = length + 2 * page;
    void* map = mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) return nullptr;
    auto* start = static_cast<std::byte*>(map);
    if (length > 0 && mprotect(start + page, length, PROT_READ | PROT_WRITE) != 0) {
      munmap(map, mapped);
      return nullptr;
    }
    std::byte* data = start + page + (guard() == Guard::end ? length - bytes : 0);
    return std::shared_ptr<Block>(new Block(start, mapped, data, bytes));
  }
  const size_t length = bytes == 0 ? page : (bytes + page - 1) / page * page;
  const bool huge = length >= HUGE_PAGE;
  // Huge pages need an aligned start: map more, and give back what stands over.
  const size_t mapped = huge ? length + HUGE_PAGE : length;
  void* map = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED) return nullptr;
  auto* start = static_cast<std::byte*>(map);
  if (huge) {
    const size_t ahead = (HUGE_PAGE - reinterpret_cast<uintptr_t>(start) % HUGE_PAGE) % HUGE_PAGE;
    if (ahead > 0) munmap(start, ahead);
    if (HUGE_PAGE - ahead > 0) munmap(start + ahead + length, HUGE_PAGE - ahead);
    start += ahead;
#ifdef MADV_HUGEPAGE
    madvise(start, length, MADV_HUGEPAGE);
#endif
  }
  return std::shared_ptr<Block>(new Block(start, length, start, bytes));
}

std::shared_ptr<Block> Block::mapFile(const char* path, uint64_t offset, uint64_t length) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return nullptr;
  struct stat info;
  const bool known = fstat(fd, &info) == 0;
  if (!known || !S_ISREG(info.st_mode)) {
    const int error = !known ? errno : S_ISDIR(info.st_mode) ? EISDIR : EINVAL;
    close(fd);
    errno = error;
    return nullptr;
  }
  const auto size = uint64_t(info.st_size);
  const uint64_t bytes = offset >= size ? 0 : std::min(length, size - offset);
  if (bytes == 0) {
    close(fd);
    return allocate(0);
  }
  const uint64_t ahead = offset % uint64_t(sysconf(_SC_PAGESIZE));  // a map begins at a page
  void* map = mmap(nullptr, bytes + ahead, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, off_t(offset - ahead));
  const int error = errno;
  close(fd);
  errno = error;
  if (map == MAP_FAILED) return nullptr;
  auto* start = static_cast<std::byte*>(map);
  return std::shared_ptr<Block>(new Block(start, bytes + ahead, start + ahead, bytes));
}

Block::~Block() { munmap(map_, mapped_); }

}  // namespace athanor
