// The function table of one instruction set; compiled for each, like lstm_forward.cpp and lstm_backward.cpp.
#include "lstm.h"

#if defined(__AMX_BF16__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace gatecast::GATECAST_ISA {

void forward(const Forward&, const Threads&);
void backward(const Backward&, const Threads&);

namespace {

#if defined(__AMX_BF16__)
constexpr int TILE_DATA = 18;  // XFEATURE_XTILEDATA

bool system_has_tiles() {
#if defined(__linux__)
  constexpr int GET_SUPPORTED = 0x1021;  // ARCH_GET_XCOMP_SUPP
  uint64_t features = 0;
  return syscall(SYS_arch_prctl, GET_SUPPORTED, &features) == 0 && (features >> TILE_DATA & 1);
#else
  return false;
#endif
}

bool has_tiles() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  const bool tiles = (d >> 22 & 1) && (d >> 24 & 1);  // AMX-BF16, AMX-TILE
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) && tiles && (a >> 5 & 1);  // AVX512-BF16
}
#endif

bool supported() {
#if defined(__AVX512F__)
  const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#if defined(__AMX_BF16__)
  return wide && has_tiles() && system_has_tiles();
#else
  return wide;
#endif
#elif defined(__AVX2__)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return true;  // NEON is part of every 64-bit ARM
#endif
}

// Linux saves the tiles only of a process that has requested it, and refuses where a signal stack is too small for
// them. The request is made when tiles are first needed, because signal stacks have to be larger from then on.
bool allowed() {
#if defined(__AMX_BF16__) && defined(__linux__)
  constexpr int REQUEST = 0x1023;  // ARCH_REQ_XCOMP_PERM
  static const bool granted = syscall(SYS_arch_prctl, REQUEST, TILE_DATA) == 0;
  return granted;
#else
  return true;
#endif
}

}  // namespace

#define NAME(isa) #isa
#define NAME_OF(isa) NAME(isa)

extern const Kernels kernels;
const Kernels kernels{NAME_OF(GATECAST_ISA), GATECAST_LANES, supported, allowed, forward, backward};

}  // namespace gatecast::GATECAST_ISA
