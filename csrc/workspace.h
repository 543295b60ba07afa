// Memory of one call, kept for the next call of the same thread: a training step costs no page faults here.
//
// GATECAST_POISON=1 fills it with NaN first, so that a test sees any value that is read before it is written.
#pragma once

#include <cstdint>

namespace gatecast {

// Floats aligned to 64 bytes, valid until the next call from this thread; throws std::bad_alloc.
float* workspace(int64_t floats);

// Ask for pages of 2 MB in fresh memory of many megabytes: a page fault costs as much as the arithmetic on a page.
void prefer_huge_pages(void* start, int64_t bytes);

// Hands out pieces of a workspace, each aligned to 64 bytes.
class Arena {
 public:
  explicit Arena(float* start) : start_(start), used_(0) {}

  float* take(int64_t floats) {
    float* piece = start_ ? start_ + used_ : nullptr;
    used_ += (floats + 15) / 16 * 16;
    return piece;
  }

  int64_t used() const { return used_; }

 private:
  float* start_;
  int64_t used_;
};

}  // namespace gatecast
