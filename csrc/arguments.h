// Arguments and results of the operators, by name, in the order of their schemas (gatecast/ops/operators.py).
//
// Each list is written once. From it come a struct with one field for each name, the conversion from and to the stack
// of values that PyTorch passes, and the text with which a test compares the order to the schemas.
#pragma once

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/tensor.h>

#include <optional>
#include <vector>

namespace gatecast {

using Tensor = torch::stable::Tensor;
using OptionalTensor = std::optional<Tensor>;
using Tensors = std::vector<Tensor>;
using Integers = std::vector<int64_t>;

// What one layer reads: shapes are in lstm.h.
#define LAYER_ARGUMENTS(ONE)                                                            \
  ONE(Tensor, x) ONE(Tensor, w_ih) ONE(Tensor, w_hh) ONE(OptionalTensor, bias)          \
  ONE(OptionalTensor, h0) ONE(OptionalTensor, c0)                                       \
  ONE(OptionalTensor, peephole) ONE(OptionalTensor, norm_x) ONE(OptionalTensor, norm_h) \
  ONE(OptionalTensor, norm_c) ONE(OptionalTensor, w_proj)                               \
  ONE(OptionalTensor, steps) ONE(OptionalTensor, recurrent)                             \
  ONE(OptionalTensor, zone_h) ONE(OptionalTensor, zone_c)

#define OPTION_ARGUMENTS(ONE) ONE(Integers, flags) ONE(double, cell_clip) ONE(double, gradient_clip)

#define FORWARD_ARGUMENTS(ONE) LAYER_ARGUMENTS(ONE) OPTION_ARGUMENTS(ONE) ONE(int64_t, keep)

// y, h and c; `keep` says which of the others are not empty (Keep in bind.cpp).
#define FORWARD_RESULTS(ONE)                                                         \
  ONE(Tensor, y) ONE(Tensor, h) ONE(Tensor, c) ONE(Tensor, cells) ONE(Tensor, gates) \
  ONE(Tensor, states) ONE(Tensor, norms) ONE(Tensor, moments)

// Gradients of the results, the arguments of the forward pass, what it kept, and which gradients are wanted.
#define BACKWARD_ARGUMENTS(ONE)                                                          \
  ONE(OptionalTensor, grad_y) ONE(OptionalTensor, grad_h) ONE(OptionalTensor, grad_c)    \
  ONE(OptionalTensor, grad_cells) LAYER_ARGUMENTS(ONE) ONE(Tensor, states)               \
  ONE(Tensor, cells) ONE(Tensor, gates) ONE(Tensor, norms) ONE(Tensor, moments)          \
  OPTION_ARGUMENTS(ONE) ONE(bool, want_x) ONE(bool, want_h0) ONE(bool, want_c0)

// The gradient of each argument of this name; empty where it is not wanted.
#define BACKWARD_RESULTS(ONE)                                                                  \
  ONE(Tensor, x) ONE(Tensor, w_ih) ONE(Tensor, w_hh) ONE(Tensor, bias) ONE(Tensor, h0)         \
  ONE(Tensor, c0) ONE(Tensor, peephole) ONE(Tensor, norm_x) ONE(Tensor, norm_h)                \
  ONE(Tensor, norm_c) ONE(Tensor, w_proj)

#define LAYERS_ARGUMENTS(ONE)                                                                \
  ONE(Tensor, x) ONE(Tensors, weights) ONE(OptionalTensor, h0) ONE(OptionalTensor, c0)       \
  ONE(OptionalTensor, steps) ONE(int64_t, layers) ONE(int64_t, directions) OPTION_ARGUMENTS(ONE)

#define LAYERS_RESULTS(ONE) ONE(Tensor, y) ONE(Tensor, h) ONE(Tensor, c)

#define FIELD(type, name) type name;
#define COUNT(type, name) +1
#define READ(type, name) torch::stable::detail::to<type>(*stack++),  // braces keep this order
#define WRITE(type, name) *stack++ = torch::stable::detail::from(name);
#define TEXT(type, name) #type " " #name ","

#define ARGUMENTS_STRUCT(Name, LIST)                                 \
  struct Name {                                                      \
    LIST(FIELD)                                                      \
    static constexpr uint64_t count = 0 LIST(COUNT);                 \
    static Name read(StableIValue* stack) { return {LIST(READ)}; }   \
  }

#define RESULTS_STRUCT(Name, LIST)                                   \
  struct Name {                                                      \
    LIST(FIELD)                                                      \
    static constexpr uint64_t count = 0 LIST(COUNT);                 \
    void write(StableIValue* stack) const { LIST(WRITE) }            \
  }

ARGUMENTS_STRUCT(ForwardArguments, FORWARD_ARGUMENTS);
ARGUMENTS_STRUCT(BackwardArguments, BACKWARD_ARGUMENTS);
ARGUMENTS_STRUCT(LayersArguments, LAYERS_ARGUMENTS);
RESULTS_STRUCT(ForwardResults, FORWARD_RESULTS);
RESULTS_STRUCT(BackwardResults, BACKWARD_RESULTS);
RESULTS_STRUCT(LayersResults, LAYERS_RESULTS);

constexpr const char* SIGNATURES =
    "lstm_forward:" FORWARD_ARGUMENTS(TEXT) "->" FORWARD_RESULTS(TEXT)
    "\nlstm_backward:" BACKWARD_ARGUMENTS(TEXT) "->" BACKWARD_RESULTS(TEXT)
    "\nlstm_layers:" LAYERS_ARGUMENTS(TEXT) "->" LAYERS_RESULTS(TEXT);

#undef FIELD
#undef COUNT
#undef READ
#undef WRITE
#undef TEXT

// An operator as PyTorch calls it: the arguments lie on the stack, and the results take their place.
template <class Arguments, class Results, Results (*op)(Arguments&)>
void boxed(StableIValue* stack, uint64_t arguments, uint64_t results) {
  STD_TORCH_CHECK(
      arguments == Arguments::count && results == Results::count, "the schema has ", arguments, " arguments and ",
      results, " results, the kernel ", Arguments::count, " and ", Results::count);
  Arguments given = Arguments::read(stack);
  op(given).write(stack);
}

}  // namespace gatecast
