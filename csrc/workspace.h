// Memory of one call, kept for the next call of the same thread, so that a training step causes no page faults.
//
// GATECAST_POISON=1 fills it with NaN first, so that tests notice values that are read before they are written.
#pragma once

#include <cstdint>

namespace gatecast {

// Floats aligned to 64 bytes, valid until the next call from this thread; throws std::bad_alloc.
float* workspace(int64_t floats);

// Requests pages of 2 MB for large fresh memory: a page fault costs as much as the arithmetic on a page.
void prefer_huge_pages(void* start, int64_t bytes);

// Divides a workspace into arrays, each aligned to 64 bytes. Without memory (null) it only counts their floats.
class Arena {
 public:
  explicit Arena(float* start) : start_(start), used_(0) {}

  float* take(int64_t floats) {
    float* array = start_ ? start_ + used_ : nullptr;
    used_ += (floats + 15) / 16 * 16;
    return array;
  }

  int64_t used() const { return used_; }

 private:
  float* start_;
  int64_t used_;
};

}  // namespace gatecast
