// Finds the kernels of an instruction set by name, or the best that this processor runs.
#include <cstring>

#include "lstm.h"

namespace gatecast {

#define DECLARE(isa)             \
  namespace isa {                \
  extern const Kernels kernels;  \
  }
#if defined(__x86_64__)
DECLARE(avx512)
DECLARE(avx2)
#if defined(GATECAST_AMX)
DECLARE(amx)
#endif
#elif defined(__aarch64__)
DECLARE(neon)
#endif

namespace {

const Kernels* const ALL[] = {
#if defined(__x86_64__)
    &avx512::kernels, &avx2::kernels,
#if defined(GATECAST_AMX)
    &amx::kernels,  // never the best for float32: where it runs, avx512 runs too
#endif
#elif defined(__aarch64__)
    &neon::kernels,
#endif
    nullptr};

}  // namespace

#if defined(GATECAST_STAMP)
// What the library was compiled from: read from the file, before it is loaded, to refuse one of other sources.
extern "C" __attribute__((visibility("default"), used)) const char gatecast_stamp[] = GATECAST_STAMP;
#endif

const Kernels* kernels_named(const char* name) {
  for (const Kernels* const* one = ALL; *one; one++) {
    if ((!name || !std::strcmp(name, (*one)->name)) && (*one)->supported()) return *one;
  }
  return nullptr;
}

}  // namespace gatecast
