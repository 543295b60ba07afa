// The function table of one instruction set; compiled once for each, beside lstm_forward.cpp and lstm_backward.cpp.
#include "lstm.h"

namespace gatecast::GATECAST_ISA {

void forward(const Forward&, const Threads&);
void backward(const Backward&, const Threads&);

namespace {

bool supported() {
#if defined(__AVX512F__)
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#elif defined(__AVX2__)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return true;  // NEON is part of every 64-bit ARM
#endif
}

}  // namespace

#define NAME(isa) #isa
#define NAME_OF(isa) NAME(isa)

extern const Kernels kernels;
const Kernels kernels{NAME_OF(GATECAST_ISA), GATECAST_LANES, supported, forward, backward};

}  // namespace gatecast::GATECAST_ISA
