// Tensors through the stable ABI of libtorch: values and strides of an argument after a check of its shape, and new
// tensors for results.
#pragma once

#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <initializer_list>
#include <optional>
#include <string>

#include "lstm.h"
#include "workspace.h"

namespace gatecast {

using Tensor = torch::stable::Tensor;
using Sizes = std::initializer_list<int64_t>;

inline const int32_t FLOAT = aoti_torch_dtype_float32(), BOOL = aoti_torch_dtype_bool();
inline const int32_t CPU = aoti_torch_device_type_cpu();

inline bool is_on_cpu(const Tensor& t, int32_t wanted) {
  int32_t dtype, device;
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_get_dtype(t.get(), &dtype));
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_get_device_type(t.get(), &device));
  return dtype == wanted && device == CPU;
}

inline std::string shape_text(const int64_t* sizes, int64_t count) {
  std::string text = "(";
  for (int64_t k = 0; k < count; k++) text += (k ? ", " : "") + std::to_string(sizes[k]);
  return text + ")";
}

// One member of a call: `torch.func.vmap` calls an operator once for an ensemble of layers. Then every tensor has a
// first axis of members, of stride 0 where they share the tensor.
struct Member {
  bool ensemble;
  int64_t count, index;  // members of the ensemble; which of them

  explicit Member(const Tensor& x) : ensemble(x.dim() == 4), count(ensemble ? x.size(0) : 1), index(0) {}

  Member at(int64_t k) const {
    Member other = *this;
    other.index = k;
    return other;
  }

  // The first value of this member's part of a tensor, and the strides of its axes.
  template <class T>
  struct Values {
    const T* at;
    const int64_t* strides;
  };

  // The values of a tensor that must have these sizes.
  template <class T = float>
  Values<T> values(const char* name, const Tensor& t, Sizes sizes) const {
    constexpr bool floats = sizeof(T) == sizeof(float);
    const auto found = t.sizes();
    const int64_t axes = static_cast<int64_t>(sizes.size());
    bool fits = found.size() == sizes.size() + ensemble && (!ensemble || found[0] == count);
    for (int64_t k = 0; fits && k < axes; k++) fits = found[ensemble + k] == sizes.begin()[k];
    STD_TORCH_CHECK(
        fits && is_on_cpu(t, floats ? FLOAT : BOOL), name, " must be a ", floats ? "float32" : "bool",
        " tensor on the CPU of shape ", shape_text(sizes.begin(), axes), ensemble ? " for each member" : "",
        ", got shape ", shape_text(found.data(), static_cast<int64_t>(found.size())));
    const int64_t* strides;
    STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_get_strides(t.get(), const_cast<int64_t**>(&strides)));
    const T* start = static_cast<const T*>(t.data_ptr());
    return {ensemble ? start + index * strides[0] : start, strides + ensemble};
  }

  // The same; the first `strided` axes may have any stride, the others must be contiguous.
  Values<float> packed(const char* name, const Tensor& t, Sizes sizes, int64_t strided = 0) const {
    const Values<float> found = values(name, t, sizes);
    for (const int64_t size : sizes) {
      if (size == 0) return found;  // nothing is read, whatever the strides
    }
    int64_t stride = 1;
    for (int64_t k = static_cast<int64_t>(sizes.size()) - 1; k >= strided; k--) {
      const int64_t size = sizes.begin()[k];
      STD_TORCH_CHECK(size == 1 || found.strides[k] == stride, name, " has gaps; make it contiguous");
      stride *= size;
    }
    return found;
  }

  const float* packed(const char* name, const std::optional<Tensor>& t, Sizes sizes) const {
    return t ? packed(name, *t, sizes).at : nullptr;
  }

  template <class T>
  Mask<T> mask(const char* name, const std::optional<Tensor>& t, Sizes sizes) const {
    if (!t) return {};
    const Values<T> found = values<T>(name, *t, sizes);
    if (sizes.size() == 2) return {found.at, found.strides[0], found.strides[1], 0};
    const int64_t unit = found.strides[2];
    STD_TORCH_CHECK(unit == 0 || unit == 1 || sizes.begin()[2] <= 1, name, " has gaps; make it contiguous");
    return {found.at, found.strides[0], found.strides[1], unit};
  }

  // This member's part of a result.
  float* target(const Tensor& t) const {
    return static_cast<float*>(t.data_ptr()) + (ensemble ? index * t.stride(0) : 0);
  }
  float* target_if(bool wanted, const Tensor& t) const { return wanted ? target(t) : nullptr; }
};

constexpr int64_t LARGE_FLOATS = 1 << 20;  // from 4 MB on, memory is often fresh from the system

// Straight from the allocator: an empty tensor through the dispatcher costs as much as a step of a small layer.
inline Tensor empty(const int64_t* sizes, int64_t axes) {
  int64_t strides[6], stride = 1;
  for (int64_t k = axes - 1; k >= 0; k--) {
    strides[k] = stride;
    stride *= sizes[k] > 0 ? sizes[k] : 1;
  }
  AtenTensorHandle handle;
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_empty_strided(axes, sizes, strides, FLOAT, CPU, 0, &handle));
  Tensor tensor(handle);
  if (stride >= LARGE_FLOATS) prefer_huge_pages(tensor.data_ptr(), stride * 4);
  return tensor;
}

inline Tensor empty(Sizes sizes) { return empty(sizes.begin(), static_cast<int64_t>(sizes.size())); }

// With an axis of members in front, where the call has one.
inline Tensor empty(const Member& member, Sizes sizes) {
  int64_t all[6] = {member.count}, axes = member.ensemble;
  for (int64_t size : sizes) all[axes++] = size;
  return empty(all, axes);
}

// A tensor of no values where it is not wanted.
inline Tensor empty_if(bool wanted, const Member& member, Sizes sizes) {
  return wanted ? empty(member, sizes) : empty({0});
}

// One step, (batch, input), with an axis of time in front, on the same memory.
inline Tensor with_time(const Tensor& x) {
  const int64_t sizes[3] = {1, x.size(0), x.size(1)}, strides[3] = {0, x.stride(0), x.stride(1)};
  AtenTensorHandle handle;
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch__reinterpret_tensor(x.get(), 3, sizes, strides, 0, &handle));
  return Tensor(handle);
}

}  // namespace gatecast
