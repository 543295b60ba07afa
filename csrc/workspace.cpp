#include "workspace.h"

#include <cmath>
#include <cstdlib>
#include <new>
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace gatecast {
namespace {

constexpr int64_t KEPT_FLOATS = 64 << 20;  // a larger one (256 MB) is freed when the next call needs less
constexpr uintptr_t HUGE_PAGE = 2 << 20;

struct Memory {
  float* start = nullptr;
  int64_t floats = 0;

  ~Memory() { std::free(start); }

  void grow(int64_t wanted) {
    std::free(start);
    start = nullptr;
    floats = 0;
    const size_t bytes = static_cast<size_t>(wanted) * sizeof(float);
    void* memory = nullptr;
    if (posix_memalign(&memory, bytes < HUGE_PAGE ? 64 : HUGE_PAGE, bytes)) throw std::bad_alloc();
    prefer_huge_pages(memory, wanted * static_cast<int64_t>(sizeof(float)));
    start = static_cast<float*>(memory);
    floats = wanted;
  }
};

}  // namespace

void prefer_huge_pages(void* start, int64_t bytes) {
#if defined(__linux__)
  const uintptr_t first = (reinterpret_cast<uintptr_t>(start) + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
  const uintptr_t end = (reinterpret_cast<uintptr_t>(start) + static_cast<uintptr_t>(bytes)) / HUGE_PAGE * HUGE_PAGE;
  if (end > first) madvise(reinterpret_cast<void*>(first), end - first, MADV_HUGEPAGE);  // it may fail
#else
  (void)start, (void)bytes;
#endif
}

float* workspace(int64_t floats) {
  thread_local Memory memory;
  if (memory.floats < floats || (memory.floats > KEPT_FLOATS && floats < KEPT_FLOATS)) memory.grow(floats);
  static const bool poison = [] {
    const char* value = std::getenv("GATECAST_POISON");
    return value && value[0] == '1';
  }();
  if (poison) {
    for (int64_t k = 0; k < floats; k++) memory.start[k] = NAN;
  }
  return memory.start;
}

}  // namespace gatecast
