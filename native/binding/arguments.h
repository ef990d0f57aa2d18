// Between JavaScript values and C++: arguments of a call taken in order, results made, errors thrown. Nothing here or
// in the binding uses C++ exceptions; a failed call leaves a JavaScript exception pending and returns nullptr.
#pragma once

#include <cstdint>
#include <string>

#include <node_api.h>

namespace athanor::binding {

// What src/backends/native turns into its own error classes.
constexpr const char* ARGUMENT = "ATHANOR_ARGUMENT";
constexpr const char* FORMAT = "ATHANOR_FORMAT";
constexpr const char* CAPACITY = "ATHANOR_CAPACITY";
constexpr const char* BACKEND = "ATHANOR_BACKEND";
constexpr const char* ABORTED = "ATHANOR_ABORTED";

struct Bytes {
  const uint8_t* data;
  size_t length;
};

// Arguments in order. The first wrong one throws and makes ok() false; what is taken after it is empty.
class Arguments {
 public:
  Arguments(napi_env env, napi_callback_info info);
  double number(const char* what);
  int64_t integer(const char* what);   // 0 … 2^53
  std::string text(const char* what);
  Bytes bytes(const char* what);       // a typed array
  bool boolean(const char* what);
  napi_value array(const char* what, uint32_t& length);
  bool given() const { return ok_ && next_ < count_ && type(values_[next_]) != napi_undefined; }
  bool ok() const { return ok_; }
  napi_value fail(const char* what, const char* should);

 private:
  napi_value take() { return next_ < count_ ? values_[next_++] : nullptr; }
  napi_valuetype type(napi_value value) const;
  static constexpr size_t MOST = 8;
  napi_env env_;
  napi_value values_[MOST];
  size_t count_ = MOST, next_ = 0;
  bool ok_ = true;
};

// The bytes of a typed array; false when it is something else. A detached one has none.
bool bytesOf(napi_env env, napi_value value, Bytes& bytes);

napi_value throwError(napi_env env, const char* code, const std::string& message);
napi_value makeError(napi_env env, const char* code, const std::string& message);

napi_value makeNumber(napi_env env, double value);
napi_value makeText(napi_env env, const std::string& value);
void setField(napi_env env, napi_value object, const char* name, napi_value value);
napi_value makeFloat64Array(napi_env env, size_t length, double** data);

}  // namespace athanor::binding
